"""Gaussian smoothing of one channel, for steps that need a smoothed copy of what they have."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.sources import convolved, gaussian_taps

Float32 = npt.NDArray[np.float32]


def smooth(channel: Float32, sd_voxels: Sequence[float]) -> Float32:
    """A new volume (z, y, x), smoothed by `sd_voxels` (x, y, z; 0: not at all); edges repeated."""
    out = channel.copy()
    for axis, sd in enumerate(sd_voxels):
        if sd > 0.0:
            out = convolved(out, gaussian_taps(sd), axis)
    return out
