"""An MR-like head, T1 weighted: scalp, skull, folded cortex, ventricles, eyes, bias and noise.

The model's coordinates are LPS mm about the brain's centre: x to the left, y to the back, z up.
"""

import numpy as np

from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, Landmarks, ScalarImage
from millimorph.phantoms.anatomy import Structure
from millimorph.phantoms.shapes import (
    Canvas,
    Field,
    Point,
    Region,
    capsule,
    clamped,
    difference,
    ellipsoid,
    gaussian_noise,
    grown,
    intersection,
    smooth_noise,
    tube,
    unbounded,
)

_AIR, _BONE, _FLUID, _MARROW = 12.0, 45.0, 120.0, 300.0
_GREY, _WHITE, _FAT, _MUSCLE, _SKIN = 500.0, 740.0, 930.0, 430.0, 560.0
_WIDEST_Z = np.float32(-8.0)
_GYRUS_MM = 14.0
_CORTEX_MM = 2.9
_EYES: dict[str, Point] = {"right": (-33.0, -74.0, -26.0), "left": (33.0, -74.0, -26.0)}


def head_case(case_id: str, grid: ImageGrid, centre_mm: Point) -> Case:
    """A head on a grid: image "t1" (float32), labels "brain", landmarks "points"."""
    canvas = Canvas.blank(grid, _AIR, centre_mm, (1.0, 1.0, 1.0))
    _paint_skin_and_skull(canvas)
    _paint_face(canvas)
    _paint_brain(canvas, smooth_noise(grid, _GYRUS_MM, case_id))
    _paint_deep_brain(canvas)
    image = ScalarImage(_measured(canvas, case_id), grid)
    points = {
        "eye_right": _EYES["right"],
        "eye_left": _EYES["left"],
        "anterior_commissure": (0.0, -16.0, -4.0),
        "posterior_commissure": (0.0, 10.0, -4.0),
    }
    places = np.array([canvas.world(point) for point in points.values()])
    return Case(
        id=case_id,
        images={"t1": image},
        labels={"brain": LabelMap(canvas.labels, grid)},
        landmarks={"points": Landmarks(places, tuple(points))},
    )


def _measured(canvas: Canvas, name: str) -> Field:
    """The painted signal with a coil's smooth bias and the magnitude of complex noise."""
    size = canvas.grid.size
    k, j, i = (
        np.linspace(-1.0, 1.0, n)
        .astype(np.float32)
        .reshape([-1 if a == b else 1 for b in range(3)])
        for a, n in enumerate(reversed(size))
    )
    bias = 1 + np.float32(0.10) * i - np.float32(0.12) * j + np.float32(0.08) * k
    bias = bias * (1 - np.float32(0.07) * (i * i + j * j + k * k))
    signal = canvas.values * bias + gaussian_noise(canvas.grid.shape, 13.0, f"{name}/real")
    imaginary = gaussian_noise(canvas.grid.shape, 13.0, f"{name}/imaginary")
    magnitude: Field = np.sqrt(signal * signal + imaginary * imaginary)
    return magnitude


def _cranium_distance(x: Field, y: Field, z: Field) -> Field:
    """Distance from the brain's envelope: wider at the back, flat below."""
    widen = 1 + np.float32(0.0011) * np.minimum(np.maximum(y, np.float32(-60)), np.float32(50))
    u = x / (widen * np.float32(66.0))
    v = (y - 4) * np.float32(1 / 83.0)
    w = np.where(z > _WIDEST_Z, (z + 8) * np.float32(1 / 74.0), (z + 8) * np.float32(1 / 50.0))
    level = np.maximum(np.sqrt(u * u + v * v + w * w), np.float32(0.02))
    radius = np.sqrt(x * x + (y - 4) * (y - 4) + (z + 8) * (z + 8))
    dome: Field = radius * (1 - 1 / level)
    found: Field = np.maximum(dome, (_floor_mm(x, y) - z) * np.float32(0.85))
    return found


def _floor_mm(x: Field, y: Field) -> Field:
    """Height of the skull base: high over the orbits, lower beside the midline and at the back."""
    back = clamped(y + 30, 54)
    beside = clamped(np.abs(x) - 16, 14)
    middle = clamped((y + 42) * np.float32(0.12), 1)
    found: Field = -20 - np.float32(0.68) * back - np.float32(1.3) * beside * middle
    return found


_CRANIUM = unbounded(_cranium_distance)
_NECK = Region(
    (-75.0, -40.0, -400.0),
    (75.0, 85.0, -20.0),
    lambda x, y, z: np.sqrt(x * x + (y - 22) * (y - 22)) - 58 + np.float32(0.06) * (z + 60),
)
_JAW = ellipsoid((0.0, -48.0, -66.0), (60.0, 56.0, 66.0))


def _paint_skin_and_skull(canvas: Canvas) -> None:
    outer = (grown(_CRANIUM, 15.5), _NECK, _JAW)
    canvas.paint(ellipsoid((0.0, -100.0, -48.0), (10.0, 17.0, 21.0)), _SKIN)
    for side in (-1.0, 1.0):
        canvas.paint(ellipsoid((side * 83.0, 16.0, -34.0), (5.0, 15.0, 28.0)), _SKIN)
    canvas.paint_all(outer, _SKIN)
    canvas.paint_all([grown(part, -2.5) for part in outer], _FAT)
    canvas.paint_all([grown(part, -7.5) for part in outer], _MUSCLE)
    canvas.paint(grown(_CRANIUM, 9.0), _BONE)
    canvas.paint(grown(_CRANIUM, 6.8), _MARROW)
    canvas.paint(grown(_CRANIUM, 3.6), _BONE)
    canvas.paint(grown(_CRANIUM, 1.6), _FLUID)


def _paint_face(canvas: Canvas) -> None:
    for side in (-1.0, 1.0):
        temporal = ellipsoid((side * 62.0, -36.0, -20.0), (16.0, 27.0, 36.0))
        canvas.paint(intersection(temporal, grown(_CRANIUM, 13.0)), _MUSCLE)
        canvas.paint(ellipsoid((side * 31.0, -26.0 - 30.0, -58.0), (14.0, 17.0, 17.0)), _AIR)
        canvas.paint(ellipsoid((side * 9.0, -62.0, -52.0), (6.0, 28.0, 20.0)), _AIR)
        canvas.paint(ellipsoid((side * 10.0, -84.0, 6.0), (9.0, 3.4, 10.0)), _AIR)
    canvas.paint(ellipsoid((0.0, -48.0, -36.0), (14.0, 14.0, 10.0)), _AIR)
    canvas.paint(ellipsoid((0.0, -50.0, -92.0), (28.0, 38.0, 22.0)), _MUSCLE)
    canvas.paint(capsule((0.0, -24.0, -66.0), (0.0, -14.0, -150.0), 9.0, 9.0), _AIR)
    canvas.paint(capsule((0.0, 4.0, -84.0), (0.0, 10.0, -170.0), 11.0, 11.0), _MARROW)
    for name, side, label in (
        ("right", -1.0, Structure.EYE_RIGHT),
        ("left", 1.0, Structure.EYE_LEFT),
    ):
        x, y, z = _EYES[name]
        canvas.paint(ellipsoid((x - side * 2.0, y + 15.0, z), (15.5, 22.0, 15.5)), _FAT)
        nerve = capsule((x, y, z), (side * 10.0, -36.0, -24.0), 2.6, 2.6)
        canvas.paint(nerve, _GREY)
        for shift in (-1.0, 1.0):
            muscle = capsule((x + shift * 13.0, y + 4.0, z), (side * 14.0, -42.0, z), 2.4, 1.8)
            canvas.paint(muscle, _MUSCLE)
        globe = ellipsoid((x, y, z), (12.3, 12.6, 12.3))
        canvas.paint(globe, _GREY, label)
        canvas.paint(grown(globe, -1.6), _FLUID)
        canvas.paint(ellipsoid((x, y - 8.5, z), (4.6, 2.4, 4.6)), _GREY)


def _paint_brain(canvas: Canvas, folds: Field) -> None:
    """Cortex and white matter: sulci lie where smooth noise changes its sign, near the surface."""
    x, y, z = canvas.coordinates()
    envelope = _cranium_distance(x, y, z)
    tentorium = np.minimum(np.float32(-0.35) * (y - 20) - 30 - z, (y - 6) * np.float32(0.8))
    beside_falx = np.maximum(np.abs(x) - np.float32(0.3), 12 - z)
    depth = np.minimum(-np.maximum(envelope, tentorium), beside_falx)
    sulcus = np.abs(folds) * np.float32(0.62 * _GYRUS_MM)
    sulcus = sulcus + np.maximum(depth - 15, np.float32(0)) * np.float32(0.8)
    inside = np.minimum(depth, sulcus - np.float32(0.7))
    canvas.paint_distance(-inside, _GREY, Structure.GREY_MATTER)
    canvas.paint_distance(np.float32(_CORTEX_MM) - inside, _WHITE, Structure.WHITE_MATTER)


def _paint_deep_brain(canvas: Canvas) -> None:
    stem = tube([(0.0, 2.0, -22.0), (0.0, 8.0, -42.0), (0.0, 18.0, -78.0), (0.0, 24.0, -170.0)],
                [14.0, 15.0, 9.0, 6.0])  # fmt: skip
    canvas.paint_all([grown(part, 3.5) for part in stem], _FLUID)
    for side in (-1.0, 1.0):
        petrous = capsule((side * 22.0, 10.0, -44.0), (side * 60.0, 24.0, -40.0), 6.0, 10.0)
        canvas.paint(intersection(petrous, _CRANIUM), _BONE, 0)
        lobe = intersection(ellipsoid((side * 24.0, 42.0, -50.0), (31.0, 27.0, 22.0)), _CRANIUM)
        canvas.paint(lobe, _folia, Structure.CEREBELLUM)
        canvas.paint(ellipsoid((side * 17.0, 36.0, -48.0), (15.0, 10.0, 6.0)), _WHITE)
    canvas.paint(ellipsoid((0.0, 42.0, -48.0), (7.0, 24.0, 20.0)), _folia, Structure.CEREBELLUM)
    canvas.paint_all(stem, 0.9 * _WHITE, Structure.BRAINSTEM)
    canvas.paint(ellipsoid((0.0, 24.0, -46.0), (7.0, 5.0, 9.0)), _FLUID, 0)
    callosum = difference(
        ellipsoid((0.0, -1.0, 14.0), (30.0, 38.0, 14.0)),
        ellipsoid((0.0, -1.0, 8.0), (40.0, 33.0, 12.0)),
    )
    canvas.paint(callosum, 1.08 * _WHITE, Structure.WHITE_MATTER)
    for side, label in ((-1.0, Structure.VENTRICLE_RIGHT), (1.0, Structure.VENTRICLE_LEFT)):
        canvas.paint(ellipsoid((side * 12.0, 8.0, 3.0), (9.0, 16.0, 9.0)), 0.8 * _WHITE, 12)
        canvas.paint(ellipsoid((side * 27.0, -6.0, 0.0), (8.0, 19.0, 11.0)), _GREY * 1.12, 11)
        canvas.paint(ellipsoid((side * 15.0, -20.0, 8.0), (6.0, 15.0, 9.0)), _GREY * 1.05, 11)
        horn = tube(
            [(side * 8.0, -32.0, 8.0), (side * 7.0, -8.0, 14.0), (side * 13.0, 20.0, 13.0),
             (side * 25.0, 34.0, 2.0), (side * 26.0, 52.0, 2.0)],
            [4.5, 5.0, 5.5, 6.5, 2.0],
        )  # fmt: skip
        canvas.paint_all(horn, _FLUID, label)
        lower = tube([(side * 26.0, 34.0, 0.0), (side * 33.0, 6.0, -24.0)], [5.5, 2.5])
        canvas.paint_all(lower, _FLUID, label)
    canvas.paint(ellipsoid((0.0, -2.0, -6.0), (2.2, 14.0, 9.0)), _FLUID, 0)


def _folia(x: Field, y: Field, z: Field) -> Field:
    """Cerebellar signal: leaves of white between sheets of grey, curved around its core."""
    dy, dz = y - 22, z + 48
    radius = np.sqrt(dy * dy + dz * dz + np.float32(0.5) * x * x) * np.float32(1 / 6.5)
    wave = np.abs(radius - np.floor(radius) - np.float32(0.5)) * 2
    found: Field = _GREY - 60 + wave * np.float32(200.0)
    return found
