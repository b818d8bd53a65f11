"""An X-ray-like chest: attenuation summed along parallel rays through simple solids.

The model's coordinates are mm about the picture's centre: x to the patient's left (the picture's
right), y downwards. Lengths of rays are chords, so edges fade as those of round bodies do.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, Landmarks, ScalarImage
from millimorph.kernels.philox import stream_key, uniforms
from millimorph.phantoms.anatomy import Structure
from millimorph.phantoms.shapes import Field, clamped, gaussian_noise

Point2: TypeAlias = tuple[float, float]

_LUNG_GAIN = 0.86
_BONE_GAIN = 2.1
_GREY_PER_MM = 15.5
_NOISE_SD = 16.0
_VESSEL_FREE_RIM = np.float32(-2.0)
_RIBS_WITH_FRONT = range(1, 7)
_HALF_VERTEBRA = np.float32(10.0)
_HEART: tuple[Point2, Point2] = ((24.0, 36.0), (66.0, 48.0))
_CARINA: Point2 = (2.0, -36.0)


def chest_case(case_id: str, grid: ImageGrid) -> Case:
    """A radiograph on a 2D grid: image "xray" (uint16), labels "lungs", landmarks "points"."""
    centre = grid.centre_mm
    columns = grid.origin_mm[0] + np.arange(grid.size[0]) * grid.spacing_mm[0] - centre[0]
    rows = grid.origin_mm[1] + np.arange(grid.size[1]) * grid.spacing_mm[1] - centre[1]
    x = columns.astype(np.float32)[None, :]
    y = rows.astype(np.float32)[:, None]
    right, left = _lung_distance(x, y, -1.0), _lung_distance(x, y, 1.0)
    path = _path_length(x, y, right, left, case_id)
    grey = path * np.float32(_GREY_PER_MM)
    grey = grey + gaussian_noise(grid.shape, _NOISE_SD, case_id)
    values = np.rint(clamped(grey, 4095))
    shadow = _heart_distance(x, y) < 0
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[(right < 0) & ~shadow] = Structure.LUNG_RIGHT
    labels[(left < 0) & ~shadow] = Structure.LUNG_LEFT
    labels[shadow] = Structure.HEART
    points: dict[str, Point2] = {
        "carina": _CARINA,
        "lung_apex_right": (-70.0, -117.0),
        "lung_apex_left": (70.0, -117.0),
        "costophrenic_right": (-129.0, 88.0),
        "costophrenic_left": (129.0, 92.0),
    }
    places = np.array([[centre[0] + px, centre[1] + py] for px, py in points.values()])
    return Case(
        id=case_id,
        images={"xray": ScalarImage(values.astype(np.uint16), grid)},
        labels={"lungs": LabelMap(labels, grid)},
        landmarks={"points": Landmarks(places, tuple(points))},
    )


def _path_length(x: Field, y: Field, right: Field, left: Field, name: str) -> Field:
    """Water-equivalent length of each ray in mm."""
    path = _trunk(x, y)
    lung = _lens(right, 58.0) + _lens(left, 58.0)
    path = path - np.float32(_LUNG_GAIN) * lung
    heart = _depth(_heart_distance(x, y), 46.0)
    path = path + heart * np.float32(0.5)
    path = path + np.float32(0.55) * _depth(_ellipse(x, y, (31.0, -52.0), (17.0, 18.0)), 15.0)
    path = path + np.float32(0.5) * _depth(_ellipse(x, y, (-22.0, -50.0), (14.0, 60.0)), 12.0)
    path = path - np.float32(1.1) * _rod(x, y, (0.0, -160.0), _CARINA, 9.0)
    path = path - np.float32(0.8) * _rod(x, y, _CARINA, (-34.0, -12.0), 6.5)
    path = path - np.float32(0.8) * _rod(x, y, _CARINA, (38.0, -10.0), 6.0)
    path = path - np.float32(0.8) * _depth(_ellipse(x, y, (78.0, 106.0), (30.0, 15.0)), 15.0)
    for side, field in ((-1.0, right), (1.0, left)):
        path = path + _vessels(x, y, side, name) * (field < _VESSEL_FREE_RIM)
    path = path + np.float32(_BONE_GAIN) * _bones(x, y)
    return np.maximum(path, np.float32(0))


def _ellipse(x: Field, y: Field, centre: Point2, radii: Point2) -> Field:
    """Distance from an ellipse, good near its edge."""
    u, v = (
        (x - np.float32(centre[0])) / np.float32(radii[0]),
        (y - np.float32(centre[1])) / np.float32(radii[1]),
    )
    length = np.sqrt(u * u + v * v)
    u, v = u / np.float32(radii[0]), v / np.float32(radii[1])
    found: Field = length * (length - 1) / np.maximum(np.sqrt(u * u + v * v), np.float32(1e-6))
    return found


def _depth(distance: Field, roundness_mm: float) -> Field:
    """Ray length through a body whose rim is round with a radius and whose middle is flat."""
    radius = np.float32(roundness_mm)
    inward = np.minimum(np.maximum(-distance, np.float32(0)), radius)
    return 2 * np.sqrt(inward * (2 * radius - inward))


def _lens(distance: Field, roundness_mm: float) -> Field:
    """Ray length through a body that tapers to a thin edge."""
    inward = clamped(-distance * np.float32(1.0 / roundness_mm), 1)
    found: Field = np.float32(2.0 * roundness_mm) * inward * (2 - inward)
    return found


def _rod(x: Field, y: Field, start: Point2, end: Point2, radius_mm: float) -> Field:
    """Ray length through a round rod."""
    ax, ay = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    dx, dy = x - np.float32(start[0]), y - np.float32(start[1])
    scale = np.float32(1) / (ax * ax + ay * ay)
    along = clamped((dx * ax + dy * ay) * scale, 1)
    dx, dy = dx - along * ax, dy - along * ay
    square: Field = dx * dx + dy * dy
    return _chord(square, radius_mm)


def _chord(distance_squared: Field, radius_mm: float) -> Field:
    square = np.float32(radius_mm * radius_mm)
    found: Field = 2 * np.sqrt(np.maximum(square - distance_squared, np.float32(0)))
    return found


def _trunk(x: Field, y: Field) -> Field:
    """Soft tissue: a trunk that widens to the shoulders and narrows to the neck."""
    away = np.abs(x)
    side = 157 - np.float32(0.06) * y + np.float32(1.3) * np.maximum(-52 - y, np.float32(0))
    shoulder = -146 + np.float32(0.24) * np.maximum(away - 48, np.float32(0)) - y
    outline = np.maximum(away - side, shoulder)
    belly = clamped((y - 20) * np.float32(0.01), 1)
    found: Field = _depth(outline, 78.0) * (1 + np.float32(0.12) * belly) * np.float32(1.12)
    return found


def _lung_distance(x: Field, y: Field, side: float) -> Field:
    """Distance from one lung: an egg above a dome, beside the mediastinum."""
    away = x * np.float32(side)
    widen = 1 + np.float32(0.0018) * np.minimum(y, np.float32(60))
    u, v = (away - 70) / (widen * 60), (y - 4) * np.float32(1 / 124.0)
    box = np.sqrt(np.sqrt(u * u * u * u + v * v * v * v))
    level = np.float32(0.7) * np.sqrt(u * u + v * v) + np.float32(0.3) * box
    egg = (level - 1) * np.float32(72.0)
    dome = (away - 62) * (away - 62) * np.float32(1 / 125.0) + (74.0 if side > 0 else 62.0)
    floor = (y - np.minimum(dome, np.float32(100))) * np.float32(0.8)
    middle = 17 + np.float32(0.06) * np.maximum(y + 40, np.float32(0)) - away
    found: Field = np.maximum(np.maximum(egg, floor), middle)
    return found


def _heart_distance(x: Field, y: Field) -> Field:
    """Distance from the heart's shadow: a tilted ellipse that leans on the left dome."""
    centre, radii = _HEART
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    turned_x = np.float32(0.88) * dx + np.float32(0.475) * dy
    turned_y = np.float32(0.88) * dy - np.float32(0.475) * dx
    return _ellipse(turned_x, turned_y, (0.0, 0.0), radii)


def _bones(x: Field, y: Field) -> Field:
    """Cortical ray length of ribs, clavicles, shoulder blades and spine."""
    away = np.abs(x)
    cage = (
        138
        + np.float32(0.02) * y
        - np.float32(0.0021) * np.minimum(y - 60, np.float32(0)) * (y - 60)
    )
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.float32)
    for rib in range(10):
        top = -128.0 + 23.5 * rib
        reach = (away - 18) * np.float32(1 / 112.0)
        behind = np.float32(top) + 34 * reach * reach - 16 * reach
        slope = (68 * reach - 16) * np.float32(1 / 112.0)
        total += _shell(y - behind, slope, 5.2) * _fade(away - 16) * _fade(cage - away)
        if rib in _RIBS_WITH_FRONT:
            front = np.float32(top + 24) + (cage - away) * np.float32(0.62)
            ends = _fade((away - 52) * np.float32(0.3)) * _fade(cage - away)
            total += _shell(y - front, np.full_like(away, 0.62), 5.6) * ends
    for side in (-1.0, 1.0):
        bend, end = (side * 74.0, -112.0), (side * 142.0, -108.0)
        total += _rod(x, y, (side * 13.0, -92.0), bend, 5.8) * np.float32(0.7)
        total += _rod(x, y, bend, end, 5.4) * np.float32(0.7)
        blade = _ellipse(x - np.float32(side * 0.2) * y, y, (side * 128.0, -66.0), (22.0, 50.0))
        total += _depth(blade, 2.2)
    return total + _spine(away, y)


def _fade(inward_mm: Field) -> Field:
    """From 0 at an end to 1 five millimetres inside it."""
    found: Field = clamped(inward_mm * np.float32(0.2), 1)
    return found


def _shell(offset: Field, slope: Field, radius_mm: float) -> Field:
    """Ray length through the cortex of a hollow rod that rises by `slope`; offset is vertical."""
    square = offset * offset / (1 + slope * slope)
    return _chord(square, radius_mm) - np.float32(0.72) * _chord(square, radius_mm - 1.1)


def _spine(away: Field, y: Field) -> Field:
    height = y - 25 * np.floor(y * np.float32(1 / 25.0) + np.float32(0.5))
    body = (np.abs(height) < _HALF_VERTEBRA) * np.float32(0.12) + np.float32(0.16)
    column = _chord(away * away + 0 * y, 18.0) * body
    pedicle = _chord((away - 12) * (away - 12) + height * height, 4.5) * np.float32(0.35)
    found: Field = column + pedicle
    return found


def _vessels(x: Field, y: Field, side: float, name: str) -> Field:
    """Ray length through vessels that branch from the hilum."""
    draws = iter(uniforms(stream_key("phantom", "xray", name, int(side)), 400).tolist())
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.float32)
    for _ in range(34):
        hilum = (side * (24.0 + 12.0 * next(draws)), -18.0 + 34.0 * next(draws))
        end = (side * (40.0 + 84.0 * next(draws)), -104.0 + 186.0 * next(draws))
        middle = _between(hilum, end, 0.45, draws)
        twig = _between(middle, end, 0.9, draws)
        for start, stop, radius in ((hilum, middle, 2.8), (middle, end, 1.6), (middle, twig, 1.2)):
            rows, columns = _span(y, start[1], stop[1]), _span(x, start[0], stop[0])
            part = total[rows, columns]
            ray = _rod(x[:, columns], y[rows], start, stop, radius)
            np.maximum(part, ray, out=part)
    return total


def _span(coordinates: Field, start: float, stop: float) -> slice:
    """The indices that a thin rod between two coordinates can touch."""
    ends = np.array([min(start, stop) - 4.0, max(start, stop) + 4.0], dtype=np.float32)
    first, last = np.searchsorted(coordinates.ravel(), ends).tolist()
    return slice(first, last)


def _between(start: Point2, end: Point2, part: float, draws: Iterator[float]) -> Point2:
    """A point near a part of the way."""
    x = start[0] + part * (end[0] - start[0]) + 16.0 * (next(draws) - 0.5)
    return x, start[1] + part * (end[1] - start[1]) + 16.0 * (next(draws) - 0.5)
