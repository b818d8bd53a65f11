"""What is measured in the voxels of the moment: the same bits for any number of threads."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import in_threads
from millimorph.backends.cpu.ranks import CHUNK, extremes, ranked, sealed

Float32 = npt.NDArray[np.float32]

BLOCKS_PER_CHUNK = 64
BLOCKS_IN_CACHE = 8


@dataclass(frozen=True)
class Moments:
    """How many voxels, their mean, standard deviation (over n, not n - 1), least and greatest."""

    count: int
    mean: float
    sd: float
    low: float
    high: float


def moments(values: Float32, threads: int = 1) -> Moments:
    """The moments of finite voxels, of any shape and at least one, in float64.

    One pass over memory. Source of the combination: Chan, Golub and LeVeque 1983, Am. Stat. 37:242.
    """
    return moments_as_made(values.reshape(-1), _as_it_is, threads)


def moments_as_made(values: Float32, make: Callable[[int, int], None], threads: int = 1) -> Moments:
    """The moments of voxels (n,) that `make(first, last)` writes, measured while in the cache."""
    from millimorph.kernels import statistics

    flat = sealed(values)
    blocks = -(-flat.size // statistics.BLOCK)
    table = np.empty((blocks, 4))

    def measure(start: int) -> None:
        stop = min(start + BLOCKS_PER_CHUNK, blocks)
        for first in range(start, stop, BLOCKS_IN_CACHE):
            last = min(first + BLOCKS_IN_CACHE, stop)
            make(first * statistics.BLOCK, min(last * statistics.BLOCK, flat.size))
            statistics.block_moments(flat, first, last, table)

    in_threads(threads, range(0, blocks, BLOCKS_PER_CHUNK), measure)
    mean, squares, low, high = statistics.combined(table, flat.size)
    return Moments(flat.size, mean, math.sqrt(squares / flat.size), low, high)


def _as_it_is(first: int, last: int) -> None:
    """Make nothing: the voxels are there."""


def quantiles(values: Float32, fractions: Sequence[float], threads: int = 1) -> tuple[float, ...]:
    """Quantiles of finite voxels (n,) at fractions from 0 to 1, on the line between two ranks."""
    ranks: list[int] = []
    for fraction in fractions:
        below = math.floor(fraction * (values.size - 1))
        ranks += [below, min(below + 1, values.size - 1)]
    found = ranked(values, ranks, threads)
    return tuple(
        lower + (upper - lower) * (fraction * (values.size - 1) - below)
        for fraction, below, lower, upper in zip(
            fractions, ranks[::2], found[::2], found[1::2], strict=True
        )
    )


def otsu_threshold(values: Float32, threads: int = 1) -> float:
    """Otsu's threshold of finite voxels (n,), as `images.otsu_threshold` defines it."""
    from millimorph.kernels import foreground, histograms

    values = sealed(values)
    low, high = extremes(values, threads)
    width = high / foreground.BINS - low / foreground.BINS
    if not width > 0.0:
        return high
    starts = range(0, values.size, CHUNK)
    counts = np.zeros((len(starts), foreground.BINS), np.int64)

    def count(start: int) -> None:
        part = values[start : start + CHUNK]
        histograms.count_wide_bins(part, low, width, counts[start // CHUNK])

    in_threads(threads, starts, count)
    total = [int(number) for number in counts.sum(axis=0)]
    return low + (foreground.best_cut(total) + 1) * width
