"""Steps on neighbourhoods, compiled."""

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import Write, write_all
from millimorph.backends.cpu.sources import convolved, gaussian_taps
from millimorph.backends.scene import Scene
from millimorph.program.stencils import Stencil


def run(
    step: Stencil,
    volume: npt.NDArray[np.float32],
    scene: Scene,  # noqa: ARG001
    write: Write,
) -> None:
    """Hand over the changed voxels, piece by piece; `volume` (c, z, y, x) is left as it is."""
    out = volume.copy()
    for channel in out:
        for axis, sd in enumerate(step.sd_voxels):
            if sd > 0.0:
                channel[...] = convolved(channel, gaussian_taps(sd), axis)
    write_all(out, write)
