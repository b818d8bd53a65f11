"""What is in an array: its range, and whether it looks like a label map."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage

MOST_LABELS = 1000
_LARGEST_SPAN = 2**24
_MOST_FOR_PERCENTILES = 4_000_000
_AGREEING = 0.5
_PART = 1 << 20
_LOWEST_HU, _HIGHEST_AIR_HU = -4096.0, -700.0


def oblique_deg(grid: ImageGrid) -> float:
    """The largest angle between a grid axis and the nearest patient axis, in degrees."""
    largest = np.abs(grid.direction).max(axis=0).tolist()
    return max(math.degrees(math.acos(min(1.0, cosine))) for cosine in largest)


def looks_like_hounsfield(minimum: float, maximum: float) -> bool:
    """Whether a range reaches from air in HU to tissue, as that of a CT does."""
    return _LOWEST_HU <= minimum <= _HIGHEST_AIR_HU and maximum > 0.0


@dataclass(frozen=True)
class Values:
    """Statistics of all finite voxels; `robust` is the 1st and 99th percentile.

    The percentiles of more than four million voxels are those of an even choice of them.
    """

    minimum: float
    maximum: float
    robust: tuple[float, float]
    mean: float
    nan_count: int
    infinite_count: int


@dataclass(frozen=True)
class LabelCount:
    """A label with its voxels and their volume in mm3 (area in mm2 in 2D)."""

    value: int
    voxels: int
    volume_mm: float


def measure(image: ScalarImage) -> Values:
    """The statistics of an image, over all channels and frames."""
    array = image.array
    nan, infinite = 0, 0
    if array.dtype.kind == "f":
        nan = int(np.count_nonzero(np.isnan(array)))
        infinite = int(np.count_nonzero(np.isinf(array)))
        if nan or infinite:
            array = array[np.isfinite(array)]
    flat = array.reshape(-1)
    if flat.size == 0:
        none = float("nan")
        return Values(none, none, (none, none), none, nan, infinite)
    chosen = flat[:: -(-flat.size // _MOST_FOR_PERCENTILES)]
    low, high = np.percentile(chosen, (1.0, 99.0)).tolist()
    mean = float(flat.mean(dtype=np.float64))
    return Values(float(flat.min()), float(flat.max()), (low, high), mean, nan, infinite)


def label_counts(image: ScalarImage) -> tuple[LabelCount, ...] | None:
    """How often each value occurs, if all are whole numbers and at most a thousand differ."""
    flat = image.array.reshape(-1)
    parts = [flat[start : start + _PART] for start in range(0, flat.size, _PART)]
    if not all(map(_is_whole, parts)):
        return None
    low, high = int(np.min(flat)), int(np.max(flat))
    counts = _counts_of_few(parts) if high - low > _LARGEST_SPAN else _counts(parts, low, high)
    if counts is None or len(counts) > MOST_LABELS:
        return None
    voxel = float(np.prod(image.grid.spacing_mm))
    return tuple(LabelCount(value, count, count * voxel) for value, count in counts.items())


def _counts(parts: list[npt.NDArray[Any]], low: int, high: int) -> dict[int, int]:
    """Count values by their distance from the lowest; parts keep copies small."""
    total = np.zeros(high - low + 1, np.int64)
    for part in parts:
        found = np.bincount(part.astype(np.int64) - low)
        total[: len(found)] += found
    values = np.flatnonzero(total)
    return dict(zip((values + low).tolist(), total[values].tolist(), strict=True))


def _counts_of_few(parts: list[npt.NDArray[Any]]) -> dict[int, int] | None:
    """Count values that lie far apart; None once there are too many for labels."""
    total: Counter[int] = Counter()
    for part in parts:
        numbers, occurrences = np.unique(part.astype(np.int64), return_counts=True)
        total.update(dict(zip(numbers.tolist(), occurrences.tolist(), strict=True)))
        if len(total) > MOST_LABELS:
            return None
    return dict(sorted(total.items()))


def _is_whole(part: npt.NDArray[Any]) -> bool:
    """Whether all values are whole numbers that fit 53 bits."""
    if part.dtype.kind != "f":
        small = part.dtype.itemsize < 8
        return small or bool(int(part.min()) > -(2**53) and int(part.max()) < 2**53)
    whole = np.isfinite(part).all() and (np.rint(part) == part).all()
    return bool(whole and float(np.abs(part).max()) < 2**53)


def looks_like_labels(image: ScalarImage, counts: tuple[LabelCount, ...] | None) -> bool:
    """Whether neighbours mostly agree outside the commonest value, as in areas of one label.

    Photographs and scans of 8 bits have few values as well, but their neighbours differ.
    """
    if counts is None or not 1 < len(counts) <= MOST_LABELS or counts[0].value < 0:
        return False
    commonest = max(counts, key=lambda one: one.voxels).value
    left, right = image.array[..., :-1], image.array[..., 1:]
    outside = (left != commonest) | (right != commonest)
    pairs = int(np.count_nonzero(outside))
    agreeing = int(np.count_nonzero((left == right) & outside))
    return pairs > 0 and agreeing >= _AGREEING * pairs
