"""Landmarks and boxes: points of the patient in LPS millimetres, in (x, y[, z]) order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import ImageError


@dataclass(frozen=True, eq=False, repr=False)
class Landmarks:
    """Points of the patient, (n, d) in LPS mm, with optional unique names; n may be 0.

    Raises ImageError for another shape, for points that are not finite and for names that do not
    match the points one to one.
    """

    points_mm: NDArray[np.float64]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        points = _points(self.points_mm, "landmarks")
        object.__setattr__(self, "points_mm", points)
        object.__setattr__(self, "names", _point_names(self.names, len(points), "landmarks"))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return int(self.points_mm.shape[1])

    def __len__(self) -> int:
        return len(self.points_mm)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.points_mm, self.names)

    def __repr__(self) -> str:
        return f"Landmarks({len(self)} points, {self.dimension}D)"


@dataclass(frozen=True, eq=False, repr=False)
class Boxes:
    """Boxes along the LPS axes: lower and upper corners, (n, d) in mm, with optional unique names.

    Raises ImageError as Landmarks does, and for a box whose lower corner lies above its upper one.
    """

    lower_mm: NDArray[np.float64]
    upper_mm: NDArray[np.float64]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lower, upper = _points(self.lower_mm, "boxes"), _points(self.upper_mm, "boxes")
        if lower.shape != upper.shape:
            raise ImageError(
                f"boxes need as many lower as upper corners, got {lower.shape} and {upper.shape}"
            )
        bad = np.flatnonzero((lower > upper).any(axis=1))
        if len(bad):
            raise ImageError(
                f"box {bad[0]} has the lower corner {lower[bad[0]].tolist()} above its upper "
                f"corner {upper[bad[0]].tolist()}; give the smaller value of each axis first"
            )
        object.__setattr__(self, "lower_mm", lower)
        object.__setattr__(self, "upper_mm", upper)
        object.__setattr__(self, "names", _point_names(self.names, len(lower), "boxes"))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return int(self.lower_mm.shape[1])

    def __len__(self) -> int:
        return len(self.lower_mm)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.lower_mm, self.upper_mm, self.names)

    def __repr__(self) -> str:
        return f"Boxes({len(self)} boxes, {self.dimension}D)"


def _points(points: NDArray[Any], what: str) -> NDArray[np.float64]:
    array = np.array(points, dtype=np.float64, order="C")
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise ImageError(
            f"{what} are an array of shape (n, 2) or (n, 3) in mm, got shape {array.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise ImageError(f"{what}: point {bad[0]} is {array[bad[0]].tolist()}, which is not finite")
    array.flags.writeable = False
    return array


def _point_names(names: tuple[str, ...], count: int, what: str) -> tuple[str, ...]:
    given = tuple(names)
    if given and len(given) != count:
        raise ImageError(f"{what}: {count} points but {len(given)} names; give one each, or none")
    doubled = next((name for i, name in enumerate(given) if name in given[:i]), None)
    if doubled is not None:
        raise ImageError(f'{what}: the name "{doubled}" occurs twice; names must be unique')
    return given
