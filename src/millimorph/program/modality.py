"""All steps that imitate the physics of a modality, by how they reach the voxels."""

from millimorph.program.colour import ColourField, ColourPass
from millimorph.program.ct import CtField, CtPass
from millimorph.program.pet import PetPass
from millimorph.program.ultrasound import UltrasoundField, UltrasoundPass
from millimorph.program.xray import XrayField, XrayPass

ModalityField = CtField | XrayField | UltrasoundField | ColourField
"""Steps on each voxel by itself and its place."""

ModalityPass = CtPass | XrayPass | UltrasoundPass | PetPass | ColourPass
"""Steps that look beyond the voxel."""

__all__ = ["ModalityField", "ModalityPass"]
