"""The definition of the steps on label maps: label by label, offset by offset."""

import math
from collections.abc import Iterator
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

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

Integers: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Offset: TypeAlias = tuple[int, ...]

_NOWHERE = -(2**40)


def changed(stage: LabelPass, source: LabelMap) -> LabelMap:
    """Return the label map with the step applied."""
    kind = np.dtype(stage.written)
    channels = source.channel_arrays.astype(np.int64)
    if isinstance(stage.step, OneHotCoding):
        return LabelMap(_one_hot(stage.step, channels[0]).astype(kind), source.grid)
    array = np.stack([_changed(stage.step, channel) for channel in channels]).astype(kind)
    return LabelMap(array.reshape(source.array.shape), source.grid, source.frames)


def _changed(step: LabelStep, labels: Integers) -> Integers:
    out = labels.copy()
    match step:
        case Remapping():
            for old, new in step.pairs:
                out[labels == old] = new
        case LargestParts():
            for label in _wanted(labels, step.values, (step.into,)):
                out[(labels == label) & ~_largest_part(labels == label, step)] = step.into
        case Erosion():
            distance = _distance_to_others(step.ball, labels)
            for label in _wanted(labels, step.values, (step.into,)):
                own = labels == label
                near = own & (distance <= step.ball.limit)
                out[_cut(near, distance, own, 1.0 - step.kept_at_least)] = step.into
        case Dilation():
            return _dilated(step, labels)
        case _:
            raise AssertionError(step)
    return out


def _one_hot(step: OneHotCoding, labels: Integers) -> Mask:
    values = step.values or tuple(_wanted(labels, None, ()))
    if not values:
        raise LabelError(
            "one channel for each label that occurs: none but 0 occurs; list the labels as values"
        )
    return np.stack([labels == value for value in values])


def _wanted(labels: Integers, values: Labels, others: tuple[int, ...]) -> list[int]:
    """The labels that are asked for and occur, ascending."""
    occurring = [int(label) for label in np.unique(labels)]
    if values is None:
        return [label for label in occurring if label not in {0, *others}]
    return [label for label in occurring if label in values]


def _largest_part(mask: Mask, step: LargestParts) -> Mask:
    """The largest part of a mask; of equal ones the one whose first voxel comes first."""
    neighbours = mask.ndim if step.connectivity == "corners" else 1
    number, count = ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, neighbours))
    sizes = [int((number == part).sum()) for part in range(1, count + 1)]
    firsts = [int(np.flatnonzero(number == part)[0]) for part in range(1, count + 1)]
    best = min(range(count), key=lambda part: (-sizes[part], firsts[part]))
    largest: Mask = number == best + 1
    return largest


def _offsets(ball: Ball, shape: tuple[int, ...]) -> Iterator[tuple[Offset, float]]:
    """All offsets (z, y, x) within a ball but the middle, with their squared lengths."""
    tables = [ball.squares(axis, size) for axis, size in enumerate(reversed(shape))]
    reach = [range(1 - len(table), len(table)) for table in tables]
    for steps in product(*reach):
        square = 0.0
        for table, k in zip(tables, steps, strict=True):
            square += table[abs(k)]
        if any(steps) and square <= ball.limit:
            yield steps[::-1], square


def _seen_at(labels: Integers, offset: Offset) -> Integers:
    """What lies at an offset from each voxel; beyond the border nothing that is a label."""
    reach = [abs(step) for step in offset]
    padded = np.pad(labels, [(r, r) for r in reach], constant_values=_NOWHERE)
    start = [r + step for r, step in zip(reach, offset, strict=True)]
    return padded[tuple(slice(s, s + n) for s, n in zip(start, labels.shape, strict=True))]


def _distance_to_others(ball: Ball, labels: Integers) -> npt.NDArray[np.float64]:
    """Squared distance to the nearest voxel of another label within the ball, else infinity."""
    distance = np.full(labels.shape, math.inf)
    for offset, square in _offsets(ball, labels.shape):
        there = _seen_at(labels, offset)
        other = (there != labels) & (there != _NOWHERE)
        distance[other] = np.minimum(distance[other], square)
    return distance


def _dilated(step: Dilation, labels: Integers) -> Integers:
    growing = set(_wanted(labels, step.values, step.into))
    nearest = np.full(labels.shape, math.inf)
    taken = np.full(labels.shape, _NOWHERE)
    for offset, square in _offsets(step.ball, labels.shape):
        there = _seen_at(labels, offset)
        better = (square < nearest) | ((square == nearest) & (there < taken))
        chosen = np.isin(there, list(growing)) & better & np.isin(labels, step.into)
        nearest[chosen], taken[chosen] = square, there[chosen]
    for label in growing:
        surplus = _surplus(taken == label, nearest, labels == label, step.grown_at_most)
        taken[surplus] = _NOWHERE
    for label in set(step.into) - {0}:
        lost = (labels == label) & (taken != _NOWHERE)
        taken[_surplus(lost, nearest, labels == label, 1.0 - step.kept_at_least)] = _NOWHERE
    return np.where(taken == _NOWHERE, labels, taken)


def _surplus(mask: Mask, distance: npt.NDArray[np.float64], own: Mask, share: float) -> Mask:
    """What of a mask is not among the nearest `share` of a label's voxels."""
    return mask & ~_cut(mask, distance, own, share)


def _cut(mask: Mask, distance: npt.NDArray[np.float64], own: Mask, share: float) -> Mask:
    """The nearest voxels of a mask, at most `share` of a label's; a distance counts as a whole."""
    most = math.floor(share * int(own.sum()))
    kept = mask.copy()
    for length in sorted(set(distance[mask].tolist()), reverse=True):
        if int(kept.sum()) <= most:
            break
        kept &= distance < length
    return kept
