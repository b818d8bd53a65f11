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
from millimorph.kernels.pointwise import add_noise, noise_scratch
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


@kernel
def rows(mapping, band, shape, rules, image, labels):
    """Sample a band of target rows of one image and one label map.

    `band` = (first row, rows, first slice, slices): these rows of these slices. `mapping` =
    (aligned spline or not, matrix, lattice) as in `coordinates`; `rules` = (frame, strides, steps,
    slices). `image` = (present, sources, fill, out, place, limits): sources and out (c, n)
    flattened; `place` = (of voxel 0, 0, 0 in out, from slice to slice); `limits` are those of an
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
    for number in range(strip_count(band, per_strip)):
        k, j, count = nth_strip(number, band, nx, per_strip)
        strip = (k * ny + j, k * ny + j + count // nx)
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
        b = base[:count]
        u, v, w, within = wx[:count], wy[:count], wz[:count], inside[:count]
        if with_image:
            weights = (u, v, w, within)
            first = place[0] + k * place[1] + j * nx
            for channel in range(len(image_source)):
                target = image_out[channel, first : first + count]
                sample(image_source[channel], b, weights, rules, image_fill, values[:count])
                write(values[:count], limits, target)
        if with_labels:
            fetch_ahead(label_source, b, steps[1])
            goal = label_out[strip[0] * nx : strip[1] * nx]
            nearest(label_source, b, u, v, w, within, steps, label_fill, goal)


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
def write_runs(values, runs, limits, out):
    """Store runs of equal length that lie one behind the other; `limits` as in `rows`.

    `runs` = (first, step, count): the first goes to `out[first:]`, the next to
    `out[first + step:]`.
    """
    first, step, count = runs
    length = len(values) // count
    for run in range(count):
        at = first + run * step
        write(values[run * length : (run + 1) * length], limits, out[at : at + length])


@kernel
def write_noisy_runs(values, runs, noise, limits, out):
    """As `write_runs`, with normal noise added to each run before.

    `noise` = (from a voxel's index to its counter, deviation, key, high).
    """
    first, step, count = runs
    to_counter, deviation, key, high = noise
    length = len(values) // count
    scratch = noise_scratch()
    for run in range(count):
        at = first + run * step
        part = values[run * length : (run + 1) * length]
        add_noise(part, np.uint64(at + to_counter), deviation, key, high, scratch)
        write(part, limits, out[at : at + length])


@kernel
def nearest_rows(matrix, band, shape, rules, labels):
    """Nearest neighbours alone under an affine map: no weights are needed."""
    frame, strides, _, _ = rules
    _, source, fill, out = labels
    nx, ny = shape
    per_strip = rows_of_strip(nx)
    room = per_strip * nx + LANES
    base = np.empty(room, strides.dtype)
    inside = np.empty(room, np.uint8)
    for number in range(strip_count(band, per_strip)):
        k, j, count = nth_strip(number, band, nx, per_strip)
        strip = (k * ny + j, k * ny + j + count // nx)
        affine_nearest_rows(matrix, strip, shape, frame, strides, base, inside)
        fetch_ahead(source, base[:count], np.uint64(0))
        pick(source, base[:count], inside[:count], fill, out[strip[0] * nx : strip[1] * nx])


@kernel
def rows_of_strip(nx):
    """How many rows of nx voxels are worked on together."""
    return max(1, STRIP_VOXELS // nx)


@kernel
def strip_count(band, per_strip):
    """How many strips a band has."""
    return band[3] * ((band[1] + per_strip - 1) // per_strip)


@kernel
def nth_strip(number, band, nx, per_strip):
    """Slice, first row and voxels of a strip: all slices of the first rows, then of the next."""
    first_row, row_count, first_slice, slices = band
    strip = number // slices
    start = strip * per_strip
    voxels = (min(row_count, start + per_strip) - start) * nx
    return first_slice + number - strip * slices, first_row + start, voxels
