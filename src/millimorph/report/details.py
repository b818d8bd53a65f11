"""Where in a slice there is texture to look at closely, and that part of the image."""

import numpy as np
import numpy.typing as npt

from millimorph.images import ScalarImage
from millimorph.report.planes import Plane

FloatArray = npt.NDArray[np.float64]

SIDE_VOXELS = 44
_HARDLY = 0.05


def textured_mm(image: ScalarImage, plane: Plane) -> FloatArray | None:
    """The middle of the square with the highest median gradient; None in a slice with no room.

    Away from the border, where frames and letters are.
    """
    picture = plane.slice_of(image.channel_arrays[0]).astype(np.float64)
    if min(picture.shape) < 2 * SIDE_VOXELS or not np.isfinite(picture).all():
        return None
    slope = np.hypot(*np.gradient(picture))
    best, place = -1.0, (0, 0)
    rows, columns = (_starts(n) for n in picture.shape)
    for row in rows:
        for column in columns:
            part = slope[row : row + SIDE_VOXELS, column : column + SIDE_VOXELS]
            found = float(np.median(part))
            if found > best:
                best, place = found, (row, column)
    down, across = (
        np.array([(start + SIDE_VOXELS / 2) / n])
        for start, n in zip(place, picture.shape, strict=True)
    )
    point: FloatArray = plane.points_mm(across, down)[0]
    return point


def changed_mm(one: ScalarImage, other: ScalarImage, plane: Plane) -> FloatArray | None:
    """A point in the slice that differs most, if the plane's own slice hardly differs at all."""
    if plane.through is None or one.array.shape != other.array.shape:
        return None
    change = np.abs(one.channel_arrays[0].astype(np.float64) - other.channel_arrays[0])
    along = one.dimension - 1 - plane.through
    total = change.sum(axis=tuple(axis for axis in range(one.dimension) if axis != along))
    if not total.max() > 0 or total[plane.index] >= _HARDLY * total.max():
        return None
    middle = np.array([[0.5 * (n - 1) for n in one.grid.size]])
    middle[0, plane.through] = float(total.argmax())
    point: FloatArray = one.grid.points_mm(middle)[0]
    return point


def _starts(n: int) -> range:
    """Where squares begin along an axis: eight places, a fifth of the axis left out at the ends."""
    first, last = n // 5, n - n // 5 - SIDE_VOXELS
    return range(first, max(first, last) + 1, max(1, (last - first) // 7))


def detail_of(image: ScalarImage, plane: Plane, middle_mm: FloatArray) -> ScalarImage | None:
    """The square around a point in the slice; None where the slice has no room for it."""
    size = [SIDE_VOXELS] * image.dimension
    middle = image.grid.indices(middle_mm[None, :])[0]
    lower = [round(float(place)) - SIDE_VOXELS // 2 for place in middle]
    for axis, n in enumerate(image.grid.size):
        if axis == plane.through:
            lower[axis], size[axis] = plane.index, 1
        elif n < SIDE_VOXELS:
            return None
        else:
            lower[axis] = min(max(lower[axis], 0), n - SIDE_VOXELS)
    places = [slice(start, start + n) for start, n in zip(lower, size, strict=True)]
    part = image.channel_arrays[(slice(None), *reversed(places))]
    if image.array.ndim == image.dimension:
        part = part[0]
    return ScalarImage(part, image.grid.cropped(tuple(lower), tuple(size)), image.frames)
