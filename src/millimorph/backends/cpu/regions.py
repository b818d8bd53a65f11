"""The voxels that a step measures."""

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.statistics import otsu_threshold
from millimorph.backends.scene import Scene
from millimorph.errors import ImageError
from millimorph.program.regions import Foreground, Mask, Region, WholeImage

Float32 = npt.NDArray[np.float32]


def measured(channel: Float32, region: Region, scene: Scene) -> Float32:
    """The voxels (n,) of a channel that lie in a region, in memory order, at least one.

    Raises:
        ImageError: a mask in which no voxel has the labels that were asked for.
    """
    flat = channel.reshape(-1)
    match region:
        case WholeImage():
            return flat
        case Foreground():
            above = flat[flat > np.float64(otsu_threshold(flat, scene.threads))]
            return above if above.size else flat
        case Mask():
            return flat[inside(region, scene)]


def inside(mask: Mask, scene: Scene) -> npt.NDArray[np.bool_]:
    """Which voxels (n,) have the mask's labels."""
    labels = scene.labels[mask.role].channel_arrays
    wanted = mask.labels
    chosen = labels > 0 if wanted is None else np.isin(labels, np.array(wanted, np.int64))
    found: npt.NDArray[np.bool_] = chosen.any(axis=0).reshape(-1)
    if not found.any():
        listed = "above 0" if wanted is None else ", ".join(str(label) for label in wanted)
        raise ImageError(
            f'the mask "{mask.role}" for image "{scene.name}" has no voxel of label {listed} in '
            "this sample; measure over the image or the foreground, or crop less"
        )
    return found
