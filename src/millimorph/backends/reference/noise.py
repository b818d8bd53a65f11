"""The definition of the noises, in float64."""

import math

import numpy as np

from millimorph.backends.reference.originals import grey_levels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Where
from millimorph.kernels.elementary import cos, log, sin
from millimorph.kernels.philox import StreamKey, blocks
from millimorph.program.noise import NoiseStep


def apply(step: NoiseStep, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    deviation = grey_levels(step.deviation, where.scene)
    numbers = normal_numbers(step.stream, where.first_of_all, values.size)
    return values + deviation * numbers.reshape(values.shape)


def normal_numbers(stream: StreamKey, first: int, count: int) -> Floats:
    """Standard normal numbers of voxels from `first` on: voxel i is number i % 4 of block i // 4.

    Box and Muller (1958) on the upper 24 bits of two words each.
    """
    start = first // 4
    words = blocks(stream, (first + count + 3) // 4 - start, start) >> np.uint32(8)
    uniform = words.astype(np.float64)
    unit = 2.0**-24
    numbers = np.empty(words.shape)
    for pair in (0, 2):
        radius = np.sqrt(-2.0 * log((uniform[:, pair] + 1.0) * unit))
        angle = 2.0 * math.pi * unit * uniform[:, pair + 1]
        numbers[:, pair] = radius * cos(angle)
        numbers[:, pair + 1] = radius * sin(angle)
    return numbers.reshape(-1)[first - 4 * start :][:count]
