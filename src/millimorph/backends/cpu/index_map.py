"""A resample's map as the cheapest of three numeric forms, target index to source index.

`AffineRows`: one matrix. `SplineRows`: a matrix plus a cubic B-spline displacement whose control
lattice runs along the target's axes, so that it can be contracted axis by axis and never stored.
`PointSteps`: anything else, evaluated point by point on a block of rows. Two-dimensional maps are
written in three dimensions with an idle third axis.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.geometry import ImageGrid
from millimorph.kernels import smallmatrix
from millimorph.program import Resample
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    CompositeTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
    Transform,
)
from millimorph.transforms.bspline import spline_weights

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Primitive = (
    AffineTransform | BSplineTransform | DisplacementFieldTransform | RadialDistortionTransform
)

AlongX = tuple[Float32, Int64, int, int]
Lattice = tuple[Float32, tuple[int, int, int], AlongX, Int32, Float32, Int32, Float32]

LANES = 16
ALIGNED_TOLERANCE = 1e-7
ORDER = 4
BAND = 5


@dataclass(frozen=True)
class AffineRows:
    """Source index = matrix (3, 4) applied to the target index."""

    matrix: Float64


@dataclass(frozen=True)
class SplineRows:
    """`matrix` as above, plus a displacement in source voxels; `lattice` as the kernel wants it."""

    matrix: Float64
    lattice: Lattice


@dataclass(frozen=True)
class MatrixStep:
    """Apply an affine map (3, 4)."""

    matrix: Float64


@dataclass(frozen=True)
class SplineStep:
    """Add a B-spline displacement; `coefficients` (nz, ny, nx, 4)."""

    coefficients: Float64
    lattice_from_world: Float64


@dataclass(frozen=True)
class FieldStep:
    """Add a sampled displacement (3, nz, ny, nx)."""

    displacements: Float64
    index_from_world: Float64


@dataclass(frozen=True)
class RadialStep:
    """Add a radial displacement."""

    coefficients: Float64
    centre: Float64
    unit_mm: float


Step = MatrixStep | SplineStep | FieldStep | RadialStep


@dataclass(frozen=True)
class PointSteps:
    """`start` (3, 4) places target indices in the world; the steps lead to source indices."""

    start: Float64
    steps: tuple[Step, ...]


IndexMap = AffineRows | SplineRows | PointSteps


def index_map(stage: Resample) -> IndexMap:
    """The numeric form of a stage's map."""
    parts = _primitives(stage.source_from_target)
    start = stage.target.world_from_index
    end = stage.source.index_from_world
    before, rest = _take_affine(parts, start)
    if not rest:
        return AffineRows(lift(smallmatrix.matmul(end, before)))
    first = rest[0]
    after = _all_affine(rest[1:], stage.source.dimension)
    if isinstance(first, BSplineTransform) and after is not None:
        rows = _spline_rows(first, before, smallmatrix.matmul(end, after), stage.target)
        if rows is not None:
            return rows
    steps = tuple(_step(part) for part in rest)
    return PointSteps(lift(before), (*steps, MatrixStep(lift(end))))


def lift(matrix: Float64) -> Float64:
    """A homogeneous (d+1, d+1) matrix as (3, 4), idle along a missing third axis."""
    d = matrix.shape[0] - 1
    full = np.eye(4)[:3].copy()
    full[:d, :d] = matrix[:d, :d]
    full[:d, 3] = matrix[:d, d]
    return full


def _primitives(transform: Transform) -> list[Primitive]:
    """The parts of a map, the first to be applied first."""
    match transform:
        case CompositeTransform():
            return [p for part in reversed(transform.parts) for p in _primitives(part)]
        case StationaryVelocityField():
            return [transform.displacement_field]
        case (
            AffineTransform()
            | BSplineTransform()
            | DisplacementFieldTransform()
            | RadialDistortionTransform()
        ):
            return [transform]
        case _:
            assert_never(transform)


def _take_affine(parts: list[Primitive], start: Float64) -> tuple[Float64, list[Primitive]]:
    """Fold the leading affine parts into `start`."""
    matrix = start
    for count, part in enumerate(parts):
        if not isinstance(part, AffineTransform):
            return matrix, parts[count:]
        matrix = smallmatrix.matmul(part.matrix, matrix)
    return matrix, []


def _all_affine(parts: list[Primitive], dimension: int) -> Float64 | None:
    """The product of affine parts, or None if one of them is not."""
    matrix, rest = _take_affine(parts, np.eye(dimension + 1))
    return None if rest else matrix


def _step(part: Primitive) -> Step:
    match part:
        case AffineTransform():
            return MatrixStep(lift(part.matrix))
        case BSplineTransform():
            d = part.dimension
            coefficients = np.zeros((*_volume(part.grid.shape), 4))
            for axis in range(d):
                coefficients[..., axis] = part.coefficients[axis].reshape(coefficients.shape[:3])
            return SplineStep(coefficients, lift(part.grid.index_from_world))
        case DisplacementFieldTransform():
            shape = _volume(part.grid.shape)
            displacements = np.zeros((3, *shape))
            displacements[: part.dimension] = part.displacements.reshape(part.dimension, *shape)
            return FieldStep(displacements, lift(part.grid.index_from_world))
        case RadialDistortionTransform():
            centre = np.zeros(3)
            centre[: part.dimension] = part.centre_mm
            return RadialStep(np.array(part.coefficients, np.float64), centre, float(part.unit_mm))
        case _:
            assert_never(part)


def _volume(shape: tuple[int, ...]) -> tuple[int, int, int]:
    z, y, x = (1, *shape)[-3:]
    return z, y, x


def _spline_rows(
    spline: BSplineTransform, before: Float64, end: Float64, target: ImageGrid
) -> SplineRows | None:
    """The row form when the lattice runs along the target's axes, else None."""
    d = spline.dimension
    lattice_from_target = smallmatrix.matmul(spline.grid.index_from_world, before)
    axes = _aligned_axes(lattice_from_target, target)
    if axes is None:
        return None
    order = [0, *(d - axes[a] for a in reversed(range(d)))]
    coefficients = np.transpose(spline.coefficients, order)
    lattice = np.zeros((3, *_volume(coefficients.shape[1:])))
    for row in range(d):
        for column in range(d):
            lattice[row].reshape(coefficients.shape[1:])[...] += (
                end[row, column] * coefficients[column]
            )
    places = []
    for axis in range(d):
        scale, offset = lattice_from_target[axes[axis], [axis, d]]
        positions = scale * np.arange(target.size[axis]) + offset
        places.append(_cells(positions, spline.grid.size[axes[axis]]))
    along_x, (cells_y, along_y) = _bands(*places[0], lattice.shape[3]), places[1]
    cells_z, weights_z = np.zeros(1, np.int32), np.array([[1.0, 0.0, 0.0, 0.0]], np.float32)
    if d == 3:
        cells_z, weights_z = places[2][0], _weights(*places[2])
    return SplineRows(
        lift(smallmatrix.matmul(end, before)),
        (
            *_rows(lattice, along_x[3]),
            along_x,
            cells_y,
            _weights(cells_y, along_y),
            cells_z,
            weights_z,
        ),
    )


def _rows(lattice: Float64, pitch: int) -> tuple[Float32, tuple[int, int, int]]:
    """Control values (3, nz, ny, nx) as rows, flat: (ny, nz, 3 * pitch), filled up with zeros.

    A lattice of one plane gets the other three that are summed, with weights of 0. The second
    result is the shape.
    """
    _, planes, rows, columns = lattice.shape
    values = np.zeros((rows, max(planes, ORDER), 3, pitch), np.float32)
    values[:, :planes, :, :columns] = lattice.transpose(2, 1, 0, 3)
    return values.reshape(-1), (rows, values.shape[1], 3 * pitch)


def _bands(cells: Int32, places: Float64, columns: int) -> AlongX:
    """What `displace_row` wants to know of an axis: voxels with their cells and places in them."""
    groups = -(-len(cells) // LANES)
    missing = groups * LANES - len(cells)
    by_group = np.append(cells, np.full(missing, -1, np.int32)).reshape(groups, LANES)
    inside = by_group >= 0
    firsts = np.where(inside, by_group, columns).min(axis=1).astype(np.int64)
    firsts[firsts == columns] = 0
    offsets = np.where(inside, by_group - firsts[:, None], 0)
    count = max(BAND, int(offsets.max()) + ORDER)
    own = np.append(_weights(cells, places), np.zeros((missing, ORDER), np.float32), axis=0)
    table = np.zeros((groups, count, LANES), np.float32)
    group, lane = np.indices((groups, LANES))
    for k in range(ORDER):
        table[group, offsets + k, lane] = own[:, k].reshape(groups, LANES)
    pitch = -(-(columns + count) // LANES) * LANES
    return table.reshape(-1), firsts, count, pitch


def _aligned_axes(lattice_from_target: Float64, target: ImageGrid) -> tuple[int, ...] | None:
    """For each target axis the lattice axis along which it runs, or None if it is oblique."""
    d = target.dimension
    axes: list[int] = []
    for axis in range(d):
        column = np.abs(lattice_from_target[:d, axis]) * target.size[axis]
        along = int(np.argmax(column))
        if np.any(np.delete(column, along) > ALIGNED_TOLERANCE):
            return None
        axes.append(along)
    return tuple(axes) if len(set(axes)) == d else None


def _cells(positions: Float64, size: int) -> tuple[Int32, Float64]:
    """First control plane (-1 outside the lattice's domain) and place in its cell per position."""
    valid = (positions >= 1.0) & (positions <= size - 2.0)
    cells = np.minimum(np.floor(positions) - 1.0, float(size - ORDER))
    return np.where(valid, cells, -1.0).astype(np.int32), positions - (cells + 1.0)


def _weights(cells: Int32, places: Float64) -> Float32:
    """The weights (n, 4) of four control planes per place in a cell, 0 where there is no cell."""
    weights = np.stack(spline_weights(places), axis=1)
    weights[cells < 0] = 0.0
    return weights.astype(np.float32)
