"""Sharpening of runs and slices.

Volumes are float32 (z, y, x), C-contiguous; every sum runs in one fixed order.
"""

import numpy as np

from millimorph.kernels._jit import kernel


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
