"""Ops on grey levels, as steps."""

from itertools import accumulate
from typing import assert_never

from millimorph.compiler.subject import Subject, amount
from millimorph.compiler.world import number
from millimorph.kernels.elementary import exp, normal_quantile
from millimorph.kernels.philox import uniform
from millimorph.ops.levels import (
    Brightness,
    Clamp,
    Contrast,
    Gamma,
    IntensityCurve,
    Invert,
    LevelOp,
    LinearMap,
    Sigmoid,
    Window,
)
from millimorph.program import Pointwise, PowerCurve, VolumeStep
from millimorph.program.levels import (
    ContrastChange,
    Inversion,
    Limits,
    Line,
    MonotoneCurve,
    Place,
    PowerWithMoments,
    Shift,
    SigmoidCurve,
    WindowLine,
)
from millimorph.program.regions import Foreground, WholeImage

Steps = tuple[Pointwise | VolumeStep, ...]


def level_steps(op: LevelOp, subject: Subject) -> Steps:
    """The steps of one op; none where its parameters change nothing."""
    match op:
        case Gamma():
            return _power(op)
        case Brightness():
            shift = amount(op.shift, op.shift_fraction)
            return (Shift(shift),) if shift.number else ()
        case Contrast():
            factor = number(op.factor)
            return () if factor == 1.0 else (ContrastChange(factor, op.preserve_range),)
        case LinearMap():
            line = Line(number(op.scale), number(op.shift))
            return () if line == Line(1.0, 0.0) else (line,)
        case Clamp():
            return (Limits(_optional(op.low), _optional(op.high)),)
        case Window():
            return (_window(op),)
        case Invert():
            return (Inversion(_optional(op.about)),)
        case Sigmoid():
            return (_sigmoid(op),)
        case IntensityCurve():
            strength = number(op.strength)
            return (_random_curve(op, strength, subject),) if strength else ()
        case _:
            assert_never(op)


def _optional(parameter: object) -> float | None:
    return None if parameter is None else number(parameter)


def _power(op: Gamma) -> Steps:
    exponent = number(op.gamma)
    if exponent == 1.0:
        return ()
    if op.keep_statistics:
        return (PowerWithMoments(exponent, op.invert),)
    return (PowerCurve(exponent, op.invert),)


def _window(op: Window) -> WindowLine:
    if op.level is None:
        level = Place(number(op.level_fraction), in_robust_range=True)
    else:
        level = Place(number(op.level))
    width = amount(op.width, op.width_fraction)
    return WindowLine(level, width, number(op.low), number(op.high))


def _sigmoid(op: Sigmoid) -> SigmoidCurve:
    alpha = amount(op.alpha, op.alpha_fraction)
    region = Foreground() if op.over == "foreground" else WholeImage()
    midpoint = region if op.midpoint is None else number(op.midpoint)
    return SigmoidCurve(alpha, midpoint, _optional(op.low), _optional(op.high))


def _random_curve(op: IntensityCurve, strength: float, subject: Subject) -> MonotoneCurve:
    """Log-normal rises from one control point to the next, brought to a total of 1."""
    stream = subject.stream(op.id)
    pieces = int(number(op.control_points)) + 1
    rises = [exp(strength * normal_quantile(uniform(stream, k))) for k in range(pieces)]
    heights = list(accumulate(rises))
    return MonotoneCurve((0.0, *(height / heights[-1] for height in heights)))
