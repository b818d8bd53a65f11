"""Steps on boxes of voxels, compiled."""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import Write, write_all
from millimorph.backends.cpu.sources import clean, remember
from millimorph.backends.cpu.statistics import Moments, moments
from millimorph.backends.scene import Scene, Where
from millimorph.program.patches import BoxAveraging, BoxFill, BoxSwaps, PatchFill, PatchMove

Float32 = npt.NDArray[np.float32]


def apply(step: PatchFill, values: Float32, where: Where) -> None:
    """Change a run of voxels in place."""
    from millimorph.kernels import patches

    scene = where.scene
    shape = (scene.grid.size[0], scene.grid.size[1])
    fill, deviation = _fill(step, where)
    key, high = np.array(step.stream, np.uint32)
    noise = (np.float32(deviation), np.uint64(where.first_of_all), key, high)
    patches.fill_boxes(values, where.first, shape, step.corners, np.float32(fill), noise)


def run(step: PatchMove, volume: Float32, scene: Scene, write: Write) -> None:  # noqa: ARG001
    """Hand over the changed voxels; `volume` (c, z, y, x) is left as it is."""
    out = volume.copy()
    match step:
        case BoxAveraging():
            for channel in out:
                for box in step.boxes:
                    part = channel[box.slices]
                    part[...] = moments(part).mean
        case BoxSwaps():
            for one, other in step.pairs:
                a, b = out[:, *one.slices], out[:, *other.slices]
                kept = a.copy()
                a[...] = b
                b[...] = kept
        case _:
            assert_never(step)
    write_all(out, write)


def _fill(step: BoxFill, where: Where) -> tuple[float, float]:
    """The grey level of a fill, and the standard deviation of its noise."""
    scene = where.scene
    match step.fill:
        case "minimum":
            return _moments(scene)[where.channel].low, 0.0
        case "mean":
            return _moments(scene)[where.channel].mean, 0.0
        case "noise":
            found = _moments(scene)[where.channel]
            return found.mean, found.sd
        case level:
            return level, 0.0


def _moments(scene: Scene) -> tuple[Moments, ...]:
    """Those of each channel of the original image."""
    return remember(
        scene.original,
        ("moments of channels", scene.nan),
        lambda: tuple(
            moments(channel.astype(np.float32)) for channel in clean(scene.original, scene)
        ),
    )
