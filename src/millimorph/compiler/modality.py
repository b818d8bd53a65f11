"""Ops that imitate the physics of a modality, as steps."""

from typing import assert_never

from millimorph.compiler.colour import colour_steps
from millimorph.compiler.ct import ct_steps
from millimorph.compiler.pet import pet_steps
from millimorph.compiler.subject import Subject
from millimorph.compiler.ultrasound import ultrasound_steps
from millimorph.compiler.xray import xray_steps
from millimorph.ops.colour import ColourOp
from millimorph.ops.ct import CtOp
from millimorph.ops.modality import ModalityOp
from millimorph.ops.pet import PetOp
from millimorph.ops.ultrasound import UltrasoundOp
from millimorph.ops.xray import XrayOp
from millimorph.program import Pointwise, VolumeStep


def modality_steps(op: ModalityOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing.

    Raises CompileError for an image that the op cannot be for.
    """
    if isinstance(op, CtOp):
        return ct_steps(op, subject)
    if isinstance(op, XrayOp):
        return xray_steps(op, subject)
    if isinstance(op, UltrasoundOp):
        return ultrasound_steps(op, subject)
    if isinstance(op, PetOp):
        return pet_steps(op, subject)
    if isinstance(op, ColourOp):
        return colour_steps(op, subject)
    assert_never(op)
