"""The fast backend: compiled kernels over blocks of target rows, in threads.

For each block the coordinates are computed once and every image, label map and channel is sampled
at them; nothing larger than a block is allocated beside the outputs. Blocks are whole rows and each
row's arithmetic stands alone, so neither block size nor thread count changes a bit.
"""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Timer
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.index_map import (
    LANES,
    AffineRows,
    FieldStep,
    IndexMap,
    MatrixStep,
    PointSteps,
    RadialStep,
    SplineRows,
    SplineStep,
    index_map,
)
from millimorph.backends.lattice import copied, swaps_within, typed_fill
from millimorph.backends.sources import (
    SPLINE_PAD,
    Source,
    clean,
    fill_number,
    noise_deviation,
    smoothed,
    spline_coefficients,
    value_range,
)
from millimorph.program import NormalNoise, PowerCurve, Resample, Sampled

Array = npt.NDArray[Any]

BLOCK_VOXELS = 16384
CHUNKS_PER_THREAD = 4
WIDE_BYTES = 4
CACHED_BYTES = 1_000_000
MESSAGE_AFTER_S = 1.5
_ready = False


def run_resample(
    stage: Resample, sources: Mapping[str, Source], threads: int | None = None
) -> dict[str, Source]:
    """Resample every array of a stage; `threads` None uses the CPUs this process may run on."""
    if stage.copy is not None:
        return {
            sample.name: _finished(sources[sample.name], _copied(stage, sample, sources), stage)
            for sample in stage.samples
        }
    jobs = [_job(sample, sources[sample.name], stage) for sample in stage.samples]
    message = None if _ready else _announce()
    try:
        _traverse(stage, jobs, threads or available_cpus())
    finally:
        if message is not None:
            message.cancel()
    return {job.sample.name: _finished(job.source, job.out, stage) for job in jobs}


def _copied(stage: Resample, sample: Sampled, sources: Mapping[str, Source]) -> Array:
    """An exact copy, with the pointwise ops of its sample."""
    out = copied(stage, sample, sources)
    if not sample.pointwise:
        return out
    job = _job(sample, sources[sample.name], stage)
    for number, channel in enumerate(out):
        for first in range(0, len(channel), BLOCK_VOXELS):
            part = channel[first : first + BLOCK_VOXELS]
            values = part.astype(np.float32)
            _apply(job, values, number * len(channel) + first)
            _store(values, part)
    return out


def available_cpus() -> int:
    """The CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _announce() -> Timer:
    """Say, should the first run of a process take long, that kernels are being compiled."""
    text = "millimorph: compiling its kernels; this happens once per machine and takes seconds"
    timer = Timer(MESSAGE_AFTER_S, lambda: print(text, file=sys.stderr, flush=True))  # noqa: T201 - a message for people
    timer.daemon = True
    timer.start()
    return timer


@dataclass(frozen=True)
class _Taps:
    """How base indices are formed and neighbours reached in an array of one source."""

    frame: npt.NDArray[np.int32]
    strides: Array
    steps: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class _Job:
    """One array to sample: flattened channels, the output and the fill."""

    sample: Sampled
    source: Source
    flat: tuple[Array, ...]
    out: Array
    fill: float
    taps: _Taps
    slices: int

    @property
    def fill_is_rounded(self) -> bool:
        """Whether float32 does not hold the fill."""
        with np.errstate(over="ignore"):
            return float(np.float32(self.fill)) != self.fill


def _job(sample: Sampled, source: Source, stage: Resample) -> _Job:
    voxels = clean(source, sample)
    fill = fill_number(source, sample)
    out = np.empty((len(voxels), stage.target.voxel_count), voxels.dtype)
    if sample.interpolation == "cubic":
        array: Array = spline_coefficients(source, sample)
    elif sample.interpolation == "linear":
        array = smoothed(source, sample)
    else:
        array = voxels
    taps = _taps(
        voxels.shape[1:], array, edge=sample.fill == "edge", cubic=sample.interpolation == "cubic"
    )
    if array.shape[3] == 1:
        array = np.repeat(array, 2, axis=3)
    flat = tuple(np.ascontiguousarray(channel).reshape(-1) for channel in array)
    return _Job(sample, source, flat, out, fill, taps, voxels.shape[1])


def _taps(shape: tuple[int, ...], array: Array, *, edge: bool, cubic: bool) -> _Taps:
    """Index rules for a source of `shape` (z, y, x) that is read from `array` (c, z, y, x)."""
    frame = np.zeros((3, 4), np.int32)
    nz, ny, nx = array.shape[1:]
    width = max(nx, 2)
    kind = np.uint32 if width * ny * nz < 2**32 else np.uint64
    strides = np.array([1, width, width * ny, 0], kind)
    for axis, size in enumerate(reversed(shape)):
        frame[axis] = size, 0, max(size - 2, 0), int(size > 1)
        if cubic and (axis < 2 or size > 1):
            if not edge:
                frame[axis] = size, -1, size - 1, 1
            strides[3] += strides[axis] * kind(SPLINE_PAD - 1)
    rows = width if cubic or ny > 1 else 0
    planes = width * ny if cubic or nz > 1 else 0
    return _Taps(frame, strides, np.array([rows, planes], np.uint64))


def _traverse(stage: Resample, jobs: list[_Job], threads: int) -> None:
    target = stage.target
    nx, ny = target.size[0], target.size[1]
    rows = target.voxel_count // nx
    mapping = index_map(stage)
    per_block = max(1, BLOCK_VOXELS // nx)
    blocks = -(-rows // per_block)
    if threads == 1 or blocks == 1:
        _rows(jobs, mapping, (nx, ny), (0, rows), per_block)
    else:
        per_chunk = -(-blocks // (threads * CHUNKS_PER_THREAD)) * per_block
        ranges = [(start, min(start + per_chunk, rows)) for start in range(0, rows, per_chunk)]
        _rows(jobs, mapping, (nx, ny), (0, 1), per_block)
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda part: _rows(jobs, mapping, (nx, ny), part, per_block), ranges):
                pass
    global _ready  # noqa: PLW0603 - the compile message is wanted once per process
    _ready = True


@dataclass(frozen=True)
class _Block:
    """Buffers of one thread for one block of rows."""

    base: Array
    wx: npt.NDArray[np.float32]
    wy: npt.NDArray[np.float32]
    wz: npt.NDArray[np.float32]
    inside: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]

    def first(self, count: int) -> "_Block":
        """The same buffers, cut to `count` voxels."""
        return _Block(
            self.base[:count],
            self.wx[:count],
            self.wy[:count],
            self.wz[:count],
            self.inside[:count],
            self.points[:, :count],
            self.values[:count],
        )


def _block(count: int, kind: np.dtype[Any], mapping: IndexMap) -> _Block:
    """Buffers for `count` voxels, with room behind them for the last row's whole lanes."""
    points = count if isinstance(mapping, PointSteps) else 0
    room = count + LANES
    return _Block(
        np.empty(room, kind),
        np.empty(room, np.float32),
        np.empty(room, np.float32),
        np.empty(room, np.float32),
        np.empty(room, np.bool_),
        np.empty((3, points), np.float64),
        np.empty(count, np.float32),
    ).first(count)


def _rows(
    jobs: list[_Job],
    mapping: IndexMap,
    shape: tuple[int, int],
    row_range: tuple[int, int],
    per_block: int,
) -> None:
    """Sample the target rows [row_range[0], row_range[1]) of every job, block by block."""
    nx, ny = shape
    groups = _groups(jobs)
    count = nx * min(per_block, row_range[1] - row_range[0])
    buffers = [_block(count, group[0].taps.strides.dtype, mapping) for group in groups]
    for start in range(row_range[0], row_range[1], per_block):
        stop = min(start + per_block, row_range[1])
        for group, buffer in zip(groups, buffers, strict=True):
            block = buffer if (stop - start) * nx == count else buffer.first((stop - start) * nx)
            _coordinates(mapping, (start, stop), (nx, ny), group[0].taps, block)
            for job in group:
                _sample(job, block, start * nx)


def _groups(jobs: list[_Job]) -> list[list[_Job]]:
    """Jobs that can share base indices and weights."""
    groups: dict[bytes, list[_Job]] = {}
    for job in jobs:
        key = job.taps.frame.tobytes() + job.taps.strides.tobytes()
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def _coordinates(
    mapping: IndexMap,
    row_range: tuple[int, int],
    shape: tuple[int, int],
    taps: _Taps,
    block: _Block,
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
                mapping.tables,
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


def _sample(job: _Job, block: _Block, first: int) -> None:
    """Write one block of every channel of a job, from linear target index `first` on."""
    from millimorph.kernels import sampling

    if job.sample.fill == "edge":
        block.inside[:] = True
    last = first + len(block.inside)
    for number, (flat, channel) in enumerate(zip(job.flat, job.out, strict=True)):
        out = channel[first:last]
        if flat.nbytes > CACHED_BYTES:
            sampling.fetch_ahead(flat, block.base, job.taps.steps[1])
        if job.sample.role == "labels" or (
            job.sample.interpolation == "nearest" and not job.sample.pointwise
        ):
            _sample_voxels(job, flat, block, out)
        else:
            values = out if out.dtype == np.float32 else block.values
            _interpolate(job, flat, block, values)
            _apply(job, values, number * job.out.shape[1] + first)
            _store(values, out)
            if job.fill_is_rounded and not job.sample.pointwise:
                sampling.fill_outside(block.inside, typed_fill(job.fill, out.dtype), out)


def _apply(job: _Job, values: Array, first: int) -> None:
    """Apply the pointwise ops of a job to voxels from linear index `first` (over channels) on."""
    from millimorph.kernels import pointwise

    for op in job.sample.pointwise:
        match op:
            case PowerCurve():
                low, high = value_range(job.source, job.sample)
                if high > low:
                    pointwise.gamma(
                        values, np.float32(low), np.float32(high), np.float32(op.exponent)
                    )
            case NormalNoise():
                deviation = np.float32(noise_deviation(op, job.source, job.sample))
                key, high_words = np.array(op.stream, np.uint32)
                pointwise.gaussian_noise(values, np.uint64(first), deviation, key, high_words)
            case _:
                assert_never(op)


def _store(values: Array, out: Array) -> None:
    """Write float32 values in the output's type: integers rounded and saturated."""
    from millimorph.kernels import sampling

    if out.dtype.kind != "f":
        kind = out.dtype.type
        limits = np.iinfo(kind)
        if out.dtype.itemsize < WIDE_BYTES:
            low, high = np.float32(limits.min), np.float32(limits.max)
            sampling.round_to_integer(values, low, high, out)
        else:
            sampling.round_to_wide_integer(values, kind(limits.min), kind(limits.max), out)
    elif out is not values:
        out[...] = values


def _sample_voxels(job: _Job, flat: Array, block: _Block, out: Array) -> None:
    """Pick source voxels, unchanged in type."""
    from millimorph.kernels import sampling

    fill = typed_fill(job.fill, out.dtype)
    pick: Any = sampling.nearest if job.sample.interpolation == "nearest" else sampling.label_linear
    pick(flat, block.base, block.wx, block.wy, block.wz, block.inside, job.taps.steps, fill, out)
    for one, other in swaps_within(job.sample.swaps, out.dtype):
        sampling.swap_values(out, out.dtype.type(one), out.dtype.type(other))


def _interpolate(job: _Job, flat: Array, block: _Block, out: Array) -> None:
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


def _finished(source: Source, out: Array, stage: Resample) -> Source:
    """The output voxels as an image of the source's kind."""
    shape = stage.target.shape
    leading = source.array.shape[: source.array.ndim - len(shape)]
    array = out.reshape(*leading, *shape)
    return type(source)(array, stage.target, source.frames)
