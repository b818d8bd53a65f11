"""Gaussian smoothing of a channel, strip by strip, each strip along all axes while in the cache.

A strip is some rows of some slices. Where a filter is so long that a strip would read many more
rows than it makes, z comes first for the whole channel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import buffers
from millimorph.backends.cpu.pieces import PIECE_VOXELS, in_threads
from millimorph.kernels import gaussian
from millimorph.program.stencils import GaussianKernel

Float32 = npt.NDArray[np.float32]
WriteRun = Callable[[int, Float32], None]

CACHE_BYTES = 1_000_000
DEPTH = 4
CHUNKS_PER_THREAD = 4


def smooth(channel: Float32, sd_voxels: Sequence[float], threads: int = 1) -> Float32:
    """A new volume (z, y, x), smoothed by `sd_voxels` (x, y, z; 0: not at all); edges repeated."""
    return _whole(channel, Filters.gaussian(sd_voxels), threads)


def read_only(voxels: Float32) -> Float32:
    """The same voxels, so that kernels meet one type whether or not a caller may write to them."""
    view = voxels.view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True, eq=False)
class Filters:
    """The weights along z, y and x: the centre's, those of the pairs, zeros to a whole four."""

    z: Float32
    y: Float32
    x: Float32

    @staticmethod
    def gaussian(sd_voxels: Sequence[float], kernel: GaussianKernel = "sampled") -> "Filters":
        """Gaussians of `sd_voxels` (x, y, z); in two dimensions none along z."""
        x, y, z = (*sd_voxels, 0.0)[:3]
        return Filters(*(_weights(sd, kernel) for sd in (z, y, x)))

    @property
    def pairs(self) -> tuple[int, int, int]:
        """The numbers of pairs along z, y, x."""
        return len(self.z) - 1, len(self.y) - 1, len(self.x) - 1


def filter_channel(channel: Float32, filters: Filters, threads: int, write: WriteRun) -> None:
    """Hand over a filtered channel (z, y, x) in runs: `write(first, values)`, as in pieces."""
    rows = _rows_by_cache(channel.shape, filters)
    rz, ry, _ = filters.pairs
    if rz > 0 and rows < 4 * ry and rows < channel.shape[1]:
        alone = _weights(0.0, "sampled")
        channel = _whole(channel, replace(filters, y=alone, x=alone), threads)
        filters = replace(filters, z=alone)
        rows = _rows_by_cache(channel.shape, filters)
    strips = _strips(channel.shape, rows, threads)
    in_threads(threads, strips, lambda strip: _run(channel, filters, strip, write))


@dataclass(frozen=True)
class _Strip:
    """Rows [first, last) of slices [bottom, top), made `depth` slices at a time."""

    first: int
    last: int
    bottom: int
    top: int
    depth: int


@lru_cache(maxsize=64)
def _weights(sd: float, kernel: GaussianKernel) -> Float32:
    from millimorph.kernels.lanes import PAIRS

    if sd <= 0.0:
        half: tuple[float, ...] = (1.0,)
    else:
        half = gaussian.sampled(sd) if kernel == "sampled" else gaussian.discrete(sd * sd)
    pairs = -(-(len(half) - 1) // PAIRS) * PAIRS
    weights = np.zeros(1 + pairs, np.float32)
    weights[: len(half)] = half
    return weights


def _whole(channel: Float32, filters: Filters, threads: int) -> Float32:
    out: Float32 = buffers.empty(channel.shape, np.float32)
    flat = out.reshape(-1)

    def write(first: int, values: Float32) -> None:
        flat[first : first + len(values)] = values

    filter_channel(channel, filters, threads, write)
    return out


def _rows_by_cache(shape: tuple[int, ...], filters: Filters) -> int:
    """How many rows of each slice that a strip reads fit the cache, less those beyond it.

    Without a filter along z a strip reads each row once, and any number will do.
    """
    rz, ry, _ = filters.pairs
    if rz == 0:
        return shape[1]
    return CACHE_BYTES // (4 * shape[2] * (2 * rz + DEPTH)) - 2 * ry


def _strips(shape: tuple[int, ...], rows: int, threads: int) -> list[_Strip]:
    nz, ny, nx = shape
    rows = max(1, min(rows, PIECE_VOXELS // nx, ny))
    count = -(-ny // rows)
    rows = -(-ny // count)
    depth = min(nz, max(DEPTH, PIECE_VOXELS // (rows * nx)))
    chunks = 1 if threads == 1 else -(-threads * CHUNKS_PER_THREAD // count)
    slices = -(-nz // (depth * chunks)) * depth
    return [
        _Strip(first, min(first + rows, ny), bottom, min(bottom + slices, nz), depth)
        for bottom in range(0, nz, slices)
        for first in range(0, ny, rows)
    ]


def _run(channel: Float32, filters: Filters, strip: _Strip, write: WriteRun) -> None:
    from millimorph.kernels import smoothing
    from millimorph.kernels.lanes import LANES

    _, ny, nx = channel.shape
    rows = strip.last - strip.first
    flat = read_only(np.ascontiguousarray(channel)).reshape(-1)
    weights = (filters.z, filters.y, filters.x)
    _, ry, rx = filters.pairs
    framed = smoothing.ROWS * (nx + LANES + 2 * rx)
    work = np.empty(strip.depth * (rows + 2 * ry) * nx + framed + LANES, np.float32)
    out = np.empty(strip.depth * rows * nx + LANES, np.float32)
    for bottom in range(strip.bottom, strip.top, strip.depth):
        slices = (bottom, min(bottom + strip.depth, strip.top))
        smoothing.smooth_strip(
            flat, channel.shape, slices, (strip.first, strip.last), weights, work, out
        )
        made = slices[1] - slices[0]
        together = made if rows == ny else 1
        for z in range(0, made, together):
            first = ((bottom + z) * ny + strip.first) * nx
            write(first, out[z * rows * nx : (z + together) * rows * nx])
