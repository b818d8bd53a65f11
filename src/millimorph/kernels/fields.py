"""Changes of runs of float32 voxels that depend on the voxel's place, in place, row by row.

A run starts at linear index `first` of a volume whose rows have `shape` = (nx, ny) voxels and
slices. Gaussians are products of a table along x, y and z.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.coordinates import LANES, whole_lanes
from millimorph.kernels.pointwise import ONE, exp32, power32

ORDER = 4


@kernel
def row_part(at, first, count, shape):
    """Where voxel `at` of a run of `count` lies, and how many of its row the run still holds.

    Returns (x, y, z, voxels).
    """
    nx, ny = shape
    row = (first + at) // nx
    x = first + at - row * nx
    z = row // ny
    return x, row - z * ny, z, min(nx - x, count - at)


@kernel
def product_and_sum(values, first, shape, factor, term, black):
    """Multiply the distance from `black` by one Gaussian and add another."""
    factor_x, factor_y, factor_z = factor
    term_x, term_y, term_z = term
    at = 0
    while at < len(values):
        x, y, z, count = row_part(at, first, len(values), shape)
        times = factor_y[y] * factor_z[z]
        plus = term_y[y] * term_z[z]
        part = values[at : at + count]
        f = factor_x[x : x + count]
        g = term_x[x : x + count]
        for i in range(len(part)):
            part[i] = black + (part[i] - black) * (f[i] * times) + g[i] * plus
        at += count


@kernel
def add_gradient(values, first, shape, tables, least, scale):
    """Add a Gaussian, less its least value, times a scale."""
    table_x, table_y, table_z = tables
    at = 0
    while at < len(values):
        x, y, z, count = row_part(at, first, len(values), shape)
        times = table_y[y] * table_z[z]
        part = values[at : at + count]
        g = table_x[x : x + count]
        for i in range(len(part)):
            part[i] += (g[i] * times - least) * scale
        at += count


@kernel
def gaussian_run(out, first, shape, tables):
    """Write a Gaussian over a run."""
    table_x, table_y, table_z = tables
    at = 0
    while at < len(out):
        x, y, z, count = row_part(at, first, len(out), shape)
        times = table_y[y] * table_z[z]
        part = out[at : at + count]
        g = table_x[x : x + count]
        for i in range(len(part)):
            part[i] = g[i] * times
        at += count


@kernel
def local_gamma(values, first, shape, tables, normal, grey):
    """Blend in a power of (x - low) / (high - low), held at 0 from below, by a Gaussian's share.

    `normal` = (least, scale) brings the Gaussian to 0 to 1; `grey` = (low, high, exponent).
    """
    least, scale = normal
    low, high, exponent = grey
    share = np.empty(len(values), np.float32)
    gaussian_run(share, first, shape, tables)
    span = np.float32(high - low)
    unit = ONE / span
    for i in range(len(values)):
        t = (values[i] - low) * unit
        change = span * (power32(t, exponent) - t)
        values[i] += change * ((share[i] - least) * scale)


@kernel
def multiply_by_exponential(values, runs, shape, spline, black):
    """Multiply the distance from `black` by exp of a cubic B-spline.

    `runs` = (first, step, count): voxels of as many runs of equal length, one behind the other, the
    first from index `first` on, the next from `first + step` on. `spline` = (planes, along_x,
    cells, weights): `planes` (nz, control rows, 4 * cells along x) hold, slice by slice, the
    polynomials along x of each control row; `along_x` = (steps, ends) as in `write_cells`; `cells`
    (ny) is the first of the four control rows that make a row, `weights` (ny, 4) are theirs.
    """
    first, step, count = runs
    length = len(values) // count
    field = np.empty(length + LANES, np.float32)
    expanded = np.empty((spline[0].shape[1], shape[0] + LANES), np.float32)
    for run in range(count):
        write_spline(field, first + run * step, length, shape, spline, expanded)
        part = values[run * length : (run + 1) * length]
        for i in range(length):
            part[i] = black + (part[i] - black) * exp32(field[i])


@kernel
def write_spline(out, first, length, shape, spline, expanded):
    """Write the B-spline over a run, in whole lanes; `expanded` is working memory."""
    planes, along_x, cells, weights = spline
    nx = shape[0]
    slice_now = -1
    at = 0
    while at < length:
        x, y, z, count = row_part(at, first, length, shape)
        if z != slice_now:
            last = min(shape[1] - 1, y + (x + length - at - 1) // nx)
            for row in range(cells[y], cells[last] + ORDER):
                write_cells(planes[z, row], along_x, nx, expanded[row])
            slice_now = z
        lanes = whole_lanes(count)
        w0, w1, w2, w3 = weights[y]
        r0 = expanded[cells[y], x : x + lanes]
        r1 = expanded[cells[y] + 1, x : x + lanes]
        r2 = expanded[cells[y] + 2, x : x + lanes]
        r3 = expanded[cells[y] + 3, x : x + lanes]
        part = out[at : at + lanes]
        for i in range(len(part)):
            part[i] = w0 * r0[i] + w1 * r1[i] + w2 * r2[i] + w3 * r3[i]
        at += count


@kernel
def write_cells(polynomials, along, count, out):
    """Evaluate polynomials, four coefficients a cell, at the indices [0, count) of an axis.

    `along` = (steps, ends): the place of each index in its cell, with LANES to spare, and where the
    cells end. Cell by cell in whole lanes, ascending: what goes beyond the end of a cell is
    overwritten by the next one or is scratch.
    """
    steps, ends = along
    start = 0
    for cell in range(len(ends)):
        end = min(ends[cell], count)
        if start >= end:
            continue
        c0, c1, c2, c3 = (
            polynomials[ORDER * cell],
            polynomials[ORDER * cell + 1],
            polynomials[ORDER * cell + 2],
            polynomials[ORDER * cell + 3],
        )
        length = whole_lanes(end - start)
        part = out[start : start + length]
        t = steps[start : start + length]
        for i in range(len(part)):
            part[i] = ((c3 * t[i] + c2) * t[i] + c1) * t[i] + c0
        start = end
