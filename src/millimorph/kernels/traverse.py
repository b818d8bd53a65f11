"""The common traversal in one compiled loop: a linear image, nearest labels, or both together.

A few rows at a time, so that coordinates and weights never leave the first-level cache. It calls
the same kernels in the same order as the block-wise traversal and gives the same bits.
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

STRIP_VOXELS = 4096


@kernel
def rows(mapping, row_range, shape, rules, image, labels):
    """Sample the target rows [row_range[0], row_range[1]) of one image and one label map.

    `mapping` = (aligned spline or not, matrix, lattice, tables) as in `coordinates`; `rules` =
    (frame, strides, steps, slices). `image` and `labels` = (present, flattened source, fill, out of
    these rows); the image's fifth entry is the range of an integer type, or empty for float32.
    """
    curved, matrix, lattice, tables = mapping
    frame, strides, steps, slices = rules
    with_image, image_source, image_fill, image_out, limits = image
    with_labels, label_source, label_fill, label_out = labels
    nx = shape[0]
    per_strip = max(1, STRIP_VOXELS // nx)
    room = per_strip * nx + LANES
    base = np.empty(room, strides.dtype)
    wx = np.empty(room, np.float32)
    wy = np.empty(room, np.float32)
    wz = np.empty(room, np.float32)
    inside = np.empty(room, np.uint8)
    values = np.empty(room, np.float32)
    scratch = spline_scratch(lattice, nx)
    for start in range(row_range[0], row_range[1], per_strip):
        stop = min(start + per_strip, row_range[1])
        strip = (start, stop)
        if curved:
            bspline_rows(
                matrix,
                lattice,
                tables,
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
        count = (stop - start) * nx
        b = base[:count]
        u, v, w, within = wx[:count], wy[:count], wz[:count], inside[:count]
        first, last = (start - row_range[0]) * nx, (stop - row_range[0]) * nx
        if with_image:
            fetch_ahead(image_source, b, steps[1])
            out = values[:count]
            if slices == 1:
                bilinear(image_source, b, u, v, within, steps[0], image_fill, out)
            else:
                linear(image_source, b, u, v, w, within, steps, image_fill, out)
            finish_upper_border(image_source, b, u, v, w, within, steps, out)
            target = image_out[first:last]
            if len(limits):
                round_to_integer(out, limits[0], limits[1], target)
            else:
                for i in range(count):
                    target[i] = out[i]
        if with_labels:
            fetch_ahead(label_source, b, steps[1])
            nearest(label_source, b, u, v, w, within, steps, label_fill, label_out[first:last])


@kernel
def nearest_rows(matrix, row_range, shape, rules, labels):
    """Nearest neighbours alone under an affine map: no weights are needed."""
    frame, strides, _, _ = rules
    _, source, fill, out = labels
    nx = shape[0]
    per_strip = max(1, STRIP_VOXELS // nx)
    room = per_strip * nx + LANES
    base = np.empty(room, strides.dtype)
    inside = np.empty(room, np.uint8)
    for start in range(row_range[0], row_range[1], per_strip):
        stop = min(start + per_strip, row_range[1])
        affine_nearest_rows(matrix, (start, stop), shape, frame, strides, base, inside)
        count = (stop - start) * nx
        fetch_ahead(source, base[:count], np.uint64(0))
        first = (start - row_range[0]) * nx
        pick(source, base[:count], inside[:count], fill, out[first : first + count])
