"""Where each target voxel looks in its source: base index, three weights, inside or not.

A block is a run of whole target rows. For each of its voxels the kernels here write the linear
index of the lower neighbour, the weights of the upper neighbours along x, y, z, and two flags: 1
where the continuous index lies in [-0.5, size - 0.5) on every axis, 2 where it was moved down to
the last centre of some axis. Every sampler reads these buffers, so
images, labels and channels that share a grid share one computation.

Positions are float64 at the middle of each segment of a row; inside a segment they are float32
offsets from a whole voxel, so that the error stays below 1e-5 voxel however large the image is.
Two-dimensional grids are grids with one slice.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.lanes import BAND, add_band_lane, band_lanes, blend_lanes
from millimorph.kernels.placing import place_anywhere, place_inside, place_nearest

SEGMENT = 128
LANES = 16

# `frame` (int32, 3 x 4) describes the source's axes x, y, z: size, lowest and highest base index,
# and 1 where the upper neighbour carries the weight at the upper border (0 on axes of one voxel).
# `strides` (unsigned, 4): along x (1), y, z, and the linear index of base index 0, 0, 0.


@kernel
def place(relative, whole, size, low, high, top):
    """Base index, weight, and whether inside and whether at the upper border, of one coordinate.

    The coordinate is `whole + relative`. At the upper border the upper neighbour has weight 1.
    """
    floor = np.floor(relative)
    weight = relative - floor
    index = np.int32(np.int32(floor) + whole)
    nearest = np.int32(index + np.int32(weight >= np.float32(0.5)))
    inside = (nearest >= np.int32(0)) & (nearest < size)
    weight = np.float32(0.0) if index < low else weight
    at_top = index > high
    weight = np.float32(top) if at_top else weight
    return np.int32(min(max(index, low), high)), weight, inside, at_top


@kernel
def split(position):
    """A float64 position as a whole voxel (kept within ±2^30) and a float32 remainder."""
    bounded = min(max(position, -1073741824.0), 1073741824.0)
    floor = np.floor(bounded)
    return np.int32(floor), np.float32(bounded - floor)


@kernel
def affine_rows(matrix, row_range, shape, frame, strides, base, wx, wy, wz, inside):
    """Coordinates of the target rows [row_range[0], row_range[1]) under an affine index map.

    `matrix` (3, 4) float64 gives the source index of a target index; `shape` is (nx, ny). Rows are
    written in whole lanes, ascending: up to LANES - 1 entries beyond a row are scratch.
    """
    nx, ny = shape
    rules = as_rules(frame, strides)
    targets = (base, wx, wy, wz, inside)
    for row in range(row_range[0], row_range[1]):
        at = (row % ny, row // ny)
        place_row(matrix, at, nx, rules, (), targets, (row - row_range[0]) * nx)


@kernel
def as_rules(frame, strides):
    """`frame`, `strides` as `placing` takes them."""
    x, y, z = frame[0], frame[1], frame[2]
    return (
        ((x[0], x[1], x[2], x[3]), (y[0], y[1], y[2], y[3]), (z[0], z[1], z[2], z[3])),
        (strides[1], strides[2]),
        strides[3],
    )


@kernel
def place_row(matrix, row, nx, rules, displaced, targets, to):
    """Coordinates of one target row (y, z), written to `targets` from `to` on, in whole lanes.

    `rules`, `displaced` and `targets` as in `placing`.
    """
    for start in range(0, nx, SEGMENT):
        reach = min(nx - start, SEGMENT)
        half = reach // 2
        line = line_of(matrix, start + half, row)
        for i in range(0, reach, LANES):
            first, at = np.float32(i - half), start + i
            if place_inside(line, first, rules, displaced, at, targets, to + at):
                place_anywhere(line, first, rules, displaced, at, targets, to + at)


@kernel
def line_of(matrix, x, row):
    """Where a row (y, z) runs in the source, about its voxel x, as `placing` takes it."""
    j, k = row
    bx, rx = split(matrix[0, 3] + matrix[0, 0] * x + matrix[0, 1] * j + matrix[0, 2] * k)
    by, ry = split(matrix[1, 3] + matrix[1, 0] * x + matrix[1, 1] * j + matrix[1, 2] * k)
    bz, rz = split(matrix[2, 3] + matrix[2, 0] * x + matrix[2, 1] * j + matrix[2, 2] * k)
    slopes = (np.float32(matrix[0, 0]), np.float32(matrix[1, 0]), np.float32(matrix[2, 0]))
    return (rx, ry, rz), slopes, (bx, by, bz)


@kernel
def affine_nearest_rows(matrix, row_range, shape, frame, strides, base, inside):
    """As `affine_rows`, for nearest neighbours alone: `base` is the voxel itself, weights are none.

    Only the first flag of `inside` is written.
    """
    nx, ny = shape
    rules = as_rules(frame, strides)
    none = np.empty(0, np.float32)
    targets = (base, none, none, none, inside)
    for row in range(row_range[0], row_range[1]):
        to = (row - row_range[0]) * nx
        for start in range(0, nx, SEGMENT):
            reach = min(nx - start, SEGMENT)
            half = reach // 2
            line = line_of(matrix, start + half, (row % ny, row // ny))
            for i in range(0, reach, LANES):
                first, at = np.float32(i - half), start + i
                place_nearest(line, first, rules, (), at, targets, to + at)


@kernel
def contract(rows, length, first, cell, weights, out, to):
    """Blend four rows of a flat array, from number `first + cell` on, into `out[to:to + length]`.

    `length` is that of a row, in whole lanes. Zero where cell < 0.
    """
    at = (first + cell) * length
    for i in range(0, length, LANES):
        if cell < 0:
            for lane in range(LANES):
                out[to + i + lane] = np.float32(0.0)
        else:
            blend_lanes(rows, at + i, length, weights, out, to + i)


@kernel
def four(weights, i):
    """The four weights of a place."""
    return weights[i, 0], weights[i, 1], weights[i, 2], weights[i, 3]


@kernel
def whole_lanes(count):
    """`count` rounded up to whole lanes."""
    return (count + LANES - 1) // LANES * LANES


@kernel
def spline_scratch(lattice, nx):
    """Working memory of `bspline_rows` for rows of nx voxels; one for each thread."""
    rows, _, row_length = lattice[1]
    return (
        np.empty(rows * row_length, np.float32),
        np.zeros(rows, np.bool_),
        np.empty(row_length, np.float32),
        np.empty((3, nx + SEGMENT + LANES), np.float32),
        np.full(1, -1, np.int64),
    )


@kernel
def displace_row(values, along_x, out):
    """Sum the control values of a row with the weights of its voxels, in whole lanes.

    `values`: those of x displacement, then of y and of z, each `pitch` numbers. `along_x` =
    (weights, firsts, count, pitch): for each group of lanes the first of `count` control values
    that its voxels depend on; `weights` (groups, count, LANES), flat, are theirs.
    """
    weights, firsts, count, pitch = along_x
    for group in range(len(firsts)):
        first, to = firsts[group], group * LANES
        at = to * count
        band_lanes(values, (first, pitch), weights, at, out, to)
        for k in range(BAND, count):
            add_band_lane(values, (first + k, pitch), weights, at + k * LANES, out, to)


@kernel
def bspline_rows(
    matrix, lattice, scratch, row_range, shape, frame, strides, base, wx, wy, wz, inside
):
    """Coordinates under an affine index map plus a cubic B-spline on an aligned lattice.

    `lattice` = (values, lengths, along_x, cells_y, weights_y, cells_z, weights_z): `values`
    (float32, flat) hold, for each row of control points and plane, `lengths` = (rows, planes,
    numbers) of them, what `displace_row` wants, in source voxels and whole lanes; the others give,
    per target row and slice, the first of four control rows and planes (or -1: no displacement)
    and their weights. `scratch` comes from `spline_scratch` and keeps, from call to call, what
    rows of one slice share.
    """
    values, (rows, planes, length), along_x, cells_y, weights_y, cells_z, weights_z = lattice
    nx, ny = shape
    rules = as_rules(frame, strides)
    targets = (base, wx, wy, wz, inside)
    slice_values, done, row_values, displaced, slice_now = scratch
    moved = (displaced[0], displaced[1], displaced[2])
    for row in range(row_range[0], row_range[1]):
        k = row // ny
        j = row - k * ny
        if k != slice_now[0]:
            for control in range(rows):
                done[control] = False
            slice_now[0] = k
        first_row = max(cells_y[j], 0)
        for control in range(first_row, first_row + 4):
            if not done[control]:
                along_z, at = four(weights_z, k), control * length
                contract(values, length, control * planes, cells_z[k], along_z, slice_values, at)
                done[control] = True
        contract(slice_values, length, 0, cells_y[j], four(weights_y, j), row_values, 0)
        displace_row(row_values, along_x, moved)
        place_row(matrix, (j, k), nx, rules, moved, targets, (row - row_range[0]) * nx)


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
