"""Steps on grey levels, compiled."""

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.sources import value_range
from millimorph.backends.scene import Where
from millimorph.program.levels import LevelCurve


def apply(step: LevelCurve, values: npt.NDArray[np.float32], where: Where) -> None:
    """Change a run of voxels in place."""
    from millimorph.kernels import levels

    low, high = value_range(where.scene.original, where.scene)
    if high > low:
        levels.power_curve(
            values, np.float32(low), np.float32(high - low), np.float32(step.exponent)
        )
