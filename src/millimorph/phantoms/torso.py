"""A CT-like torso in Hounsfield units, from the lung apices to the lower kidney poles.

The model's coordinates are LPS mm about the body's centre: x to the left, y to the back, z up. Its
sizes are those of a slender adult; densities are typical of a portal venous scan or of one without
contrast medium.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, Landmarks, ScalarImage
from millimorph.kernels.philox import stream_key, uniforms
from millimorph.phantoms.anatomy import Structure
from millimorph.phantoms.frame import CAVITY, paint_body, paint_bones
from millimorph.phantoms.shapes import (
    Canvas,
    Field,
    Point,
    Region,
    capsule,
    difference,
    ellipsoid,
    gaussian_noise,
    grown,
    intersection,
    tube,
    unbounded,
)

FloatArray = npt.NDArray[np.float64]

_FILLED_BOWEL = 0.7
_CARINA: Point = (1.0, 12.0, 78.0)
_KIDNEYS: dict[str, Point] = {"right": (-60.0, 40.0, -84.0), "left": (62.0, 38.0, -70.0)}


@dataclass(frozen=True)
class Densities:
    """What differs with contrast medium, in HU."""

    blood: float
    myocardium: float
    liver: float
    liver_vessels: float
    spleen: float
    cortex: float
    medulla: float


ENHANCED = Densities(150.0, 105.0, 105.0, 160.0, 120.0, 185.0, 130.0)
PLAIN = Densities(42.0, 46.0, 60.0, 38.0, 50.0, 34.0, 30.0)


def torso_case(
    case_id: str, grid: ImageGrid, centre_mm: Point, scale: Point, densities: Densities
) -> Case:
    """A torso on a grid: image "ct" in HU (int16), labels "organs", landmarks "points"."""
    canvas = Canvas.blank(grid, -1000.0, centre_mm, scale)
    paint_body(canvas)
    _paint_abdomen(canvas, case_id, densities)
    _paint_lungs(canvas, case_id)
    _paint_heart_and_vessels(canvas, densities)
    paint_bones(canvas)
    _paint_airways(canvas)
    values = canvas.values
    values += gaussian_noise(grid.shape, 9.0, case_id)
    hounsfield = np.rint(np.maximum(values, np.float32(-1024))).astype(np.int16)
    points = {
        "carina": _CARINA,
        "kidney_right": _KIDNEYS["right"],
        "kidney_left": _KIDNEYS["left"],
        "heart_centre": (20.0, -34.0, 26.0),
        "spleen_centre": (96.0, 28.0, -30.0),
    }
    places = np.array([canvas.world(point) for point in points.values()])
    return Case(
        id=case_id,
        images={"ct": ScalarImage(hounsfield, grid)},
        labels={"organs": LabelMap(canvas.labels, grid)},
        landmarks={"points": Landmarks(places, tuple(points))},
    )


def _diaphragm(x: Field, y: Field, z: Field) -> Field:
    """Height above the two domes, which slope down towards the wall and the back."""
    right = 24 - (
        (x + 66) * (x + 66) * np.float32(1 / 85.0) + (y + 6) * (y + 6) * np.float32(0.008)
    )
    left = 10 - ((x - 66) * (x - 66) * np.float32(1 / 85.0) + (y + 6) * (y + 6) * np.float32(0.008))
    found: Field = (np.maximum(np.maximum(right, left), np.float32(-62)) - z) * np.float32(0.75)
    return found


_CHEST = intersection(CAVITY, unbounded(_diaphragm))
_BELLY = grown(difference(CAVITY, unbounded(_diaphragm)), -2.0)
_HEART = ellipsoid((20.0, -34.0, 26.0), (47.0, 39.0, 54.0), (0.8, -0.6))
_DESCENDING_AORTA: tuple[Point, ...] = (
    (20.0, 24.0, 106.0),
    (23.0, 30.0, 80.0),
    (18.0, 20.0, 0.0),
    (8.0, 16.0, -60.0),
    (6.0, 14.0, -170.0),
)


def _paint_lungs(canvas: Canvas, case_id: str) -> None:
    spine = Region(
        (-40.0, 0.0, -400.0),
        (40.0, 120.0, 400.0),
        lambda x, y, z: np.sqrt(x * x + (y - 50) * (y - 50)) - 27 + 0 * z,
    )
    mediastinum = ellipsoid((0.0, -8.0, 85.0), (24.0, 58.0, 90.0))
    sides = ((-1.0, "right", Structure.LUNG_RIGHT), (1.0, "left", Structure.LUNG_LEFT))
    for side, name, label in sides:
        outline = ellipsoid((side * 72.0, 2.0, -14.0), (70.0, 94.0, 160.0))
        lung = grown(intersection(outline, _CHEST), -3.0)
        lung = difference(lung, _HEART, gap_mm=7.0)
        lung = difference(difference(lung, spine), mediastinum)
        canvas.paint(lung, _lung_density, label)
        inner = grown(lung, -3.0)
        for vessel in _lung_vessels(side, f"{case_id}/{name}"):
            canvas.paint(intersection(vessel, inner), 20.0)


def _lung_density(x: Field, y: Field, z: Field) -> Field:
    """HU of the lung of a patient on the back: denser where it hangs down."""
    return -868 + np.float32(0.55) * y + 0 * x - np.float32(0.12) * z


def _lung_vessels(side: float, name: str) -> list[Region]:
    """Branches from the hilum towards the pleura, each with three twigs."""
    draws = iter((2.0 * uniforms(stream_key("phantom", "vessels", name), 1000) - 1.0).tolist())
    vessels: list[Region] = []
    hilum = np.array([side * 34.0, 14.0, 50.0])
    targets = [
        (side * (62.0 + 34.0 * next(draws)), 4.0 + 66.0 * next(draws), 36.0 + 82.0 * next(draws))
        for _ in range(30)
    ]
    for target in targets:
        end = np.array(target)
        bend = hilum + 0.5 * (end - hilum) + 7.0 * np.array([next(draws) for _ in range(3)])
        vessels += [_rod(hilum, bend, 4.2, 2.8), _rod(bend, end, 2.8, 1.7)]
        for start in (bend, 0.5 * (bend + end), end):
            twig = start + 0.45 * (end - bend) + 17.0 * np.array([next(draws) for _ in range(3)])
            vessels.append(_rod(start, twig, 1.9, 0.9))
    return vessels


def _rod(start: FloatArray, end: FloatArray, start_radius: float, end_radius: float) -> Region:
    (a, b, c), (d, e, f) = start.tolist(), end.tolist()
    return capsule((a, b, c), (d, e, f), start_radius, end_radius)


def _paint_abdomen(canvas: Canvas, case_id: str, hu: Densities) -> None:
    _paint_bowel(canvas, case_id)
    _paint_stomach(canvas)
    spleen = intersection(ellipsoid((97.0, 28.0, -32.0), (26.0, 44.0, 46.0), (0.96, -0.28)), _BELLY)
    canvas.paint(spleen, hu.spleen, Structure.SPLEEN)
    _paint_liver(canvas, hu)
    pancreas = tube(
        [(-32.0, -12.0, -82.0), (-14.0, -16.0, -66.0), (28.0, -2.0, -58.0), (66.0, 20.0, -46.0)],
        [13.0, 10.0, 10.0, 8.0],
    )
    canvas.paint_all([intersection(part, _BELLY) for part in pancreas], hu.liver - 20.0)
    _paint_kidney(canvas, _KIDNEYS["right"], -1.0, Structure.KIDNEY_RIGHT, hu)
    _paint_kidney(canvas, _KIDNEYS["left"], 1.0, Structure.KIDNEY_LEFT, hu)


def _paint_stomach(canvas: Canvas) -> None:
    """A bag with a wall, fluid at the back and gas at the front, as in a patient on the back."""
    bend: tuple[Point, ...] = (
        (62.0, 4.0, -8.0), (64.0, -22.0, -34.0), (52.0, -44.0, -66.0), (22.0, -54.0, -86.0),
        (-14.0, -44.0, -80.0),
    )  # fmt: skip
    radii = [27.0, 34.0, 25.0, 18.0, 13.0]
    bag = [intersection(part, _BELLY) for part in tube(bend, radii)]
    canvas.paint_all(bag, 68.0, Structure.STOMACH)
    canvas.paint_all([grown(part, -4.0) for part in bag], 22.0)
    front = unbounded(lambda x, y, z: y + 46 + 0 * x + 0 * z)
    canvas.paint_all([intersection(grown(part, -4.0), front) for part in bag], -940.0)


def _paint_bowel(canvas: Canvas, name: str) -> None:
    draws = iter(uniforms(stream_key("phantom", "bowel", name), 400).tolist())
    for _ in range(44):
        x, y, z = next(draws), next(draws), next(draws)
        place = (-78.0 + 156.0 * x, -74.0 + 76.0 * y, -86.0 - 18.0 * (1.0 - x) - 60.0 * z)
        radius = 11.0 + 5.0 * next(draws)
        loop = ellipsoid(place, (radius * (1.0 + next(draws)), radius, radius))
        loop = intersection(loop, _BELLY)
        canvas.paint(loop, 60.0)
        canvas.paint(grown(loop, -3.0), 18.0 if next(draws) < _FILLED_BOWEL else -700.0)
    ascending = tube([(-100.0, 2.0, -170.0), (-104.0, 0.0, -105.0)], [20.0, 19.0])
    descending = tube([(104.0, 20.0, -170.0), (108.0, 24.0, -80.0)], [15.0, 15.0])
    for part in ascending + descending:
        canvas.paint(part, 55.0)
        canvas.paint(grown(part, -3.0), -60.0)
        top = unbounded(lambda x, y, z: y + 2 + 0 * x + 0 * z)
        canvas.paint(intersection(grown(part, -3.0), top), -850.0)


def _paint_liver(canvas: Canvas, hu: Densities) -> None:
    right = intersection(ellipsoid((-64.0, -6.0, -26.0), (82.0, 80.0, 78.0)), _BELLY)
    left = intersection(ellipsoid((-4.0, -46.0, -10.0), (74.0, 36.0, 34.0), (0.96, 0.28)), _BELLY)
    canvas.paint(right, hu.liver, Structure.LIVER)
    canvas.paint(left, hu.liver, Structure.LIVER)
    inside = grown(right, -6.0)
    porta: Point = (-26.0, -4.0, -40.0)
    for end in (
        (-84.0, -30.0, -20.0), (-96.0, 10.0, -46.0), (-70.0, 40.0, -16.0), (-80.0, -46.0, -52.0),
        (-70.0, 8.0, 2.0), (-110.0, -10.0, -14.0),
    ):  # fmt: skip
        canvas.paint(intersection(capsule(porta, end, 5.5, 2.0), inside), hu.liver_vessels)
    gallbladder = ellipsoid((-44.0, -62.0, -74.0), (15.0, 16.0, 25.0), (0.96, 0.28))
    canvas.paint(grown(gallbladder, 2.0), 40.0)
    canvas.paint(gallbladder, 8.0)


def _paint_kidney(
    canvas: Canvas, centre: Point, side: float, label: Structure, hu: Densities
) -> None:
    x, y, z = centre
    tilt = (0.96, -0.28 * side)
    fat = ellipsoid(centre, (37.0, 35.0, 62.0), tilt)
    canvas.paint(intersection(fat, _BELLY), -98.0)
    sinus = ellipsoid((x - side * 22.0, y - 4.0, z), (17.0, 11.0, 17.0), tilt)
    kidney = difference(ellipsoid(centre, (27.0, 25.0, 52.0), tilt), sinus)
    canvas.paint(kidney, hu.cortex, label)
    canvas.paint(grown(kidney, -8.0), hu.medulla)
    pelvis = ellipsoid((x - side * 9.0, y - 2.0, z), (11.0, 8.0, 26.0), tilt)
    canvas.paint(intersection(pelvis, grown(kidney, -4.0)), -55.0)


def _paint_heart_and_vessels(canvas: Canvas, hu: Densities) -> None:
    canvas.paint(intersection(grown(_HEART, 5.0), _CHEST), -85.0)
    canvas.paint(_HEART, hu.myocardium, Structure.HEART)
    chambers = (
        ellipsoid((37.0, -33.0, 18.0), (19.0, 19.0, 30.0), (0.8, -0.6)),
        ellipsoid((10.0, -55.0, 18.0), (17.0, 12.0, 30.0), (0.6, -0.8)),
        ellipsoid((-10.0, -28.0, 36.0), (15.0, 20.0, 20.0)),
        ellipsoid((12.0, -6.0, 48.0), (24.0, 11.0, 15.0)),
    )
    canvas.paint_all([intersection(chamber, grown(_HEART, -1.5)) for chamber in chambers], hu.blood)
    ascending: tuple[Point, ...] = (
        (6.0, -28.0, 56.0), (-8.0, -32.0, 84.0), (0.0, -20.0, 104.0), (14.0, 8.0, 110.0),
    )  # fmt: skip
    pulmonary = tube(
        [(14.0, -46.0, 58.0), (16.0, -26.0, 74.0), (6.0, -8.0, 66.0)], [13.0, 13.0, 12.0]
    )
    pulmonary += tube([(6.0, -8.0, 66.0), (-40.0, 8.0, 54.0)], [11.0, 8.0])
    pulmonary += tube([(16.0, -26.0, 74.0), (42.0, 6.0, 62.0)], [11.0, 8.0])
    canvas.paint_all(pulmonary, hu.blood)
    arch = tube(
        [*ascending, *_DESCENDING_AORTA], [15.0, 15.0, 14.0, 13.0, 12.0, 12.0, 11.0, 10.0, 9.0]
    )
    canvas.paint_all(arch, hu.blood, Structure.AORTA)
    upper_cava = tube(
        [(-16.0, -22.0, 44.0), (-27.0, -18.0, 80.0), (-30.0, -24.0, 170.0)], [10.0, 9.0, 8.0]
    )
    lower_cava = tube(
        [(-16.0, -8.0, 24.0), (-24.0, 4.0, -10.0), (-22.0, 14.0, -170.0)], [12.0, 12.0, 11.0]
    )
    canvas.paint_all(upper_cava + lower_cava, hu.blood - 15.0)


def _paint_airways(canvas: Canvas) -> None:
    trachea = tube([(0.0, 2.0, 170.0), _CARINA], [9.0, 8.5])
    right = tube([_CARINA, (-22.0, 15.0, 60.0), (-46.0, 18.0, 44.0)], [7.5, 6.5, 4.0])
    left = tube([_CARINA, (26.0, 18.0, 62.0), (48.0, 20.0, 46.0)], [7.0, 6.0, 4.0])
    tree = trachea + right + left
    canvas.paint_all([grown(part, 2.0) for part in tree], 20.0)
    canvas.paint_all(tree, -985.0)
