"""The definition of the pointwise intensity ops, in float64."""

import math
from typing import assert_never

import numpy as np

from millimorph.backends._reference_sampling import AnyArray, Floats
from millimorph.kernels.elementary import cos, exp, log, sin
from millimorph.kernels.philox import StreamKey, blocks
from millimorph.program import NormalNoise, Pointwise, PowerCurve


def apply(op: Pointwise, values: Floats, first: int, voxels: AnyArray) -> Floats:
    """One op on the voxels from linear index `first` on; `voxels` is the whole clean source."""
    match op:
        case PowerCurve():
            low, high = float(voxels.min()), float(voxels.max())
            if high == low:
                return values
            share = np.maximum((values - low) / (high - low), 0.0)
            raised = np.zeros_like(share)
            raised[share > 0.0] = exp(op.exponent * log(share[share > 0.0]))
            return low + (high - low) * raised
        case NormalNoise():
            scale = _robust_range(voxels) if op.of_robust_range else 1.0
            return values + op.deviation * scale * normal_numbers(op.stream, first, len(values))
        case _:
            assert_never(op)


def _robust_range(voxels: AnyArray) -> float:
    ranked = np.sort(voxels, axis=None)
    last = ranked.size - 1
    return float(ranked[int(0.99 * last)]) - float(ranked[int(0.01 * last)])


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
