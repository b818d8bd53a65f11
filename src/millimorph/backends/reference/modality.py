"""The definition of the steps that imitate the physics of a modality, in float64."""

from typing import assert_never

from millimorph.backends.reference import colour, ct, pet, ultrasound, xray
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.program.colour import ColourField, ColourPass
from millimorph.program.ct import CtField, CtPass
from millimorph.program.modality import ModalityField, ModalityPass
from millimorph.program.pet import PetPass
from millimorph.program.ultrasound import UltrasoundField, UltrasoundPass
from millimorph.program.xray import XrayField, XrayPass


def apply(step: ModalityField, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    if isinstance(step, CtField):
        return ct.apply(step, values, where)
    if isinstance(step, XrayField):
        return xray.apply(step, values, where)
    if isinstance(step, UltrasoundField):
        return ultrasound.apply(step, values, where)
    if isinstance(step, ColourField):
        return colour.apply(step, values, where)
    assert_never(step)


def run(step: ModalityPass, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    if isinstance(step, CtPass):
        return ct.run(step, volume, scene)
    if isinstance(step, XrayPass):
        return xray.run(step, volume, scene)
    if isinstance(step, UltrasoundPass):
        return ultrasound.run(step, volume, scene)
    if isinstance(step, PetPass):
        return pet.run(step, volume, scene)
    if isinstance(step, ColourPass):
        return colour.run(step, volume, scene)
    assert_never(step)
