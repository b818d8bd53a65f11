"""Exact copies: flips, quarter turns, crops and pads by slicing, without interpolation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.sources import Source, clean, fill_number
from millimorph.program import LatticeCopy, Resample, Sampled

Array = npt.NDArray[Any]


def copied(stage: Resample, sample: Sampled, sources: Mapping[str, Source]) -> Array:
    """The voxels (c, target voxels) of one array under the stage's LatticeCopy."""
    source = sources[sample.name]
    voxels = clean(source, sample)
    d = stage.source.dimension
    spatial = voxels.reshape(len(voxels), *stage.source.shape)
    move = _as_lattice(stage)
    order = [0, *(1 + d - 1 - _source_axis(move, d - 1 - axis) for axis in range(d))]
    turned = np.transpose(spatial, order)
    if sample.fill == "edge":
        out = turned[np.ix_(np.arange(len(turned)), *_clamped_indices(stage, move))]
    else:
        windows = [_window(stage, move, d - 1 - axis) for axis in range(d)]
        inner = turned[(slice(None), *(taken for taken, _, _ in windows))]
        out = _filled_around(inner, windows, typed_fill(fill_number(source, sample), inner.dtype))
    for one, other in sample.swaps:
        out = _swapped(out, one, other)
    return out.reshape(len(voxels), -1)


def _as_lattice(stage: Resample) -> LatticeCopy:
    assert stage.copy is not None  # noqa: S101 - the caller looked
    return stage.copy


def _source_axis(move: LatticeCopy, target_axis: int) -> int:
    return move.axes.index(target_axis)


def _clamped_indices(stage: Resample, move: LatticeCopy) -> list[npt.NDArray[np.int64]]:
    """The source indices along each target axis, z first, moved to the nearest voxel."""
    found = []
    for target_axis in reversed(range(stage.target.dimension)):
        k = _source_axis(move, target_axis)
        steps = np.arange(stage.target.size[target_axis])
        index = move.offsets[k] + move.signs[k] * steps
        found.append(np.clip(index, 0, stage.source.size[k] - 1))
    return found


def _window(stage: Resample, move: LatticeCopy, target_axis: int) -> tuple[slice, int, int]:
    """The source slice along one target axis, and how many target voxels lie beyond its ends."""
    k = _source_axis(move, target_axis)
    sign, offset = move.signs[k], move.offsets[k]
    source_size, count = stage.source.size[k], stage.target.size[target_axis]
    first, last = offset, offset + sign * (count - 1)
    if sign > 0:
        before, after = max(0, -first), max(0, last - (source_size - 1))
    else:
        before, after = max(0, first - (source_size - 1)), max(0, -last)
    before, after = min(before, count), min(after, count)
    if before + after >= count:
        return slice(0, 0), before, count - before
    start, stop = first + sign * before, last - sign * after
    end = stop + sign
    return slice(start, None if end < 0 else end, sign), before, after


def _filled_around(inner: Array, windows: list[tuple[slice, int, int]], fill: Any) -> Array:
    """`inner` with the fill around it, always a new contiguous array."""
    shape = [len(inner)]
    where: list[slice] = [slice(None)]
    for length, (_, before, after) in zip(inner.shape[1:], windows, strict=True):
        shape.append(length + before + after)
        where.append(slice(before, before + length))
    out = np.full(shape, fill, inner.dtype)
    out[tuple(where)] = inner
    return out


def typed_fill(fill: float, dtype: np.dtype[Any]) -> Any:
    """A fill value in an output's own type, integers rounded and saturated."""
    if dtype.kind == "f":
        return dtype.type(fill)
    limits = np.iinfo(dtype)
    return dtype.type(min(max(round(fill), limits.min), limits.max))


def _swapped(labels: Array, one: int, other: int) -> Array:
    kind = labels.dtype.type
    return np.where(
        labels == kind(one), kind(other), np.where(labels == kind(other), kind(one), labels)
    )
