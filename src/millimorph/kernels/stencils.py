"""Sharpening of runs and slices, and combinations of slices, rows or columns of a volume.

Volumes are float32 (z, y, x), C-contiguous; every sum runs in one fixed order.
"""

import numpy as np

from millimorph.kernels._jit import kernel

BLOCK = 2048


@kernel
def unsharp(source, blurred, amount):
    """Turn a run of blurred voxels into the source plus `amount` times what the blur took away."""
    for i in range(np.uint64(len(source))):
        blurred[i] = source[i] + amount * (source[i] - blurred[i])


@kernel
def clamp(values, low, high):
    """Limit values in place."""
    for i in range(np.uint64(len(values))):
        values[i] = min(max(values[i], low), high)


@kernel
def sharpen_slice(volume, z, amount, out):
    """Write slice z plus `amount` times its voxels' differences to their neighbours into `out`.

    `out` (y, x). An axis of one voxel has no neighbours; edges are repeated.
    """
    nz, ny, nx = volume.shape
    flat = volume.reshape(-1)
    lower, upper = max(z - 1, 0), min(z + 1, nz - 1)
    for y in range(ny):
        c = np.uint64((z * ny + y) * nx)
        before_z = np.uint64((lower * ny + y) * nx)
        after_z = np.uint64((upper * ny + y) * nx)
        before_y = np.uint64((z * ny + max(y - 1, 0)) * nx)
        after_y = np.uint64((z * ny + min(y + 1, ny - 1)) * nx)
        line = out[y]
        two = np.float32(2.0)
        for i in range(np.uint64(nx)):
            twice = two * flat[c + i]
            across = twice - (flat[before_z + i] + flat[after_z + i])
            along = twice - (flat[before_y + i] + flat[after_y + i])
            line[i] = across + along
        sharpen_row(volume[z, y], amount, line)


@kernel
def sharpen_row(row, amount, line):
    """Add the differences along x to those in `line`, and `amount` times them all to the row."""
    last = np.uint64(len(row) - 1)
    one, two = np.uint64(1), np.float32(2.0)
    for i in range(one, last):
        within = two * row[i] - (row[i - one] + row[i + one])
        line[i] = row[i] + amount * (line[i] + within)
    if last > 0:
        line[0] = row[0] + amount * (line[0] + (row[0] - row[1]))
        line[last] = row[last] + amount * (line[last] + (row[last] - row[last - one]))
    else:
        line[0] = row[0] + amount * line[0]


@kernel
def combine_lines(volume, places, weights, lines, out):
    """Make lines [lines[0], lines[1]) of `out` (outer, length, inner) from lines of `volume`.

    Line n is the line at places[n, 0] plus, for every further place, its weight times its
    difference to that one: weights that sum to 1 leave what is constant as it is, to the bit.
    `places`, `weights`: (length, an odd number); those of the first place are not used.
    """
    length, inner = out.shape[1:]
    for number in range(lines[0], lines[1]):
        o, n = number // length, number % length
        line = out[o, n]
        first = volume[o, places[n, 0]]
        for start in range(0, inner, BLOCK):
            end = np.uint64(min(start + BLOCK, inner))
            for i in range(np.uint64(start), end):
                line[i] = first[i]
            for k in range(1, places.shape[1], 2):
                one, other = volume[o, places[n, k]], volume[o, places[n, k + 1]]
                w1, w2 = weights[n, k], weights[n, k + 1]
                for i in range(np.uint64(start), end):
                    line[i] += w1 * (one[i] - first[i]) + w2 * (other[i] - first[i])


@kernel
def combine_rows(volume, places, weights, rows, out):
    """The same within each of some rows of (rows, length); places and weights lie (number, n)."""
    count = np.uint64(out.shape[1])
    for r in range(rows[0], rows[1]):
        row, line = volume[r], out[r]
        for n in range(count):
            first = row[places[0, n]]
            total = first
            for k in range(1, len(places), 2):
                one = weights[k, n] * (row[places[k, n]] - first)
                other = weights[k + 1, n] * (row[places[k + 1, n]] - first)
                total += one + other
            line[n] = total
