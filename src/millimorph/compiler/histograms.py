"""Ops that measure the image first, as steps."""

from typing import assert_never

import numpy as np

from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number
from millimorph.errors import CompileError
from millimorph.ops.histograms import (
    HistogramEqualization,
    HistogramMatching,
    HistogramOp,
    HistogramStandardization,
    MeasuringOp,
    Rescale,
    ZScore,
)
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.histograms import (
    Equalization,
    HistogramStep,
    MomentScaling,
    QuantileCurve,
    RangeScaling,
)
from millimorph.program.regions import Foreground, Mask, Region, WholeImage


def histogram_steps(op: HistogramOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    if isinstance(op, HistogramMatching) and number(op.blend) == 0.0:
        return ()
    return (_step(op, subject),)


def _step(op: HistogramOp, subject: Subject) -> HistogramStep:
    region = _region(op, subject)
    match op:
        case Rescale():
            fractions = number(op.low_percentile) / 100.0, number(op.high_percentile) / 100.0
            return RangeScaling(region, fractions, number(op.low), number(op.high), op.clip)
        case ZScore():
            return MomentScaling(region)
        case HistogramEqualization():
            return _equalization(op, subject, region)
        case HistogramStandardization():
            fractions_of_all = tuple(percentile / 100.0 for percentile in op.percentiles)
            return QuantileCurve(region, fractions_of_all, op.landmarks, evenly=False)
        case HistogramMatching():
            last = len(op.quantiles) - 1
            steps = tuple(k / last for k in range(last + 1))
            return QuantileCurve(region, steps, op.quantiles, evenly=True, blend=number(op.blend))
        case _:
            assert_never(op)


def _region(op: MeasuringOp, subject: Subject) -> Region:
    if op.mask is not None:
        subject.check_mask(op.id, op.mask)
        return Mask(op.mask, op.mask_labels)
    return Foreground() if op.over == "foreground" else WholeImage()


def _equalization(op: HistogramEqualization, subject: Subject, region: Region) -> Equalization:
    if np.dtype(subject.dtype).kind == "f":
        raise CompileError(
            f'{op.id} counts whole grey levels, but "{subject.name}" is {subject.dtype} at this '
            "point; put it in front of ops that make float images, or use "
            "histogram_standardization or histogram_matching"
        )
    low, high = (None if end is None else number(end) for end in (op.low, op.high))
    return Equalization(region, subject.dtype, low, high)
