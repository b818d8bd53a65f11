"""All ops that imitate the physics of a modality; each names its model and where it ends."""

from millimorph.ops.colour import ColourOp
from millimorph.ops.ct import CtOp
from millimorph.ops.pet import PetOp
from millimorph.ops.ultrasound import UltrasoundOp
from millimorph.ops.xray import XrayOp

ModalityOp = CtOp | XrayOp | UltrasoundOp | PetOp | ColourOp

__all__ = ["ModalityOp"]
