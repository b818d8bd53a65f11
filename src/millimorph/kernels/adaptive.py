"""Adaptive histogram equalisation (Stark 2000) on runs of float32 voxels.

The cumulative function of a window is the mean, over its voxels, of a function of the difference of
two grey levels; it is evaluated for every neighbour and summed in one order.
"""

import numpy as np

from millimorph.kernels._jit import kernel

OUTSIDE = np.float32(4.0)
"""What the padding holds: its difference to any grey level, from 0 to 1, is above LARGEST."""

LARGEST = np.float32(2.0)
ZERO = np.float32(0.0)
HALF = np.float32(0.5)
ONE = np.float32(1.0)

MANTISSA_BITS = np.int32(0x7FFFFF)
ONE_BITS = np.int32(0x3F800000)
EXPONENT_AT = np.int32(23)
ROUNDS = np.float32(1.5 * 2.0**23)
"""Added to a small float32 it leaves no fraction, and the whole number in the lowest bits."""

# log2(m) - (m - 1) for m from 1 to 2, the quintic of least error (1.3e-5), from the constant on.
LOG0 = -1.8003669
LOG1 = 4.09172062
LOG2 = -3.55080625
LOG3 = 1.63115773
LOG4 = -0.41656667
LOG5 = 0.044874

# 2 ** t for t from -1/2 to 1/2, the quartic of least relative error (3e-6), from t on.
EXP1 = np.float32(0.69312419)
EXP2 = np.float32(0.24024099)
EXP3 = np.float32(0.05590643)
EXP4 = np.float32(0.00958281)


@kernel
def equalise_rows(padded, radius, strengths, first, out):
    """Write the cumulative functions at the voxels of some rows of one slice to `out` (rows, nx).

    `padded` (nz + 2 rz, ny + 2 ry, nx + 2 rx): grey levels from 0 to 1 amid OUTSIDE. `radius`
    (x, y, z). `strengths`: alpha and beta. `first`: slice and row of out[0].
    """
    rx, ry, rz = radius
    alpha, beta = strengths
    nz, height, width = padded.shape
    rows, nx = out.shape
    flat = padded.reshape(-1)
    count = rows * width - 2 * rx
    corner = (first[0] * height + first[1]) * width + rx
    start = corner + (rz * height + ry) * width
    centre = flat[start : start + count]
    total = np.zeros(count, np.float32)
    line = np.empty(count, np.float32)
    curve = scaled_logarithm(alpha - 1.0)
    for k in range(2 * rz + 1):
        for j in range(2 * ry + 1):
            line[:] = ZERO
            at = corner + (k * height + j) * width
            for i in range(at - rx, at + rx + 1):
                neighbours = flat[i : i + count]
                if alpha == 0.0:
                    add_signs(centre, neighbours, np.float32(beta), line)
                elif alpha == 1.0:
                    add_differences(centre, neighbours, np.float32(1.0 - beta), line)
                else:
                    add_powers(centre, neighbours, np.float32(beta), curve, line)
            for i in range(count):
                total[i] += line[i]
    for row in range(rows):
        y = first[1] + row
        lines = inside(first[0], rz, nz - 2 * rz) * inside(y, ry, height - 2 * ry)
        for i in range(nx):
            at = row * width + i
            mean = total[at] / np.float32(lines * inside(i, rx, nx))
            out[row, i] = mean + np.float32(beta) * (centre[at] - HALF) + HALF


@kernel
def inside(index, radius, size):
    """Count the places of a window along one axis that lie in the image."""
    return min(index + radius, size - 1) - max(index - radius, 0) + 1


@kernel
def add_signs(centre, neighbours, beta, total):
    """Add half the sign of each difference d, less beta d."""
    for i in range(len(centre)):
        d = centre[i] - neighbours[i]
        step = (HALF if d > ZERO else ZERO) - (HALF if d < ZERO else ZERO)
        total[i] += step - beta * d if abs(d) < LARGEST else ZERO


@kernel
def add_differences(centre, neighbours, share, total):
    """Add a share of each difference."""
    for i in range(len(centre)):
        d = centre[i] - neighbours[i]
        total[i] += share * d if abs(d) < LARGEST else ZERO


@kernel
def scaled_logarithm(gamma):
    """Coefficients of gamma log2(2 x) as a line in the bits of x and a quintic in its mantissa."""
    return (
        np.float32(gamma * 2.0**-23),
        np.float32(gamma * (LOG0 - 126.0)),
        np.float32(gamma * LOG1),
        np.float32(gamma * LOG2),
        np.float32(gamma * LOG3),
        np.float32(gamma * LOG4),
        np.float32(gamma * LOG5),
    )


@kernel
def add_powers(centre, neighbours, beta, curve, total):
    """Add d |2 d| ** gamma, half the power gamma + 1 with the sign of d, less beta d.

    `curve`: of gamma, from -1 to 0; the first term is exact to 1.1e-5.
    """
    slope, c0, c1, c2, c3, c4, c5 = curve
    for i in range(len(centre)):
        d = centre[i] - neighbours[i]
        size = abs(d)
        bits = np.float32(size).view(np.int32)
        m = np.int32((bits & MANTISSA_BITS) | ONE_BITS).view(np.float32)
        quintic = c0 + m * (c1 + m * (c2 + m * (c3 + m * (c4 + m * c5))))
        exponent = slope * np.float32(bits) + quintic
        rounded = exponent + ROUNDS
        t = exponent - (rounded - ROUNDS)
        value = ONE + t * (EXP1 + t * (EXP2 + t * (EXP3 + t * EXP4)))
        shift = np.int32(np.float32(rounded).view(np.int32) << EXPONENT_AT)
        power = np.int32(np.float32(value).view(np.int32) + shift).view(np.float32)
        total[i] += d * (power - beta) if size < LARGEST else ZERO
