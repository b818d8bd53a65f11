"""Sampling of arrays at continuous indices, written to be read, not to be fast.

Indices are (n, d) in (x, y, z) order with voxel centres at whole numbers; arrays are in (z, y, x)
order. Every function takes points inside the array: −0.5 ≤ index < size − 0.5 on every axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
AnyArray: TypeAlias = npt.NDArray[Any]
Key: TypeAlias = tuple[Integers, ...]


def array_key(voxels: Integers) -> Key:
    """Turn whole indices (n, d) in (x, y, z) order into a key for an array in (z, y, x) order."""
    return tuple(voxels[:, axis] for axis in reversed(range(voxels.shape[1])))


def nearest(array: AnyArray, index: Floats) -> AnyArray:
    """Take the voxel at floor(index + 0.5); values pass through untouched, whatever their type."""
    size = np.array(array.shape[::-1])
    voxels = np.floor(index + 0.5).astype(np.int64)
    return array[array_key(np.clip(voxels, 0, size - 1))]


def linear(array: AnyArray, index: Floats) -> Floats:
    """Weigh the 2^d neighbours; the result never leaves their range, not even by a rounding."""
    total = np.zeros(len(index))
    lowest = np.full(len(index), np.inf)
    highest = np.full(len(index), -np.inf)
    for weight, key in _linear_taps(array.shape, index):
        neighbour = array[key].astype(np.float64)
        total += weight * neighbour
        lowest = np.minimum(lowest, neighbour)
        highest = np.maximum(highest, neighbour)
    return np.clip(total, lowest, highest)


def label_linear(array: AnyArray, index: Floats) -> AnyArray:
    """Choose the neighbouring label whose linear weights sum highest; ties go to the lower."""
    taps = list(_linear_taps(array.shape, index))
    weights = [weight for weight, _ in taps]
    labels = [array[key] for _, key in taps]
    supports = np.stack(
        [
            sum((w * (other == label) for w, other in zip(weights, labels, strict=True)), start=0.0)
            for label in labels
        ]
    )
    candidates = np.stack(labels)
    is_best = supports == supports.max(axis=0)
    lowest: AnyArray = np.where(is_best, candidates, np.iinfo(array.dtype).max).min(axis=0)
    return lowest


def cubic_coefficients(array: AnyArray) -> Floats:
    """Find the cubic B-spline that passes through the voxels, mirrored about the outer centres.

    Source: Unser, Aldroubi and Eden, "B-spline signal processing", 1993, by way of SciPy.
    """
    return np.asarray(ndimage.spline_filter(array, order=3, output=np.float64, mode="mirror"))


def cubic(coefficients: Floats, index: Floats) -> Floats:
    """Evaluate the spline of ``cubic_coefficients`` from its 4^d nearest coefficients."""
    total = np.zeros(len(index))
    for weight, key in _cubic_taps(coefficients.shape, index):
        total += weight * coefficients[key]
    return total


def _linear_taps(shape: tuple[int, ...], index: Floats) -> Iterator[tuple[Floats, Key]]:
    """Yield the weights and clamped places of the 2^d neighbours."""
    size = np.array(shape[::-1])
    base = np.floor(index)
    fraction = index - base
    for corner in product((0, 1), repeat=len(shape)):
        weight = np.where(np.array(corner) == 1, fraction, 1.0 - fraction).prod(axis=1)
        voxels = np.clip(base.astype(np.int64) + np.array(corner), 0, size - 1)
        yield weight, array_key(voxels)


def _cubic_taps(shape: tuple[int, ...], index: Floats) -> Iterator[tuple[Floats, Key]]:
    """Yield the weights and mirrored places of the 4^d coefficients around each point."""
    size = np.array(shape[::-1])
    base = np.floor(index)
    t = index - base
    weights = np.stack(
        [
            (1.0 - t) ** 3 / 6.0,
            (4.0 - 6.0 * t**2 + 3.0 * t**3) / 6.0,
            (1.0 + 3.0 * t + 3.0 * t**2 - 3.0 * t**3) / 6.0,
            t**3 / 6.0,
        ]
    )
    axes = range(len(shape))
    for tap in product(range(4), repeat=len(shape)):
        weight = np.stack([weights[tap[axis], :, axis] for axis in axes]).prod(axis=0)
        voxels = base.astype(np.int64) + np.array(tap) - 1
        yield weight, array_key(_mirrored(voxels, size))


def _mirrored(voxels: Integers, size: npt.NDArray[np.int_]) -> Integers:
    """Reflect whole indices about the first and last voxel centre until they are inside."""
    period = np.maximum(2 * (size - 1), 1)
    folded = np.mod(voxels, period)
    return np.where(folded < size, folded, period - folded)
