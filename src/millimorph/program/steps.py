"""All steps, by how they reach the voxels."""

from dataclasses import fields

from millimorph.program.amounts import Amount
from millimorph.program.fields import FieldStep
from millimorph.program.fourier import FourierStep
from millimorph.program.histograms import HistogramStep
from millimorph.program.labels import LabelStep
from millimorph.program.levels import LevelCurve, LevelPass, Limits, Line, Shift
from millimorph.program.modality import ModalityField, ModalityPass
from millimorph.program.neighbourhoods import Neighbourhood
from millimorph.program.noise import NoiseStep, NormalNoise
from millimorph.program.painting import Painting
from millimorph.program.patches import PatchFill, PatchMove
from millimorph.program.stencils import Stencil

Pointwise = LevelCurve | NoiseStep | FieldStep | PatchFill | ModalityField
"""Steps that ride on the write of a traversal: each voxel by itself."""

VolumeStep = (
    LevelPass | HistogramStep | Stencil | Neighbourhood | PatchMove | ModalityPass | FourierStep
)
"""Steps that need a traversal of their own."""

_ASKS_NOTHING = Line | Limits | LevelPass | HistogramStep | Stencil | FourierStep
_ASKS_BY_AMOUNT = NormalNoise | Shift | Neighbourhood


def asks_of_original(step: Pointwise | VolumeStep) -> bool:
    """Whether what a step does may depend on the original image: its range, minimum or median."""
    if isinstance(step, _ASKS_NOTHING):
        return False
    if isinstance(step, _ASKS_BY_AMOUNT):
        amounts = [getattr(step, one.name) for one in fields(step)]
        return any(isinstance(a, Amount) and a.of_robust_range for a in amounts)
    return True


__all__ = ["LabelStep", "Painting", "Pointwise", "VolumeStep", "asks_of_original"]
