"""Exact copies: flips, quarter turns, crops and pads by slicing, without interpolation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from millimorph.backends.sources import Source, clean, fill_number
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
    windows = [_window(stage, move, d - 1 - axis) for axis in range(d)]
    inner = turned[(slice(None), *(taken for taken, _, _ in windows))]
    pads = [(before, after) for _, before, after in windows]
    out = _padded(inner, pads, sample, source)
    for one, other in swaps_within(sample.swaps, out.dtype):
        out = _swapped(out, one, other)
    return out.reshape(len(voxels), -1)


def _as_lattice(stage: Resample) -> LatticeCopy:
    assert stage.copy is not None  # noqa: S101 - the caller looked
    return stage.copy


def _source_axis(move: LatticeCopy, target_axis: int) -> int:
    return move.axes.index(target_axis)


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


def _padded(inner: Array, pads: list[tuple[int, int]], sample: Sampled, source: Source) -> Array:
    """`inner` with the fill around it, always a new contiguous array."""
    if sample.fill == "edge" and inner.size:
        return np.pad(inner, [(0, 0), *pads], mode="edge")
    shape = [len(inner)]
    where: list[slice] = [slice(None)]
    for length, (before, after) in zip(inner.shape[1:], pads, strict=True):
        shape.append(length + before + after)
        where.append(slice(before, before + length))
    out = np.full(shape, typed_fill(fill_number(source, sample), inner.dtype), inner.dtype)
    out[tuple(where)] = inner
    return out


def typed_fill(fill: float, dtype: np.dtype[Any]) -> Any:
    """A fill value in an output's own type, integers rounded and saturated."""
    if dtype.kind == "f":
        return dtype.type(fill)
    limits = np.iinfo(dtype)
    return dtype.type(min(max(round(fill), limits.min), limits.max))


def swaps_within(
    swaps: tuple[tuple[int, int], ...], dtype: np.dtype[Any]
) -> tuple[tuple[int, int], ...]:
    """The pairs that a type can hold; others cannot occur in its label maps."""
    if not swaps:
        return ()
    limits = np.iinfo(dtype)
    return tuple(pair for pair in swaps if limits.min <= min(pair) and max(pair) <= limits.max)


def _swapped(labels: Array, one: int, other: int) -> Array:
    kind = labels.dtype.type
    return np.where(
        labels == kind(one), kind(other), np.where(labels == kind(other), kind(one), labels)
    )
