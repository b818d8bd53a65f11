"""Solid shapes as signed distances in patient millimetres, and the canvas they are painted on.

A distance is negative inside; it is good near the surface, which is all that a soft edge needs.
Only + - * / sqrt, minimum, maximum and floor are used on float32 arrays, each rounded once as
IEEE 754 says, so a phantom has the same bits on every machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from millimorph.geometry import ImageGrid
from millimorph.kernels.philox import blocks, stream_key, uniforms

Field: TypeAlias = npt.NDArray[np.float32]
Point: TypeAlias = tuple[float, float, float]
Block: TypeAlias = tuple[slice, slice, slice]
Distance: TypeAlias = Callable[[Field, Field, Field], Field]

_FAR_MM = 1e6
_BYTE_SUM_MEAN = 510.0
_BYTE_SUM_SD = 147.80


def clamped(field: Field, highest: float) -> Field:
    """The field held between 0 and a highest value."""
    found: Field = np.minimum(np.maximum(field, np.float32(0)), np.float32(highest))
    return found


@dataclass(frozen=True)
class Region:
    """A solid: a bounding box in mm and a signed distance as a function of x, y, z."""

    lower_mm: Point
    upper_mm: Point
    distance: Distance


def unbounded(distance: Distance) -> Region:
    """The region of a distance that has no bounding box of its own."""
    return Region((-_FAR_MM, -_FAR_MM, -_FAR_MM), (_FAR_MM, _FAR_MM, _FAR_MM), distance)


def ellipsoid(centre_mm: Point, radii_mm: Point, tilt: tuple[float, float] = (1.0, 0.0)) -> Region:
    """An ellipsoid; `tilt` is (cos, sin) of a turn about the y axis that sends z towards x."""
    cosine, sine = (np.float32(t) for t in tilt)
    cx, cy, cz = (np.float32(c) for c in centre_mm)
    rx, ry, rz = (np.float32(1.0 / r) for r in radii_mm)

    def distance(x: Field, y: Field, z: Field) -> Field:
        dx, dy, dz = x - cx, y - cy, z - cz
        u = (cosine * dx - sine * dz) * rx
        v = dy * ry
        w = (sine * dx + cosine * dz) * rz
        length = np.sqrt(u * u + v * v + w * w)
        u, v, w = u * rx, v * ry, w * rz
        slope = np.sqrt(u * u + v * v + w * w)
        found: Field = length * (length - 1) / np.maximum(slope, np.float32(1e-6))
        return found

    reach = max(radii_mm[0], radii_mm[2])
    sides = radii_mm if tilt[1] == 0.0 else (reach, radii_mm[1], reach)
    return _box(centre_mm, sides, distance)


def _box(centre_mm: Point, half_mm: Point, distance: Distance) -> Region:
    (x, y, z), (a, b, c) = centre_mm, half_mm
    return Region((x - a, y - b, z - c), (x + a, y + b, z + c), distance)


def capsule(start_mm: Point, end_mm: Point, start_radius_mm: float, end_radius_mm: float) -> Region:
    """A round rod whose radius changes evenly from one end to the other."""
    first = tuple(np.float32(c) for c in start_mm)
    axis = tuple(np.float32(e - s) for s, e in zip(start_mm, end_mm, strict=True))
    inverse = np.float32(1.0) / (axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2])
    radius, growth = np.float32(start_radius_mm), np.float32(end_radius_mm - start_radius_mm)

    def distance(x: Field, y: Field, z: Field) -> Field:
        dx, dy, dz = x - first[0], y - first[1], z - first[2]
        along = (dx * axis[0] + dy * axis[1] + dz * axis[2]) * inverse
        along = clamped(along, 1)
        dx, dy, dz = dx - along * axis[0], dy - along * axis[1], dz - along * axis[2]
        found: Field = np.sqrt(dx * dx + dy * dy + dz * dz) - (radius + along * growth)
        return found

    reach = max(start_radius_mm, end_radius_mm)
    pairs = list(zip(start_mm, end_mm, strict=True))
    lower = tuple(min(pair) - reach for pair in pairs)
    upper = tuple(max(pair) + reach for pair in pairs)
    return Region((lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2]), distance)


def tube(points_mm: Sequence[Point], radii_mm: Sequence[float]) -> list[Region]:
    """Capsules from point to point, to be painted one after the other."""
    ends = zip(points_mm[:-1], points_mm[1:], radii_mm[:-1], radii_mm[1:], strict=True)
    return [capsule(start, end, r0, r1) for start, end, r0, r1 in ends]


def intersection(first: Region, second: Region) -> Region:
    """What lies in both."""
    lower = [max(a, b) for a, b in zip(first.lower_mm, second.lower_mm, strict=True)]
    upper = [min(a, b) for a, b in zip(first.upper_mm, second.upper_mm, strict=True)]
    return Region(
        (lower[0], lower[1], lower[2]),
        (upper[0], upper[1], upper[2]),
        lambda x, y, z: np.maximum(first.distance(x, y, z), second.distance(x, y, z)),
    )


def difference(solid: Region, hole: Region, gap_mm: float = 0.0) -> Region:
    """What lies in the solid and farther than the gap from the hole."""
    gap = np.float32(gap_mm)
    return Region(
        solid.lower_mm,
        solid.upper_mm,
        lambda x, y, z: np.maximum(solid.distance(x, y, z), gap - hole.distance(x, y, z)),
    )


def grown(region: Region, margin_mm: float) -> Region:
    """The region with its surface moved outwards; inwards for a negative margin."""
    margin = np.float32(margin_mm)
    lower = [c - margin_mm for c in region.lower_mm]
    upper = [c + margin_mm for c in region.upper_mm]
    return Region(
        (lower[0], lower[1], lower[2]),
        (upper[0], upper[1], upper[2]),
        lambda x, y, z: region.distance(x, y, z) - margin,
    )


@dataclass(frozen=True)
class Canvas:
    """Arrays that shapes are painted on, with the grid and the anatomy's scale.

    A shape is given in the coordinates of a model; `scale` and `centre_mm` place the model in the
    world: world = centre + scale * model, axis by axis. Painting changes the two arrays.
    """

    grid: ImageGrid
    values: Field
    labels: npt.NDArray[np.uint8]
    centre_mm: Point
    scale: Point
    edge_mm: float

    @classmethod
    def blank(cls, grid: ImageGrid, value: float, centre_mm: Point, scale: Point) -> "Canvas":
        """A canvas of one value, with soft edges one mean voxel wide."""
        edge = (grid.spacing_mm[0] + grid.spacing_mm[1] + grid.spacing_mm[2]) / 3.0
        return cls(
            grid,
            np.full(grid.shape, value, dtype=np.float32),
            np.zeros(grid.shape, dtype=np.uint8),
            centre_mm,
            scale,
            edge,
        )

    def paint(self, region: Region, value: float | Distance, label: int | None = None) -> None:
        """Blend a value, or a function of the coordinates, into a region; set its label."""
        block = self._block(region)
        if block is None:
            return
        x, y, z = self._coordinates(block)
        colour = value(x, y, z) if callable(value) else np.float32(value)
        self._blend(block, region.distance(x, y, z), colour, label)

    def paint_distance(self, distance: Field, value: float, label: int) -> None:
        """Blend a value where a distance that is given for every voxel is negative."""
        whole = (slice(None), slice(None), slice(None))
        self._blend(whole, distance, np.float32(value), label)

    def coordinates(self) -> tuple[Field, Field, Field]:
        """Model coordinates of all voxels, broadcast only as far as the grid is oblique."""
        i, j, k = (slice(0, n) for n in self.grid.size)
        return self._coordinates((k, j, i))

    def paint_all(self, regions: Sequence[Region], value: float, label: int | None = None) -> None:
        """Paint several regions with one value."""
        for region in regions:
            self.paint(region, value, label)

    def world(self, point_mm: Point) -> Point:
        """Where a point of the model lies in the world."""
        x, y, z = (c + s * p for c, s, p in zip(self.centre_mm, self.scale, point_mm, strict=True))
        return x, y, z

    def _blend(
        self, block: Block, distance: Field, colour: Field | np.float32, label: int | None
    ) -> None:
        cover = np.float32(0.5) - distance * np.float32(1.0 / self.edge_mm)
        cover = clamped(cover, 1)
        painted = self.values[block]
        painted += cover * (colour - painted)
        if label is not None:
            self.labels[block][np.broadcast_to(distance < 0, painted.shape)] = label

    def _block(self, region: Region) -> Block | None:
        margin = self.edge_mm
        ends = list(zip(region.lower_mm, region.upper_mm, strict=True))
        corners = [
            self.world((x, y, z))
            for x in (ends[0][0] - margin, ends[0][1] + margin)
            for y in (ends[1][0] - margin, ends[1][1] + margin)
            for z in (ends[2][0] - margin, ends[2][1] + margin)
        ]
        indices = self.grid.indices(np.array(corners))
        lower = np.maximum(np.floor(indices.min(axis=0)), 0.0)
        upper = np.minimum(np.ceil(indices.max(axis=0)) + 1.0, np.array(self.grid.size))
        if (lower >= upper).any():
            return None
        i, j, k = (slice(int(a), int(b)) for a, b in zip(lower, upper, strict=True))
        return k, j, i

    def _coordinates(self, block: Block) -> tuple[Field, Field, Field]:
        k, j, i = (np.arange(s.start, s.stop, dtype=np.float64) for s in block)
        steps = (i[None, None, :], j[None, :, None], k[:, None, None])
        matrix = self.grid.world_from_index
        found: list[Field] = []
        for row in range(3):
            total = np.full((1, 1, 1), matrix[row, 3] - self.centre_mm[row])
            for column, step in enumerate(steps):
                if matrix[row, column] != 0.0:
                    total = total + matrix[row, column] * step
            found.append((total / self.scale[row]).astype(np.float32))
        return found[0], found[1], found[2]


def gaussian_noise(shape: tuple[int, ...], sd: float, name: str) -> Field:
    """Nearly normal noise that depends on the name only: the sum of four random bytes a voxel."""
    count = int(np.prod(shape))
    words = blocks(stream_key("phantom", name), -(-count // 4)).ravel()[:count]
    total = np.zeros(count, dtype=np.uint32)
    for shift in (0, 8, 16, 24):
        total += (words >> np.uint32(shift)) & np.uint32(0xFF)
    centred = (total.astype(np.float32) - np.float32(_BYTE_SUM_MEAN)) / np.float32(_BYTE_SUM_SD)
    return (centred * np.float32(sd)).reshape(shape)


def smooth_noise(grid: ImageGrid, wavelength_mm: float, name: str) -> Field:
    """Band-limited noise of about unit size along the grid's axes: a random lattice, smoothed.

    Lattice values a wavelength apart are joined along each axis by the cubic 3t^2 - 2t^3.
    """
    counts = [int(e / wavelength_mm) + 2 for e in grid.extent_mm]
    draws = uniforms(stream_key("phantom", name), counts[0] * counts[1] * counts[2])
    field = (2.0 * draws - 1.0).astype(np.float32).reshape(counts[2], counts[1], counts[0])
    for axis, (size, spacing) in enumerate(zip(grid.shape, reversed(grid.spacing_mm), strict=True)):
        place = np.arange(size) * (spacing / wavelength_mm)
        cell = np.floor(place)
        t = (place - cell).astype(np.float32)
        weight = t * t * (3 - 2 * t)
        shape = [1, 1, 1]
        shape[axis] = size
        lower = np.take(field, cell.astype(np.intp), axis=axis)
        upper = np.take(field, cell.astype(np.intp) + 1, axis=axis)
        field = lower + weight.reshape(shape) * (upper - lower)
    return field
