"""Ops that add noise, as steps."""

from millimorph.compiler.subject import Subject, amount
from millimorph.ops.noise import NoiseOp
from millimorph.program import NormalNoise, Pointwise, VolumeStep


def noise_steps(op: NoiseOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    deviation = amount(op.std, op.std_fraction)
    return (NormalNoise(deviation, subject.stream(op.id)),) if deviation.number else ()
