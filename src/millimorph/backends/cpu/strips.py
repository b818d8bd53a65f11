"""The traversal that most samples are: one linear image, nearest labels on its grid, or both.

One compiled loop with the coordinates of a few rows in the first-level cache; the same kernels as
in `blocks`, so the same bits, at half the time.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.index_map import LANES, AffineRows, IndexMap, PointSteps, SplineRows
from millimorph.backends.cpu.jobs import Job
from millimorph.backends.cpu.lattice import typed_fill
from millimorph.backends.cpu.pointwise import WIDE_BYTES, apply_all, store
from millimorph.backends.scene import Where

PORTION_VOXELS = 131072
STREAMED_BYTES = 16_000_000
"""Outputs of this size do not stay in the cache, and are written past it."""


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
    narrow = job.out.dtype == np.float32 or (
        job.out.dtype.kind != "f" and job.out.dtype.itemsize < WIDE_BYTES
    )
    plain = sample.role == "images" and sample.interpolation == "linear"
    if not plain or sample.fill == "edge":
        return False
    return bool(sample.pointwise) or (narrow and not job.fill_is_rounded)


def _is_plain_nearest(job: Job) -> bool:
    sample = job.sample
    plain = sample.interpolation == "nearest" and sample.fill != "edge" and not job.is_changed
    return plain and len(job.flat) == 1


def sample_strips(
    strips: Strips, mapping: IndexMap, shape: tuple[int, int], row_range: tuple[int, int]
) -> None:
    """Sample the target rows [row_range[0], row_range[1])."""
    from millimorph.kernels import traverse

    job = strips.image or strips.labels
    assert job is not None  # noqa: S101 - as_strips saw to it
    rules = (job.taps.frame, job.taps.strides, job.taps.steps, job.slices)
    labels = _labels(strips.labels)
    for rows in _portions(strips, shape, row_range):
        run = slice(rows[0] * shape[0], rows[1] * shape[0])
        if strips.image is None and isinstance(mapping, AffineRows):
            traverse.nearest_rows(mapping.matrix, rows, shape, rules, labels)
        elif strips.image is None or not strips.image.sample.pointwise:
            traverse.rows(_mapping(mapping), rows, shape, rules, _image(strips.image), labels)
        else:
            image, values = _image_to_change(strips.image, run)
            traverse.rows(_mapping(mapping), rows, shape, rules, image, labels)
            _change(strips.image, values, run)
        if strips.labels is not None:
            _swap(strips.labels, run)


def _portions(
    strips: Strips, shape: tuple[int, int], row_range: tuple[int, int]
) -> list[tuple[int, int]]:
    """Stretches of rows: all at once, or so few that steps find them in the cache."""
    first, last = row_range
    if strips.image is None or not strips.image.sample.pointwise:
        return [row_range]
    count = max(1, PORTION_VOXELS // (shape[0] * len(strips.image.out)))
    return [(start, min(start + count, last)) for start in range(first, last, count)]


def _image_to_change(job: Job, run: slice) -> tuple[tuple[object, ...], npt.NDArray[np.float32]]:
    """What `traverse.rows` samples into: float32, the output itself where that is its type.

    The second is a view of the voxels of the run.
    """
    with np.errstate(over="ignore"):
        fill = np.float32(job.fill)
    if job.out.dtype == np.float32:
        return (True, job.flat, fill, job.out, 0, NO_FLOATS), job.out[:, run]
    values = np.empty((len(job.out), run.stop - run.start), np.float32)
    return (True, job.flat, fill, values, run.start, NO_FLOATS), values


def _change(job: Job, values: npt.NDArray[np.float32], run: slice) -> None:
    """Apply the steps to voxels that are still in the cache, and store them."""
    for number, channel in enumerate(values):
        apply_all(job.sample.pointwise, channel, Where(number, run.start, job.scene))
        if job.out.dtype != np.float32:
            store(channel, job.out[number, run])


def _mapping(mapping: IndexMap) -> tuple[object, ...]:
    if isinstance(mapping, SplineRows):
        return True, mapping.matrix, mapping.lattice
    assert isinstance(mapping, AffineRows)  # noqa: S101 - as_strips saw to it
    return False, mapping.matrix, NO_LATTICE


def _image(job: Job | None) -> tuple[object, ...]:
    if job is None:
        return False, NO_CHANNELS, np.float32(0), NO_CHANNELS, 0, NO_FLOATS
    limits = STREAMED if job.out.nbytes >= STREAMED_BYTES else NO_FLOATS
    if job.out.dtype.kind != "f":
        kind = np.iinfo(job.out.dtype)
        limits = np.array([kind.min, kind.max], np.float32)
    return True, job.flat, np.float32(job.fill), job.out, 0, limits


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
    (np.zeros((1, 3), np.int32), np.zeros(1, np.float32)),
    np.zeros(1, np.int32),
    np.zeros((1, 4), np.float32),
    np.zeros(1, np.int32),
    np.zeros((1, 4), np.float32),
)
