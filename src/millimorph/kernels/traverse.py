"""The common traversal in one compiled loop: a linear image, nearest labels, or both together.

A few rows at a time, so that coordinates and weights stay in the caches, and slice after slice of
those rows before the next ones: under a rotation a row of the next slice finds the source lines of
this one in the cache, where a whole slice would have driven them out. It calls the same kernels as
the block-wise traversal and gives the same bits.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.coordinates import (
    LANES,
    affine_nearest_rows,
    affine_rows,
    bspline_rows,
    spline_scratch,
)
from millimorph.kernels.sampling import (
    bilinear,
    fetch_ahead,
    finish_upper_border,
    linear,
    nearest,
    pick,
    round_to_integer,
)
from millimorph.kernels.streaming import stream

STRIP_VOXELS = 4096
STRIP_ROWS = 16


@kernel
def rows(mapping, row_range, shape, rules, image, labels):
    """Sample the target rows [row_range[0], row_range[1]) of one image and one label map.

    `mapping` = (aligned spline or not, matrix, lattice) as in `coordinates`; `rules` =
    (frame, strides, steps, slices). `image` = (present, sources, fill, out, place, limits):
    sources and out (c, n) flattened, out from the voxel `place` on; `limits` are those of an
    integer type, for float32 whether out is written past the cache (one number) or not (none).
    `labels` = (present, source, fill, out), flattened.
    """
    curved, matrix, lattice = mapping
    frame, strides, steps, _ = rules
    with_image, image_source, image_fill, image_out, place, limits = image
    with_labels, label_source, label_fill, label_out = labels
    nx, ny = shape
    per_strip = rows_of_strip(nx)
    room = per_strip * nx + LANES
    base = np.empty(room, strides.dtype)
    wx = np.empty(room, np.float32)
    wy = np.empty(room, np.float32)
    wz = np.empty(room, np.float32)
    inside = np.empty(room, np.uint8)
    values = np.empty(room, np.float32)
    scratch = spline_scratch(lattice, nx)
    for number in range(strip_count(row_range, ny, per_strip)):
        strip = nth_strip(number, row_range, ny, per_strip)
        if strip[0] >= strip[1]:
            continue
        if curved:
            bspline_rows(
                matrix,
                lattice,
                scratch,
                strip,
                shape,
                frame,
                strides,
                base,
                wx,
                wy,
                wz,
                inside,
            )
        else:
            affine_rows(matrix, strip, shape, frame, strides, base, wx, wy, wz, inside)
        count = (strip[1] - strip[0]) * nx
        b = base[:count]
        u, v, w, within = wx[:count], wy[:count], wz[:count], inside[:count]
        first = strip[0] * nx
        if with_image:
            weights = (u, v, w, within)
            for channel in range(len(image_source)):
                target = image_out[channel, first - place : first - place + count]
                sample(image_source[channel], b, weights, rules, image_fill, values[:count])
                write(values[:count], limits, target)
        if with_labels:
            fetch_ahead(label_source, b, steps[1])
            nearest(
                label_source,
                b,
                u,
                v,
                w,
                within,
                steps,
                label_fill,
                label_out[first : first + count],
            )


@kernel
def sample(source, base, weights, rules, fill, out):
    """Interpolate one channel linearly at the places of a strip."""
    _, _, steps, slices = rules
    u, v, w, inside = weights
    fetch_ahead(source, base, steps[1])
    if slices == 1:
        bilinear(source, base, u, v, inside, steps[0], fill, out)
    else:
        linear(source, base, u, v, w, inside, steps, fill, out)
    finish_upper_border(source, base, u, v, w, inside, steps, out)


@kernel
def write(values, limits, target):
    """Store the values of a strip in the output's type; `limits` as in `rows`."""
    if len(limits) == 2:
        round_to_integer(values, limits[0], limits[1], target)
    elif len(limits) == 1:
        stream(values, target)
    else:
        for i in range(len(values)):
            target[i] = values[i]


@kernel
def nearest_rows(matrix, row_range, shape, rules, labels):
    """Nearest neighbours alone under an affine map: no weights are needed."""
    frame, strides, _, _ = rules
    _, source, fill, out = labels
    nx, ny = shape
    per_strip = rows_of_strip(nx)
    room = per_strip * nx + LANES
    base = np.empty(room, strides.dtype)
    inside = np.empty(room, np.uint8)
    for number in range(strip_count(row_range, ny, per_strip)):
        strip = nth_strip(number, row_range, ny, per_strip)
        if strip[0] >= strip[1]:
            continue
        affine_nearest_rows(matrix, strip, shape, frame, strides, base, inside)
        count = (strip[1] - strip[0]) * nx
        fetch_ahead(source, base[:count], np.uint64(0))
        first = strip[0] * nx
        pick(source, base[:count], inside[:count], fill, out[first : first + count])


@kernel
def rows_of_strip(nx):
    """How many rows of nx voxels are worked on together."""
    return max(1, min(STRIP_ROWS, STRIP_VOXELS // nx))


@kernel
def strip_count(row_range, ny, per_strip):
    """How many strips cover the slices of a range of rows."""
    slices = (row_range[1] - 1) // ny - row_range[0] // ny + 1
    return slices * ((ny + per_strip - 1) // per_strip)


@kernel
def nth_strip(number, row_range, ny, per_strip):
    """The rows of a strip, cut to the range: all slices of the first strip, then of the next."""
    first_slice = row_range[0] // ny
    slices = (row_range[1] - 1) // ny - first_slice + 1
    strip = number // slices
    start_of_slice = (first_slice + number - strip * slices) * ny
    start = start_of_slice + strip * per_strip
    stop = start_of_slice + min(ny, (strip + 1) * per_strip)
    return max(start, row_range[0]), min(stop, row_range[1])
