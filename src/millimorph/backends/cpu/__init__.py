"""The fast backend: compiled kernels over rows of the target, in threads.

Coordinates are computed once for all images, labels and channels on a grid, and nothing larger
than a block of rows is allocated beside the outputs. Each row's arithmetic stands alone, so neither
block size nor thread count changes a bit.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from millimorph.backends.cpu.announce import tell_of_compiling
from millimorph.backends.cpu.bands import Band
from millimorph.backends.cpu.blocks import BLOCK_VOXELS, sample_rows
from millimorph.backends.cpu.index_map import index_map
from millimorph.backends.cpu.jobs import Array, Job, make_job
from millimorph.backends.cpu.lattice import copied
from millimorph.backends.cpu.passes import run_label_pass, run_paint, run_volume_pass, writer
from millimorph.backends.cpu.sources import Source
from millimorph.backends.cpu.strips import as_strips, sample_strips
from millimorph.backends.scene import Scene
from millimorph.program import Resample, Sampled

__all__ = ["run_label_pass", "run_paint", "run_resample", "run_volume_pass"]

CHUNKS_PER_THREAD = 4


def run_resample(
    stage: Resample, sources: Mapping[str, Source], threads: int = 1
) -> dict[str, Source]:
    """Resample every array of a stage."""
    tell_of_compiling()
    if stage.copy is not None:
        return {
            sample.name: _finished(sources[sample.name], _copied(stage, sample, sources), stage)
            for sample in stage.samples
        }
    jobs = [make_job(sample, sources[sample.name], stage) for sample in stage.samples]
    _traverse(stage, jobs, threads)
    return {job.sample.name: _finished(job.source, job.out, stage) for job in jobs}


def _copied(stage: Resample, sample: Sampled, sources: Mapping[str, Source]) -> Array:
    """An exact copy, with the pointwise steps of its sample, in the type that is written."""
    found = copied(stage, sample, sources)
    if not sample.pointwise and sample.stored is None:
        return found
    scene = Scene(sample.name, stage.target, sources[sample.name], sample.nan)
    out = found if sample.stored is None else np.empty(found.shape, sample.stored)
    write = writer(sample.pointwise, scene, out)
    for number, channel in enumerate(found):
        for first in range(0, len(channel), BLOCK_VOXELS):
            write(number, first, channel[first : first + BLOCK_VOXELS].astype(np.float32))
    return out


def _traverse(stage: Resample, jobs: list[Job], threads: int) -> None:
    """Sample the whole target, in one piece or in bands for several threads."""
    shape = (stage.target.size[0], stage.target.size[1])
    whole = Band(0, shape[1], 0, stage.target.voxel_count // (shape[0] * shape[1]))
    mapping = index_map(stage)
    strips = as_strips(jobs, mapping)

    def sample(band: Band) -> None:
        if strips is not None:
            sample_strips(strips, mapping, shape, band)
        else:
            sample_rows(jobs, mapping, shape, band)

    if threads == 1 or stage.target.voxel_count <= BLOCK_VOXELS:
        sample(whole)
    else:
        sample(Band(0, 1, 0, 1))
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(sample, whole.cut(threads * CHUNKS_PER_THREAD)))


def _finished(source: Source, out: Array, stage: Resample) -> Source:
    """The output voxels as an image of the source's kind."""
    shape = stage.target.shape
    leading = source.array.shape[: source.array.ndim - len(shape)]
    array = out.reshape(*leading, *shape)
    return type(source)(array, stage.target, source.frames)
