"""Grids, maps and voxels for the conformance tests, each map beside its SimpleITK twin."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it

import millimorph as mm


@dataclass(frozen=True)
class World:
    """A source grid and the target grid that is pulled from it."""

    source: mm.ImageGrid
    target: mm.ImageGrid


@dataclass(frozen=True)
class Map:
    """One map in millimorph, in SimpleITK (None where ITK has no such map), and as a function."""

    ours: object
    itk: sitk.Transform | None
    map_points: Callable[[np.ndarray], np.ndarray]


IMAGE_TYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")
LABEL_TYPES = ("uint8", "int16", "uint16", "uint32")


def turn(*angles_deg: float) -> np.ndarray:
    """Build a rotation: Rz of the angle in 2D, Rz Ry Rx of three angles in 3D."""
    cosines, sines = np.cos(np.deg2rad(angles_deg)), np.sin(np.deg2rad(angles_deg))
    if len(angles_deg) == 1:
        return np.array([[cosines[0], -sines[0]], [sines[0], cosines[0]]])
    (cx, cy, cz), (sx, sy, sz) = cosines, sines
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def world(size, spacing_mm, origin_mm, direction, target_size, zoom=0.93) -> World:
    """Put a target of slightly other spacing about the centre of a source, a little off it."""
    source = mm.ImageGrid(size, spacing_mm, origin_mm, direction)
    spacing = np.array(spacing_mm) * zoom
    half = 0.5 * (np.array(target_size) - 1) * spacing
    centre = np.array(source.centre_mm) + 0.11 * spacing
    return World(
        source, mm.ImageGrid(target_size, spacing, centre - np.array(direction) @ half, direction)
    )


OBLIQUE = turn(10.0, -15.0, 20.0)
LEFT_HANDED = OBLIQUE @ np.diag([-1.0, 1.0, 1.0])
PERMUTED = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

WORLDS = {
    "plain": world((23, 18, 15), (1.2, 0.9, 1.5), (3, -4, 5), np.eye(3), (21, 19, 17)),
    "anisotropic 1:16": world((23, 18, 7), (0.5, 0.5, 8), (3, -4, 5), np.eye(3), (25, 17, 7)),
    "oblique": world((23, 18, 15), (1.2, 0.9, 1.5), (3, -4, 5), OBLIQUE, (21, 19, 13)),
    "left-handed": world((17, 18, 15), (1.2, 0.9, 1.5), (-9, 70, 5), LEFT_HANDED, (19, 21, 13)),
    "permuted": world((17, 14, 19), (0.7, 1.1, 2.0), (30, -40, 5), PERMUTED, (15, 17, 19)),
    "far away": world((15, 18, 17), (1.2, 0.9, 1.5), (1e5, -1e5, 5e4), OBLIQUE, (17, 19, 13)),
    "one voxel thick": world((23, 18, 1), (1, 1, 3), (3, -4, 5), OBLIQUE, (21, 19, 3), 0.4),
    "sizes 1, 2, 3": world((1, 2, 3), (2, 1.5, 1), (3, -4, 5), np.eye(3), (5, 7, 9), 0.4),
    "sizes 2, 2, 2": world((2, 2, 2), (2, 1.5, 1), (3, -4, 5), LEFT_HANDED, (9, 7, 5), 0.4),
    "plane": world((31, 26), (0.8, 1.1), (3, -4), np.eye(2), (29, 33)),
    "turned plane": world((25, 31), (0.8, 1.1), (300, -40), turn(32) @ np.diag([1, -1]), (27, 29)),
    "line": world((1, 19), (2, 0.7), (3, -4), np.eye(2), (3, 23), 0.6),
}

MAPS = (
    "shift",
    "affine",
    "affine after aligned B-spline",
    "oblique B-spline",
    "displacement field",
    "radial",
    "velocity field",
    "composite",
)


@cache
def map_of(name: str, world_name: str) -> Map:
    """Build a map that suits a world: it moves points by about a voxel."""
    here = WORLDS[world_name]
    make = {
        "shift": _shift,
        "affine": affine,
        "affine after aligned B-spline": lambda w: _chain(affine(w), _b_spline(w, aligned=True)),
        "oblique B-spline": lambda w: _b_spline(w, aligned=False),
        "displacement field": _field,
        "radial": _radial,
        "velocity field": _velocity,
        "composite": lambda w: _chain(_field(w), affine(w), _b_spline(w, aligned=False)),
    }[name]
    return make(here)


def _itk(ours: object, transform: sitk.Transform) -> Map:
    def map_points(points_mm: np.ndarray) -> np.ndarray:
        return np.array([transform.TransformPoint(point) for point in points_mm.tolist()])

    return Map(ours, transform, map_points)


def _shift(here: World) -> Map:
    step = here.source.direction @ (0.37 * np.array(here.source.spacing_mm))
    return _itk(
        mm.AffineTransform.translation(step),
        sitk.TranslationTransform(here.source.dimension, step.tolist()),
    )


def affine(here: World) -> Map:
    """Turn, shear and scale about the source's centre, and move by part of a voxel."""
    d = here.source.dimension
    angles, shear = ((9.0,), np.eye(2)) if d == 2 else ((5.0, -4.0, 9.0), np.eye(3))
    shear[0, 1] = 0.08
    linear = turn(*angles) @ shear @ np.diag([1.07, 0.94, 1.1][:d])
    step = here.source.direction @ (0.4 * np.array(here.source.spacing_mm))
    itk = sitk.AffineTransform(d)
    itk.SetMatrix(linear.ravel().tolist())
    itk.SetTranslation(step.tolist())
    itk.SetCenter(here.source.centre_mm)
    return _itk(mm.AffineTransform.from_linear(linear, step, here.source.centre_mm), itk)


def _vectors(here: World, lattice: mm.ImageGrid, voxels: float, seed: int) -> np.ndarray:
    """Draw (d, z, y, x) vectors in mm, each up to `voxels` source voxels along each source axis."""
    d = lattice.dimension
    generator = np.random.default_rng(seed)
    steps = generator.uniform(-voxels, voxels, (*lattice.shape, d)) * here.source.spacing_mm
    return np.moveaxis(steps @ here.source.direction.T, -1, 0)


def _lattice(here: World, size: tuple[int, ...], cover: float, direction: np.ndarray):
    """Lay a lattice about the target whose inner nodes cover a part of the target's extent."""
    spacing = cover * np.array(here.target.extent_mm) / (np.array(size) - 3)
    half = 0.5 * (np.array(size) - 1) * spacing
    centre = np.array(here.target.centre_mm)
    return mm.ImageGrid(size, spacing, centre - direction @ half, direction)


def _vector_image(grid: mm.ImageGrid, vectors: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(np.moveaxis(vectors, 0, -1), isVector=True)
    return _placed(image, grid)


def _placed(image: sitk.Image, grid: mm.ImageGrid) -> sitk.Image:
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction.ravel().tolist())
    return image


def _b_spline(here: World, *, aligned: bool) -> Map:
    d = here.source.dimension
    off = turn(25.0) if d == 2 else turn(12.0, 25.0, -8.0)
    direction = here.target.direction if aligned else off @ here.target.direction
    lattice = _lattice(here, (7, 8, 6)[:d], 0.83 if aligned else 1.27, direction)
    coefficients = _vectors(here, lattice, 1.5, seed=1)
    images = [_placed(sitk.GetImageFromArray(c), lattice) for c in coefficients]
    return _itk(mm.BSplineTransform(lattice, coefficients), sitk.BSplineTransform(images, 3))


def _field(here: World) -> Map:
    d = here.source.dimension
    off = turn(5.0) if d == 2 else turn(3.0, -5.0, 4.0)
    grid = _lattice(here, (9, 10, 8)[:d], 0.71, off @ here.target.direction)
    vectors = _vectors(here, grid, 0.8, seed=2)
    return _itk(
        mm.DisplacementFieldTransform(grid, vectors),
        sitk.DisplacementFieldTransform(_vector_image(grid, vectors)),
    )


def _radial(here: World) -> Map:
    centre = np.array(here.source.centre_mm)
    radius = 0.5 * max(here.source.extent_mm)
    k1, k2 = 0.08 / radius**2, -0.03 / radius**4

    def map_points(points_mm: np.ndarray) -> np.ndarray:
        arms = points_mm - centre
        square = (arms**2).sum(axis=1, keepdims=True)
        return points_mm + arms * (k1 * square + k2 * square**2)

    return Map(mm.RadialDistortionTransform((k1, k2), centre), None, map_points)


def _velocity(here: World) -> Map:
    d = here.source.dimension
    grid = _lattice(here, (12, 11, 10)[:d], 1.3, here.target.direction)
    velocities = _vectors(here, grid, 0.4, seed=3)
    ours = mm.StationaryVelocityField(grid, velocities)
    field = ours.displacement_field
    itk = sitk.DisplacementFieldTransform(_vector_image(grid, np.array(field.displacements)))
    return _itk(ours, itk)


def _chain(*outermost_first: Map) -> Map:
    ours = reduce(lambda outer, inner: outer @ inner, [part.ours for part in outermost_first])
    return _itk(ours, sitk.CompositeTransform([part.itk for part in outermost_first]))


@cache
def image_array(world_name: str, dtype: str) -> np.ndarray:
    """Draw voxels that use a good part of a type's range, rough from voxel to voxel."""
    shape = WORLDS[world_name].source.shape
    generator = np.random.default_rng(len(world_name) * 100 + len(dtype))
    match dtype:
        case "uint8":
            return generator.integers(0, 256, shape).astype(dtype)
        case "int16":
            return generator.integers(-1024, 3072, shape).astype(dtype)
        case "uint16":
            return generator.integers(0, 65536, shape).astype(dtype)
        case "int32":
            return generator.integers(-2_000_000, 2_000_000, shape).astype(dtype)
        case _:
            return generator.normal(40.0, 25.0, shape).astype(dtype)


@cache
def label_array(world_name: str, dtype: str) -> np.ndarray:
    """Draw patches of a few labels, the largest that the type can hold among them."""
    shape = WORLDS[world_name].source.shape
    generator = np.random.default_rng(len(world_name))
    largest = np.iinfo(dtype).max
    values = np.array([0, 1, 2, 117, largest - 1, largest], dtype=dtype)
    coarse = generator.integers(0, len(values), tuple(-(-n // 2) for n in shape))
    fine = reduce(lambda a, axis: np.repeat(a, 2, axis), range(len(shape)), coarse)
    return values[fine[tuple(slice(n) for n in shape)]]
