"""The fast backend: compiled kernels over rows of the target, in threads.

Coordinates are computed once for all images, labels and channels on a grid, and nothing larger
than a block of rows is allocated beside the outputs. Each row's arithmetic stands alone, so neither
block size nor thread count changes a bit.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from millimorph.backends.announce import tell_of_compiling
from millimorph.backends.blocks import BLOCK_VOXELS, apply_pointwise, sample_rows, store
from millimorph.backends.index_map import index_map
from millimorph.backends.jobs import Array, Job, make_job
from millimorph.backends.lattice import copied
from millimorph.backends.sources import Source
from millimorph.backends.strips import as_strips, sample_strips
from millimorph.program import Resample, Sampled

CHUNKS_PER_THREAD = 4


def run_resample(
    stage: Resample, sources: Mapping[str, Source], threads: int | None = None
) -> dict[str, Source]:
    """Resample every array of a stage; `threads` None uses the CPUs this process may run on."""
    tell_of_compiling()
    if stage.copy is not None:
        return {
            sample.name: _finished(sources[sample.name], _copied(stage, sample, sources), stage)
            for sample in stage.samples
        }
    jobs = [make_job(sample, sources[sample.name], stage) for sample in stage.samples]
    _traverse(stage, jobs, threads or available_cpus())
    return {job.sample.name: _finished(job.source, job.out, stage) for job in jobs}


def _copied(stage: Resample, sample: Sampled, sources: Mapping[str, Source]) -> Array:
    """An exact copy, with the pointwise ops of its sample."""
    out = copied(stage, sample, sources)
    if not sample.pointwise:
        return out
    source = sources[sample.name]
    for number, channel in enumerate(out):
        for first in range(0, len(channel), BLOCK_VOXELS):
            part = channel[first : first + BLOCK_VOXELS]
            values = part.astype(np.float32)
            apply_pointwise(sample, source, values, number * len(channel) + first)
            store(values, part)
    return out


def available_cpus() -> int:
    """The CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _traverse(stage: Resample, jobs: list[Job], threads: int) -> None:
    """Sample all rows of the target, in one piece or in chunks for several threads."""
    shape = (stage.target.size[0], stage.target.size[1])
    rows = stage.target.voxel_count // shape[0]
    mapping = index_map(stage)
    strips = as_strips(jobs, mapping)

    def sample(row_range: tuple[int, int]) -> None:
        if strips is not None:
            sample_strips(strips, mapping, shape, row_range)
        else:
            sample_rows(jobs, mapping, shape, row_range)

    if threads == 1 or rows * shape[0] <= BLOCK_VOXELS:
        sample((0, rows))
    else:
        sample((0, 1))
        per_chunk = -(-rows // (threads * CHUNKS_PER_THREAD))
        chunks = [(start, min(start + per_chunk, rows)) for start in range(0, rows, per_chunk)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(sample, chunks))


def _finished(source: Source, out: Array, stage: Resample) -> Source:
    """The output voxels as an image of the source's kind."""
    shape = stage.target.shape
    leading = source.array.shape[: source.array.ndim - len(shape)]
    array = out.reshape(*leading, *shape)
    return type(source)(array, stage.target, source.frames)
