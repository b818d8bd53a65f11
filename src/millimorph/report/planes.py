"""Planes through an image: which slice is seen, which way up, and where its pixels lie in mm.

Radiological convention: the patient's right is on the picture's left, anterior is up in an axial
picture and left in a sagittal one, superior is up in the other two. An oblique grid is shown along
the axes that are nearest to the patient's, a 2D image with x to the right and y down.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from millimorph.errors import MillimorphError
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap
from millimorph.transforms import Transform

FloatArray = npt.NDArray[np.float64]

_WORLD_AXIS = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}
_POSITIVE = "LPS"
_LONGEST_SEARCHED_AXIS = 80


class View(Enum):
    """How a plane is seen: world axis to the right, world axis down and its sign, edge letters.

    The letters are those of the picture's left, right, top and bottom.
    """

    AXIAL = ("axial", 0, 1, 1, "RLAP")
    CORONAL = ("coronal", 0, 2, -1, "RLSI")
    SAGITTAL = ("sagittal", 1, 2, -1, "APSI")
    FLAT = ("", 0, 1, 1, "")

    @property
    def title(self) -> str:
        """The view's name; empty in 2D."""
        return self.value[0]

    @property
    def letters(self) -> str:
        """Patient directions at the left, right, top and bottom edge; empty in 2D."""
        return self.value[4]


def views(dimension: int) -> tuple[View, ...]:
    """The views of an image of a dimension."""
    return (View.FLAT,) if dimension == 2 else (View.AXIAL, View.CORONAL, View.SAGITTAL)


@dataclass(frozen=True)
class Plane:
    """One slice of a grid, seen in a view.

    `across`, `down` and `through` are grid axes (through is None in 2D); a flipped axis runs
    against the grid's own order.
    """

    grid: ImageGrid
    view: View
    across: int
    down: int
    through: int | None
    flip_across: bool
    flip_down: bool
    index: int

    @property
    def width_mm(self) -> float:
        """Physical width of the picture."""
        return self.grid.extent_mm[self.across]

    @property
    def height_mm(self) -> float:
        """Physical height of the picture."""
        return self.grid.extent_mm[self.down]

    def slice_of(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """The (rows, columns) picture of an array (z, y, x) or (y, x) on the grid."""
        last = self.grid.dimension - 1
        order = [last - self.down, last - self.across]
        if self.through is not None:
            order = [last - self.through, *order]
        turned = np.transpose(array, order)
        picture = turned[self.index] if self.through is not None else turned
        rows, columns = (slice(None, None, -1 if f else 1) for f in self._flips())
        return picture[rows, columns]

    def points_mm(self, columns: FloatArray, rows: FloatArray) -> FloatArray:
        """World points (n, d) of picture positions: fractions 0 to 1 of its width and height."""
        indices = np.full((columns.size, self.grid.dimension), float(self.index))
        for axis, part, flip in (
            (self.across, columns, self.flip_across),
            (self.down, rows, self.flip_down),
        ):
            along = 1.0 - part.ravel() if flip else part.ravel()
            indices[:, axis] = along * self.grid.size[axis] - 0.5
        return self.grid.points_mm(indices)

    def positions(self, points_mm: FloatArray) -> FloatArray:
        """Picture positions (n, 3) of world points: fractions of width and height, mm off plane."""
        indices = self.grid.indices(points_mm)
        found = np.zeros((len(indices), 3))
        for column, (axis, flip) in enumerate(
            ((self.across, self.flip_across), (self.down, self.flip_down))
        ):
            part = (indices[:, axis] + 0.5) / self.grid.size[axis]
            found[:, column] = 1.0 - part if flip else part
        if self.through is not None:
            found[:, 2] = (indices[:, self.through] - self.index) * self.thickness_mm
        return found

    @property
    def thickness_mm(self) -> float:
        """Distance of neighbouring slices; 0 in 2D."""
        return 0.0 if self.through is None else self.grid.spacing_mm[self.through]

    def _flips(self) -> tuple[bool, bool]:
        return self.flip_down, self.flip_across


def plane_through(grid: ImageGrid, view: View, point_mm: FloatArray) -> Plane:
    """The slice of a grid nearest to a point, or its outermost slice."""
    _, right, down, sign, _ = view.value
    letters = grid.orientation
    axis_of = {_WORLD_AXIS[letter]: axis for axis, letter in enumerate(letters)}
    across, below = axis_of[right], axis_of[down]
    rest = [axis for axis in range(grid.dimension) if axis not in {across, below}]
    through = rest[0] if rest else None
    index = 0
    if through is not None:
        place = grid.indices(point_mm[None, :])[0, through]
        index = int(min(max(np.rint(place), 0.0), grid.size[through] - 1.0))
    return Plane(
        grid,
        view,
        across,
        below,
        through,
        letters[across] not in _POSITIVE,
        (letters[below] in _POSITIVE) != (sign > 0),
        index,
    )


def focus_mm(grid: ImageGrid, labels: LabelMap | None) -> FloatArray:
    """The point whose slices show most: most labels along each axis, else the middle."""
    if labels is None:
        return np.array(grid.centre_mm)
    array = labels.array
    if array.ndim > labels.dimension:
        array = array.max(axis=0)
    steps = tuple(slice(None, None, -(-n // _LONGEST_SEARCHED_AXIS)) for n in array.shape)
    sparse = array[steps]
    values = [value for value in np.unique(sparse).tolist() if value != 0]
    middle = np.array([0.5 * (n - 1) for n in labels.grid.size])
    for axis in range(sparse.ndim):
        others = tuple(a for a in range(sparse.ndim) if a != axis)
        kinds = np.zeros(sparse.shape[axis])
        for value in values:
            kinds += (sparse == value).any(axis=others)
        best = np.flatnonzero(kinds == np.max(kinds)) * steps[axis].step
        column = labels.dimension - 1 - axis
        middle[column] = best[np.argmin(np.abs(best - middle[column]))]
    point: FloatArray = labels.grid.points_mm(middle[None, :])[0]
    return point


def moved(point_mm: FloatArray, source_from_target: Transform) -> FloatArray:
    """Where a point of the source went; the point itself where the map cannot be inverted."""
    try:
        found: FloatArray = source_from_target.inverse_points(point_mm[None, :])[0]
    except MillimorphError:
        return point_mm
    return found
