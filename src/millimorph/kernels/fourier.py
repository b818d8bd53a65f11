"""Rows of a moved volume, and cosines over a volume, in float32."""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.coordinates import LANES, affine_rows
from millimorph.kernels.sampling import INSIDE, bilinear, fetch_ahead, finish_upper_border, linear

STRIP_VOXELS = 4096


@kernel
def moved_rows(matrix, row_range, shape, rules, source, out):
    """Sample the target rows [row_range[0], row_range[1]) linearly; beyond the border is the edge.

    `matrix` (3, 4) gives the source index of a target index, `shape` is (nx, rows of a plane);
    `rules` = (frame, strides, steps, slices) as in `coordinates` and `sampling`.
    """
    frame, strides, steps, slices = rules
    nothing = np.float32(0.0)
    nx = shape[0]
    per_strip = max(1, STRIP_VOXELS // nx)
    room = per_strip * nx + LANES
    base = np.empty(room, strides.dtype)
    wx = np.empty(room, np.float32)
    wy = np.empty(room, np.float32)
    wz = np.empty(room, np.float32)
    inside = np.empty(room, np.uint8)
    for start in range(row_range[0], row_range[1], per_strip):
        stop = min(start + per_strip, row_range[1])
        affine_rows(matrix, (start, stop), shape, frame, strides, base, wx, wy, wz, inside)
        count = (stop - start) * nx
        b = base[:count]
        u, v, w, within = wx[:count], wy[:count], wz[:count], inside[:count]
        for i in range(count):
            within[i] |= INSIDE
        fetch_ahead(source, b, steps[1])
        first = (start - row_range[0]) * nx
        values = out[first : first + count]
        if slices == 1:
            bilinear(source, b, u, v, within, steps[0], nothing, values)
        else:
            linear(source, b, u, v, w, within, steps, nothing, values)
        finish_upper_border(source, b, u, v, w, within, steps, values)


@kernel
def add_wave(values, first_row, ny, along_x, along_y, along_z):
    """Add a cosine to rows of voxels: the real part of a product of three complex numbers.

    `along_x` (2, nx) holds the real and imaginary parts for each x, and so on; `first_row` is the
    number of the first row, z ny + y.
    """
    real, imaginary = along_x[0], along_x[1]
    for row in range(len(values)):
        z = (first_row + row) // ny
        y = first_row + row - z * ny
        a = along_z[0, z] * along_y[0, y] - along_z[1, z] * along_y[1, y]
        b = along_z[0, z] * along_y[1, y] + along_z[1, z] * along_y[0, y]
        line = values[row]
        for x in range(len(line)):
            line[x] += a * real[x] - b * imaginary[x]
