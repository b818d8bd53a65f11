"""Curves of grey levels on blocks of float32 voxels, in place, while they are still in cache."""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.pointwise import ONE, exp32, power32

STEEPEST = np.float32(80.0)
RUN = 512


@kernel
def power_curve(values, base, span, exponent):
    """Raise (x - base) / span, held at 0 from below, to a power; a negative span is a fall."""
    scale = ONE / span
    for i in range(len(values)):
        values[i] = base + span * power32((values[i] - base) * scale, exponent)


@kernel
def held_line(values, centre, slope, height, limits):
    """The line through (centre, height), held between two limits."""
    low, high = limits
    for i in range(len(values)):
        y = (values[i] - centre) * slope + height
        values[i] = min(max(y, low), high)


@kernel
def sigmoid(values, midpoint, alpha, low, high):
    """From low to high along 1 / (1 + exp(-(x - midpoint) / alpha))."""
    scale = ONE / alpha
    span = high - low
    for i in range(len(values)):
        t = min((midpoint - values[i]) * scale, STEEPEST)
        values[i] = low + span / (ONE + exp32(t))


@kernel
def table_curve(values, low, scale, pieces):
    """Straight pieces from `low` on, `scale` to a grey level, each as height at 0 and slope.

    `pieces` (n, 2) float32: the first is for all below, the last for all above.
    """
    both = pieces.reshape(-1).view(np.uint64)
    last = np.float32(len(both) - 1)
    places = np.empty(RUN, np.uint32)
    chosen = np.empty(RUN, np.uint64)
    lines = chosen.view(np.float32)
    for start in range(0, len(values), RUN):
        part = values[start : start + RUN]
        for i in range(len(part)):
            t = (part[i] - low) * scale + ONE
            places[i] = np.uint32(np.int32(min(max(t, np.float32(0.0)), last)))
        for i in range(len(part)):
            chosen[i] = both[places[i]]
        for i in range(len(part)):
            part[i] = lines[2 * i] + lines[2 * i + 1] * part[i]
