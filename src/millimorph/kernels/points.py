"""Maps of points, in place on blocks of (3, n) float64 arrays: what no closed form per row covers.

Two-dimensional points carry a third coordinate of zero. The formulas are those of the transforms
with the same names; only the order of evaluation differs.
"""

import numpy as np

from millimorph.kernels._jit import kernel


@kernel
def start_rows(matrix, row_range, shape, points):
    """Write the images of target rows [row_range[0], row_range[1]) under a map (3, 4)."""
    nx, ny = shape
    for row in range(row_range[0], row_range[1]):
        k = row // ny
        j = row - k * ny
        first = (row - row_range[0]) * nx
        for axis in range(3):
            at_row = matrix[axis, 3] + matrix[axis, 1] * j + matrix[axis, 2] * k
            step = matrix[axis, 0]
            out = points[axis, first : first + nx]
            for i in range(nx):
                out[i] = at_row + step * i


@kernel
def affine(matrix, points):
    """Apply an affine map (3, 4)."""
    xs, ys, zs = points[0], points[1], points[2]
    for i in range(len(xs)):
        x, y, z = xs[i], ys[i], zs[i]
        xs[i] = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        ys[i] = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        zs[i] = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]


@kernel
def cubic_weights(t):
    """The four cubic B-spline weights at the fraction t of a cell."""
    s = 1.0 - t
    t2 = t * t
    return (
        s * s * s / 6.0,
        2.0 / 3.0 - t2 + 0.5 * t2 * t,
        2.0 / 3.0 - s * s + 0.5 * s * s * s,
        t2 * t / 6.0,
    )


@kernel
def lattice_cell(position, size):
    """First of the four control planes around a lattice position and the fraction beyond it."""
    cell = min(np.int64(np.floor(position)) - 1, size - 4)
    return cell, position - (cell + 1)


@kernel
def bspline(coefficients, lattice_from_world, points):
    """Add a cubic B-spline displacement; none outside [1, size - 2] of the lattice.

    `coefficients` (nz, ny, nx, 4) float64, the fourth component zero; nz = 1 in two dimensions. The
    idle component makes four equal chains of sums, which compile to one chain of vectors.
    """
    nz, ny, nx, _ = coefficients.shape
    values = coefficients.reshape(nz * ny * nx * 4)
    m = lattice_from_world
    flat = nz == 1
    step_x, step_y, step_z = np.uintp(4), np.uintp(4 * nx), np.uintp(4 * nx * ny)
    xs, ys, zs = points[0], points[1], points[2]
    for i in range(len(xs)):
        px, py, pz = xs[i], ys[i], zs[i]
        lx = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
        ly = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
        lz = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
        if not (1.0 <= lx <= nx - 2 and 1.0 <= ly <= ny - 2):
            continue
        if not (flat or 1.0 <= lz <= nz - 2):
            continue
        cx, tx = lattice_cell(lx, nx)
        cy, ty = lattice_cell(ly, ny)
        cz, tz = (0, 0.0) if flat else lattice_cell(lz, nz)
        ax = cubic_weights(tx)
        ay = cubic_weights(ty)
        az = (1.0, 0.0, 0.0, 0.0) if flat else cubic_weights(tz)
        dx, dy, dz, idle = 0.0, 0.0, 0.0, 0.0
        plane = np.uintp(cz) * step_z + np.uintp(cy) * step_y + np.uintp(cx) * step_x
        for c in range(1 if flat else 4):
            at = plane
            for b in range(4):
                weight = az[c] * ay[b]
                dx += weight * row_sum(values, at, ax)
                dy += weight * row_sum(values, at + np.uintp(1), ax)
                dz += weight * row_sum(values, at + np.uintp(2), ax)
                idle += weight * row_sum(values, at + np.uintp(3), ax)
                at += step_y
            plane += step_z
        xs[i] = px + dx
        ys[i] = py + dy
        zs[i] = pz + dz + idle


@kernel
def row_sum(values, at, weights):
    """Sum four control values of one component along x."""
    return (
        weights[0] * values[at]
        + weights[1] * values[at + np.uintp(4)]
        + weights[2] * values[at + np.uintp(8)]
        + weights[3] * values[at + np.uintp(12)]
    )


@kernel
def clamp_cell(position, size):
    """Lower and upper neighbour and the upper one's weight, neighbours clamped to the edge."""
    bounded = min(max(position, 0.0), size - 1.0)
    lower = min(np.int64(bounded), max(size - 2, 0))
    return lower, min(lower + 1, size - 1), bounded - lower


@kernel
def field(displacements, index_from_world, points):
    """Add a sampled displacement (3, nz, ny, nx), linearly interpolated; none outside its grid."""
    _, nz, ny, nx = displacements.shape
    m = index_from_world
    xs, ys, zs = points[0], points[1], points[2]
    for i in range(len(xs)):
        px, py, pz = xs[i], ys[i], zs[i]
        x = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
        y = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
        z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
        if not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5 and -0.5 <= z < nz - 0.5):
            continue
        x0, x1, u = clamp_cell(x, nx)
        y0, y1, v = clamp_cell(y, ny)
        z0, z1, w = clamp_cell(z, nz)
        for axis in range(3):
            f = displacements[axis]
            low = f[z0, y0, x0] + u * (f[z0, y0, x1] - f[z0, y0, x0])
            up = f[z0, y1, x0] + u * (f[z0, y1, x1] - f[z0, y1, x0])
            front = low + v * (up - low)
            low = f[z1, y0, x0] + u * (f[z1, y0, x1] - f[z1, y0, x0])
            up = f[z1, y1, x0] + u * (f[z1, y1, x1] - f[z1, y1, x0])
            back = low + v * (up - low)
            points[axis, i] += front + w * (back - front)


@kernel
def radial(coefficients, centre, unit_mm, points):
    """Move along the radius from `centre` (3,): p + (p - c)(k1 r^2 + k2 r^4 + ...), r in units."""
    xs, ys, zs = points[0], points[1], points[2]
    scale = 1.0 / (unit_mm * unit_mm)
    for i in range(len(xs)):
        x = xs[i] - centre[0]
        y = ys[i] - centre[1]
        z = zs[i] - centre[2]
        r2 = (x * x + y * y + z * z) * scale
        factor = 0.0
        for k in range(len(coefficients) - 1, -1, -1):
            factor = (factor + coefficients[k]) * r2
        xs[i] += x * factor
        ys[i] += y * factor
        zs[i] += z * factor
