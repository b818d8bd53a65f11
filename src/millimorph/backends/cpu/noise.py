"""Steps that add noise, compiled."""

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.sources import grey_levels
from millimorph.backends.scene import Where
from millimorph.program.noise import NoiseStep


def apply(step: NoiseStep, values: npt.NDArray[np.float32], where: Where) -> None:
    """Change a run of voxels in place."""
    from millimorph.kernels import pointwise

    deviation = np.float32(grey_levels(step.deviation, where.scene.original, where.scene))
    key, high_words = np.array(step.stream, np.uint32)
    pointwise.gaussian_noise(values, np.uint64(where.first_of_all), deviation, key, high_words)
