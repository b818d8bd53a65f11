"""The definition of the steps on grey levels, in float64."""

import numpy as np

from millimorph.backends.reference.originals import original_voxels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Where
from millimorph.kernels.elementary import exp, log
from millimorph.program.levels import LevelCurve


def apply(step: LevelCurve, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    voxels = original_voxels(where.scene)
    low, high = float(voxels.min()), float(voxels.max())
    if high == low:
        return values
    share = np.maximum((values - low) / (high - low), 0.0)
    raised = np.zeros_like(share)
    raised[share > 0.0] = exp(step.exponent * log(share[share > 0.0]))
    return low + (high - low) * raised
