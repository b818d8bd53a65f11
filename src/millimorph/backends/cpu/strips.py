"""The traversal that most samples are: one linear image, nearest labels on its grid, or both.

One compiled loop with the coordinates of a few rows in the first-level cache; the same kernels as
in `blocks`, so the same bits, at half the time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import noise
from millimorph.backends.cpu.bands import Band
from millimorph.backends.cpu.index_map import LANES, AffineRows, IndexMap, PointSteps, SplineRows
from millimorph.backends.cpu.jobs import Job
from millimorph.backends.cpu.lattice import typed_fill
from millimorph.backends.cpu.pointwise import apply, apply_all, is_narrow, steps_for, store
from millimorph.backends.scene import Where
from millimorph.program.noise import NormalNoise

STRIP_VOXELS = 4096  # as in the kernel
PART_VOXELS = 262144
STREAMED_BYTES = 4_000_000
"""Outputs of this size do not stay in the caches of a core, and are written past them."""


@dataclass(frozen=True)
class Strips:
    """The arrays of one traversal; at least one of the two is there."""

    image: Job | None
    labels: Job | None


def as_strips(jobs: list[Job], mapping: IndexMap) -> Strips | None:
    """The jobs as strips, or None where only blocks will do."""
    if isinstance(mapping, PointSteps):
        return None
    images = [job for job in jobs if _is_plain_linear(job)]
    picked = [job for job in jobs if _is_plain_nearest(job)]
    if len(images) > 1 or len(picked) > 1 or len(images) + len(picked) < len(jobs):
        return None
    if len({job.taps.key for job in jobs}) > 1:
        return None
    return Strips(images[0] if images else None, picked[0] if picked else None)


def _is_plain_linear(job: Job) -> bool:
    sample = job.sample
    plain = sample.role == "images" and sample.interpolation == "linear"
    if not plain or sample.fill == "edge":
        return False
    return bool(sample.pointwise) or (is_narrow(job.out.dtype) and not job.fill_is_rounded)


def _is_plain_nearest(job: Job) -> bool:
    sample = job.sample
    plain = sample.interpolation == "nearest" and sample.fill != "edge" and not job.is_changed
    return plain and len(job.flat) == 1


def sample_strips(strips: Strips, mapping: IndexMap, shape: tuple[int, int], band: Band) -> None:
    """Sample a band of the target."""
    from millimorph.kernels import traverse

    job = strips.image or strips.labels
    assert job is not None  # noqa: S101 - as_strips saw to it
    rules = (job.taps.frame, job.taps.strides, job.taps.steps, job.slices)
    labels = _labels(strips.labels)
    if strips.image is None and isinstance(mapping, AffineRows):
        traverse.nearest_rows(mapping.matrix, band, shape, rules, labels)
    elif strips.image is None or not strips.image.sample.pointwise:
        traverse.rows(_mapping(mapping), band, shape, rules, _image(strips.image), labels)
    else:
        for part in _parts(strips.image, shape[0], band):
            image, values = _image_to_change(strips.image, shape, part)
            traverse.rows(_mapping(mapping), part, shape, rules, image, labels)
            _change(strips.image, values, shape, part)
    if strips.labels is not None:
        _swap(strips.labels, band.voxels(shape))


def _parts(job: Job, nx: int, band: Band) -> Iterator[Band]:
    """Parts so small that steps find them in the cache, and as deep as the traversal likes."""
    rows = max(1, STRIP_VOXELS // nx) if band.slices > 1 else band.rows
    rows = max(1, min(rows, PART_VOXELS // (nx * len(job.out))))
    slices = max(1, PART_VOXELS // (nx * rows * len(job.out)))
    for first_row in range(band.first_row, band.first_row + band.rows, rows):
        row_count = min(rows, band.first_row + band.rows - first_row)
        for first_slice in range(band.first_slice, band.first_slice + band.slices, slices):
            depth = min(slices, band.first_slice + band.slices - first_slice)
            yield Band(first_row, row_count, first_slice, depth)


def _image_to_change(
    job: Job, shape: tuple[int, int], part: Band
) -> tuple[tuple[object, ...], npt.NDArray[np.float32]]:
    """What `traverse.rows` samples into: the float32 voxels (c, n) of a part, run by run."""
    with np.errstate(over="ignore"):
        fill = np.float32(job.fill)
    run = part.rows * shape[0]
    values = np.empty((len(job.out), part.slices * run), np.float32)
    place = (-part.first_slice * run - part.first_row * shape[0], run)
    return (True, job.flat, fill, values, place, NO_FLOATS), values


def _change(job: Job, values: npt.NDArray[np.float32], shape: tuple[int, int], part: Band) -> None:
    """Apply the steps to voxels that are still in the cache, and store them."""
    from millimorph.kernels import traverse

    step = shape[0] * shape[1]
    first = part.first_slice * step + part.first_row * shape[0]
    for number, channel in enumerate(values):
        where = Where(number, first, job.scene, step, part.slices)
        if not is_narrow(job.out.dtype):
            apply_all(job.sample.pointwise, channel, where)
            for run, place in where.split(channel):
                store(run, job.out[number, place.first : place.first + len(run)])
            continue
        steps = steps_for(number, job.sample.pointwise)
        last = steps[-1] if steps else None
        noisy = isinstance(last, NormalNoise)
        for one in steps[:-1] if noisy else steps:
            apply(one, channel, where)
        if isinstance(last, NormalNoise):
            noise.add_and_write(last, channel, where, (_limits(job), job.out[number]))
        else:
            traverse.write_runs(channel, where.runs, _limits(job), job.out[number])


def _mapping(mapping: IndexMap) -> tuple[object, ...]:
    if isinstance(mapping, SplineRows):
        return True, mapping.matrix, mapping.lattice
    assert isinstance(mapping, AffineRows)  # noqa: S101 - as_strips saw to it
    return False, mapping.matrix, NO_LATTICE


def _image(job: Job | None) -> tuple[object, ...]:
    if job is None:
        return False, NO_CHANNELS, np.float32(0), NO_CHANNELS, (0, 0), NO_FLOATS
    nx, ny = (*job.scene.grid.size, 1)[:2]
    return True, job.flat, np.float32(job.fill), job.out, (0, nx * ny), _limits(job)


def _limits(job: Job) -> npt.NDArray[np.float32]:
    """The kernel's word for how the output is stored."""
    if job.out.dtype.kind == "f":
        return STREAMED if job.out.nbytes >= STREAMED_BYTES else NO_FLOATS
    kind = np.iinfo(job.out.dtype)
    return np.array([kind.min, kind.max], np.float32)


def _labels(job: Job | None) -> tuple[object, ...]:
    if job is None:
        return False, NO_BYTES, np.uint8(0), NO_BYTES
    return True, job.flat[0], typed_fill(job.fill, job.out.dtype), job.out[0]


def _swap(job: Job, where: slice) -> None:
    from millimorph.kernels import sampling

    out = job.out[0, where]
    for one, other in job.sample.swaps:
        sampling.swap_values(out, out.dtype.type(one), out.dtype.type(other))


NO_FLOATS = np.empty(0, np.float32)
NO_CHANNELS = np.empty((0, 0), np.float32)
STREAMED = np.ones(1, np.float32)
NO_BYTES = np.empty(0, np.uint8)
NO_LATTICE = (
    np.zeros(LANES, np.float32),
    (4, 4, LANES),
    (np.zeros(LANES, np.float32), np.zeros(1, np.int64), 5, LANES),
    np.zeros(1, np.int32),
    np.zeros((1, 4), np.float32),
    np.zeros(1, np.int32),
    np.zeros((1, 4), np.float32),
)
