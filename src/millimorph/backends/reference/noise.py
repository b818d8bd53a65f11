"""The definition of the noises, in float64."""

import math
from typing import assert_never

import numpy as np
from scipy import stats

from millimorph.backends.reference.originals import grey_levels, original_voxels
from millimorph.backends.reference.sampling import Floats, Integers
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.elementary import cos, exp, log, sin
from millimorph.kernels.philox import StreamKey, UInt32Array, blocks, philox4x32
from millimorph.program.noise import (
    GammaNoise,
    ImpulseNoise,
    MagnitudeNoise,
    NoiseStep,
    NormalNoise,
    PoissonNoise,
)

_MANY_COUNTS = 1e15


def apply(step: NoiseStep, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    scene, first = where.scene, where.first_of_all
    match step:
        case NormalNoise():
            deviation = grey_levels(step.deviation, scene)
            numbers = normal_numbers(step.stream, first, values.size)
            return values + deviation * numbers.reshape(values.shape)
        case MagnitudeNoise():
            deviation = grey_levels(step.deviation, scene)
            if deviation == 0.0:
                return values
            numbers = deviation * normal_numbers(step.stream, 2 * first, 2 * values.size)
            real, imaginary = numbers.reshape(*values.shape, 2).transpose(3, 0, 1, 2)
            low = _baseline(step.baseline, scene)
            magnitude: Floats = np.sqrt((values - low + real) ** 2 + imaginary**2)
            return low + magnitude
        case ImpulseNoise():
            uniform = _uniforms(step.stream, first, values)
            voxels = original_voxels(scene)
            pepper = float(voxels.min()) if step.pepper is None else step.pepper
            salt = float(voxels.max()) if step.salt is None else step.salt
            half = 0.5 * step.density
            return np.where(uniform < half, pepper, np.where(uniform > 1.0 - half, salt, values))
        case PoissonNoise():
            return _counted(step, values, where)
        case GammaNoise():
            numbers = _gamma_numbers(step, first, values.size).reshape(values.shape)
            low = _baseline(step.baseline, scene)
            return low + (values - low) * numbers
        case _:
            assert_never(step)


def normal_numbers(stream: StreamKey, first: int, count: int) -> Floats:
    """Standard normal numbers of voxels from `first` on: voxel i is number i % 4 of block i // 4.

    Box and Muller (1958) on the upper 24 bits of two words each.
    """
    start = first // 4
    words = blocks(stream, (first + count + 3) // 4 - start, start)
    numbers = np.empty(words.shape)
    for pair in (0, 2):
        numbers[:, pair], numbers[:, pair + 1] = _normal_pairs(words[:, pair], words[:, pair + 1])
    return numbers.reshape(-1)[first - 4 * start :][:count]


def _normal_pairs(one: UInt32Array, other: UInt32Array) -> tuple[Floats, Floats]:
    radius = np.sqrt(-2.0 * log(_upper_bits(one)))
    angle = 2.0 * math.pi * (_upper_bits(other) - 2.0**-24)
    return radius * cos(angle), radius * sin(angle)


def _upper_bits(words: UInt32Array) -> Floats:
    """The upper 24 bits as a number in (0, 1]."""
    return ((words >> np.uint32(8)).astype(np.float64) + 1.0) * 2.0**-24


def _uniforms(stream: StreamKey, first: int, values: Floats) -> Floats:
    """(w + 1/2) / 2^32 of word w of each voxel: word i % 4 of block i // 4 for voxel i."""
    start = first // 4
    words = blocks(stream, (first + values.size + 3) // 4 - start, start).reshape(-1)
    own = words[first - 4 * start :][: values.size].astype(np.float64)
    return ((own + 0.5) * 2.0**-32).reshape(values.shape)


def _counted(step: PoissonNoise, values: Floats, where: Where) -> Floats:
    """The Poisson quantile of each voxel's uniform number, as a grey level."""
    level = grey_levels(step.level, where.scene)
    if level == 0.0:
        return values
    scale = step.counts / level
    low = _baseline(step.baseline, where.scene)
    means = np.clip((values - low) * scale, 0.0, _MANY_COUNTS)
    uniform = _uniforms(step.stream, where.first_of_all, values)
    counts = stats.poisson.ppf(uniform, means)
    return np.where((values - low) * scale < _MANY_COUNTS, low + counts / scale, values)


def _gamma_numbers(step: GammaNoise, first: int, count: int) -> Floats:
    """Gamma numbers of mean 1: Marsaglia and Tsang (2000), attempt after attempt."""
    shape = 1.0 / step.relative_deviation**2
    boosted = shape + 1.0 if shape < 1.0 else shape
    d = boosted - 1.0 / 3.0
    numbers = np.full(count, -1.0)
    last = np.empty(count, np.uint32)
    attempt = 0
    while (numbers < 0.0).any():
        words = _attempt_words(
            step.stream, attempt, first + np.flatnonzero(numbers < 0.0).astype(np.int64)
        )
        if attempt == 0:
            last = words[:, 3]
        normal, _ = _normal_pairs(words[:, 0], words[:, 1])
        v = (1.0 + normal / np.sqrt(9.0 * d)) ** 3
        held = np.where(v > 0.0, v, 1.0)
        limit = 0.5 * normal**2 + d * (1.0 - held + log(held))
        accepted = (v > 0.0) & (log(_upper_bits(words[:, 2])) < limit)
        numbers[numbers < 0.0] = np.where(accepted, d * v, -1.0)
        attempt += 1
    if shape < 1.0:
        numbers *= exp(log(_upper_bits(last)) / shape)
    return numbers / shape


def _attempt_words(stream: StreamKey, attempt: int, voxels: Integers) -> UInt32Array:
    counter = np.empty((len(voxels), 4), np.uint32)
    counter[:, 0] = voxels & 0xFFFFFFFF
    counter[:, 1] = voxels >> 32
    counter[:, 2:] = stream.counter_high
    counter[:, 3] ^= np.uint32(attempt)
    return philox4x32(counter, stream.key)


def _baseline(given: float | None, scene: Scene) -> float:
    """The grey level of no signal."""
    return min(float(original_voxels(scene).min()), 0.0) if given is None else given
