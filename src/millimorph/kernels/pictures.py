"""Kernels on planar pictures: blades, vignette, scatter, colour, highlights.

Pointwise ones change a run of voxels in place; `first` is its first voxel's linear index and `size`
(x, y) the picture's. Places are in mm along x and y from the first voxel's centre.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.pointwise import exp32, log32

ONE = np.float32(1.0)
ZERO = np.float32(0.0)
HALF = np.float32(0.5)
RECTANGLE, OCTAGON, ELLIPSE = 0, 1, 2
ROOT_HALF = np.float32(0.7071067811865476)
CUT = np.float32(0.585786437626905)


@kernel
def beyond_blades(x, y, half_x, half_y, shape):
    """How far a place lies outside a field in mm, below 0 inside; the ellipse's is approximate."""
    if shape == ELLIPSE:
        u, v = x / half_x, y / half_y
        return (np.sqrt(u * u + v * v) - ONE) * min(half_x, half_y)
    distance = max(abs(x) - half_x, abs(y) - half_y)
    if shape == OCTAGON:
        reach = half_x + half_y - CUT * min(half_x, half_y)
        distance = max(distance, (abs(x) + abs(y) - reach) * ROOT_HALF)
    return distance


@kernel
def shutter(values, first, size, spacing, field, penumbra, border):
    """Cover what lies outside a field with `border`, linearly over a penumbra in mm.

    `field`: shape, centre x and y, half extents, cosine and sine of its turn.
    """
    shape, cx, cy, half_x, half_y, cosine, sine = field
    sharp = penumbra <= ZERO
    slope = ZERO if sharp else ONE / penumbra
    n = 0
    while n < len(values):
        at = first + n
        x0 = at % size[0]
        count = min(size[0] - x0, len(values) - n)
        y = np.float32(at // size[0] % size[1]) * spacing[1] - cy
        run = values[n : n + count]
        for i in range(count):
            x = np.float32(x0 + i) * spacing[0] - cx
            u = x * cosine + y * sine
            v = y * cosine - x * sine
            distance = beyond_blades(u, v, half_x, half_y, shape)
            share = HALF - distance * slope
            if sharp:
                share = ONE if distance <= ZERO else ZERO
            if share < ONE:
                run[i] = border + max(share, ZERO) * (run[i] - border)
        n += count


@kernel
def vignette(values, first, size, spacing, centre, bend):
    """Divide by (1 + bend r^2)^2, r in mm from a centre."""
    nx = size[0]
    n = 0
    while n < len(values):
        at = first + n
        x0 = at % nx
        count = min(nx - x0, len(values) - n)
        y = np.float32(at // nx % size[1]) * spacing[1] - centre[1]
        run = values[n : n + count]
        for i in range(count):
            x = np.float32(x0 + i) * spacing[0] - centre[0]
            fall = ONE + bend * (x * x + y * y)
            run[i] /= fall * fall
        n += count


@kernel
def radiation(values, low, scale, out):
    """What passes where grey levels are logarithms of absorption: exp((low - value) scale)."""
    for i in range(len(values)):
        out[i] = exp32((low - values[i]) * scale)


@kernel
def veil(values, passing, scattered, scale, ratio, out):
    """Grey levels of primary plus scattered radiation, at the exposure of the primary alone."""
    share = ONE / (ONE + ratio)
    tiny = np.float32(1e-30)
    for i in range(len(values)):
        primary = passing[i]
        both = (primary + ratio * scattered[i]) * share
        # A ratio, so that what is not changed keeps its bits.
        out[i] = values[i] - log32(max(both, tiny) / max(primary, tiny)) / scale


@kernel
def colour_turn(red, green, blue, matrix, offset, out):
    """Multiply each (red, green, blue) by a matrix (3, 3) and add an offset."""
    for c in range(3):
        row = out[c]
        a, b, d = matrix[c, 0], matrix[c, 1], matrix[c, 2]
        for i in range(len(red)):
            row[i] = a * red[i] + b * green[i] + d * blue[i] + offset


@kernel
def spot(plane, spacing, centre, turned, lobes, edge, level):
    """Paint a lobed ellipse on a plane (y, x): `level` inside, fading over `edge` half axes.

    `turned` (2, 2): what x and y in mm add to the two coordinates u, v in half axes. The distance
    in half axes is stretched by 1 + lobes[0] cos 3a + lobes[1] sin 3a, a the angle of (u, v).
    """
    outer = ONE + edge
    for r in range(plane.shape[0]):
        y = np.float32(r) * spacing[1] - centre[1]
        for c in range(plane.shape[1]):
            x = np.float32(c) * spacing[0] - centre[0]
            u = turned[0, 0] * x + turned[0, 1] * y
            v = turned[1, 0] * x + turned[1, 1] * y
            square = u * u + v * v
            distance = np.sqrt(square)
            if square > ZERO:
                lobed = lobes[0] * u * (u * u - np.float32(3.0) * v * v)
                lobed += lobes[1] * v * (np.float32(3.0) * u * u - v * v)
                distance += lobed / square
            if distance < outer:
                t = ONE if distance <= ONE else (outer - distance) / edge
                weight = t * t * (np.float32(3.0) - np.float32(2.0) * t)
                plane[r, c] += weight * (level - plane[r, c])
