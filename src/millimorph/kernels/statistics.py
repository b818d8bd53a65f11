"""Mean, deviation and range of float32 voxels, in float64 and in one fixed order.

The voxels are taken in blocks of `BLOCK`; within a block sums run in `LANES` columns that are added
from left to right, and blocks are combined in their order. So the bits depend neither on the number
of threads nor on the width of the CPU's vectors.
"""

import numpy as np

from millimorph.kernels._jit import kernel

BLOCK = 8192
LANES = 256


@kernel
def block_moments(values, first, last, table):
    """Mean, sum of squared deviations, minimum and maximum of blocks [first, last).

    `table` (blocks, 4) float64 takes them, a row for each block.
    """
    sums = np.empty(LANES, np.float64)
    lows = np.empty(LANES, np.float32)
    highs = np.empty(LANES, np.float32)
    for b in range(first, last):
        block = values[b * BLOCK : min((b + 1) * BLOCK, len(values))]
        count = len(block)
        sums[:] = 0.0
        lows[:] = block[0]
        highs[:] = block[0]
        for start in range(0, count, LANES):
            row = block[start : min(start + LANES, count)]
            for j in range(len(row)):
                sums[j] += np.float64(row[j])
            for j in range(len(row)):
                lows[j] = min(lows[j], row[j])
                highs[j] = max(highs[j], row[j])
        total = 0.0
        for j in range(LANES):
            total += sums[j]
        mean = total / count
        sums[:] = 0.0
        for start in range(0, count, LANES):
            row = block[start : min(start + LANES, count)]
            for j in range(len(row)):
                deviation = np.float64(row[j]) - mean
                sums[j] += deviation * deviation
        squares = 0.0
        low = lows[0]
        high = highs[0]
        for j in range(LANES):
            squares += sums[j]
            low = min(low, lows[j])
            high = max(high, highs[j])
        table[b, 0] = mean
        table[b, 1] = squares
        table[b, 2] = low
        table[b, 3] = high


@kernel
def combined(table, count):
    """Mean, sum of squared deviations, minimum and maximum of all blocks of `count` voxels."""
    mean, squares, low, high = table[0]
    done = min(BLOCK, count)
    for b in range(1, len(table)):
        added = min(BLOCK, count - done)
        step = table[b, 0] - mean
        mean += step * added / (done + added)
        squares += table[b, 1] + step * step * done * added / (done + added)
        low = min(low, table[b, 2])
        high = max(high, table[b, 3])
        done += added
    return mean, squares, low, high
