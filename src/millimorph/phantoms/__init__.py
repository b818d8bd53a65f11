"""Analytic phantoms: cases to try everything with, made of ellipsoids and rods, same bits anywhere.

Two CT-like torsos, an MR-like head on an oblique grid and an X-ray-like chest, with labels whose
values are shared (`PHANTOM_LABEL_NAMES`) and landmarks. Nothing is read and nothing is random but
noise that is keyed by the case's name.
"""

import numpy as np

from millimorph.geometry import ImageGrid
from millimorph.images import Case
from millimorph.kernels.elementary import cos, sin
from millimorph.phantoms.anatomy import PHANTOM_LABEL_NAMES, PHANTOM_LABEL_PAIRS, Structure
from millimorph.phantoms.chest import chest_case
from millimorph.phantoms.head import head_case
from millimorph.phantoms.torso import ENHANCED, PLAIN, torso_case

__all__ = [
    "PHANTOM_LABEL_NAMES",
    "PHANTOM_LABEL_PAIRS",
    "Structure",
    "chest",
    "head",
    "phantom_cases",
    "torso",
    "wide_torso",
]

_DEGREE = 0.017453292519943295


def phantom_cases() -> list[Case]:
    """All phantoms: torso_01, torso_02, head_01 (3D) and chest_01 (2D)."""
    return [torso(), wide_torso(), head(), chest()]


def torso() -> Case:
    """A CT-like torso after contrast medium: 160 x 128 x 96 voxels of 2.2 x 2.2 x 3 mm, int16 HU.

    Image "ct", labels "organs", landmarks "points".
    """
    grid = ImageGrid((160, 128, 96), (2.2, 2.2, 3.0), (-174.9, -139.7, -142.5))
    return torso_case("torso_01", grid, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), ENHANCED)


def wide_torso() -> Case:
    """A broader CT-like torso without contrast medium: 144 x 112 x 60 of 2.7 x 2.7 x 5 mm.

    Its axes run to the right, the front and the head (as many NIfTI files have them), far from the
    world's origin. Image "ct", labels "organs", landmarks "points".
    """
    centre = (-38.0, 212.5, -870.0)
    size, spacing = (144, 112, 60), (2.7, 2.7, 5.0)
    direction = np.diag([-1.0, -1.0, 1.0])
    grid = _centred(size, spacing, centre, direction)
    return torso_case("torso_02", grid, centre, (1.14, 1.10, 1.04), PLAIN)


def head() -> Case:
    """An MR-like head, T1 weighted, float32: 150 x 184 x 64 voxels of 1.3 x 1.3 x 2.8 mm.

    The slices are turned by 19 degrees about the left-right axis, as parallel to the skull base.
    Image "t1", labels "brain", landmarks "points".
    """
    c, s = cos(19.0 * _DEGREE), sin(19.0 * _DEGREE)
    direction = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    brain = (2.0, 15.0, 30.0)
    middle = (brain[0], brain[1] - 11.0, brain[2] - 9.0)
    grid = _centred((150, 184, 64), (1.3, 1.3, 2.8), middle, direction)
    return head_case("head_01", grid, brain)


def chest() -> Case:
    """An X-ray-like chest, 2D, uint16 of 12 bits: 512 x 420 pixels of 0.7 mm.

    Image "xray", labels "lungs", landmarks "points".
    """
    return chest_case("chest_01", ImageGrid((512, 420), (0.7, 0.7)))


def _centred(
    size: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    centre_mm: tuple[float, float, float],
    direction: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> ImageGrid:
    """The grid whose middle lies at a point."""
    placed = ImageGrid(size, spacing_mm, None, direction)
    origin = tuple(c - m for c, m in zip(centre_mm, placed.centre_mm, strict=True))
    return ImageGrid(size, spacing_mm, origin, direction)
