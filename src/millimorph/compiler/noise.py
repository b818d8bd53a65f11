"""Ops that add noise, as steps."""

from typing import assert_never

import numpy as np

from millimorph.compiler.subject import Subject, amount
from millimorph.compiler.world import number
from millimorph.errors import CompileError
from millimorph.ops.noise import (
    GaussianNoise,
    NoiseOp,
    RicianNoise,
    SaltAndPepper,
    ShotNoise,
    Speckle,
)
from millimorph.program import Amount, NormalNoise, Pointwise, VolumeStep
from millimorph.program.noise import GammaNoise, ImpulseNoise, MagnitudeNoise, PoissonNoise


def noise_steps(op: NoiseOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    stream = subject.stream(op.id)
    match op:
        case GaussianNoise():
            deviation = amount(op.std, op.std_fraction)
            return (NormalNoise(deviation, stream),) if deviation.number else ()
        case RicianNoise():
            deviation = amount(op.std, op.std_fraction)
            step = MagnitudeNoise(deviation, _given(op.baseline), stream)
            return (step,) if deviation.number else ()
        case SaltAndPepper():
            density = number(op.density)
            return (ImpulseNoise(density, *_limits(op, subject), stream),) if density else ()
        case ShotNoise():
            return (PoissonNoise(*_rate(op), _given(op.baseline), stream),)
        case Speckle():
            deviation_of_one = number(op.relative_std)
            step_of_gamma = GammaNoise(deviation_of_one, _given(op.baseline), stream)
            return (step_of_gamma,) if deviation_of_one else ()
        case _:
            assert_never(op)


def _given(level: object) -> float | None:
    return None if level is None else number(level)


def _rate(op: ShotNoise) -> tuple[float, Amount]:
    """How many counts there are for which level."""
    if op.scale is not None:
        return number(op.scale), Amount(1.0)
    return number(op.counts), Amount(1.0, of_robust_range=True)


def _limits(op: SaltAndPepper, subject: Subject) -> tuple[float | None, float | None]:
    """The levels of pepper and salt; None: what the original image has."""
    pepper, salt = _given(op.pepper), _given(op.salt)
    if op.limits == "image" or (pepper is not None and salt is not None):
        return pepper, salt
    kind = np.dtype(subject.dtype)
    if kind.kind == "f":
        raise CompileError(
            f'{op.id} asks for the limits of the type of "{subject.name}", which is {kind}; take '
            "limits: image, or give pepper and salt"
        )
    ends = np.iinfo(kind)
    return (
        float(ends.min) if pepper is None else pepper,
        float(ends.max) if salt is None else salt,
    )
