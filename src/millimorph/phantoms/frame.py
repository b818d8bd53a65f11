"""The frame of the CT-like torso: its outline in layers, the table, ribs and spine.

Coordinates are those of the torso's model: LPS mm about the body's centre.
"""

import numpy as np

from millimorph.phantoms.anatomy import Structure
from millimorph.phantoms.shapes import (
    Canvas,
    Field,
    Region,
    ellipsoid,
    grown,
    intersection,
    tube,
    unbounded,
)

_FAT_MM = 13.0
_RIB_PERIOD_MM = 27.0
_VERTEBRA_PERIOD_MM = 29.0
_SPINE_Y = 46.0


def _body_distance(x: Field, y: Field, z: Field) -> Field:
    """Distance from the skin: an outline between an ellipse and a rounded box, waisted in z."""
    t = z * np.float32(1.0 / 144.0)
    width = 152 + 7 * t - 9 * t * t
    depth = np.where(y > 0, 99 - 2 * t, 104 - 6 * t - 7 * t * t)
    u, v = x / width, y / depth
    u2, v2 = u * u, v * v
    round_ = np.sqrt(u2 + v2)
    box = np.sqrt(np.sqrt(u2 * u2 + v2 * v2))
    level = np.maximum((round_ + box) * np.float32(0.5), np.float32(0.01))
    found: Field = np.sqrt(x * x + y * y) * (1 - 1 / level)
    return found


def _muscle_mm(z: Field) -> Field:
    """Thickness of the trunk's wall, larger at the shoulder girdle."""
    return 15 + np.float32(0.13) * np.maximum(z - 45, np.float32(0))


BODY = unbounded(_body_distance)
CAVITY = unbounded(lambda x, y, z: _body_distance(x, y, z) + np.float32(_FAT_MM) + _muscle_mm(z))


def _table_distance(x: Field, y: Field, z: Field) -> Field:
    """Distance from the cradle under the back: a shell of a wide cylinder."""
    dy = y + np.float32(305.0)
    found: Field = np.abs(np.sqrt(x * x + dy * dy) - np.float32(420.0)) - np.float32(5.5) + 0 * z
    return found


def paint_body(canvas: Canvas) -> None:
    """Paint the table, skin, fat, the trunk's wall and the muscles beside the spine."""
    table = Region((-170.0, 60.0, -400.0), (170.0, 130.0, 400.0), _table_distance)
    canvas.paint(table, -620.0)
    canvas.paint(grown(table, -3.5), -900.0)
    canvas.paint(BODY, 20.0)
    canvas.paint(grown(BODY, -2.2), -102.0)
    canvas.paint(grown(BODY, -_FAT_MM), 52.0)
    canvas.paint(CAVITY, -96.0)
    for side in (-1.0, 1.0):
        canvas.paint(ellipsoid((side * 30.0, 75.0, 0.0), (27.0, 17.0, 900.0)), 54.0)
        psoas = tube(
            [(side * 22.0, 40.0, -40.0), (side * 40.0, 42.0, -100.0), (side * 48.0, 34.0, -170.0)],
            [5.0, 15.0, 19.0],
        )
        canvas.paint_all(psoas, 55.0)


def _repeated(z: Field, period_mm: float) -> Field:
    """Height above the nearest of planes one period apart."""
    period = np.float32(period_mm)
    found = z - period * np.floor(z * (1 / period) + np.float32(0.5))
    return np.asarray(found, z.dtype)


def _rib_distance(x: Field, y: Field, z: Field) -> Field:
    """Distance from rods that follow the wall and slope down to the front; negative inside."""
    across = (_body_distance(x, y, z) + np.float32(_FAT_MM + 7.0)) * np.float32(1 / 4.2)
    along = _repeated(z - np.float32(0.45) * y + np.float32(8.0), _RIB_PERIOD_MM) * np.float32(
        1 / 7.5
    )
    shape = (np.sqrt(across * across + along * along) - 1) * np.float32(5.0)
    arch = -y - 62 - np.float32(0.9) * (z + 20)
    lowest = np.float32(-58.0) - (z - np.float32(0.45) * y)
    found: Field = np.maximum(np.maximum(shape, lowest), arch * np.float32(0.6))
    return found


def _body_of_vertebra(x: Field, y: Field, z: Field) -> Field:
    """Distance from a column of waisted bodies with discs between them."""
    height = _repeated(z, _VERTEBRA_PERIOD_MM)
    waist = 1 - np.float32(0.1) * (1 - height * height * np.float32(1 / 150.0))
    u, v = x * np.float32(1 / 21.0), (y - np.float32(_SPINE_Y)) * np.float32(1 / 16.0)
    side = (np.sqrt(u * u + v * v) - waist) * np.float32(17.0)
    found: Field = np.maximum(side, np.abs(height) - np.float32(11.8))
    return found


def paint_bones(canvas: Canvas) -> None:
    """Paint ribs, sternum, shoulder blades and spine, vertebrae with their label."""
    ribs = intersection(unbounded(_rib_distance), unbounded(_outside_spine))
    canvas.paint(ribs, 620.0)
    canvas.paint(grown(ribs, -1.7), 260.0)
    cartilage = Region((-52.0, -110.0, -30.0), (52.0, -50.0, 120.0), _rib_distance)
    canvas.paint(cartilage, 130.0)
    sternum = ellipsoid((0.0, -86.0, 62.0), (19.0, 6.5, 74.0))
    canvas.paint(sternum, 420.0)
    canvas.paint(grown(sternum, -2.5), 170.0)
    for side in (-1.0, 1.0):
        blade = ellipsoid((side * 88.0, 66.0, 122.0), (30.0, 4.0, 52.0), (0.96, side * 0.28))
        canvas.paint(intersection(blade, grown(BODY, -_FAT_MM - 2.0)), 420.0)
    _paint_spine(canvas)


def _outside_spine(x: Field, y: Field, z: Field) -> Field:
    return 18 - np.sqrt(x * x + (y - 60) * (y - 60) * np.float32(0.25)) + 0 * z


def _paint_spine(canvas: Canvas) -> None:
    column = Region((-24.0, 28.0, -400.0), (24.0, 64.0, 400.0), _body_of_vertebra)
    disc = Region(
        (-20.0, 30.0, -400.0),
        (20.0, 62.0, 400.0),
        lambda x, y, z: np.sqrt(x * x * np.float32(0.6) + (y - 46) * (y - 46)) - 15 + 0 * z,
    )
    canvas.paint(disc, 85.0)
    label = Structure.VERTEBRAE
    arch = Region((-46.0, 56.0, -400.0), (46.0, 98.0, 400.0), _posterior_elements)
    canvas.paint(arch, 430.0, label)
    canvas.paint(grown(arch, -2.5), 240.0)
    canvas.paint(column, 470.0, label)
    canvas.paint(grown(column, -2.4), 215.0)
    canal = Region(
        (-12.0, 60.0, -400.0),
        (12.0, 80.0, 400.0),
        lambda x, y, z: np.sqrt(x * x + (y - 69) * (y - 69)) - 8 + 0 * z,
    )
    canvas.paint(canal, 18.0, 0)
    canvas.paint(grown(canal, -3.5), 38.0)


def _posterior_elements(x: Field, y: Field, z: Field) -> Field:
    """Distance from a ring around the canal, two side processes and one to the back."""
    height = _repeated(z + 4, _VERTEBRA_PERIOD_MM)
    ring = np.abs(np.sqrt(x * x + (y - 69) * (y - 69)) - 11) - 3
    ring = np.maximum(ring, np.abs(height) - 9)
    sideways = np.maximum(np.abs(x) - 36, np.float32(8) - np.abs(x))
    rod = np.sqrt((y - 69) * (y - 69) + height * height) - 4
    tilt = height + np.float32(0.5) * (y - 80)
    spinous = np.maximum(np.abs(x) - 3, np.abs(tilt) - 7)
    spinous = np.maximum(spinous, np.maximum(y - 94, 79 - y))
    found: Field = np.minimum(ring, np.minimum(np.maximum(sideways, rod), spinous))
    return found
