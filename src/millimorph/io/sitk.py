"""SimpleITK images to and from ours: same LPS grid, channels first instead of last, frames in 4D.

SimpleITK is loaded when one of these functions is called.
"""

from typing import Any, get_args, overload

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import GeometryError, ImageError
from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import orientation, sitk_transforms
from millimorph.io.lazy import simpleitk
from millimorph.transforms import Transform

_MOST_SPATIAL = 3


def from_sitk(value: Any) -> ScalarImage | Transform:
    """Return our image or transform for a SimpleITK one; for label maps see `labels_from_sitk`.

    Images of 2 or 3 dimensions keep their type and grid; vector pixels become a leading axis of
    channels, and the fourth dimension a leading axis of frames. A transform maps the same points to
    the same points; the inverse that SimpleITK may store with a displacement field is left out.

    Raises ImageError or GeometryError for an image, TransformError for a transform, without a
    counterpart.
    """
    sitk = simpleitk()
    if isinstance(value, sitk.Image):
        return image_from_sitk(value)
    if isinstance(value, sitk.Transform):
        return sitk_transforms.transform_from_sitk(value)
    raise ImageError(f"from_sitk takes a SimpleITK Image or Transform, got {type(value).__name__}")


def image_from_sitk(image: Any, where: str = "the SimpleITK image") -> ScalarImage:
    """Return the image of a SimpleITK image; errors name `where` it is from."""
    array, grid, frames = _unpacked(image, where)
    return ScalarImage(array, grid, frames)


def labels_from_sitk(image: Any) -> LabelMap:
    """Return the label map of a SimpleITK image; floats are accepted if all are whole numbers.

    Raises ImageError or GeometryError as `from_sitk`, LabelError for values that are no labels.
    """
    array, grid, frames = _unpacked(image)
    return LabelMap.from_floats(array, grid, frames)


@overload
def to_sitk(value: ScalarImage | LabelMap) -> Any: ...
@overload
def to_sitk(value: Transform) -> Any: ...
def to_sitk(value: ScalarImage | LabelMap | Transform) -> Any:
    """Return the SimpleITK image or transform with the same voxels, or the same map of points.

    Channels become vector pixels, frames of a 3D image the fourth dimension. An affine map becomes
    an AffineTransform, a velocity field the displacement field that it generates.

    Raises ImageError for 2D frames and TransformError for a radial distortion, which ITK lacks.
    """
    if isinstance(value, (ScalarImage, LabelMap)):
        return _packed(value)
    if isinstance(value, get_args(Transform)):
        return sitk_transforms.transform_to_sitk(value)
    raise ImageError(f"to_sitk takes an image, label map or transform, got {type(value).__name__}")


def grid_from_sitk(image: Any, where: str = "the SimpleITK image") -> ImageGrid:
    """Return the grid of the first two or three dimensions of a SimpleITK image.

    Raises GeometryError for sheared directions or a time axis that is mixed with space.
    """
    whole = image.GetDimension()
    dimension = min(whole, _MOST_SPATIAL)
    direction = np.array(image.GetDirection(), dtype=np.float64).reshape(whole, whole)
    mixed = max(
        float(np.abs(direction[dimension:, :dimension]).max(initial=0.0)),
        float(np.abs(direction[:dimension, dimension:]).max(initial=0.0)),
    )
    if mixed > orientation.ORTHONORMAL:
        raise GeometryError(f"{where}: its directions mix time with space; reorient it first")
    spatial = direction[:dimension, :dimension]
    size = tuple(int(n) for n in image.GetSize()[:dimension])
    spacing = np.array(image.GetSpacing()[:dimension])
    origin = np.array(image.GetOrigin()[:dimension])
    return orientation.mended_grid(size, (spacing, origin, spatial), where)


def place_sitk(image: Any, grid: ImageGrid) -> None:
    """Give a SimpleITK image of the same dimension the place of a grid."""
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction.ravel().tolist())


def _unpacked(
    image: Any, where: str = "the SimpleITK image"
) -> tuple[NDArray[Any], ImageGrid, FrameAxis | None]:
    sitk = simpleitk()
    whole = image.GetDimension()
    vector = "vector" in image.GetPixelIDTypeAsString()
    if whole > _MOST_SPATIAL + 1 or (vector and whole > _MOST_SPATIAL):
        kind = "vector image" if vector else "image"
        raise ImageError(
            f"a SimpleITK {kind} of {whole} dimensions is not supported; 2D, 3D and scalar 4D are"
        )
    if "complex" in image.GetPixelIDTypeAsString() or "label" in image.GetPixelIDTypeAsString():
        raise ImageError(
            f"SimpleITK pixels of type {image.GetPixelIDTypeAsString()} are not supported; cast "
            f"the image to real numbers first"
        )
    grid = grid_from_sitk(image, where)
    array = sitk.GetArrayFromImage(image)
    if vector:
        array = np.moveaxis(array, -1, 0) if array.ndim > whole else array[np.newaxis]
    if whole <= _MOST_SPATIAL:
        return array, grid, None
    return array, grid, FrameAxis(float(image.GetSpacing()[-1]), float(image.GetOrigin()[-1]))


def _packed(image: ScalarImage | LabelMap) -> Any:
    sitk = simpleitk()
    grid = image.grid
    if image.frames is None:
        leading = image.array.ndim > grid.dimension
        array = np.moveaxis(image.array, 0, -1) if leading else image.array
        packed = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=leading)
        place_sitk(packed, grid)
        return packed
    if grid.dimension < _MOST_SPATIAL:
        raise ImageError("SimpleITK has no 2D time series; convert the frames one by one")
    packed = sitk.GetImageFromArray(image.array, isVector=False)
    direction = np.eye(4)
    direction[:3, :3] = grid.direction
    packed.SetSpacing((*grid.spacing_mm, image.frames.spacing_s))
    packed.SetOrigin((*grid.origin_mm, image.frames.origin_s))
    packed.SetDirection(direction.ravel().tolist())
    return packed
