"""The definition of the steps on neighbourhoods, in float64."""

import numpy as np
from scipy import ndimage

from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene
from millimorph.program.stencils import Stencil


def run(step: Stencil, volume: Floats, scene: Scene) -> Floats:  # noqa: ARG001
    """One step on a whole image (c, z, y, x)."""
    return np.stack([_smoothed(channel, step.sd_voxels) for channel in volume])


def _smoothed(channel: Floats, sd_voxels: tuple[float, ...]) -> Floats:
    for axis, sd in enumerate(sd_voxels):
        if sd > 0.0:
            channel = ndimage.gaussian_filter1d(
                channel, sd, axis=-1 - axis, mode="nearest", truncate=4.0
            )
    return channel
