"""Steps that imitate the physics of a modality, compiled."""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import colour, ct, pet, ultrasound, xray
from millimorph.backends.cpu.pieces import Write
from millimorph.backends.scene import Scene, Where
from millimorph.program.colour import ColourField, ColourPass
from millimorph.program.ct import CtField, CtPass
from millimorph.program.modality import ModalityField, ModalityPass
from millimorph.program.pet import PetPass
from millimorph.program.ultrasound import UltrasoundField, UltrasoundPass
from millimorph.program.xray import XrayField, XrayPass

Float32 = npt.NDArray[np.float32]


def apply(step: ModalityField, values: Float32, where: Where) -> None:
    """Change a run of voxels in place."""
    if isinstance(step, CtField):
        ct.apply(step, values, where)
    elif isinstance(step, XrayField):
        xray.apply(step, values, where)
    elif isinstance(step, UltrasoundField):
        ultrasound.apply(step, values, where)
    elif isinstance(step, ColourField):
        colour.apply(step, values, where)
    else:
        assert_never(step)


def run(step: ModalityPass, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels; `volume` (c, z, y, x) is left as it is."""
    if isinstance(step, CtPass):
        ct.run(step, volume, scene, write)
    elif isinstance(step, XrayPass):
        xray.run(step, volume, scene, write)
    elif isinstance(step, UltrasoundPass):
        ultrasound.run(step, volume, scene, write)
    elif isinstance(step, PetPass):
        pet.run(step, volume, scene, write)
    elif isinstance(step, ColourPass):
        colour.run(step, volume, scene, write)
    else:
        assert_never(step)
