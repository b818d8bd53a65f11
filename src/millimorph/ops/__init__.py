"""The operations: what a person asks for, each parameter a number or a distribution."""

from millimorph.ops.base import Op
from millimorph.ops.control import AnyOp, OneOf, SimpleOp, SomeOf, is_spatial
from millimorph.ops.fields import (
    BiasField,
    BrightnessGradient,
    LocalGamma,
    MultiplicativeAndAdditiveField,
)
from millimorph.ops.intensity import IntensityOp
from millimorph.ops.labels import Dilate, Erode, KeepLargest, OneHot, Remap
from millimorph.ops.levels import Gamma
from millimorph.ops.noise import GaussianNoise
from millimorph.ops.painting import LabelClass, LabelsToImage
from millimorph.ops.patches import Cutout, Swap
from millimorph.ops.selection import ImageOp, LabelOp
from millimorph.ops.spatial import (
    Affine,
    Crop,
    Diffeomorphic,
    Elastic,
    Flip,
    Pad,
    QuarterTurn,
    RadialDistortion,
    Rotation,
    SpatialOp,
    Transform,
    Warp,
)
from millimorph.ops.stencils import GaussianBlur

__all__ = [
    "Affine",
    "AnyOp",
    "BiasField",
    "BrightnessGradient",
    "Crop",
    "Cutout",
    "Diffeomorphic",
    "Dilate",
    "Elastic",
    "Erode",
    "Flip",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "ImageOp",
    "IntensityOp",
    "KeepLargest",
    "LabelClass",
    "LabelOp",
    "LabelsToImage",
    "LocalGamma",
    "MultiplicativeAndAdditiveField",
    "OneHot",
    "OneOf",
    "Op",
    "Pad",
    "QuarterTurn",
    "RadialDistortion",
    "Remap",
    "Rotation",
    "SimpleOp",
    "SomeOf",
    "SpatialOp",
    "Swap",
    "Transform",
    "Warp",
    "is_spatial",
]
