"""What will be done to the voxels of a case: a Program is a list of stages, each one traversal.

A program holds no voxel and decides nothing at run time. `stages` says what traversals there are,
the other modules what they do to grey levels and labels, family by family.
"""

from millimorph.program.amounts import Amount
from millimorph.program.labels import (
    Ball,
    Dilation,
    Erosion,
    LargestParts,
    OneHotCoding,
    Remapping,
)
from millimorph.program.levels import PowerCurve
from millimorph.program.noise import NormalNoise
from millimorph.program.painting import GaussianMixture, GreyClass
from millimorph.program.program import Program
from millimorph.program.stages import (
    Applied,
    Fill,
    Interpolation,
    LabelPass,
    LatticeCopy,
    MovePoints,
    Paint,
    Resample,
    Role,
    Sampled,
    Stage,
    VolumePass,
)
from millimorph.program.stencils import GaussianSmoothing
from millimorph.program.steps import LabelStep, Painting, Pointwise, VolumeStep

__all__ = [
    "Amount",
    "Applied",
    "Ball",
    "Dilation",
    "Erosion",
    "Fill",
    "GaussianMixture",
    "GaussianSmoothing",
    "GreyClass",
    "Interpolation",
    "LabelPass",
    "LabelStep",
    "LargestParts",
    "LatticeCopy",
    "MovePoints",
    "NormalNoise",
    "OneHotCoding",
    "Paint",
    "Painting",
    "Pointwise",
    "PowerCurve",
    "Program",
    "Remapping",
    "Resample",
    "Role",
    "Sampled",
    "Stage",
    "VolumePass",
    "VolumeStep",
]
