"""Changes of runs of float32 voxels that depend on the voxel's place, in place, row by row.

A run starts at linear index `first` of a volume whose rows have `shape` = (nx, ny) voxels and
slices. Gaussians are products of a table along x, y and z. A smooth field is a cubic B-spline:
along x, cell by cell, a polynomial whose coefficients are polynomials along y.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.coordinates import LANES, whole_lanes
from millimorph.kernels.pointwise import exp32, log32

ORDER = 4
TINY = np.float32(1e-30)


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

    `normal` = (least, scale) brings the Gaussian to 0 to 1; `grey` = (low, high, exponent). Three
    loops: one alone would need more registers than there are.
    """
    least, scale = normal
    low, high, exponent = grey
    share = np.empty(len(values), np.float32)
    raised = np.empty(len(values), np.float32)
    gaussian_run(share, first, shape, tables)
    unit = np.float32(1.0) / np.float32(high - low)
    for i in range(len(values)):
        raised[i] = exponent * log32(max((values[i] - low) * unit, TINY))
    for i in range(len(values)):
        raised[i] = exp32(raised[i])
    for i in range(len(values)):
        t = (values[i] - low) * unit
        power = raised[i] if t > TINY else np.float32(0.0)
        values[i] += np.float32(high - low) * (power - t) * ((share[i] - least) * scale)


@kernel
def multiply_by_exponential(values, first, shape, spline, black):
    """Multiply the distance from `black` by exp of a cubic B-spline.

    `spline` = (planes, along_x, along_y): `planes` (nz, 4 * cells_x, 4 * cells_y) hold, slice by
    slice, each coefficient of the polynomials along x as polynomials along y, cell by cell;
    `along_x` and `along_y` = (steps, ends): the place in its cell of each x or y (with LANES more),
    and where the cells end.
    """
    planes, along_x, along_y = spline
    field = np.empty(len(values) + LANES, np.float32)
    of_rows = np.empty((planes.shape[1], shape[1] + LANES), np.float32)
    polynomials = np.empty(planes.shape[1], np.float32)
    slice_now = -1
    at = 0
    while at < len(values):
        x, y, z, count = row_part(at, first, len(values), shape)
        if z != slice_now:
            rows = min(shape[1], y + (x + len(values) - at - 1) // shape[0] + 1)
            for c in range(planes.shape[1]):
                write_cells(planes[z, c], along_y, (y, rows), of_rows[c, y:])
            slice_now = z
        for c in range(len(polynomials)):
            polynomials[c] = of_rows[c, y]
        write_cells(polynomials, along_x, (x, x + count), field[at:])
        at += count
    for i in range(len(values)):
        values[i] = black + (values[i] - black) * exp32(field[i])


@kernel
def write_cells(polynomials, along, span, out):
    """Evaluate polynomials (4 coefficients a cell) at the indices [span[0], span[1]) of an axis.

    Cell by cell in whole lanes, ascending: what goes beyond the end of a cell is overwritten by the
    next one or is scratch.
    """
    steps, ends = along
    first, last = span
    start = first
    for cell in range(len(ends)):
        end = min(ends[cell], last)
        if start >= end:
            continue
        c0, c1, c2, c3 = (
            polynomials[ORDER * cell],
            polynomials[ORDER * cell + 1],
            polynomials[ORDER * cell + 2],
            polynomials[ORDER * cell + 3],
        )
        length = whole_lanes(end - start)
        g = out[start - first : start - first + length]
        t = steps[start : start + length]
        for i in range(len(g)):
            g[i] = ((c3 * t[i] + c2) * t[i] + c1) * t[i] + c0
        start = end
