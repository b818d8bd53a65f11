"""The definition of the steps on photographs, in float64."""

from typing import assert_never

import numpy as np

from millimorph.backends.reference.originals import original_voxels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.philox import uniforms
from millimorph.program.colour import ColourField, ColourPass, ColourTurn, Highlights

CANDIDATES = 16
DRAWS = 2 * CANDIDATES + 5


def apply(step: ColourField, values: Floats, where: Where) -> Floats:  # noqa: ARG001
    """One step on one whole channel (z, y, x)."""
    _, rows, columns = np.indices(values.shape)
    x = columns * step.spacing_mm[0] - step.centre_mm[0]
    y = rows * step.spacing_mm[1] - step.centre_mm[1]
    return values / (1.0 + step.inverse_square_focus * (x**2 + y**2)) ** 2


def run(step: ColourPass, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    voxels = original_voxels(scene)
    low, high = float(voxels.min()), float(voxels.max())
    match step:
        case ColourTurn():
            turned = np.tensordot(np.array(step.matrix), volume, axes=1)
            return turned + step.pivot * 0.5 * (low + high)
        case Highlights():
            level = high if step.level is None else step.level
            pictures = [_shining(step, volume[:, z], z, level) for z in range(volume.shape[1])]
            return np.stack(pictures, axis=1)
        case _:
            assert_never(step)


def _shining(step: Highlights, picture: Floats, z: int, level: float) -> Floats:
    """One picture (c, y, x) with its highlights."""
    draws = uniforms(step.stream, step.count * DRAWS, z * step.count * DRAWS)
    total = picture.sum(axis=0)
    out = picture
    for own in draws.reshape(-1, DRAWS):
        across, down = own[: 2 * CANDIDATES : 2], own[1 : 2 * CANDIDATES : 2]
        rows = (down * total.shape[0]).astype(int)
        columns = (across * total.shape[1]).astype(int)
        best = int(np.argmax(total[rows, columns]))
        weight = _spot(step, total.shape, (rows[best], columns[best]), own[2 * CANDIDATES :])
        out = out + weight * (level - out)
    return out


def _spot(
    step: Highlights, shape: tuple[int, ...], place: tuple[int, int], draws: Floats
) -> Floats:
    """1 inside a lobed ellipse about a place (row, column), 0 outside, smooth between."""
    longer = step.half_axis_mm * (0.15 + 0.85 * draws[0] ** 3)
    shorter = longer / (1.0 + 3.0 * draws[1])
    turn = np.pi * draws[2]
    rows, columns = np.indices(shape)
    x = (columns - place[1]) * step.spacing_mm[0]
    y = (rows - place[0]) * step.spacing_mm[1]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    u, v = along / longer, across / shorter
    angle = 3.0 * np.arctan2(v, u)
    lobes = 0.2 * (2.0 * draws[3:] - 1.0)
    distance = np.hypot(u, v) * (1.0 + lobes[0] * np.cos(angle) + lobes[1] * np.sin(angle))
    t: Floats = (distance <= 1.0).astype(np.float64)
    if step.edge_fraction > 0.0:
        t = np.clip((1.0 + step.edge_fraction - distance) / step.edge_fraction, 0.0, 1.0)
    return t**2 * (3.0 - 2.0 * t)
