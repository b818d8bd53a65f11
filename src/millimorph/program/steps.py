"""All steps, by how they reach the voxels."""

from millimorph.program.fields import FieldStep
from millimorph.program.fourier import FourierStep
from millimorph.program.histograms import HistogramStep
from millimorph.program.labels import LabelStep
from millimorph.program.levels import LevelCurve, LevelPass
from millimorph.program.modality import ModalityField, ModalityPass
from millimorph.program.neighbourhoods import Neighbourhood
from millimorph.program.noise import NoiseStep
from millimorph.program.painting import Painting
from millimorph.program.patches import PatchFill, PatchMove
from millimorph.program.stencils import Stencil

Pointwise = LevelCurve | NoiseStep | FieldStep | PatchFill | ModalityField
"""Steps that ride on the write of a traversal: each voxel by itself."""

VolumeStep = (
    LevelPass | HistogramStep | Stencil | Neighbourhood | PatchMove | ModalityPass | FourierStep
)
"""Steps that need a traversal of their own."""

__all__ = ["LabelStep", "Painting", "Pointwise", "VolumeStep"]
