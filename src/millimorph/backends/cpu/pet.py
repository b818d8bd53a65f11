"""Steps on positron emission tomograms, compiled."""

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads, write_channel
from millimorph.backends.cpu.smoothing import smooth
from millimorph.backends.cpu.sources import robust_range
from millimorph.backends.scene import Scene
from millimorph.program.pet import ActivityNoise, PetPass

Float32 = npt.NDArray[np.float32]


def run(step: PetPass, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels; `volume` (c, z, y, x) is left as it is."""
    bright = robust_range(scene.original, scene)
    for number, channel in enumerate(volume):
        out = channel.copy()
        if bright > 0.0:
            noise = smooth(_noise(step, channel, number, bright, scene.threads), step.sd_voxels)
            out = np.maximum(channel + noise, np.minimum(channel, np.float32(0.0)))
        write_channel(number, out, write)


def _noise(
    step: ActivityNoise, channel: Float32, number: int, bright: float, threads: int
) -> Float32:
    """Counted activity less the true one, before the filter."""
    from millimorph.kernels import noise

    activity = np.maximum(channel, np.float32(0.0)).reshape(-1)
    counted = activity.copy()
    scale = np.float32(step.counts / bright)
    key, high = np.array(step.stream, np.uint32)

    def work(first: int) -> None:
        place = np.uint64(number * activity.size + first)
        part = counted[first : first + PIECE_VOXELS]
        noise.shot_noise(part, place, scale, np.float32(0.0), key, high)

    in_threads(threads, range(0, activity.size, PIECE_VOXELS), work)
    return (counted - activity).reshape(channel.shape)
