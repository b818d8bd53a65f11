"""Slices from voxels and voxels from slices: weighted sums of slices, rows and columns.

Volumes are float32 (z, y, x), C-contiguous. A combination is `places` and `weights`, both (lines,
count) for z and y and (count, lines) for x. A line is the one at its first place plus, for every
further place, its weight times its difference to the first, so that what is constant stays as it
is, to the bit; the first weight is not used. Sums run in the order of the places.
"""

import numpy as np

from millimorph.kernels._jit import kernel

BLOCK = 1024
RING = 4
"""Slices of an interpolated voxel: at most those of a cubic spline."""


@kernel
def acquire(volume, places, weights, slices, work, out):
    """Make slices [slices[0], slices[1]) of `out`; `work` holds two slices of `volume`."""
    _, ny, nx = volume.shape
    flat = volume.reshape(-1)
    _, rows, columns = out.shape
    plane = ny * nx
    written = out.reshape(-1)
    for m in range(slices[0], slices[1]):
        for start in range(0, plane, BLOCK):
            count = min(BLOCK, plane - start)
            combine_lines(flat, start, plane, places[0][m], weights[0][m], count, work, start)
        for row in range(rows):
            at = plane + row * nx
            combine_lines(work, 0, nx, places[1][row], weights[1][row], nx, work, at)
            combine_columns(work, at, places[2], weights[2], written, (m * rows + row) * columns)


@kernel
def restore(low, places, weights, slices, ready, ring, out):
    """Make slices [slices[0], slices[1]) of the voxels from `low` into `out`, one after the other.

    `ring` holds RING slices of the voxels, made from those of `low` before `ready`, and as many
    rows of them as `low` has. The slices must follow those of the call before; what is ready now is
    returned.
    """
    _, rows, columns = low.shape
    flat = low.reshape(-1)
    ny, nx = len(places[1]), places[2].shape[1]
    plane = ny * nx
    for z in range(slices[0], slices[1]):
        for place in places[0][z]:
            while ready <= place:
                for row in range(rows):
                    start = (ready * rows + row) * columns
                    combine_columns(
                        flat, start, places[2], weights[2], ring, RING * plane + row * nx
                    )
                for y in range(ny):
                    at = (ready % RING) * plane + y * nx
                    combine_lines(ring, RING * plane, nx, places[1][y], weights[1][y], nx, ring, at)
                ready += 1
        slots = places[0][z] % RING
        for start in range(0, plane, BLOCK):
            to = (z - slices[0]) * plane + start
            count = min(BLOCK, plane - start)
            combine_lines(ring, start, plane, slots, weights[0][z], count, out, to)
    return ready


@kernel
def combine_lines(source, start, pitch, places, weights, count, out, at):
    """Combine lines of `count` voxels that begin `pitch` apart from `start` on."""
    n = np.uint64(count)
    to = np.uint64(at)
    first = np.uint64(start + places[0] * pitch)
    if len(places) % 2 == 0:
        one, w1 = np.uint64(start + places[1] * pitch), weights[1]
        for i in range(n):
            out[to + i] = source[first + i] + w1 * (source[one + i] - source[first + i])
    else:
        for i in range(n):
            out[to + i] = source[first + i]
    for k in range(2 - len(places) % 2, len(places), 2):
        one, other = np.uint64(start + places[k] * pitch), np.uint64(start + places[k + 1] * pitch)
        w1, w2 = weights[k], weights[k + 1]
        for i in range(n):
            base = source[first + i]
            total = out[to + i] + w1 * (source[one + i] - base)
            out[to + i] = total + w2 * (source[other + i] - base)


@kernel
def combine_columns(source, start, places, weights, out, at):
    """Combine the columns of the row of `source` from `start` on into `out` from `at`.

    `places` and `weights` lie (count, columns); without a place the row is copied.
    """
    begin, to = np.uint64(start), np.uint64(at)
    n = np.uint64(places.shape[1])
    count = places.shape[0]
    if count == 0:
        for i in range(n):
            out[to + i] = source[begin + i]
    elif count == 1:
        for i in range(n):
            out[to + i] = source[begin + places[np.uint64(0), i]]
    else:
        start_columns(source, begin, places, weights, out, to)
        for k in range(np.uint64(2 + count % 2), np.uint64(count), np.uint64(2)):
            next_k = k + np.uint64(1)
            for i in range(n):
                first = source[begin + places[np.uint64(0), i]]
                one = weights[k, i] * (source[begin + places[k, i]] - first)
                other = weights[next_k, i] * (source[begin + places[next_k, i]] - first)
                out[to + i] = out[to + i] + one + other


@kernel
def start_columns(source, begin, places, weights, out, to):
    """Combine each column's first two places, or three of an odd number."""
    zero, k1, k2 = np.uint64(0), np.uint64(1), np.uint64(2)
    n = np.uint64(places.shape[1])
    if places.shape[0] % 2 == 0:
        for i in range(n):
            first = source[begin + places[zero, i]]
            out[to + i] = first + weights[k1, i] * (source[begin + places[k1, i]] - first)
    else:
        for i in range(n):
            first = source[begin + places[zero, i]]
            one = weights[k1, i] * (source[begin + places[k1, i]] - first)
            other = weights[k2, i] * (source[begin + places[k2, i]] - first)
            out[to + i] = first + one + other
