"""Parallel rays through axial planes of a CT, in float64.

A plane (rows, columns) is read in mm from its middle; the ray of direction (c, s) and offset u
passes u (c, s) and runs along (-s, c). Planes are read on blocks of voxels, 0 outside.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from millimorph.backends.reference.sampling import Floats
from millimorph.program.ct import Planes

WATER_PER_MM = 0.0192


@dataclass(frozen=True)
class View:
    """How a plane of blocks lies: block (planes, rows, columns), spacing and middle in blocks.

    `step` in mm lies between rays, and between samples of a ray.
    """

    block: tuple[int, int, int]
    spacing: tuple[float, float]
    middle: tuple[float, float]
    shape: tuple[int, int]
    directions: int
    step: float

    @property
    def offsets(self) -> Floats:
        """The rays' signed distances from the middle, enough for every corner."""
        farthest = [
            max(n - m, m + 1.0) * s
            for n, m, s in zip(self.shape, self.middle, self.spacing, strict=True)
        ]
        half = math.ceil(math.hypot(*farthest) / self.step) + 1
        return self.step * np.arange(-half, half + 1, dtype=np.float64)

    @property
    def angles(self) -> Floats:
        """Directions evenly over half a turn."""
        return math.pi * np.arange(self.directions) / self.directions


def view_of(
    shape: tuple[int, ...], planes: Planes, least_mm: float, directions: int, flat: bool = False
) -> View:
    """The view of planes (plane, row, column); `flat` keeps planes apart."""
    column_mm, row_mm = planes.in_plane_mm
    sides = (planes.spacing_mm[planes.axis], row_mm, column_mm)
    block = [max(1, math.floor(least_mm / side + 0.5)) for side in sides]
    if flat:
        block[0] = 1
    spacing = block[1] * row_mm, block[2] * column_mm
    return View(
        (block[0], block[1], block[2]),
        spacing,
        (0.5 * shape[1] / block[1] - 0.5, 0.5 * shape[2] / block[2] - 0.5),
        (-(-shape[1] // block[1]), -(-shape[2] // block[2])),
        directions,
        0.5 * min(spacing) if flat else min(spacing),
    )


def water(planes: Floats, view: View) -> Floats:
    """Means of 1 + HU / 1000, at least 0, over blocks; missing rows and columns are air."""
    density = np.maximum(1.0 + planes / 1000.0, 0.0)
    bp, br, bc = view.block
    rows, columns = (n * b for n, b in zip(view.shape, (br, bc), strict=True))
    padded = np.zeros((len(density), rows, columns))
    padded[:, : density.shape[1], : density.shape[2]] = density
    flat = padded.reshape(len(density), view.shape[0], br, view.shape[1], bc).mean(axis=(2, 4))
    return np.stack([flat[p : p + bp].mean(axis=0) for p in range(0, len(flat), bp)])


def paths(plane: Floats, view: View) -> Floats:
    """Attenuation along the rays (directions, rays)."""
    offsets = view.offsets
    u, t = offsets[:, None], offsets[None, :]
    lines = []
    for angle in view.angles:
        x, y = u * np.cos(angle) - t * np.sin(angle), u * np.sin(angle) + t * np.cos(angle)
        places = np.stack(
            [y / view.spacing[0] + view.middle[0], x / view.spacing[1] + view.middle[1]]
        )
        samples = ndimage.map_coordinates(plane, places, order=1, mode="grid-constant", cval=0.0)
        lines.append(samples.sum(axis=1))
    return WATER_PER_MM * view.step * np.array(lines)


def smeared_back(lines: Floats, view: View) -> Floats:
    """The sum over directions of the lines at each pixel's offset."""
    rows, columns = np.indices(view.shape)
    y, x = (rows - view.middle[0]) * view.spacing[0], (columns - view.middle[1]) * view.spacing[1]
    total = np.zeros(view.shape)
    for angle, line in zip(view.angles, lines, strict=True):
        total += np.interp(x * np.cos(angle) + y * np.sin(angle), view.offsets, line)
    return total


def ramp_filtered(lines: Floats) -> Floats:
    """Each line convolved with Ramachandran and Lakshminarayanan's ramp of unit spacing."""
    reach = np.arange(-lines.shape[1] + 1, lines.shape[1])
    odd = reach % 2 != 0
    taps = np.where(reach == 0, 0.25, 0.0)
    taps[odd] = -1.0 / (math.pi * reach[odd]) ** 2
    return np.stack([np.convolve(line, taps, mode="valid") for line in _padded(lines)])


def _padded(lines: Floats) -> Floats:
    extra = lines.shape[1] - 1
    return np.pad(lines, ((0, 0), (extra, extra)))


def spread(lattice: Floats, view: View, shape: tuple[int, ...]) -> Floats:
    """A lattice of blocks at the size of the planes, linear, held at its ends."""
    places = np.meshgrid(
        *((np.arange(n) + 0.5) / b - 0.5 for n, b in zip(shape, view.block, strict=True)),
        indexing="ij",
    )
    found: Floats = ndimage.map_coordinates(lattice, np.stack(places), order=1, mode="nearest")
    return found
