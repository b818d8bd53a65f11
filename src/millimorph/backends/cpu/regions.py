"""The voxels that a step measures."""

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.ranks import CHUNK, gathered, sealed
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
    values = sealed(channel)
    match region:
        case WholeImage():
            return values
        case Foreground():
            threshold = _not_above(otsu_threshold(values, scene.threads))
            above = _kept(values, values > threshold, scene.threads)
            return above if above.size else values
        case Mask():
            return _kept(values, inside(region, scene), scene.threads)


def _not_above(level: float) -> np.float32:
    """The greatest float32 that is not above a level: the same voxels lie above either."""
    nearest = np.float32(level)
    return nearest if float(nearest) <= level else np.nextafter(nearest, np.float32(-np.inf))


def _kept(values: Float32, inside: npt.NDArray[np.bool_], threads: int) -> Float32:
    from millimorph.kernels import histograms

    def keep(start: int, out: Float32) -> int:
        stop = start + CHUNK
        return int(histograms.keep(values[start:stop], inside[start:stop], out))

    return gathered(values.size, keep, threads)


def inside(mask: Mask, scene: Scene) -> npt.NDArray[np.bool_]:
    """Which voxels (n,) have the mask's labels."""
    labels = scene.labels[mask.role].channel_arrays
    wanted = mask.labels
    chosen = labels > 0 if wanted is None else np.isin(labels, np.array(wanted, np.int64))
    found: npt.NDArray[np.bool_] = (chosen.any(axis=0) if len(chosen) > 1 else chosen).reshape(-1)
    if not found.any():
        listed = "above 0" if wanted is None else ", ".join(str(label) for label in wanted)
        raise ImageError(
            f'the mask "{mask.role}" for image "{scene.name}" has no voxel of label {listed} in '
            "this sample; measure over the image or the foreground, or crop less"
        )
    return found
