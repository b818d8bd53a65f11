"""The definition of the steps on boxes of voxels, in float64."""

from typing import assert_never

import numpy as np

from millimorph.backends.reference.noise import normal_numbers
from millimorph.backends.reference.originals import original_voxels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.program.patches import BoxAveraging, BoxFill, BoxSwaps, PatchFill, PatchMove


def apply(step: PatchFill, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    fill = _fill(step, where, values.shape)
    inside = np.zeros(values.shape, np.bool_)
    for box in step.boxes:
        inside[box.slices] = True
    return np.where(inside, fill, values)


def run(step: PatchMove, volume: Floats, scene: Scene) -> Floats:  # noqa: ARG001
    """One step on a whole image (c, z, y, x)."""
    out = volume.copy()
    match step:
        case BoxAveraging():
            for channel in out:
                for box in step.boxes:
                    channel[box.slices] = channel[box.slices].mean()
        case BoxSwaps():
            for one, other in step.pairs:
                before = out.copy()
                out[:, *one.slices] = before[:, *other.slices]
                out[:, *other.slices] = before[:, *one.slices]
        case _:
            assert_never(step)
    return out


def _fill(step: BoxFill, where: Where, shape: tuple[int, ...]) -> Floats:
    """What each voxel becomes where it lies in a box."""
    if not isinstance(step.fill, str):
        return np.full(shape, step.fill)
    scene = where.scene
    channel = original_voxels(scene).reshape(-1, *scene.original.grid.shape)[where.channel]
    original = channel.astype(np.float64)
    if step.fill == "minimum":
        return np.full(shape, original.min())
    if step.fill == "mean":
        return np.full(shape, original.mean())
    count = int(np.prod(shape))
    numbers = normal_numbers(step.stream, where.first_of_all, count).reshape(shape)
    return float(original.mean()) + float(original.std()) * numbers
