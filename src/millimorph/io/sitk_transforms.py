"""SimpleITK transforms to and from ours: the same points map to the same points.

Both map target points to source points, in LPS mm, and compose with the outermost first, so nothing
is inverted and nothing reordered. SimpleITK is loaded when one of these functions is called.
"""

from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import TransformError
from millimorph.geometry import ImageGrid
from millimorph.io import orientation
from millimorph.io.lazy import simpleitk
from millimorph.kernels import smallmatrix
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    CompositeTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
    Transform,
)

_CUBIC = 3
_AGREEMENT = 1e-10


def transform_from_sitk(transform: Any) -> Transform:
    """Return our transform for any SimpleITK transform.

    Raises TransformError for a spline that is not cubic and for non-linear kinds that are neither
    B-spline, displacement field nor composite.
    """
    sitk = simpleitk()
    concrete = _downcast(transform)
    if isinstance(concrete, sitk.CompositeTransform):
        count = concrete.GetNumberOfTransforms()
        if count == 0:
            return AffineTransform.identity(concrete.GetDimension())
        nested = (concrete.GetNthTransform(n) for n in range(count))
        parts = tuple(transform_from_sitk(part) for part in nested)
        return parts[0] if count == 1 else CompositeTransform(parts)
    if isinstance(concrete, sitk.BSplineTransform):
        return _spline(concrete)
    if isinstance(concrete, sitk.DisplacementFieldTransform):
        field = concrete.GetDisplacementField()
        return DisplacementFieldTransform(_grid(field), _components(field))
    if concrete.IsLinear():
        return _affine(concrete)
    raise TransformError(
        f"SimpleITK's {concrete.GetName()} has no counterpart; sample it with "
        f"SimpleITK.TransformToDisplacementField and read that"
    )


def transform_to_sitk(transform: Transform) -> Any:
    """Return the SimpleITK transform that maps points alike; TransformError for radial ones."""
    sitk = simpleitk()
    match transform:
        case AffineTransform():
            affine = sitk.AffineTransform(transform.dimension)
            affine.SetMatrix(transform.linear.ravel().tolist())
            affine.SetTranslation(transform.translation_mm.tolist())
            return affine
        case BSplineTransform():
            images = [_placed(part, transform.grid, False) for part in transform.coefficients]
            return sitk.BSplineTransform(images, _CUBIC)
        case DisplacementFieldTransform():
            vectors = np.moveaxis(transform.displacements, 0, -1)
            return sitk.DisplacementFieldTransform(_placed(vectors, transform.grid, True))
        case StationaryVelocityField():
            return transform_to_sitk(transform.displacement_field)
        case CompositeTransform():
            return sitk.CompositeTransform([transform_to_sitk(part) for part in transform.parts])
        case RadialDistortionTransform():
            raise TransformError(
                "ITK has no radial distortion; sample it first with "
                "to_displacement_field(transform, grid)"
            )
        case _:
            assert_never(transform)


def _downcast(transform: Any) -> Any:
    """Return the transform as its own class; SimpleITK has no entry for a few linear kinds."""
    try:
        return transform.Downcast()
    except KeyError:
        return transform


def _affine(transform: Any) -> AffineTransform:
    """Return x -> A (x - c) + c + t from the matrix kinds' own numbers, checked by mapping points.

    Kinds without these numbers, or with others than they map by, are probed instead.
    """
    dimension = transform.GetDimension()
    if hasattr(transform, "GetOffset"):
        return AffineTransform.translation(transform.GetOffset())
    if hasattr(transform, "GetScale") and not hasattr(transform, "GetMatrix"):
        scales = np.diag(transform.GetScale())
        return AffineTransform.from_linear(scales, (0.0,) * dimension, transform.GetCenter())
    probes = np.vstack([np.zeros(dimension), 100.0 * np.eye(dimension)])
    images = np.array([transform.TransformPoint(probe.tolist()) for probe in probes])
    if hasattr(transform, "GetMatrix") and hasattr(transform, "GetTranslation"):
        linear = np.array(transform.GetMatrix()).reshape(dimension, dimension)
        centre = transform.GetCenter() if hasattr(transform, "GetCenter") else (0.0,) * dimension
        found = AffineTransform.from_linear(linear, transform.GetTranslation(), centre)
        scale = 1.0 + float(np.abs(images).max()) + float(np.abs(centre).max())
        if float(np.abs(found.map_points(probes) - images).max()) <= _AGREEMENT * scale:
            return found
    matrix = np.eye(dimension + 1)
    matrix[:dimension, :dimension] = (images[1:] - images[0]).T / 100.0
    matrix[:dimension, dimension] = images[0]
    return AffineTransform.from_matrix(matrix)


def _spline(transform: Any) -> BSplineTransform:
    if transform.GetOrder() != _CUBIC:
        raise TransformError(
            f"a B-spline of order {transform.GetOrder()} is not supported; order {_CUBIC} is"
        )
    images = transform.GetCoefficientImages()
    coefficients = np.stack([simpleitk().GetArrayFromImage(image) for image in images])
    return BSplineTransform(_grid(images[0]), coefficients)


def _grid(image: Any) -> ImageGrid:
    """Return the grid of a field or lattice; ITK's own directions are orthonormal enough."""
    dimension = image.GetDimension()
    direction = np.array(image.GetDirection()).reshape(dimension, dimension)
    if orientation.deviation(direction) > orientation.ORTHONORMAL:
        direction = _mended(direction)
    return ImageGrid(image.GetSize(), image.GetSpacing(), image.GetOrigin(), direction)


def _mended(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    if orientation.deviation(direction) > orientation.NEARLY_ORTHONORMAL:
        raise TransformError(
            "the directions of the transform's grid are sheared; resample it first"
        )
    return smallmatrix.polar_rotation(direction)


def _components(field: Any) -> NDArray[np.float64]:
    return np.ascontiguousarray(np.moveaxis(simpleitk().GetArrayFromImage(field), -1, 0))


def _placed(array: NDArray[np.float64], grid: ImageGrid, vectors: bool) -> Any:
    sitk = simpleitk()
    image = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=vectors)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction.ravel().tolist())
    return image
