"""Ops on label maps, as passes over one map."""

from dataclasses import dataclass
from typing import assert_never, cast

import numpy as np

from millimorph.compiler.world import number
from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.ops.labels import Dilate, Erode, KeepLargest, OneHot, Remap, ShapeOp
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
from millimorph.program.labels import Connectivity

_WIDER = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")


@dataclass(frozen=True)
class MapSubject:
    """A label map as it lies when an op meets it; `channels` is None where voxels decide it."""

    name: str
    dtype: str
    channels: int | None
    grid: ImageGrid


def label_passes(op: ShapeOp, subject: MapSubject) -> tuple[LabelPass, ...]:
    """The pass of one op; none where its parameters change nothing."""
    step = _step(op, subject)
    if step is None:
        return ()
    written = _wide_enough(subject.dtype, _new_labels(step))
    if isinstance(step, OneHotCoding):
        written = "uint8"
    return (LabelPass(subject.name, step, subject.grid, written),)


def changed(subject: MapSubject, stage: LabelPass) -> MapSubject:
    """The label map that a pass leaves."""
    channels = subject.channels
    if isinstance(stage.step, OneHotCoding):
        channels = None if stage.step.values is None else len(stage.step.values)
    return MapSubject(subject.name, stage.written, channels, subject.grid)


def _step(op: ShapeOp, subject: MapSubject) -> LabelStep | None:
    match op:
        case Remap():
            pairs = tuple((old, new) for old, new in op.pairs if old != new)
            return Remapping(pairs) if pairs else None
        case OneHot():
            if subject.channels != 1:
                raise CompileError(
                    f'{op.id} makes channels of labels, but "{subject.name}" has several channels '
                    "or frames already"
                )
            return OneHotCoding(op.values)
        case KeepLargest():
            return LargestParts(op.values, cast("Connectivity", op.connectivity), op.into)
        case Erode():
            ball, kept = _ball(op, subject), number(op.kept_at_least)
            return Erosion(ball, op.values, op.into, kept) if ball.radius else None
        case Dilate():
            ball, kept = _ball(op, subject), number(op.kept_at_least)
            grown = number(op.grown_at_most)
            return Dilation(ball, op.values, op.into, grown, kept) if ball.radius else None
        case _:
            assert_never(op)


def _ball(op: Erode | Dilate, subject: MapSubject) -> Ball:
    if op.radius_mm is not None:
        return Ball(number(op.radius_mm), subject.grid.spacing_mm, "mm")
    return Ball(number(op.radius_voxels), (1.0,) * subject.grid.dimension, "voxels")


def _new_labels(step: LabelStep) -> tuple[int, ...]:
    """The labels that a step may put where they were not."""
    match step:
        case Remapping():
            return tuple(new for _, new in step.pairs)
        case LargestParts() | Erosion():
            return (step.into,)
        case OneHotCoding() | Dilation():
            return ()
        case _:
            assert_never(step)


def _wide_enough(dtype: str, labels: tuple[int, ...]) -> str:
    """The type itself, or the smallest that holds all of its labels and the new ones."""
    limits = np.iinfo(dtype)
    low, high = min(labels, default=0), max(labels, default=0)
    if limits.min <= low and high <= limits.max:
        return dtype
    for wider in _WIDER:
        if np.iinfo(wider).min <= min(low, limits.min) and high <= np.iinfo(wider).max:
            return wider
    raise AssertionError(labels)
