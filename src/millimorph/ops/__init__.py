"""The operations: what a person asks for, each parameter a number or a distribution."""

from millimorph.ops.base import Op
from millimorph.ops.control import AnyOp, OneOf, SimpleOp, SomeOf, is_spatial
from millimorph.ops.intensity import Gamma, GaussianNoise, IntensityOp
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

__all__ = [
    "Affine",
    "AnyOp",
    "Crop",
    "Diffeomorphic",
    "Elastic",
    "Flip",
    "Gamma",
    "GaussianNoise",
    "IntensityOp",
    "OneOf",
    "Op",
    "Pad",
    "QuarterTurn",
    "RadialDistortion",
    "Rotation",
    "SimpleOp",
    "SomeOf",
    "SpatialOp",
    "Transform",
    "Warp",
    "is_spatial",
]
