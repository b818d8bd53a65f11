"""Steps on label maps: each channel by itself, all its labels at once."""

import math
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from millimorph.errors import LabelError
from millimorph.images import LabelMap
from millimorph.program import (
    Ball,
    Dilation,
    Erosion,
    LabelPass,
    LabelStep,
    LargestParts,
    OneHotCoding,
    Remapping,
)
from millimorph.program.labels import Labels

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_NARROW = ("int8", "uint8", "int16", "uint16", "int32")
_MOST_FOR_INT32 = 2**31
_LARGEST_SPAN = 1 << 16
_COUNTED_AT_ONCE = 1 << 20
# The offsets (z, y, x) of the neighbours that come before a voxel, those across a face first.
_EARLIER = np.array(
    sorted(
        (offset for offset in product((-1, 0, 1), repeat=3) if offset < (0, 0, 0)),
        key=lambda offset: sum(map(abs, offset)),
    )
)


def changed(stage: LabelPass, source: LabelMap) -> LabelMap:
    """Return the label map with the step applied."""
    kind = np.dtype(stage.written)
    if isinstance(stage.step, OneHotCoding):
        return LabelMap(_one_hot(stage.step, source).astype(kind, copy=False), source.grid)
    array = source.array.astype(kind)
    flat = source.channel_arrays.reshape(source.channels, *(1, *source.grid.shape)[-3:])
    for channel, kept in zip(flat, array.reshape(flat.shape), strict=True):
        _change(stage.step, channel, kept)
    return LabelMap(array, source.grid, source.frames)


def _change(step: LabelStep, labels: Array, out: Array) -> None:
    """Change `out`, a copy of one channel (z, y, x) in a type that holds all new labels."""
    match step:
        case Remapping():
            for old, new in step.pairs:
                if _fits(old, labels.dtype):
                    out[labels == labels.dtype.type(old)] = new
        case LargestParts():
            out[_smaller_parts(step, labels)] = step.into
        case Erosion():
            out.reshape(-1)[_worn_off(step, labels)] = step.into
        case Dilation():
            places, taken = _grown_over(step, labels)
            out.reshape(-1)[places] = taken
        case _:
            raise AssertionError(step)


def _one_hot(step: OneHotCoding, source: LabelMap) -> npt.NDArray[np.uint8]:
    labels = source.channel_arrays[0]
    values = step.values
    if values is None:
        values = tuple(label for label in label_counts(labels) if label != 0)
        if not values:
            raise LabelError(
                "one channel for each label that occurs: none but 0 occurs; list the labels as "
                "values"
            )
    out = np.zeros((len(values), *labels.shape), np.uint8)
    for value, channel in zip(values, out, strict=True):
        if _fits(value, labels.dtype):
            np.equal(labels, labels.dtype.type(value), out=channel.view(np.bool_))
    return out


def label_counts(labels: Array) -> dict[int, int]:
    """The labels that occur, ascending, and how often."""
    flat = labels.reshape(-1)
    low, high = int(flat.min()), int(flat.max())
    if high - low >= _LARGEST_SPAN:
        found, occurrences = np.unique(flat, return_counts=True)
        return dict(zip(found.tolist(), occurrences.tolist(), strict=True))
    counts = np.zeros(high - low + 1, np.int64)
    for first in range(0, len(flat), _COUNTED_AT_ONCE):
        places = flat[first : first + _COUNTED_AT_ONCE].astype(np.int64) - low
        counts += np.bincount(places, minlength=len(counts))
    return {int(place) + low: int(counts[place]) for place in np.flatnonzero(counts)}


def _smaller_parts(step: LargestParts, labels: Array) -> Mask:
    """Where a part of a wanted label is that is not its largest."""
    from millimorph.kernels import labels as kernels

    narrow = labels.size < _MOST_FOR_INT32
    number = np.empty(labels.shape, np.int32 if narrow else np.int64)
    wanted = _wanted(labels, step.values, (step.into,))
    earlier = _EARLIER[: 13 if step.connectivity == "corners" else 3]
    count = int(kernels.parts(_codes(labels), wanted.view(np.uint8), earlier, number))
    sizes, firsts = np.zeros(count, np.int64), np.zeros(count, np.int64)
    kernels.part_sizes(number.reshape(-1), sizes, firsts)
    of_part = labels.reshape(-1)[firsts]
    order = np.lexsort((np.arange(count), -sizes, of_part))
    is_largest = np.zeros(count, np.bool_)
    is_largest[order[_first_of_each(of_part[order])]] = True
    dropped = np.append(~is_largest, False)
    return dropped[number]


def _worn_off(step: Erosion, labels: Array) -> Array:
    """Where, as linear indices, labels are worn off."""
    from millimorph.kernels import labels as kernels

    codes = _codes(labels)
    depth = np.full(labels.shape, np.inf)
    for axis in range(3):
        squares = _squares(step.ball, axis, labels.shape)
        if len(squares) > 1:
            after = np.empty_like(depth)
            split = _split(labels.shape, axis)
            kernels.depths_along(
                codes.reshape(split), depth.reshape(split), squares, after.reshape(split)
            )
            depth = after
    near = (depth <= step.ball.limit) & _wanted(labels, step.values, (step.into,))
    places = np.flatnonzero(near)
    own, depths = labels.reshape(-1)[places], depth.reshape(-1)[places]
    spared = 1.0 - step.kept_at_least
    return places[_within_share(own, depths, labels, spared)]


def _grown_over(step: Dilation, labels: Array) -> tuple[Array, Array]:
    """Where, as linear indices, labels grow, and which."""
    from millimorph.kernels import labels as kernels

    nearest = _codes(labels)
    sources = _wanted(labels, step.values, step.into)
    distance = np.where(sources, 0.0, np.inf)
    for axis in range(3):
        squares = _squares(step.ball, axis, labels.shape)
        if len(squares) > 1:
            after, chosen = np.empty_like(distance), np.empty_like(nearest)
            split = _split(labels.shape, axis)
            kernels.nearest_along(
                distance.reshape(split),
                squares,
                nearest.reshape(split),
                after.reshape(split),
                chosen.reshape(split),
            )
            distance, nearest = after, chosen
    open_to = _wanted(labels, step.into, ())
    places = np.flatnonzero((distance <= step.ball.limit) & open_to)
    taken, distances = nearest.reshape(-1)[places], distance.reshape(-1)[places]
    kept = _within_share(taken, distances, labels, step.grown_at_most)
    places, taken, distances = places[kept], taken[kept], distances[kept]
    lost = labels.reshape(-1)[places]
    kept = (lost == 0) | _within_share(lost, distances, labels, 1.0 - step.kept_at_least)
    return places[kept], taken[kept]


def _within_share(own: Array, distances: Array, labels: Array, share: float) -> Mask:
    """Which of some voxels of labels are among the nearest `share` of each label's voxels.

    Where there are more, those at the distance that would exceed it are all left out.
    """
    kept = np.ones(len(own), np.bool_)
    if not len(own):
        return kept
    totals = label_counts(labels)
    for label, count in label_counts(own).items():
        most = math.floor(share * totals[label])
        if count > most:
            mine = own == label
            ranked = np.sort(distances[mine])
            kept[mine] = distances[mine] < ranked[most]
    return kept


def _wanted(labels: Array, values: Labels, others: tuple[int, ...]) -> Mask:
    """Where the labels are that are asked for; None asks for all but 0 and others."""
    asked = {0, *others} if values is None else set(values)
    known = [label for label in sorted(asked) if _fits(label, labels.dtype)]
    found: Mask = np.isin(labels, np.array(known, labels.dtype), invert=values is None)
    return found


def _fits(label: int, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return bool(limits.min <= label <= limits.max)


def _codes(labels: Array) -> Array:
    """The labels in one of the two types that the kernels are compiled for."""
    narrow = labels.dtype.name in _NARROW
    return labels.astype(np.int32 if narrow else np.int64, copy=False)


def _squares(ball: Ball, axis: int, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Squared distances along an axis (0: x) of a volume (z, y, x)."""
    size = shape[2 - axis]
    return np.array(ball.squares(axis, size) if size > 1 else (0.0,))


def _split(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """The shape (outer, n, inner) of a volume (z, y, x) with an axis (0: x) in the middle."""
    nz, ny, nx = shape
    return ((nz * ny, nx, 1), (nz, ny, nx), (1, nz, ny * nx))[axis]


def _first_of_each(ordered: Array) -> Mask:
    """Which entries of an ordered array differ from the one before."""
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return first
