"""The operations: what a person asks for, each parameter a number or a distribution."""

from millimorph.ops.base import Op
from millimorph.ops.colour import ColourJitter, SpecularHighlights, Vignette
from millimorph.ops.control import AnyOp, OneOf, SimpleOp, SomeOf, is_spatial
from millimorph.ops.ct import CtCupping, CtDoseNoise, CtKernelChange, CtMetalStreaks, CtRings
from millimorph.ops.fields import (
    BiasField,
    BrightnessGradient,
    LocalGamma,
    MultiplicativeAndAdditiveField,
)
from millimorph.ops.fourier import (
    Ghosting,
    Gibbs,
    Motion,
    Spike,
)
from millimorph.ops.histograms import (
    HistogramEqualization,
    HistogramMatching,
    HistogramStandardization,
    Rescale,
    ZScore,
)
from millimorph.ops.intensity import IntensityOp
from millimorph.ops.labels import Dilate, Erode, KeepLargest, OneHot, Remap
from millimorph.ops.levels import (
    Brightness,
    Clamp,
    Contrast,
    Gamma,
    IntensityCurve,
    Invert,
    LinearMap,
    Sigmoid,
    Window,
)
from millimorph.ops.neighbourhoods import AdaptiveHistogramEqualization, Bilateral, Median
from millimorph.ops.noise import (
    GaussianNoise,
    RicianNoise,
    SaltAndPepper,
    ShotNoise,
    Speckle,
)
from millimorph.ops.painting import LabelClass, LabelsToImage
from millimorph.ops.patches import Cutout, Swap
from millimorph.ops.pet import PetCounts, PetPointSpread
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
from millimorph.ops.stencils import GaussianBlur, LowResolution, Sharpen
from millimorph.ops.ultrasound import UltrasoundAttenuation, UltrasoundShadow, UltrasoundSpeckle
from millimorph.ops.xray import XrayCollimation, XrayScatter

__all__ = [
    "AdaptiveHistogramEqualization",
    "Affine",
    "AnyOp",
    "BiasField",
    "Bilateral",
    "Brightness",
    "BrightnessGradient",
    "Clamp",
    "ColourJitter",
    "Contrast",
    "Crop",
    "CtCupping",
    "CtDoseNoise",
    "CtKernelChange",
    "CtMetalStreaks",
    "CtRings",
    "Cutout",
    "Diffeomorphic",
    "Dilate",
    "Elastic",
    "Erode",
    "Flip",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "Ghosting",
    "Gibbs",
    "HistogramEqualization",
    "HistogramMatching",
    "HistogramStandardization",
    "ImageOp",
    "IntensityCurve",
    "IntensityOp",
    "Invert",
    "KeepLargest",
    "LabelClass",
    "LabelOp",
    "LabelsToImage",
    "LinearMap",
    "LocalGamma",
    "LowResolution",
    "Median",
    "Motion",
    "MultiplicativeAndAdditiveField",
    "OneHot",
    "OneOf",
    "Op",
    "Pad",
    "PetCounts",
    "PetPointSpread",
    "QuarterTurn",
    "RadialDistortion",
    "Remap",
    "Rescale",
    "RicianNoise",
    "Rotation",
    "SaltAndPepper",
    "Sharpen",
    "ShotNoise",
    "Sigmoid",
    "SimpleOp",
    "SomeOf",
    "SpatialOp",
    "Speckle",
    "SpecularHighlights",
    "Spike",
    "Swap",
    "Transform",
    "UltrasoundAttenuation",
    "UltrasoundShadow",
    "UltrasoundSpeckle",
    "Vignette",
    "Warp",
    "Window",
    "XrayCollimation",
    "XrayScatter",
    "ZScore",
    "is_spatial",
]
