"""From a file's affine to a grid: one rule for directions that are not quite orthonormal.

Directions off orthonormal by at most 1e-2 (largest entry of DᵀD - I) are replaced by the nearest
orthonormal ones, with a warning if a corner of the image moves by more than 0.1 mm; beyond, the
image is refused as sheared. The lengths of the affine's columns are the spacing.
"""

import warnings
from itertools import product

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import GeometryError, MillimorphWarning
from millimorph.geometry import ImageGrid
from millimorph.kernels import smallmatrix

ORTHONORMAL = 1e-9
NEARLY_ORTHONORMAL = 1e-2
NOTICEABLE_MM = 0.1

_Matrix = NDArray[np.float64]


def grid_from_affine(size: tuple[int, ...], affine: _Matrix, where: str) -> ImageGrid:
    """Return the grid of a homogeneous (d+1, d+1) LPS affine, by the rule of this module.

    Raises GeometryError, naming `where`, for zero or non-finite spacing and sheared directions.
    """
    dimension = len(size)
    columns = affine[:dimension, :dimension]
    spacing = column_lengths(columns)
    direction = np.full_like(columns, np.nan)
    np.divide(columns, spacing, out=direction, where=spacing > 0)
    origin = affine[:dimension, dimension]
    return mended_grid(size, (spacing, origin, direction), where)


def mended_grid(
    size: tuple[int, ...], place: tuple[_Matrix, _Matrix, _Matrix], where: str
) -> ImageGrid:
    """Return the grid of a spacing, an origin and a direction (d, d), by the rule of this module.

    Raises GeometryError, naming `where`, for zero or non-finite spacing and sheared directions.
    """
    spacing, origin, direction = place
    if not (np.isfinite(spacing).all() and np.isfinite(origin).all() and (spacing > 0).all()):
        raise GeometryError(
            f"{where}: spacing {spacing.tolist()} mm and origin {origin.tolist()} mm must be "
            f"finite and the spacing positive"
        )
    off = deviation(direction)
    if not off <= NEARLY_ORTHONORMAL:
        raise GeometryError(
            f"{where}: the directions are sheared or not perpendicular (off by {off:.3g}, up to "
            f"{NEARLY_ORTHONORMAL} is mended); resample the image to a rectangular grid first"
        )
    if off <= ORTHONORMAL:
        return ImageGrid(size, spacing.tolist(), origin.tolist(), direction)
    rotation = smallmatrix.polar_rotation(direction)
    grid = ImageGrid(size, spacing.tolist(), origin.tolist(), rotation)
    affine = np.eye(len(size) + 1)
    affine[:-1, :-1] = direction * spacing
    affine[:-1, -1] = origin
    moved = largest_distance(corners(size, affine), grid.corner_points_mm)
    if moved > NOTICEABLE_MM:
        warnings.warn(
            f"{where}: the directions are not perpendicular; the nearest rectangular grid is used "
            f"and a corner moves by {moved:.2f} mm",
            MillimorphWarning,
            stacklevel=2,
        )
    return grid


def deviation(direction: _Matrix) -> float:
    """Return the largest entry of |DᵀD - I|."""
    product_ = smallmatrix.matmul(smallmatrix.transpose(direction), direction)
    return float(np.max(np.abs(product_ - np.eye(len(direction)))))


def column_lengths(columns: _Matrix) -> _Matrix:
    """Return the Euclidean length of each column, summed in row order."""
    total = columns[0] * columns[0]
    for row in columns[1:]:
        total = total + row * row
    lengths: _Matrix = np.sqrt(total)
    return lengths


def corners(size: tuple[int, ...], affine: _Matrix) -> _Matrix:
    """Return the outer corners of an image, in the order of ImageGrid.corner_points_mm."""
    ends = [(-0.5, n - 0.5) for n in reversed(size)]
    indices = np.array([corner[::-1] for corner in product(*ends)])
    return smallmatrix.apply_affine(affine, indices)


def largest_distance(points: _Matrix, others: _Matrix) -> float:
    """Return the largest distance between corresponding points."""
    return float(np.max(column_lengths((points - others).T)))
