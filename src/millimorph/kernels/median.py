"""Medians of windows of float32 voxels: small windows by exchanges, large ones by sliding.

Both give a voxel of the window, and so the same bits whatever the order of the work.
"""

import numpy as np

from millimorph.kernels._jit import inlined, kernel
from millimorph.kernels.networks import GREATER, LESSER

LANES = 256
"""Windows that are worked on together: enough that little time goes between exchanges."""

WORD = np.uint64(6)
IN_WORD = np.uint64(63)
ONE = np.uint64(1)


@kernel
def network_rows(padded, radius, network, first, out):
    """Write the medians of some rows of one slice to `out` (rows, nx).

    `padded` (nz + 2 rz, ny + 2 ry, nx + 2 rx); `radius` (x, y, z). `network`: the rows (i, j, what
    is kept) for a column, those for a window, and the median's place. `first`: slice and row.
    """
    rx, ry, rz = radius
    column, window, place = network
    height, width = padded.shape[1:]
    rows, nx = out.shape
    flat = padded.reshape(-1)
    count = rows * width - 2 * rx
    run = np.empty(count, np.float32)
    depth = (2 * ry + 1) * (2 * rz + 1)
    columns = np.zeros((depth, LANES + 2 * rx), np.float32)
    numbers = np.empty((depth * (2 * rx + 1), LANES), np.float32)
    for start in range(0, count, LANES):
        lanes = min(LANES, count - start)
        for k in range(2 * rz + 1):
            for j in range(2 * ry + 1):
                at = ((first[0] + k) * height + first[1] + j) * width + start
                copy(flat[at : at + lanes + 2 * rx], columns[k * (2 * ry + 1) + j])
        exchange(columns, column)
        for shift in range(2 * rx + 1):
            for k in range(depth):
                copy(columns[k, shift : shift + LANES], numbers[shift * depth + k])
        exchange(numbers, window)
        copy(numbers[place, :lanes], run[start:])
    for row in range(rows):
        copy(run[row * width : row * width + nx], out[row])


@kernel
def copy(line, target):
    """Write a line to the start of another."""
    for i in range(len(line)):
        target[i] = line[i]


@kernel
def exchange(numbers, steps):
    """Make exchanges of the rows of `numbers`, in order."""
    for step in range(len(steps)):
        first, second = numbers[steps[step, 0]], numbers[steps[step, 1]]
        kept = steps[step, 2]
        if kept == LESSER:
            for i in range(len(first)):
                first[i] = min(first[i], second[i])
        elif kept == GREATER:
            for i in range(len(first)):
                second[i] = max(first[i], second[i])
        else:
            for i in range(len(first)):
                lesser, greater = min(first[i], second[i]), max(first[i], second[i])
                first[i] = lesser
                second[i] = greater


@kernel
def slide(ranks, values, radius, out):
    """Write the medians of a block to `out` (n, m, k), moving the window along the first axis.

    `ranks` (n + 2 r0, m + 2 r1, k + 2 r2) uint32: the place of each voxel in `values`, the voxels
    in order. A window is the set of its ranks, as bits; the median is the bit in its middle.
    """
    n, m, k = out.shape
    r0, r1, r2 = radius
    middle = ((2 * r0 + 1) * (2 * r1 + 1) * (2 * r2 + 1)) // 2
    bits = np.empty((len(values) >> 6) + 1, np.uint64)
    for a in range(m):
        for b in range(k):
            bits[:] = np.uint64(0)
            word, below = 0, 0
            for s in range(2 * r0):
                below += toggle(bits, ranks[s, a : a + 2 * r1 + 1, b : b + 2 * r2 + 1], word)
            for s in range(n):
                entering = ranks[s + 2 * r0, a : a + 2 * r1 + 1, b : b + 2 * r2 + 1]
                below += toggle(bits, entering, word)
                while below > middle:
                    word -= 1
                    below -= ones(bits[word])
                while below + ones(bits[word]) <= middle:
                    below += ones(bits[word])
                    word += 1
                out[s, a, b] = values[(word << 6) + place_of_one(bits[word], middle - below)]
                leaving = ranks[s, a : a + 2 * r1 + 1, b : b + 2 * r2 + 1]
                below -= toggle(bits, leaving, word)


@kernel
def toggle(bits, ranks, word):
    """Add ranks to the set, or take them away; how many of them lie below a word."""
    below = 0
    for j in range(ranks.shape[0]):
        for i in range(ranks.shape[1]):
            rank = np.uint64(ranks[j, i])
            at = rank >> WORD
            bits[at] ^= ONE << (rank & IN_WORD)
            below += np.int64(at) < word
    return below


@inlined
def ones(word):
    """Count the bits of a word that are one."""
    word = word - ((word >> ONE) & np.uint64(0x5555555555555555))
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel
def place_of_one(word, number):
    """Find the place of the bit `number` among those that are one, from 0."""
    for _ in range(number):
        word &= word - ONE
    return ones((word ^ (word - ONE)) >> ONE)
