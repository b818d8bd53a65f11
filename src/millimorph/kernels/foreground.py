"""Otsu's threshold and medians of plain arrays, with exact counts and the same bits everywhere."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 128

_CHUNK = 1 << 20


def otsu(values: NDArray[Any]) -> float:
    """Return the upper edge of the bin that best parts finite values in two classes (Otsu 1979).

    128 bins from the smallest to the largest value; of equally good bins the lowest. A constant
    array has its value as threshold.
    """
    flat = values.reshape(-1)
    low, high = float(flat.min()), float(flat.max())
    width = high / BINS - low / BINS
    if not width > 0:
        return high
    return low + (best_cut(histogram(flat, low, width)) + 1) * width


def histogram(flat: NDArray[Any], low: float, width: float) -> list[int]:
    """Count values in 128 bins of equal width from low; the last bin holds what lies beyond."""
    counts = np.zeros(BINS, dtype=np.int64)
    for start in range(0, flat.size, _CHUNK):
        scaled = (flat[start : start + _CHUNK].astype(np.float64) - low) / width
        bins = np.clip(np.floor(scaled), 0, BINS - 1).astype(np.int64)
        counts += np.bincount(bins, minlength=BINS)
    return [int(count) for count in counts]


def best_cut(counts: list[int]) -> int:
    """Return the last bin of the lower class that maximises the variance between the classes.

    With n values below the cut, of bin sum m, and N, M over all bins, the variance is proportional
    to (M n - N m)^2 / (n (N - n)); the fractions are compared exactly, in integers.
    """
    total = sum(counts)
    total_sum = sum(bin_ * count for bin_, count in enumerate(counts))
    best, numerator, denominator = 0, -1, 1
    below = below_sum = 0
    for bin_, count in enumerate(counts[:-1]):
        below += count
        below_sum += bin_ * count
        if below in (0, total):
            continue
        variance = (total_sum * below - total * below_sum) ** 2
        weight = below * (total - below)
        if variance * denominator > numerator * weight:
            best, numerator, denominator = bin_, variance, weight
    return best


def median(values: NDArray[Any]) -> float:
    """Return the middle value, or half the sum of the two middle values, as float64."""
    flat = values.reshape(-1)
    upper = flat.size // 2
    lower = upper - 1 + flat.size % 2
    ordered = np.partition(flat, (lower, upper))
    return (float(ordered[lower]) + float(ordered[upper])) / 2.0
