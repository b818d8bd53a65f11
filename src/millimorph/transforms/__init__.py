"""Maps of physical points in LPS millimetres: affine, B-spline, fields, velocities, radial."""

from typing import TypeAlias

from millimorph.transforms.affine import AffineTransform
from millimorph.transforms.bspline import BSplineTransform
from millimorph.transforms.maps import (
    ApproximateInverse,
    CompositeTransform,
    DisplacementFieldTransform,
    to_displacement_field,
)
from millimorph.transforms.parametrised import PARAMETER_NAMES, from_itk_parameters
from millimorph.transforms.radial import RadialDistortionTransform
from millimorph.transforms.velocity import StationaryVelocityField

Transform: TypeAlias = (
    AffineTransform
    | BSplineTransform
    | DisplacementFieldTransform
    | StationaryVelocityField
    | RadialDistortionTransform
    | CompositeTransform
)

__all__ = [
    "PARAMETER_NAMES",
    "AffineTransform",
    "ApproximateInverse",
    "BSplineTransform",
    "CompositeTransform",
    "DisplacementFieldTransform",
    "RadialDistortionTransform",
    "StationaryVelocityField",
    "Transform",
    "from_itk_parameters",
    "to_displacement_field",
]
