"""Ops on grey levels, as steps."""

from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number
from millimorph.ops.levels import LevelOp
from millimorph.program import Pointwise, PowerCurve, VolumeStep


def level_steps(op: LevelOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:  # noqa: ARG001
    """The steps of one op; none where its parameters change nothing."""
    exponent = number(op.gamma)
    return () if exponent == 1.0 else (PowerCurve(exponent),)
