"""Intensity operations on blocks of float32 voxels, in place, while they are still in cache.

Own polynomials for exp, log, sin and cos (relative error below 5e-7): the library's differ in their
last bits from CPU to CPU. Random numbers are Philox4x32-10 (Salmon 2011) of the voxel's index.
"""

import numpy as np

from millimorph.kernels._jit import kernel

LN2 = np.float32(0.6931471805599453)
LOG2E = np.float32(1.4426950408889634)
TWO_PI = np.float32(6.283185307179586)
SQRT_HALF_BITS = np.int32(0x3F3504F3)
UNIT_24 = np.float32(2.0**-24)
GROUP = 256


@kernel
def log32(x):
    """Natural logarithm of a positive normal float32: exponent, and atanh's series for the rest."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits - SQRT_HALF_BITS) >> np.int32(23)
    mantissa = np.int32(bits - (exponent << np.int32(23))).view(np.float32)
    s = (mantissa - np.float32(1.0)) / (mantissa + np.float32(1.0))
    q = s * s
    series = np.float32(1.0 / 9.0) + q * np.float32(1.0 / 11.0)
    series = np.float32(1.0 / 7.0) + q * series
    series = np.float32(1.0 / 5.0) + q * series
    series = np.float32(1.0 / 3.0) + q * series
    return np.float32(exponent) * LN2 + np.float32(2.0) * (s + s * q * series)


@kernel
def exp32(x):
    """Exponential of a float32, held to [-87, 88]: a power of two times a Taylor polynomial."""
    bounded = min(max(x, np.float32(-87.0)), np.float32(88.0))
    whole = np.rint(bounded * LOG2E)
    t = bounded - whole * np.float32(0.693359375) - whole * np.float32(-2.12194440e-4)
    value = np.float32(1.0 / 720.0) + t * np.float32(1.0 / 5040.0)
    value = np.float32(1.0 / 120.0) + t * value
    value = np.float32(1.0 / 24.0) + t * value
    value = np.float32(1.0 / 6.0) + t * value
    value = np.float32(0.5) + t * value
    value = np.float32(1.0) + t * value
    value = np.float32(1.0) + t * value
    scale = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return value * scale


@kernel
def turn(u):
    """Cosine and sine of 2 pi u for u in [0, 1)."""
    quarters = np.rint(u * np.float32(4.0))
    a = (u - quarters * np.float32(0.25)) * TWO_PI
    q = a * a
    c = np.float32(1.0 / 24.0) + q * (np.float32(-1.0 / 720.0) + q * np.float32(1.0 / 40320.0))
    c = np.float32(1.0) + q * (np.float32(-0.5) + q * c)
    s = np.float32(1.0 / 120.0) + q * np.float32(-1.0 / 5040.0)
    s = a + a * q * (np.float32(-1.0 / 6.0) + q * s)
    k = np.int32(quarters)
    odd = (k & np.int32(1)) != np.int32(0)
    cosine = s if odd else c
    sine = c if odd else s
    flip_cosine = ((k + np.int32(1)) & np.int32(2)) != np.int32(0)
    flip_sine = (k & np.int32(2)) != np.int32(0)
    return (-cosine if flip_cosine else cosine), (-sine if flip_sine else sine)


@kernel
def gamma(values, low, high, exponent):
    """Raise (x - low) / (high - low), held at 0 from below, to a power, in place."""
    span = np.float32(high - low)
    scale = np.float32(1.0) / span
    tiny = np.float32(1e-30)
    for i in range(len(values)):
        t = (values[i] - low) * scale
        raised = exp32(exponent * log32(max(t, tiny)))
        values[i] = low + span * (raised if t > tiny else np.float32(0.0))


@kernel
def philox(block, high, key):
    """The four words of Philox4x32-10 for one counter."""
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    x0 = block & mask
    x1 = block >> shift
    x2 = np.uint64(high[0])
    x3 = np.uint64(high[1])
    k0 = np.uint64(key[0])
    k1 = np.uint64(key[1])
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * x0
        p1 = np.uint64(0xCD9E8D57) * x2
        x0 = (p1 >> shift) ^ x1 ^ k0
        x1 = p1 & mask
        x2 = (p0 >> shift) ^ x3 ^ k1
        x3 = p0 & mask
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask
    return x0, x1, x2, x3


@kernel
def normal_pair(first, second):
    """Two independent standard normal numbers from the upper 24 bits of two words (Box-Muller)."""
    u = np.float32(np.int32(first >> np.uint64(8)) + np.int32(1)) * UNIT_24
    angle = np.float32(np.int32(second >> np.uint64(8))) * UNIT_24
    radius = np.sqrt(np.float32(-2.0) * log32(u))
    cosine, sine = turn(angle)
    return radius * cosine, radius * sine


@kernel
def gaussian_noise(values, first, deviation, key, high):
    """Add normal noise: voxel i takes number i % 4 of the words of counter i // 4.

    `first` (uint64) is the index of values[0]; whatever the block, a voxel's noise is the same.
    """
    four = np.uint64(4)
    numbers = np.empty((4, GROUP), np.float32)
    n0, n1, n2, n3 = numbers[0], numbers[1], numbers[2], numbers[3]
    last = first + np.uint64(len(values))
    start = first // four
    end = (last + np.uint64(3)) // four
    while start < end:
        count = min(np.uint64(GROUP), end - start)
        for g in range(count):
            x0, x1, x2, x3 = philox(start + np.uint64(g), high, key)
            n0[g], n1[g] = normal_pair(x0, x1)
            n2[g], n3[g] = normal_pair(x2, x3)
        low = max(first, start * four)
        up = min(last, (start + count) * four)
        for i in range(low, up):
            at = np.uint64(i) - start * four
            values[np.uint64(i) - first] += deviation * numbers[at % four, at // four]
        start += count
