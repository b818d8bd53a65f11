"""Where each target voxel looks in its source: base index, three weights, inside or not.

A block is a run of whole target rows. For each of its voxels the kernels here write the linear
index of the lower neighbour, the weights of the upper neighbours along x, y, z, and two flags: 1
where the continuous index lies in [-0.5, size - 0.5) on every axis, 2 where it was moved down to
the last centre of some axis. Every sampler reads these buffers, so
images, labels and channels that share a grid share one computation.

Positions are float64 at the start of each segment of a row; inside a segment they are float32
offsets from a whole voxel, so that the error stays below 1e-5 voxel however large the image is.
Two-dimensional grids are grids with one slice.
"""

import numpy as np

from millimorph.kernels._jit import kernel

SEGMENT = 64
LANES = 16

# `frame` (int32, 3 x 4) describes the source's axes x, y, z: size, lowest and highest base index,
# and 1 where the upper neighbour carries the weight at the upper border (0 on axes of one voxel).
# `strides` (unsigned, 4): along x, y, z, and the linear index of base index 0, 0, 0.


@kernel
def place(relative, whole, size, low, high, top):
    """Base index, weight, and whether inside and whether at the upper border, of one coordinate.

    The coordinate is `whole + relative`. At the upper border the upper neighbour has weight 1.
    """
    floor = np.floor(relative)
    weight = relative - floor
    index = np.int32(floor) + whole
    nearest = index + np.int32(weight >= np.float32(0.5))
    inside = (nearest >= np.int32(0)) & (nearest < size)
    weight = np.float32(0.0) if index < low else weight
    at_top = index > high
    weight = np.float32(top) if at_top else weight
    return min(max(index, low), high), weight, inside, at_top


@kernel
def split(position):
    """A float64 position as a whole voxel (kept within ±2^30) and a float32 remainder."""
    bounded = min(max(position, -1073741824.0), 1073741824.0)
    floor = np.floor(bounded)
    return np.int32(floor), np.float32(bounded - floor)


@kernel
def between(start, end, margin, size):
    """Whether a stretch of positions, `margin` wide on both sides, keeps off both borders."""
    return min(start, end) - margin > 0.001 and max(start, end) + margin < size - 1.001


@kernel
def affine_rows(matrix, row_range, shape, frame, strides, base, wx, wy, wz, inside):
    """Coordinates of the target rows [row_range[0], row_range[1]) under an affine index map.

    `matrix` (3, 4) float64 gives the source index of a target index; `shape` is (nx, ny). Rows are
    written in whole lanes, ascending: up to LANES - 1 entries beyond a row are scratch.
    """
    nx, ny = shape
    dx = np.float32(matrix[0, 0])
    dy = np.float32(matrix[1, 0])
    dz = np.float32(matrix[2, 0])
    ramp = steps_along_x()
    s0, l0, h0, t0 = frame[0, 0], frame[0, 1], frame[0, 2], frame[0, 3]
    s1, l1, h1, t1 = frame[1, 0], frame[1, 1], frame[1, 2], frame[1, 3]
    s2, l2, h2, t2 = frame[2, 0], frame[2, 1], frame[2, 2], frame[2, 3]
    qx, qy, qz, origin = strides[0], strides[1], strides[2], strides[3]
    unsigned = strides.dtype.type
    for row in range(row_range[0], row_range[1]):
        k = row // ny
        j = row - k * ny
        x_row = matrix[0, 3] + matrix[0, 1] * j + matrix[0, 2] * k
        y_row = matrix[1, 3] + matrix[1, 1] * j + matrix[1, 2] * k
        z_row = matrix[2, 3] + matrix[2, 1] * j + matrix[2, 2] * k
        for start in range(0, nx, SEGMENT):
            x_start = x_row + matrix[0, 0] * start
            y_start = y_row + matrix[1, 0] * start
            z_start = z_row + matrix[2, 0] * start
            bx, rx = split(x_start)
            by, ry = split(y_start)
            bz, rz = split(z_start)
            first = (row - row_range[0]) * nx + start
            last = first + whole_lanes(min(nx - start, SEGMENT))
            b = base[first:last]
            u = wx[first:last]
            v = wy[first:last]
            w = wz[first:last]
            inner = inside[first:last]
            reach = last - first - 1
            if (
                between(x_start, x_start + reach * matrix[0, 0], 0.0, s0)
                and between(y_start, y_start + reach * matrix[1, 0], 0.0, s1)
                and between(z_start, z_start + reach * matrix[2, 0], 0.0, s2)
            ):
                whole = origin + qx * unsigned(bx) + qy * unsigned(by) + qz * unsigned(bz)
                for i in range(len(b)):
                    t = ramp[i]
                    x = rx + dx * t
                    y = ry + dy * t
                    z = rz + dz * t
                    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
                    u[i] = x - fx
                    v[i] = y - fy
                    w[i] = z - fz
                    step = qx * unsigned(np.int32(fx)) + qy * unsigned(np.int32(fy))
                    b[i] = whole + step + qz * unsigned(np.int32(fz))
                    inner[i] = np.uint8(1)
                continue
            for i in range(len(b)):
                t = ramp[i]
                ix, u[i], ok_x, top_x = place(rx + dx * t, bx, s0, l0, h0, t0)
                iy, v[i], ok_y, top_y = place(ry + dy * t, by, s1, l1, h1, t1)
                iz, w[i], ok_z, top_z = place(rz + dz * t, bz, s2, l2, h2, t2)
                b[i] = origin + qx * unsigned(ix) + qy * unsigned(iy) + qz * unsigned(iz)
                inner[i] = np.uint8(ok_x & ok_y & ok_z) | np.uint8(2 * (top_x | top_y | top_z))


@kernel
def nearest_to(relative):
    """The nearest whole number, halves upwards, of the remainder that decides it."""
    floor = np.floor(relative)
    return np.int32(floor) + np.int32(relative - floor >= np.float32(0.5))


@kernel
def place_nearest(relative, whole, size):
    """Index of the nearest voxel, kept within the source, and whether it is inside."""
    index = nearest_to(relative) + whole
    inside = (index >= np.int32(0)) & (index < size)
    return min(max(index, np.int32(0)), size - np.int32(1)), inside


@kernel
def affine_nearest_rows(matrix, row_range, shape, frame, strides, base, inside):
    """As `affine_rows`, for nearest neighbours alone: `base` is the voxel itself, weights are none.

    Only the first flag of `inside` is written.
    """
    nx, ny = shape
    dx = np.float32(matrix[0, 0])
    dy = np.float32(matrix[1, 0])
    dz = np.float32(matrix[2, 0])
    ramp = steps_along_x()
    s0, s1, s2 = frame[0, 0], frame[1, 0], frame[2, 0]
    qx, qy, qz, origin = strides[0], strides[1], strides[2], strides[3]
    unsigned = strides.dtype.type
    for row in range(row_range[0], row_range[1]):
        k = row // ny
        j = row - k * ny
        x_row = matrix[0, 3] + matrix[0, 1] * j + matrix[0, 2] * k
        y_row = matrix[1, 3] + matrix[1, 1] * j + matrix[1, 2] * k
        z_row = matrix[2, 3] + matrix[2, 1] * j + matrix[2, 2] * k
        for start in range(0, nx, SEGMENT):
            x_start = x_row + matrix[0, 0] * start
            y_start = y_row + matrix[1, 0] * start
            z_start = z_row + matrix[2, 0] * start
            bx, rx = split(x_start)
            by, ry = split(y_start)
            bz, rz = split(z_start)
            first = (row - row_range[0]) * nx + start
            last = first + whole_lanes(min(nx - start, SEGMENT))
            b = base[first:last]
            inner = inside[first:last]
            reach = last - first - 1
            if (
                between(x_start, x_start + reach * matrix[0, 0], 0.0, s0)
                and between(y_start, y_start + reach * matrix[1, 0], 0.0, s1)
                and between(z_start, z_start + reach * matrix[2, 0], 0.0, s2)
            ):
                whole = origin + qx * unsigned(bx) + qy * unsigned(by) + qz * unsigned(bz)
                for i in range(len(b)):
                    t = ramp[i]
                    ix = nearest_to(rx + dx * t)
                    iy = nearest_to(ry + dy * t)
                    iz = nearest_to(rz + dz * t)
                    b[i] = whole + qx * unsigned(ix) + qy * unsigned(iy) + qz * unsigned(iz)
                    inner[i] = np.uint8(1)
                continue
            for i in range(len(b)):
                t = ramp[i]
                ix, ok_x = place_nearest(rx + dx * t, bx, s0)
                iy, ok_y = place_nearest(ry + dy * t, by, s1)
                iz, ok_z = place_nearest(rz + dz * t, bz, s2)
                b[i] = origin + qx * unsigned(ix) + qy * unsigned(iy) + qz * unsigned(iz)
                inner[i] = np.uint8(ok_x & ok_y & ok_z)


@kernel
def steps_along_x():
    """0, 1, 2, ... as float32, enough for one segment in whole lanes."""
    ramp = np.empty(SEGMENT + LANES, np.float32)
    for i in range(SEGMENT + LANES):
        ramp[i] = np.float32(i)
    return ramp


@kernel
def contract(planes, cell, weights, out):
    """Sum four planes (n, length), from plane `cell` on, with `weights`; zero where cell < 0.

    A single plane (the idle axis of a two-dimensional lattice) is copied.
    """
    if cell < 0:
        for i in range(len(out)):
            out[i] = np.float32(0.0)
    elif planes.shape[0] == 1:
        only = planes[0]
        for i in range(len(out)):
            out[i] = only[i]
    else:
        w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
        p0, p1, p2, p3 = planes[cell], planes[cell + 1], planes[cell + 2], planes[cell + 3]
        for i in range(len(out)):
            out[i] = w0 * p0[i] + w1 * p1[i] + w2 * p2[i] + w3 * p3[i]


@kernel
def whole_lanes(count):
    """`count` rounded up to whole lanes."""
    return (count + LANES - 1) // LANES * LANES


@kernel
def expand_row(row_values, component, cells, weights, segments, out):
    """Contract one component of the control values of a row (n * 3) over x, into float32.

    `segments` (n, 2): start and end of stretches of x that share a cell. Each is written in whole
    lanes; what goes beyond its end is overwritten by the next one or is scratch.
    """
    for segment in range(segments.shape[0]):
        start = segments[segment, 0]
        end = start + whole_lanes(segments[segment, 1] - start)
        at = 3 * max(cells[start], 0) + component
        c0, c1, c2, c3 = (
            row_values[at],
            row_values[at + 3],
            row_values[at + 6],
            row_values[at + 9],
        )
        w0 = weights[0, start:end]
        w1 = weights[1, start:end]
        w2 = weights[2, start:end]
        w3 = weights[3, start:end]
        g = out[start:end]
        for i in range(len(g)):
            g[i] = w0[i] * c0 + w1[i] * c1 + w2[i] * c2 + w3[i] * c3


@kernel
def spline_scratch(lattice, nx):
    """Working memory of `bspline_rows` for rows of nx voxels; one for each thread."""
    rows, row_length = lattice.shape[1], lattice.shape[2]
    length = nx + SEGMENT + LANES
    margins = np.zeros(3)
    for plane in range(lattice.shape[0]):
        for row in range(rows):
            for i in range(row_length):
                margins[i % 3] = max(margins[i % 3], abs(lattice[plane, row, i]))
    return (
        np.empty((rows, row_length), np.float32),
        np.zeros((rows, 3 * length), np.float32),
        np.zeros(rows, np.bool_),
        np.zeros(3 * length, np.float32),
        np.full(1, -1, np.int64),
        margins,
    )


@kernel
def bspline_rows(  # noqa: PLR0915 - one loop nest
    matrix, lattice, tables, scratch, row_range, shape, frame, strides, base, wx, wy, wz, inside
):
    """Coordinates under an affine index map plus a cubic B-spline on an aligned lattice.

    `lattice` (nz, ny, nx * 3) float32: control values already in source voxels, components x, y, z
    innermost. `tables` = (cells_x, weights_x, segments, cells_y, weights_y, cells_z, weights_z):
    per target index the first control plane (or -1: no displacement) and four weights;
    weights_x is (4, nx + LANES), zero at the end. `scratch` comes from `spline_scratch` and keeps,
    from call to call, what rows of one slice share: control values contracted over z and x.
    """
    cells_x, weights_x, segments, cells_y, weights_y, cells_z, weights_z = tables
    nx, ny = shape
    planes, rows, row_length = lattice.shape
    dx = np.float32(matrix[0, 0])
    dy = np.float32(matrix[1, 0])
    dz = np.float32(matrix[2, 0])
    ramp = steps_along_x()
    s0, l0, h0, t0 = frame[0, 0], frame[0, 1], frame[0, 2], frame[0, 3]
    s1, l1, h1, t1 = frame[1, 0], frame[1, 1], frame[1, 2], frame[1, 3]
    s2, l2, h2, t2 = frame[2, 0], frame[2, 1], frame[2, 2], frame[2, 3]
    qx, qy, qz, origin = strides[0], strides[1], strides[2], strides[3]
    unsigned = strides.dtype.type
    flat = lattice.reshape(planes, rows * row_length)
    slice_rows, expanded, done, displaced, slice_now, margins = scratch
    length = len(displaced) // 3
    gx = displaced[:length]
    gy = displaced[length : 2 * length]
    gz = displaced[2 * length :]
    for row in range(row_range[0], row_range[1]):
        k = row // ny
        j = row - k * ny
        if k != slice_now[0]:
            contract(flat, cells_z[k], weights_z[k], slice_rows.reshape(rows * row_length))
            done[:] = False
            slice_now[0] = k
        if cells_y[j] >= 0:
            for lattice_row in range(cells_y[j], cells_y[j] + 4):
                if not done[lattice_row]:
                    values = slice_rows[lattice_row]
                    for component in range(3):
                        line = expanded[lattice_row, component * length : (component + 1) * length]
                        expand_row(values, component, cells_x, weights_x, segments, line)
                    done[lattice_row] = True
        contract(expanded, cells_y[j], weights_y[j], displaced)
        x_row = matrix[0, 3] + matrix[0, 1] * j + matrix[0, 2] * k
        y_row = matrix[1, 3] + matrix[1, 1] * j + matrix[1, 2] * k
        z_row = matrix[2, 3] + matrix[2, 1] * j + matrix[2, 2] * k
        for start in range(0, nx, SEGMENT):
            x_start = x_row + matrix[0, 0] * start
            y_start = y_row + matrix[1, 0] * start
            z_start = z_row + matrix[2, 0] * start
            bx, rx = split(x_start)
            by, ry = split(y_start)
            bz, rz = split(z_start)
            first = (row - row_range[0]) * nx + start
            last = first + whole_lanes(min(nx - start, SEGMENT))
            b = base[first:last]
            u = wx[first:last]
            v = wy[first:last]
            w = wz[first:last]
            inner = inside[first:last]
            reach = last - first - 1
            ax = gx[start : start + len(b)]
            ay = gy[start : start + len(b)]
            az = gz[start : start + len(b)]
            if (
                between(x_start, x_start + reach * matrix[0, 0], margins[0], s0)
                and between(y_start, y_start + reach * matrix[1, 0], margins[1], s1)
                and between(z_start, z_start + reach * matrix[2, 0], margins[2], s2)
            ):
                whole = origin + qx * unsigned(bx) + qy * unsigned(by) + qz * unsigned(bz)
                for i in range(len(b)):
                    t = ramp[i]
                    x = rx + dx * t + ax[i]
                    y = ry + dy * t + ay[i]
                    z = rz + dz * t + az[i]
                    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
                    u[i] = x - fx
                    v[i] = y - fy
                    w[i] = z - fz
                    step = qx * unsigned(np.int32(fx)) + qy * unsigned(np.int32(fy))
                    b[i] = whole + step + qz * unsigned(np.int32(fz))
                    inner[i] = np.uint8(1)
                continue
            for i in range(len(b)):
                t = ramp[i]
                ix, u[i], ok_x, top_x = place(rx + dx * t + ax[i], bx, s0, l0, h0, t0)
                iy, v[i], ok_y, top_y = place(ry + dy * t + ay[i], by, s1, l1, h1, t1)
                iz, w[i], ok_z, top_z = place(rz + dz * t + az[i], bz, s2, l2, h2, t2)
                b[i] = origin + qx * unsigned(ix) + qy * unsigned(iy) + qz * unsigned(iz)
                inner[i] = np.uint8(ok_x & ok_y & ok_z) | np.uint8(2 * (top_x | top_y | top_z))


@kernel
def place_points(points, frame, strides, base, wx, wy, wz, inside):
    """Coordinates from source indices (3, n) float64 that were computed point by point."""
    s0, l0, h0, t0 = frame[0, 0], frame[0, 1], frame[0, 2], frame[0, 3]
    s1, l1, h1, t1 = frame[1, 0], frame[1, 1], frame[1, 2], frame[1, 3]
    s2, l2, h2, t2 = frame[2, 0], frame[2, 1], frame[2, 2], frame[2, 3]
    qx, qy, qz, origin = strides[0], strides[1], strides[2], strides[3]
    unsigned = strides.dtype.type
    xs, ys, zs = points[0], points[1], points[2]
    for i in range(len(xs)):
        bx, rx = split(xs[i])
        by, ry = split(ys[i])
        bz, rz = split(zs[i])
        ix, wx[i], ok_x, top_x = place(rx, bx, s0, l0, h0, t0)
        iy, wy[i], ok_y, top_y = place(ry, by, s1, l1, h1, t1)
        iz, wz[i], ok_z, top_z = place(rz, bz, s2, l2, h2, t2)
        base[i] = origin + qx * unsigned(ix) + qy * unsigned(iy) + qz * unsigned(iz)
        inside[i] = np.uint8(ok_x & ok_y & ok_z) | np.uint8(2 * (top_x | top_y | top_z))
