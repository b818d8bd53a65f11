"""Symmetric filters along z, y and x of a strip of rows in one go, while it stays in the cache.

Volumes are float32 (z, y, x), C-contiguous, passed flat; edges are repeated. A filter is its
weights, the centre's and then those of the pairs at distance 1, 2, …, with zeros up to a whole
number of fours; one weight alone leaves its axis out. Every sum runs over the pairs in that order,
so neither strips nor threads change a bit.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.lanes import LANES, PAIRS, add_lanes, start_lanes

BLOCK = 512
ROWS = 8


@kernel
def smooth_strip(source, shape, slices, rows, filters, work, out):
    """Filter rows [rows[0], rows[1]) of slices [slices[0], slices[1]) into `out`, slice by slice.

    `shape` (z, y, x); `filters` the weights along z, y, x; `work` holds the rows of all
    slices and those beyond them, and ROWS rows with LANES values and the pairs along x more; `work`
    and `out` end with LANES values that may be written.
    """
    nz, ny, nx = shape
    along_z, along_y, along_x = filters
    ry = len(along_y) - 1
    first = max(rows[0] - ry, 0)
    last = min(rows[1] + ry, ny)
    known = (first - (rows[0] - ry), last - (rows[0] - ry))
    tall = rows[1] - rows[0] + 2 * ry
    depth = slices[1] - slices[0]
    before, after = slice_offsets(slices, nz, ny * nx, len(along_z))
    count = (last - first) * nx
    for block in range(0, count, BLOCK):
        for z in range(depth):
            start = ((slices[0] + z) * ny + first) * nx + block
            to = (z * tall + known[0]) * nx + block
            length = min(BLOCK, count - block)
            weigh_exactly(source, start, (before[z], after[z]), along_z, work, to, length)
    frame = depth * tall * nx
    for z in range(depth):
        repeat_rows(work, z * tall * nx, nx, known, tall)
        at = z * (rows[1] - rows[0]) * nx
        centre = (z * tall + ry) * nx
        weigh_rows(work, centre, (rows[1] - rows[0], nx), (along_y, along_x), frame, out, at)


@kernel
def slice_offsets(slices, nz, plane, count):
    """How far the same voxel lies in the slices before and after each of some slices."""
    depth = slices[1] - slices[0]
    before = np.empty((depth, count), np.uint64)
    after = np.empty((depth, count), np.uint64)
    for z in range(depth):
        centre = slices[0] + z
        for pair in range(count):
            before[z, pair] = np.uint64((max(centre - pair, 0) - centre) * plane)
            after[z, pair] = np.uint64((min(centre + pair, nz - 1) - centre) * plane)
    return before, after


@kernel
def even_offsets(step, count):
    """The same for neighbours that lie `step` apart."""
    before = np.empty(count, np.uint64)
    after = np.empty(count, np.uint64)
    for pair in range(count):
        before[pair] = np.uint64(-pair * step)
        after[pair] = np.uint64(pair * step)
    return before, after


@kernel
def weigh_exactly(source, start, offsets, weights, out, at, count):
    """Filter `count` voxels from `start` into `out` from `at`, and read and write no other."""
    whole = count - count % LANES
    weigh(source, (start, 0), offsets, weights, out, (at, 0), (1, whole))
    before, after = offsets
    for i in range(np.uint64(whole), np.uint64(count)):
        centre = np.uint64(start) + i
        total = weights[0] * source[centre]
        for pair in range(1, len(weights)):
            total += weights[pair] * (source[centre + before[pair]] + source[centre + after[pair]])
        out[np.uint64(at) + i] = total


@kernel
def weigh(source, start, offsets, weights, out, at, size):
    """Filter `size` (rows, columns) of `source` into `out`, and up to LANES - 1 columns more.

    `start`, `at`: the first voxel and how far the rows lie apart. Rows are done one after the
    other, so what is written beyond one may be the beginning of the next.
    """
    before, after = offsets
    columns, step = np.uint64(size[1]), np.uint64(LANES)
    w0 = weights[0]
    for row in range(np.uint64(size[0])):
        centre = np.uint64(start[0]) + row * np.uint64(start[1])
        to = np.uint64(at[0]) + row * np.uint64(at[1])
        if len(weights) == 1:
            for i in range(columns):
                out[to + i] = source[centre + i]
        for pair in range(np.uint64(1), np.uint64(len(weights)), np.uint64(PAIRS)):
            p2, p3, p4 = pair + np.uint64(1), pair + np.uint64(2), pair + np.uint64(3)
            w1, w2, w3, w4 = weights[pair], weights[p2], weights[p3], weights[p4]
            b1, b2, b3, b4 = before[pair], before[p2], before[p3], before[p4]
            a1, a2, a3, a4 = after[pair], after[p2], after[p3], after[p4]
            if pair == np.uint64(1):
                for i in range(np.uint64(0), columns, step):
                    c = centre + i
                    low = (c + b1, c + b2, c + b3, c + b4)
                    high = (c + a1, c + a2, c + a3, c + a4)
                    start_lanes(out, to + i, source, c, low, high, (w0, w1, w2, w3, w4))
            else:
                for i in range(np.uint64(0), columns, step):
                    c = centre + i
                    low = (c + b1, c + b2, c + b3, c + b4)
                    high = (c + a1, c + a2, c + a3, c + a4)
                    add_lanes(out, to + i, source, low, high, (w1, w2, w3, w4))


@kernel
def repeat_rows(rows, start, nx, known, count):
    """Write the first of the known rows of nx over those before it, the last one behind it."""
    first, last = known
    n = np.uint64(nx)
    for row in range(first):
        to, at = np.uint64(start + row * nx), np.uint64(start + first * nx)
        for i in range(n):
            rows[to + i] = rows[at + i]
    for row in range(last, count):
        to, at = np.uint64(start + row * nx), np.uint64(start + (last - 1) * nx)
        for i in range(n):
            rows[to + i] = rows[at + i]


@kernel
def weigh_rows(work, start, size, filters, frame, out, at):
    """Filter `size` (rows, nx) of `work` from `start` along y, then x, into `out` from `at`.

    Neighbours along y lie before and behind the rows; from `frame` on `work` has room for ROWS rows
    with their ends repeated.
    """
    along_y, along_x = filters
    count, nx = size
    rx = len(along_x) - 1
    pitch = nx + LANES + 2 * rx
    offsets_y = even_offsets(nx, len(along_y))
    offsets_x = even_offsets(1, len(along_x))
    if rx == 0:
        weigh(work, (start, nx), offsets_y, along_y, out, (at, nx), size)
        return
    for first in range(0, count, ROWS):
        some = (min(ROWS, count - first), nx)
        framed = (frame + rx, pitch)
        weigh(work, (start + first * nx, nx), offsets_y, along_y, work, framed, some)
        for row in range(some[0]):
            left = frame + row * pitch
            right = left + rx + nx
            for i in range(rx):
                work[left + i] = work[left + rx]
                work[right + i] = work[right - 1]
        weigh(work, framed, offsets_x, along_x, out, (at + first * nx, nx), some)
