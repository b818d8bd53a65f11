"""Elementary functions and random numbers for kernels on blocks of float32 voxels.

Own polynomials for exp, log, sin and cos (relative error below 5e-7): the library's differ in their
last bits from CPU to CPU. Their coefficients are minimax on the reduced range. Random numbers are
Philox4x32-10 (Salmon 2011) of the voxel's index.

Functions of scalars are written into the loops that call them, so that these become vectors.
"""

import numpy as np

from millimorph.kernels._jit import inlined, kernel

LN2 = np.float32(0.6931471805599453)
LOG2E = np.float32(1.4426950408889634)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
HALF_PI_32 = np.float32(1.5707963267948966 * 2.0**-32)
ONE = np.float32(1.0)
UNIT_24 = np.float32(2.0**-24)
SQRT_HALF_BITS = np.int32(0x3F3504F3)
SIGN = np.int32(-0x80000000)
# Added and taken away again, it rounds to a whole number, which its lowest bits meanwhile hold.
ROUNDER = np.float32(1.5 * 2.0**23)
GROUP = 256


@inlined
def mantissa_and_exponent(x):
    """A mantissa in [sqrt(1/2), sqrt(2)) and the power of two of a positive normal float32."""
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(np.int32(bits - SQRT_HALF_BITS) >> np.int32(23))
    mantissa = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32)
    return mantissa, np.float32(exponent)


@inlined
def log32(x):
    """Natural logarithm of a positive normal float32: exponent, and atanh's series for the rest."""
    mantissa, exponent = mantissa_and_exponent(x)
    s = (mantissa - ONE) / (mantissa + ONE)
    q = s * s
    series = np.float32(0.39977542) + q * np.float32(0.29871728)
    series = np.float32(0.66666776) + q * series
    series = np.float32(2.0) + q * series
    return exponent * LN2 + s * series


@inlined
def exp32(x):
    """Exponential of a float32, held to [-87, 88]: a power of two times a polynomial."""
    bounded = min(max(x, np.float32(-87.0)), np.float32(88.0))
    rounded = bounded * LOG2E + ROUNDER
    whole = rounded - ROUNDER
    t = bounded - whole * LN2_HIGH - whole * LN2_LOW
    value = np.float32(0.04189011) + t * np.float32(0.00831252)
    value = np.float32(0.16667114) + t * value
    value = np.float32(0.49999232) + t * value
    value = ONE + t * value
    value = ONE + t * value
    power = np.int32(np.float32(rounded).view(np.int32) + np.int32(127))
    return value * np.int32(power << np.int32(23)).view(np.float32)


@inlined
def power32(x, exponent):
    """A float32 to a power, at most 2^60; 0 where x or the result is not above 2^-126.

    From x = 0 to 1 the error is below 3e-7 in all; relative to the result it is 2e-7, and 1e-7
    more for each power of two between it and 1.
    """
    mantissa, whole = mantissa_and_exponent(x)
    s = (mantissa - ONE) / (mantissa + ONE)
    q = s * s
    series = np.float32(0.96159279) + q * np.float32(0.59578073)
    series = np.float32(2.8853904) + q * series
    y = exponent * (whole + s * series)
    # At -127 the power of two below is 0.
    y = min(max(y, np.float32(-127.0)), np.float32(60.0))
    rounded = y + ROUNDER
    t = y - (rounded - ROUNDER)
    value = np.float32(0.00967151) + t * np.float32(0.00132647)
    value = np.float32(0.05550734) + t * value
    value = np.float32(0.24022242) + t * value
    value = np.float32(0.69314698) + t * value
    value = ONE + t * value
    power = np.int32(np.float32(rounded).view(np.int32) + np.int32(127))
    value *= np.int32(power << np.int32(23)).view(np.float32)
    return value if x > np.float32(0.0) else np.float32(0.0)


@inlined
def turned(a, quarters):
    """Cosine and sine of a, within a quarter of pi, and a number of quarter turns."""
    q = a * a
    c = np.float32(0.04165578) + q * np.float32(-0.00135919)
    c = np.float32(-0.49999885) + q * c
    c = ONE + q * c
    s = np.float32(0.00833218) + q * np.float32(-0.00019517)
    s = np.float32(-0.16666655) + q * s
    s = a + a * q * s
    odd = (quarters & np.int32(1)) != np.int32(0)
    cosine = np.float32(s if odd else c).view(np.int32)
    sine = np.float32(c if odd else s).view(np.int32)
    cosine ^= np.int32(np.int32(quarters + np.int32(1)) << np.int32(30)) & SIGN
    sine ^= np.int32(quarters << np.int32(30)) & SIGN
    return np.int32(cosine).view(np.float32), np.int32(sine).view(np.float32)


@inlined
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
    # The upper halves of the words are left as they come: only products look at them.
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * (x0 & mask)
        p1 = np.uint64(0xCD9E8D57) * (x2 & mask)
        x0 = (p1 >> shift) ^ x1 ^ k0
        x1 = p1
        x2 = (p0 >> shift) ^ x3 ^ k1
        x3 = p0
        k0 += np.uint64(0x9E3779B9)
        k1 += np.uint64(0xBB67AE85)
    return x0 & mask, x1 & mask, x2 & mask, x3 & mask


@inlined
def polar(first, second):
    """A Rayleigh number, and cosine and sine of an angle, from the upper 24 bits of two words."""
    word = np.uint32(second)
    count = np.float32(np.int32(np.uint32(first) >> np.uint32(8)) + np.int32(1))
    # Times 2^-24, by its exponent.
    u = np.int32(count.view(np.int32) - np.int32(24 << 23)).view(np.float32)
    radius = np.sqrt(np.float32(-2.0) * log32(u))
    # What the angle leaves over the nearest quarter turn is its lower bits, with a sign.
    rest = np.int32(np.uint32(word >> np.uint32(8)) << np.uint32(10))
    quarters = np.int32(np.uint32(word + np.uint32(1 << 29)) >> np.uint32(30))
    cosine, sine = turned(np.float32(rest) * HALF_PI_32, quarters)
    return radius, cosine, sine


@inlined
def normal_pair(first, second):
    """Two independent standard normal numbers from two words (Box-Muller)."""
    radius, cosine, sine = polar(first, second)
    return radius * cosine, radius * sine


@kernel
def counter_words(start, high, key, even, odd):
    """The words of counters start, start + 1, …: words 0 and 2 in `even`, 1 and 3 in `odd`.

    `even`, `odd`: uint64, an entry for each counter; its lower half is the first of the two words.
    """
    shift = np.uint64(32)
    for g in range(len(even)):
        x0, x1, x2, x3 = philox(start + np.uint64(g), high, key)
        even[g] = x0 | (x2 << shift)
        odd[g] = x1 | (x3 << shift)


@kernel
def add_normal_pairs(values, deviation, even, odd):
    """Add to each two voxels the normal numbers of one word of `even` and one of `odd` (uint32)."""
    for p in range(len(even)):
        radius, cosine, sine = polar(even[p], odd[p])
        length = deviation * radius
        values[2 * p] += length * cosine
        values[2 * p + 1] += length * sine


@kernel
def gaussian_noise_in_runs(values, runs, deviation, key, high):
    """Add normal noise to runs of equal length that lie one behind the other.

    `runs` = (first, step, count): the first starts at index `first`, the next at `first + step`.
    """
    first, step, count = runs
    length = len(values) // count
    scratch = noise_scratch()
    for run in range(count):
        part = values[run * length : (run + 1) * length]
        add_noise(part, np.uint64(first + run * step), deviation, key, high, scratch)


@kernel
def gaussian_noise(values, first, deviation, key, high):
    """Add normal noise: voxel i takes number i % 4 of the words of counter i // 4.

    `first` (uint64) is the index of values[0]; whatever the block, a voxel's noise is the same.
    """
    add_noise(values, first, deviation, key, high, noise_scratch())


@kernel
def noise_scratch():
    """Working memory of `add_noise`."""
    return np.empty(GROUP, np.uint64), np.empty(GROUP, np.uint64), np.empty(4 * GROUP, np.float32)


@kernel
def add_noise(values, first, deviation, key, high, scratch):
    """As `gaussian_noise`, with working memory from `noise_scratch`."""
    even, odd, numbers = scratch
    four = np.uint64(4)
    start = first // four
    at = -np.int64(first - start * four)
    while at < len(values):
        count = min(GROUP, (len(values) - at + 3) // 4)
        counter_words(start, high, key, even[:count], odd[:count])
        words = even[:count].view(np.uint32), odd[:count].view(np.uint32)
        end = at + 4 * count
        if at >= 0 and end <= len(values):
            add_normal_pairs(values[at:end], deviation, words[0], words[1])
        else:
            numbers[:] = np.float32(0.0)
            add_normal_pairs(numbers, deviation, words[0], words[1])
            for i in range(max(at, 0), min(end, len(values))):
                values[i] += numbers[i - at]
        start += np.uint64(count)
        at = end
