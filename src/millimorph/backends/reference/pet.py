"""The definition of the steps on positron emission tomograms, in float64."""

import numpy as np
from scipy import ndimage, stats

from millimorph.backends.reference.originals import grey_levels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene
from millimorph.kernels.philox import blocks
from millimorph.program import Amount
from millimorph.program.pet import PetPass


def run(step: PetPass, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    bright = grey_levels(Amount(1.0, of_robust_range=True), scene)
    if bright <= 0.0:
        return volume
    words = blocks(step.stream, -(-volume.size // 4)).reshape(-1)[: volume.size]
    shares = (words.reshape(volume.shape) + 0.5) / 2.0**32
    activity = np.maximum(volume, 0.0)
    counts = stats.poisson.ppf(shares, activity * step.counts / bright)
    noise = counts * bright / step.counts - activity
    sd = (0.0, *(0.0, *reversed(step.sd_voxels))[-3:])
    noise = ndimage.gaussian_filter(noise, sd, mode="nearest", truncate=4.0)
    result: Floats = np.maximum(volume + noise, np.minimum(volume, 0.0))
    return result
