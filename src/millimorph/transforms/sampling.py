"""Vector fields on image grids at arbitrary points: linear interpolation, zero outside.

Inside is a continuous index in [-0.5, size - 0.5) on every axis; in the outer half voxel the
neighbours are clamped to the edge. Fields are (d, z, y, x) arrays whose components are along the
world axes x, y, z.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from millimorph.errors import TransformError
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.kernels import smallmatrix

BLOCK_POINTS = 1 << 13
_HALF = 0.5


def frozen_array(values: npt.ArrayLike) -> FloatArray:
    """A read-only contiguous float64 array; a copy unless it is one already."""
    array = np.asarray(values, dtype=np.float64, order="C")
    if array.flags.writeable:
        array = array.copy()
        array.setflags(write=False)
    return array


def checked_points(points_mm: npt.ArrayLike, dimension: int) -> FloatArray:
    """Points as a float64 array (n, dimension), or a TransformError."""
    points = np.asarray(points_mm, dtype=np.float64)
    if points.shape != (points.size // dimension, dimension):
        raise TransformError(
            f"points_mm of a {dimension}D transform must have the shape (n, {dimension}), "
            f"got {points.shape}"
        )
    return points


def checked_field(name: str, values: npt.ArrayLike, grid: ImageGrid) -> FloatArray:
    """A field as a read-only array (d, z, y, x) of finite numbers, or a TransformError."""
    field = frozen_array(values)
    expected = (grid.dimension, *grid.shape)
    if field.shape != expected:
        raise TransformError(
            f"{name} must have the shape {expected} (component first, then z, y, x), "
            f"got {field.shape}"
        )
    if not np.isfinite(field).all():
        count = int(np.count_nonzero(~np.isfinite(field)))
        raise TransformError(f"{name} must be finite, got {count} numbers that are not")
    return field


def point_blocks(grid: ImageGrid) -> Iterator[tuple[slice, FloatArray]]:
    """World points of a grid's voxels, x fastest, in blocks with their flat positions."""
    for first in range(0, grid.voxel_count, BLOCK_POINTS):
        block = slice(first, min(first + BLOCK_POINTS, grid.voxel_count))
        rest = np.arange(block.start, block.stop)
        columns = []
        for n in grid.size:
            rest, column = np.divmod(rest, n)
            columns.append(column)
        yield block, grid.points_mm(np.stack(columns, axis=-1))


def linear_values(grid: ImageGrid, field: FloatArray, points: FloatArray) -> FloatArray:
    """Vectors (n, d) of a field at points (n, d)."""
    flat = field.reshape(grid.dimension, -1)
    values = np.zeros_like(points)
    for first in range(0, len(points), BLOCK_POINTS):
        block = slice(first, first + BLOCK_POINTS)
        inside, neighbours, fractions = _cells(grid, points[block])
        total = np.zeros((grid.dimension, len(fractions[0])))
        for corner in product((0, 1), repeat=grid.dimension):
            vectors = flat.take(_offset(grid, neighbours, corner), axis=1, mode="clip")
            total += _corner_weight(corner, fractions, skipped=-1) * vectors
        values[block][inside] = total.T
    return values


def linear_gradients(grid: ImageGrid, field: FloatArray, points: FloatArray) -> FloatArray:
    """Derivatives (n, d, d) of a field's vectors (rows) along the world axes (columns)."""
    d = grid.dimension
    flat = field.reshape(d, -1)
    by_index = np.zeros((len(points), d, d))
    for first in range(0, len(points), BLOCK_POINTS):
        block = slice(first, first + BLOCK_POINTS)
        inside, neighbours, fractions = _cells(grid, points[block])
        totals = [np.zeros((d, len(fractions[0]))) for _ in range(d)]
        for corner in product((0, 1), repeat=d):
            vectors = flat.take(_offset(grid, neighbours, corner), axis=1, mode="clip")
            for axis in range(d):
                weight = _corner_weight(corner, fractions, skipped=axis)
                totals[axis] += (weight if corner[axis] else -weight) * vectors
        for axis, total in enumerate(totals):
            by_index[block][inside, :, axis] = total.T
    return smallmatrix.matmul(by_index, grid.index_from_world[:d, :d])


def _cells(
    grid: ImageGrid, points: FloatArray
) -> tuple[npt.NDArray[np.bool_], list[tuple[npt.NDArray[np.intp], ...]], list[FloatArray]]:
    """Which points are inside; their lower and upper neighbours and fractions on each axis."""
    indices = grid.indices(points)
    size = np.array(grid.size)
    inside = np.asarray(((indices >= -_HALF) & (indices < size - _HALF)).all(axis=1))
    neighbours: list[tuple[npt.NDArray[np.intp], ...]] = []
    fractions = []
    for axis, n in enumerate(grid.size):
        index = indices[inside, axis]
        base = np.floor(index)
        lower = base.astype(np.intp)
        neighbours.append((np.clip(lower, 0, n - 1), np.clip(lower + 1, 0, n - 1)))
        fractions.append(index - base)
    return inside, neighbours, fractions


def _corner_weight(
    corner: tuple[int, ...], fractions: list[FloatArray], skipped: int
) -> FloatArray:
    """Product of the linear weights of one corner over the axes, leaving out one of them."""
    weight = np.ones_like(fractions[0])
    for axis, side in enumerate(corner):
        if axis != skipped:
            weight = weight * (fractions[axis] if side else 1.0 - fractions[axis])
    return weight


def _offset(
    grid: ImageGrid, neighbours: list[tuple[npt.NDArray[np.intp], ...]], corner: tuple[int, ...]
) -> npt.NDArray[np.intp]:
    """Flat positions of one corner of each point's cell, in an array (z, y, x)."""
    offset = neighbours[-1][corner[-1]]
    for axis in range(grid.dimension - 2, -1, -1):
        offset = offset * grid.size[axis] + neighbours[axis][corner[axis]]
    return offset
