"""The cubic B-spline prefilter of whole volumes along one axis, in place.

Volumes are float32 (z, y, x), C-contiguous; every sum runs in one fixed order.
"""

import numpy as np

from millimorph.kernels._jit import kernel

# The pole of the interpolating cubic B-spline (Unser 1999): sqrt(3) - 2.
POLE = np.float32(-0.26794919243112270647)
GAIN = np.float32(6.0)
END = POLE / (POLE * POLE - np.float32(1.0))
HORIZON = 14


@kernel
def prefilter_lines(block):
    """Turn samples into cubic B-spline coefficients along the first axis of (length, inner).

    In place, float32, mirror boundary about the outer samples.
    """
    length, inner = block.shape
    if length == 1:
        return
    first = np.empty(inner, np.float32)
    start_line(block, first)
    for i in range(inner):
        block[0, i] = first[i]
    for n in range(1, length):
        line = block[n]
        previous = block[n - 1]
        for i in range(inner):
            line[i] = GAIN * line[i] + POLE * previous[i]
    last = block[length - 1]
    before = block[length - 2]
    for i in range(inner):
        last[i] = END * (last[i] + POLE * before[i])
    for n in range(length - 2, -1, -1):
        line = block[n]
        following = block[n + 1]
        for i in range(inner):
            line[i] = POLE * (following[i] - line[i])


@kernel
def prefilter_rows(volume, pad, length):
    """The same along the rows of (rows, pad + length + pad), some rows at a time."""
    if length == 1:
        return
    group = 64
    block = np.empty((length, group), np.float32)
    rows = volume.shape[0]
    for start in range(0, rows, group):
        count = min(group, rows - start)
        for g in range(count):
            row = volume[start + g]
            for n in range(length):
                block[n, g] = row[pad + n]
        for g in range(count, group):
            for n in range(length):
                block[n, g] = np.float32(0.0)
        prefilter_lines(block)
        for g in range(count):
            row = volume[start + g]
            for n in range(length):
                row[pad + n] = block[n, g]


@kernel
def start_line(block, first):
    """Write the causal filter's first values: the mirrored geometric series, cut at 1e-8.

    The mirror image of sample n lies at 2 (length - 1) - n; short lines repeat their period.
    """
    length, inner = block.shape
    for i in range(inner):
        first[i] = GAIN * block[0, i]
    power = POLE
    period = 2 * (length - 1)
    for n in range(1, HORIZON):
        at = n % period
        at = min(at, period - at)
        line = block[at]
        for i in range(inner):
            first[i] += power * (GAIN * line[i])
        power *= POLE


@kernel
def mirror_borders(volume, pad):
    """Fill a frame of `pad` (z, y, x) voxels by mirroring about the outer samples."""
    nz, ny, nx = volume.shape
    pz, py, px = pad
    for z in range(pz, nz - pz):
        for y in range(py, ny - py):
            row = volume[z, y]
            for i in range(px):
                row[px - 1 - i] = row[px + mirrored(i + 1, nx - 2 * px)]
                row[nx - px + i] = row[px + mirrored(nx - 2 * px + i, nx - 2 * px)]
        for i in range(py):
            volume[z, py - 1 - i] = volume[z, py + mirrored(i + 1, ny - 2 * py)]
            volume[z, ny - py + i] = volume[z, py + mirrored(ny - 2 * py + i, ny - 2 * py)]
    for i in range(pz):
        volume[pz - 1 - i] = volume[pz + mirrored(i + 1, nz - 2 * pz)]
        volume[nz - pz + i] = volume[pz + mirrored(nz - 2 * pz + i, nz - 2 * pz)]


@kernel
def mirrored(index, size):
    """An index beyond the end (or counted before the start) as the sample it mirrors."""
    if size == 1:
        return 0
    period = 2 * (size - 1)
    at = index % period
    return min(at, period - at)
