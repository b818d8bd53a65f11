"""Parallel rays through axial planes of a CT: paths through water, and what comes back."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import in_threads
from millimorph.kernels.elementary import cos, sin
from millimorph.program.ct import Planes

Float32 = npt.NDArray[np.float32]

WATER_PER_MM = 0.0192


@dataclass(frozen=True)
class Fan:
    """The rays through planes of one shape: directions evenly over half a turn, offsets in mm.

    `centre` is the middle of the planes as (row, column) of the lattice, `spacing` in mm;
    `step_mm` is from ray to ray, and from sample to sample along a ray.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float]
    centre: tuple[float, float]
    directions: int
    step_mm: float

    @property
    def rays(self) -> int:
        """As many as reach every pixel from every direction."""
        height, width = (
            max(n - middle, middle + 1.0) * s
            for n, middle, s in zip(self.shape, self.centre, self.spacing, strict=True)
        )
        return 2 * math.ceil(math.sqrt(height * height + width * width) / self.step_mm) + 3

    @property
    def cosines(self) -> tuple[tuple[float, float], ...]:
        """Cosine and sine of each direction of the rays' offsets, from columns towards rows."""
        return _cosines(self.directions)

    @property
    def offsets_mm(self) -> list[float]:
        """The signed distance of each ray from the middle."""
        half = 0.5 * (self.rays - 1)
        return [(ray - half) * self.step_mm for ray in range(self.rays)]


@dataclass(frozen=True, eq=False)
class Lattice:
    """Water equivalents of a channel on blocks of voxels (planes, rows, columns)."""

    values: Float32
    block: tuple[int, int, int]
    fan: Fan


def block_size(planes: Planes, least_mm: float) -> tuple[int, int, int]:
    """Voxels to a block (planes, rows, columns), so that its sides are about `least_mm`."""
    column_mm, row_mm = planes.in_plane_mm
    sides = (planes.spacing_mm[planes.axis], row_mm, column_mm)
    blocks = [max(1, math.floor(least_mm / side + 0.5)) for side in sides]
    return blocks[0], blocks[1], blocks[2]


def lattice(
    volume: Float32, planes: Planes, block: tuple[int, int, int], directions: int
) -> Lattice:
    """Water equivalents of planes (plane, row, column), 1 being water, by means over blocks."""
    from millimorph.kernels import ct

    shape = tuple(-(-n // b) for n, b in zip(volume.shape, block, strict=True))
    values = np.empty(shape, np.float32)
    ct.coarse_water(volume, block, values)
    column_mm, row_mm = planes.in_plane_mm
    _, rows, columns = volume.shape
    spacing = block[1] * row_mm, block[2] * column_mm
    centre = 0.5 * rows / block[1] - 0.5, 0.5 * columns / block[2] - 0.5
    fan = Fan((shape[1], shape[2]), spacing, centre, directions, min(spacing))
    return Lattice(values, block, fan)


def paths(plane: Float32, fan: Fan, wanted: npt.NDArray[np.bool_] | None = None) -> Float32:
    """Attenuation along the rays (directions, rays); `wanted` picks rays, the others are 0."""
    from millimorph.kernels import ct

    chosen = np.ones((fan.directions, fan.rays), np.bool_) if wanted is None else wanted
    padded = np.zeros((plane.shape[0] + 2, plane.shape[1] + 2), np.float32)
    padded[1:-1, 1:-1] = plane
    lines = np.empty((fan.directions, fan.rays), np.float32)
    ct.project(padded, _projecting(fan), chosen, lines)
    lines *= np.float32(WATER_PER_MM * fan.step_mm)
    return lines


def smeared_back(lines: Float32, fan: Fan) -> Float32:
    """The sum over directions of the lines at each pixel's offset (rows, columns)."""
    from millimorph.kernels import ct

    out = np.empty(fan.shape, np.float32)
    ct.back_project(lines, *_smearing(fan), out)
    return out


@lru_cache(maxsize=8)
def _cosines(directions: int) -> tuple[tuple[float, float], ...]:
    angles = [math.pi * direction / directions for direction in range(directions)]
    return tuple((cos(angle), sin(angle)) for angle in angles)


@lru_cache(maxsize=8)
def _projecting(fan: Fan) -> Float32:
    """For each direction the first sample, the way to the next ray and to the next sample."""
    half = 0.5 * (fan.rays - 1)
    row_mm, column_mm = fan.spacing
    steps = []
    for cosine, sine in fan.cosines:
        across = cosine * fan.step_mm / column_mm, sine * fan.step_mm / row_mm
        along = -sine * fan.step_mm / column_mm, cosine * fan.step_mm / row_mm
        start = (
            fan.centre[1] + 1.0 - half * (across[0] + along[0]),
            fan.centre[0] + 1.0 - half * (across[1] + along[1]),
        )
        steps.append((*start, *across, *along))
    return np.array(steps, np.float32)


@lru_cache(maxsize=8)
def _smearing(fan: Fan) -> tuple[Float32, Float32, Float32]:
    """For each direction the ray at pixel (0, 0), and what a column and a row add to it."""
    half = 0.5 * (fan.rays - 1)
    across = [cosine * fan.spacing[1] / fan.step_mm for cosine, _ in fan.cosines]
    down = [sine * fan.spacing[0] / fan.step_mm for _, sine in fan.cosines]
    first = [
        half - fan.centre[1] * a - fan.centre[0] * d for a, d in zip(across, down, strict=True)
    ]
    return np.array(first, np.float32), np.array(across, np.float32), np.array(down, np.float32)


def ramp_filtered(lines: Float32) -> Float32:
    """Lines filtered for backprojection, in units in which the ramp is 1/4 at its middle."""
    from millimorph.kernels import ct

    count = lines.shape[1]
    taps = np.array([0.0, *(1.0 / (math.pi * math.pi * n * n) for n in range(1, count))])
    out = np.empty_like(lines)
    for line, filtered in zip(lines, out, strict=True):
        ct.ramp_filtered(line, taps.astype(np.float32), filtered)
    return out


def field(found: Lattice, make: Callable[[Float32], Float32], threads: int) -> Float32:
    """What `make` finds for each plane of a lattice."""
    out = np.empty_like(found.values)

    def work(plane: int) -> None:
        out[plane] = make(found.values[plane])

    in_threads(threads, range(len(out)), work)
    return out
