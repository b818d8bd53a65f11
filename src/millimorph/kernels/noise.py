"""Noises with other laws than the normal one, on blocks of float32 voxels, in place.

A voxel's random words are those of Philox4x32-10 at its own index, so its noise is a function of
the key and the voxel alone. Sources: Wichura 1988 (AS 241, PPND7) for the normal quantile, Giles
2016 for the Poisson quantile, Marsaglia and Tsang 2000 for the gamma law.
"""

import numpy as np

from millimorph.kernels._jit import inlined, kernel
from millimorph.kernels.pointwise import exp32, log32, normal_pair, philox

GROUP = 1024
UNIT_24 = np.float32(2.0**-24)
UNIT_32 = np.float32(2.0**-32)
NONE, ONE = np.float32(0.0), np.float32(1.0)
TINY = np.float32(1e-30)  # smaller numbers would soon be subnormal, which is slow
# From this mean on, the expansion of the Poisson quantile picks another count than the exact one
# for one voxel in eight thousand (mean 12), one in fifty thousand (mean 25).
FEW_COUNTS = np.float32(12.0)
MOST_FEW = 60
# Noise of so many counts is below the precision of float32, and this square is no float32.
MANY_COUNTS = np.float32(1e15)
LARGE = np.float32(1e18)
ATTEMPTS = np.uint32(200)


@kernel
def random_words(first, count, key, high, words):
    """Words first, first + 1, ... of a stream (uint64): word n is word n % 4 of counter n // 4.

    They are written to `words` (uint32); returns where in it the first of `count` words lies.
    """
    four = np.uint64(4)
    start = first // four
    blocks = (first + np.uint64(count) + np.uint64(3)) // four - start
    for g in range(blocks):
        x0, x1, x2, x3 = philox(start + np.uint64(g), high, key)
        at = np.uint64(g) * four
        words[at] = x0
        words[at + np.uint64(1)] = x1
        words[at + np.uint64(2)] = x2
        words[at + np.uint64(3)] = x3
    return np.int64(first - start * four)


@kernel
def salt_and_pepper(values, first, share, pepper, salt, key, high):
    """Replace voxels whose word is among the lowest `share` by pepper, the highest by salt.

    `share` (uint64) is half the density times 2^32. Voxel i takes word i.
    """
    words = np.empty(GROUP + 8, np.uint32)
    salty = np.uint64(2**32) - share
    for begin in range(0, len(values), GROUP):
        part = values[begin : begin + GROUP]
        offset = random_words(first + np.uint64(begin), len(part), key, high, words)
        own = words[offset : offset + len(part)]
        for i in range(len(part)):
            word = np.uint64(own[i])
            value = pepper if word < share else part[i]
            part[i] = salt if word >= salty else value


@kernel
def rician_noise(values, first, deviation, baseline, key, high):
    """The magnitude of a complex signal with normal noise in both parts, above a baseline.

    Voxel i takes words 2 i and 2 i + 1.
    """
    words = np.empty(2 * GROUP + 8, np.uint32)
    two = np.uint64(2)
    for begin in range(0, len(values), GROUP):
        part = values[begin : begin + GROUP]
        start = two * (first + np.uint64(begin))
        offset = random_words(start, 2 * len(part), key, high, words)
        own = words[offset : offset + 2 * len(part)]
        for i in range(len(part)):
            at = two * np.uint64(i)
            n, m = normal_pair(own[at], own[at + np.uint64(1)])
            signal = part[i] - baseline
            a = signal + deviation * n
            b = deviation * m
            magnitude = np.sqrt(a * a + b * b)
            part[i] = baseline + (magnitude if abs(signal) < LARGE else abs(signal))


@inlined
def normal_quantile32(word):
    """The standard normal quantile at (word + 1/2) / 2^32; absolute error below 2e-6."""
    upper = word >= np.uint32(2**31)
    folded = np.uint32(2**32 - 1) - word if upper else word
    p = (np.float32(folded) + np.float32(0.5)) * UNIT_32
    q = np.float32(0.5) - p
    r = np.float32(0.180625) - q * q
    above = np.float32(159.29113202) + r * np.float32(59.109374720)
    above = np.float32(3.3871327179) + r * (np.float32(50.434271938) + r * above)
    below = np.float32(78.757757664) + r * np.float32(67.187563600)
    below = ONE + r * (np.float32(17.895169469) + r * below)
    central = q * above / below
    s = np.sqrt(-log32(p)) - np.float32(1.6)
    above = np.float32(1.3067284816) + s * np.float32(0.17023821103)
    above = np.float32(1.4234372777) + s * (np.float32(2.7568153900) + s * above)
    below = np.float32(0.73700164250) + s * np.float32(0.12021132975)
    tail = above / (ONE + s * below)
    size = central if q <= np.float32(0.425) else tail
    return size if upper else -size


@inlined
def many_counts(mean, w):
    """The Poisson quantile at the normal deviate w, for a mean of at least FEW_COUNTS."""
    root = np.sqrt(mean)
    inverse = ONE / root
    s = w * w
    first = np.float32(1.0 / 3.0) + s * np.float32(1.0 / 6.0)
    second = w * (np.float32(-1.0 / 36.0) - s * np.float32(1.0 / 72.0))
    third = np.float32(7.0 / 810.0) + s * np.float32(1.0 / 270.0)
    third = np.float32(-8.0 / 405.0) + s * third
    count = np.floor(mean + (root * w + (first + inverse * (second + inverse * third))))
    return max(count, NONE)


@kernel
def few_counts(means, words, counts):
    """The Poisson quantiles at (word + 1/2) / 2^32 of small means, by summing probabilities.

    A mean of FEW_COUNTS or more is passed over.
    """
    n = len(means)
    mean, uniform = np.empty(n, np.float32), np.empty(n, np.float32)
    probability, total = np.empty(n, np.float32), np.empty(n, np.float32)
    for i in range(n):
        u = min((np.float32(words[i]) + np.float32(0.5)) * UNIT_32, ONE - UNIT_24)
        uniform[i] = u if means[i] < FEW_COUNTS else NONE
        mean[i] = min(max(means[i], NONE), FEW_COUNTS)
        probability[i] = exp32(-mean[i])
        total[i] = probability[i]
        counts[i] = NONE
    for k in range(1, MOST_FEW):
        share = np.float32(1.0 / k)
        left = 0
        for i in range(n):
            beyond = uniform[i] > total[i]
            counts[i] += ONE if beyond else NONE
            probability[i] = max(probability[i] * (mean[i] * share), TINY)
            total[i] += probability[i]
            left += np.int32(beyond)
        if left == 0:
            break


@kernel
def shot_noise(values, first, scale, baseline, key, high):
    """Poisson counts of `scale` per grey level above a baseline, as grey levels.

    Voxel i takes word i.
    """
    words = np.empty(GROUP + 8, np.uint32)
    of_part, of_few = np.empty(GROUP, np.float32), np.empty(GROUP, np.float32)
    level = ONE / scale
    for begin in range(0, len(values), GROUP):
        part = values[begin : begin + GROUP]
        n = len(part)
        offset = random_words(first + np.uint64(begin), n, key, high, words)
        own = words[offset : offset + n]
        means, counts = of_part[:n], of_few[:n]
        few = 0
        for i in range(n):
            mean = (part[i] - baseline) * scale
            means[i] = mean
            few += np.int32(mean < FEW_COUNTS)
            many = many_counts(max(mean, FEW_COUNTS), normal_quantile32(own[i]))
            part[i] = baseline + many * level if mean < MANY_COUNTS else part[i]
        if few == 0:
            continue
        few_counts(means, own, counts)
        for i in range(n):
            part[i] = baseline + counts[i] * level if means[i] < FEW_COUNTS else part[i]


@inlined
def unit24(word):
    """The upper 24 bits of a word (uint32) as a number in (0, 1]."""
    return np.float32(np.int32(word >> np.uint32(8)) + np.int32(1)) * UNIT_24


@kernel
def gamma_attempts(words, shape, numbers):
    """Gamma numbers of a shape of at least 1 from the first three of four words each; -1: refused.

    A number is 0 or above.
    """
    four = np.uint64(4)
    d = shape - np.float32(1.0 / 3.0)
    c = ONE / np.sqrt(np.float32(9.0) * d)
    for i in range(len(numbers)):
        at = four * np.uint64(i)
        x, _ = normal_pair(words[at], words[at + np.uint64(1)])
        u = unit24(words[at + np.uint64(2)])
        root = ONE + c * x
        held = root if root > NONE else ONE
        v = held * held * held
        s = x * x
        sure = u < ONE - np.float32(0.0331) * s * s
        near = log32(u) < np.float32(0.5) * s + d * (ONE - v + np.float32(3.0) * log32(held))
        numbers[i] = d * v if (root > NONE) & (sure | near) else np.float32(-1.0)


@kernel
def speckle(values, first, shape, baseline, key, high):
    """Multiply grey levels above a baseline by gamma numbers of mean 1 and the given shape.

    Voxel i takes counter i; attempt n is the counter with n in the stream's last word. Shapes below
    1 are reached from shape + 1 by a power of the fourth word.
    """
    words = np.empty(4 * GROUP + 8, np.uint32)
    again = np.empty(16, np.uint32)
    turns = high.copy()
    numbers = np.empty(GROUP, np.float32)
    four = np.uint64(4)
    boosted = shape + ONE if shape < ONE else shape
    inverse = ONE / shape
    for begin in range(0, len(values), GROUP):
        part = values[begin : begin + GROUP]
        voxel = first + np.uint64(begin)
        random_words(four * voxel, 4 * len(part), key, high, words)
        gamma_attempts(words, boosted, numbers[: len(part)])
        for i in range(len(part)):
            attempt = np.uint32(1)
            while numbers[i] < NONE and attempt < ATTEMPTS:
                turns[1] = high[1] ^ attempt
                random_words(four * (voxel + np.uint64(i)), 4, key, turns, again)
                gamma_attempts(again, boosted, numbers[i : i + 1])
                attempt += np.uint32(1)
        if shape < ONE:
            for i in range(len(part)):
                u = unit24(words[four * np.uint64(i) + np.uint64(3)])
                numbers[i] *= exp32(log32(u) * inverse)
        for i in range(len(part)):
            part[i] = baseline + (part[i] - baseline) * (max(numbers[i], NONE) * inverse)
