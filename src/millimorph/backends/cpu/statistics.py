"""What is measured in the voxels of the moment: the same bits for any number of threads."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import in_threads

Float32 = npt.NDArray[np.float32]

BLOCKS_PER_CHUNK = 64


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
    from millimorph.kernels import statistics

    flat = np.ascontiguousarray(values).reshape(-1)
    blocks = -(-flat.size // statistics.BLOCK)
    table = np.empty((blocks, 4))

    def measure(first: int) -> None:
        last = min(first + BLOCKS_PER_CHUNK, blocks)
        statistics.block_moments(flat, first, last, table)

    in_threads(threads, range(0, blocks, BLOCKS_PER_CHUNK), measure)
    mean, squares, low, high = statistics.combined(table, flat.size)
    return Moments(flat.size, mean, math.sqrt(squares / flat.size), low, high)
