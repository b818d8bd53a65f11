"""The general traversal: every sampler, any number of arrays, block by block of target rows.

For each block the coordinates are computed once for all arrays of a source grid; then each array
is sampled, its pointwise ops are applied, and the block is written in the array's type.
"""

from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.bands import Band
from millimorph.backends.cpu.index_map import (
    LANES,
    AffineRows,
    FieldStep,
    IndexMap,
    MatrixStep,
    PointSteps,
    RadialStep,
    SplineRows,
    SplineStep,
)
from millimorph.backends.cpu.jobs import Array, Job, Taps
from millimorph.backends.cpu.lattice import typed_fill
from millimorph.backends.cpu.pointwise import apply_all, store
from millimorph.backends.scene import Where

BLOCK_VOXELS = 16384
CACHED_BYTES = 1_000_000


@dataclass(frozen=True)
class Block:
    """Buffers of one thread for one block of rows."""

    base: Array
    wx: npt.NDArray[np.float32]
    wy: npt.NDArray[np.float32]
    wz: npt.NDArray[np.float32]
    inside: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]
    scratch: tuple[Array, ...]

    def first(self, count: int) -> "Block":
        """The same buffers, cut to `count` voxels."""
        return Block(
            self.base[:count],
            self.wx[:count],
            self.wy[:count],
            self.wz[:count],
            self.inside[:count],
            self.points[:, :count],
            self.values[:count],
            self.scratch,
        )


def _block(count: int, nx: int, kind: np.dtype[Any], mapping: IndexMap) -> Block:
    """Buffers for `count` voxels, with room behind them for the last row's whole lanes."""
    points = count if isinstance(mapping, PointSteps) else 0
    room = count + LANES
    scratch: tuple[Array, ...] = ()
    if isinstance(mapping, SplineRows):
        from millimorph.kernels import coordinates

        scratch = coordinates.spline_scratch(mapping.lattice, nx)
    return Block(
        np.empty(room, kind),
        np.empty(room, np.float32),
        np.empty(room, np.float32),
        np.empty(room, np.float32),
        np.empty(room, np.uint8),
        np.empty((3, points), np.float64),
        np.empty(count, np.float32),
        scratch,
    ).first(count)


def sample_rows(
    jobs: list[Job],
    mapping: IndexMap,
    shape: tuple[int, int],
    band: Band,
) -> None:
    """Sample a band of the target, whole slices or rows of one, of every job, block by block."""
    nx, ny = shape
    row_range = band.row_range(ny)
    per_block = max(1, BLOCK_VOXELS // nx)
    groups = _groups(jobs)
    count = nx * min(per_block, row_range[1] - row_range[0])
    buffers = [_block(count, nx, group[0].taps.strides.dtype, mapping) for group in groups]
    for start in range(row_range[0], row_range[1], per_block):
        stop = min(start + per_block, row_range[1])
        for group, buffer in zip(groups, buffers, strict=True):
            block = buffer if (stop - start) * nx == count else buffer.first((stop - start) * nx)
            _coordinates(mapping, (start, stop), (nx, ny), group[0].taps, block)
            for job in group:
                _sample(job, block, start * nx)


def _groups(jobs: list[Job]) -> list[list[Job]]:
    """Jobs that can share base indices and weights."""
    groups: dict[bytes, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.taps.key, []).append(job)
    return list(groups.values())


def _coordinates(
    mapping: IndexMap,
    row_range: tuple[int, int],
    shape: tuple[int, int],
    taps: Taps,
    block: Block,
) -> None:
    from millimorph.kernels import coordinates

    buffers = (block.base, block.wx, block.wy, block.wz, block.inside)
    match mapping:
        case AffineRows():
            coordinates.affine_rows(
                mapping.matrix, row_range, shape, taps.frame, taps.strides, *buffers
            )
        case SplineRows():
            coordinates.bspline_rows(
                mapping.matrix,
                mapping.lattice,
                block.scratch,
                row_range,
                shape,
                taps.frame,
                taps.strides,
                *buffers,
            )
        case PointSteps():
            _follow(mapping, row_range, shape, block.points)
            coordinates.place_points(block.points, taps.frame, taps.strides, *buffers)
        case _:
            assert_never(mapping)


def _follow(
    mapping: PointSteps,
    row_range: tuple[int, int],
    shape: tuple[int, int],
    block_points: npt.NDArray[np.float64],
) -> None:
    """Fill `block_points` with the source indices of the block's voxels."""
    from millimorph.kernels import points

    points.start_rows(mapping.start, row_range, shape, block_points)
    for step in mapping.steps:
        match step:
            case MatrixStep():
                points.affine(step.matrix, block_points)
            case SplineStep():
                points.bspline(step.coefficients, step.lattice_from_world, block_points)
            case FieldStep():
                points.field(step.displacements, step.index_from_world, block_points)
            case RadialStep():
                points.radial(step.coefficients, step.centre, step.unit_mm, block_points)
            case _:
                assert_never(step)


def _sample(job: Job, block: Block, first: int) -> None:
    """Write one block of every channel of a job, from linear target index `first` on."""
    from millimorph.kernels import sampling

    if job.sample.fill == "edge":
        block = replace(block, inside=np.bitwise_or(block.inside, np.uint8(1)))
    last = first + len(block.inside)
    for number, (flat, channel) in enumerate(zip(job.flat, job.out, strict=True)):
        out = channel[first:last]
        if flat.nbytes > CACHED_BYTES:
            sampling.fetch_ahead(flat, block.base, job.taps.steps[1])
        if job.sample.role == "labels" or (
            job.sample.interpolation == "nearest" and not job.is_changed
        ):
            _sample_voxels(job, flat, block, out)
        else:
            values = out if out.dtype == np.float32 else block.values
            _interpolate(job, flat, block, values)
            apply_all(job.sample.pointwise, values, Where(number, first, job.scene))
            store(values, out)
            if job.fill_is_rounded and not job.is_changed:
                sampling.fill_outside(block.inside, typed_fill(job.fill, out.dtype), out)


def _sample_voxels(job: Job, flat: Array, block: Block, out: Array) -> None:
    """Pick source voxels, unchanged in type."""
    from millimorph.kernels import sampling

    fill = typed_fill(job.fill, out.dtype)
    pick: Any = sampling.nearest if job.sample.interpolation == "nearest" else sampling.label_linear
    pick(flat, block.base, block.wx, block.wy, block.wz, block.inside, job.taps.steps, fill, out)
    for one, other in job.sample.swaps:
        sampling.swap_values(out, out.dtype.type(one), out.dtype.type(other))


def _interpolate(job: Job, flat: Array, block: Block, out: Array) -> None:
    """Interpolate into float32."""
    from millimorph.kernels import sampling

    with np.errstate(over="ignore"):
        fill = np.float32(job.fill)
    steps = job.taps.steps
    if job.sample.interpolation == "nearest":
        sampling.nearest(
            flat, block.base, block.wx, block.wy, block.wz, block.inside, steps, fill, out
        )
    elif job.sample.interpolation == "cubic":
        sampling.cubic(
            flat,
            block.base,
            block.wx,
            block.wy,
            block.wz,
            block.inside,
            steps,
            1 if job.slices == 1 else 4,
            fill,
            out,
        )
    elif job.slices == 1:
        sampling.bilinear(flat, block.base, block.wx, block.wy, block.inside, steps[0], fill, out)
    else:
        sampling.linear(
            flat, block.base, block.wx, block.wy, block.wz, block.inside, steps, fill, out
        )
    if job.sample.interpolation == "linear":
        sampling.finish_upper_border(
            flat, block.base, block.wx, block.wy, block.wz, block.inside, steps, out
        )
