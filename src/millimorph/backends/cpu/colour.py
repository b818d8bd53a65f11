"""Steps on photographs, compiled."""

import math
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.cpu.sources import value_range
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.elementary import cos, sin
from millimorph.kernels.philox import uniforms
from millimorph.program.colour import ColourField, ColourPass, ColourTurn, Highlights

Float32 = npt.NDArray[np.float32]

CANDIDATES = 16
DRAWS = 2 * CANDIDATES + 5
LEAST_SIZE, MOST_RATIO, MOST_LOBE = 0.15, 4.0, 0.2
FARTHEST = 1.0 / (1.0 - 1.4143 * MOST_LOBE)


def apply(step: ColourField, values: Float32, where: Where) -> None:
    """Change a run of voxels in place."""
    from millimorph.kernels import pictures

    size = where.scene.grid.size[:2]
    spacing = np.float32(step.spacing_mm[0]), np.float32(step.spacing_mm[1])
    centre = np.float32(step.centre_mm[0]), np.float32(step.centre_mm[1])
    bend = np.float32(step.inverse_square_focus)
    pictures.vignette(values, where.first, size, spacing, centre, bend)


def run(step: ColourPass, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels; `volume` (c, z, y, x) is left as it is."""
    match step:
        case ColourTurn():
            _turn(step, volume, scene, write)
        case Highlights():
            _shine(step, volume, scene, write)
        case _:
            assert_never(step)


def _turn(step: ColourTurn, volume: Float32, scene: Scene, write: Write) -> None:
    from millimorph.kernels import pictures

    low, high = value_range(scene.original, scene)
    offset = np.float32(step.pivot * 0.5 * (low + high))
    matrix = np.array(step.matrix, np.float32)
    flat = np.ascontiguousarray(volume).reshape(len(volume), -1)

    def work(first: int) -> None:
        red, green, blue = (channel[first : first + PIECE_VOXELS] for channel in flat)
        out = np.empty((3, len(red)), np.float32)
        pictures.colour_turn(red, green, blue, matrix, offset, out)
        for number, values in enumerate(out):
            write(number, first, values)

    in_threads(scene.threads, range(0, flat.shape[1], PIECE_VOXELS), work)


def _shine(step: Highlights, volume: Float32, scene: Scene, write: Write) -> None:
    level = value_range(scene.original, scene)[1] if step.level is None else step.level
    voxels = volume[0, 0].size

    def work(z: int) -> None:
        picture = volume[:, z].copy()
        draws = uniforms(step.stream, step.count * DRAWS, z * step.count * DRAWS)
        for own in draws.reshape(-1, DRAWS):
            _paint(step, picture, own.tolist(), volume[:, z], np.float32(level))
        for number, plane in enumerate(picture):
            write(number, z * voxels, plane.reshape(-1))

    in_threads(scene.threads, range(volume.shape[1]), work)


def _paint(
    step: Highlights, picture: Float32, own: list[float], before: Float32, level: np.float32
) -> None:
    """One highlight on all channels of a picture (c, y, x), at a bright place of it before."""
    from millimorph.kernels import pictures

    _, rows, columns = picture.shape
    row, column = brightest(before, own[: 2 * CANDIDATES])
    size, ratio, turn, *lobes = own[2 * CANDIDATES :]
    longer = step.half_axis_mm * (LEAST_SIZE + (1.0 - LEAST_SIZE) * size * size * size)
    shorter = longer / (1.0 + (MOST_RATIO - 1.0) * ratio)
    cosine, sine = cos(math.pi * turn), sin(math.pi * turn)
    sx, sy = step.spacing_mm
    reach = FARTHEST * longer * (1.0 + step.edge_fraction)
    top, left = max(0, row - math.ceil(reach / sy)), max(0, column - math.ceil(reach / sx))
    bottom = min(rows, row + math.ceil(reach / sy) + 1)
    right = min(columns, column + math.ceil(reach / sx) + 1)
    turned = np.array(
        [[cosine / longer, sine / longer], [-sine / shorter, cosine / shorter]], np.float32
    )
    centre = np.float32((column - left) * sx), np.float32((row - top) * sy)
    edge = np.float32(step.edge_fraction)
    wave = tuple(np.float32(MOST_LOBE * (2.0 * lobe - 1.0)) for lobe in lobes)
    for plane in picture:
        pictures.spot(
            plane[top:bottom, left:right],
            (np.float32(sx), np.float32(sy)),
            centre,
            turned,
            wave,
            edge,
            level,
        )


def brightest(picture: Float32, shares: list[float]) -> tuple[int, int]:
    """The row and column of the drawn place whose channels (c, y, x) add up to most."""
    _, rows, columns = picture.shape
    down = np.array([int(share * rows) for share in shares[1::2]])
    across = np.array([int(share * columns) for share in shares[0::2]])
    total = np.zeros(len(down))
    for plane in picture:
        total += plane[down, across]
    best = int(np.argmax(total))
    return int(down[best]), int(across[best])
