"""Image grids: where voxels lie in LPS millimetres, without any voxel.

Sizes, spacings, origins, indices and points are in (x, y, z) order, array shapes in (z, y, x).
Voxel centres have integer indices; a grid covers half a voxel beyond its outer centres.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from millimorph.errors import GeometryError
from millimorph.kernels import smallmatrix

FloatArray: TypeAlias = npt.NDArray[np.float64]
Alignment: TypeAlias = Literal["image", "patient"]

DIRECTION_TOLERANCE = 1e-4
_CEIL_SLACK = 1e-6
_MIN_DIMENSION, _MAX_DIMENSION = 2, 3
_LETTERS = ("LR", "PA", "SI")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class ImageGrid:
    """Size, spacing, origin and direction of an image in 2D or 3D; equal when all of them are.

    `direction` is a read-only (d, d) array whose columns are the grid's axes; left-handed ones are
    legal. Spacing defaults to 1 mm, origin to 0, direction to the identity.

    Raises:
        GeometryError: dimension not 2 or 3, size below 1, spacing not positive and finite, origin
            not finite, direction off orthonormal by more than 1e-4, or lengths that disagree.
    """

    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    origin_mm: tuple[float, ...]
    direction: FloatArray

    def __init__(
        self,
        size: Sequence[int],
        spacing_mm: Sequence[float] | None = None,
        origin_mm: Sequence[float] | None = None,
        direction: npt.ArrayLike | None = None,
    ) -> None:
        checked = _checked_size(size)
        dimension = len(checked)
        spacing = _checked_numbers("spacing_mm", spacing_mm, (1.0,) * dimension)
        if min(spacing) <= 0.0:
            raise GeometryError(
                f"spacing_mm must be above zero on every axis, got {spacing}; correct the image's "
                "header, or give the true voxel size"
            )
        object.__setattr__(self, "size", checked)
        object.__setattr__(self, "spacing_mm", spacing)
        object.__setattr__(
            self, "origin_mm", _checked_numbers("origin_mm", origin_mm, (0.0,) * dimension)
        )
        object.__setattr__(self, "direction", _checked_direction(direction, dimension))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImageGrid):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[type["ImageGrid"], tuple[object, ...]]:
        return ImageGrid, (self.size, self.spacing_mm, self.origin_mm, self.direction)

    def __repr__(self) -> str:
        return (
            f"ImageGrid(size={self.size}, spacing_mm={self.spacing_mm}, "
            f"origin_mm={self.origin_mm}, direction={self.direction.tolist()})"
        )

    @cached_property
    def _key(self) -> tuple[object, ...]:
        flat = tuple(self.direction.ravel().tolist())
        return self.size, self.spacing_mm, self.origin_mm, flat

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return len(self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """The array shape (z, y, x) of one channel."""
        return self.size[::-1]

    @property
    def voxel_count(self) -> int:
        """Number of voxels."""
        return math.prod(self.size)

    @property
    def extent_mm(self) -> tuple[float, ...]:
        """Physical lengths along the grid's axes, outer half voxels included."""
        return tuple(n * s for n, s in zip(self.size, self.spacing_mm, strict=True))

    @cached_property
    def centre_mm(self) -> tuple[float, ...]:
        """World position of index (size - 1) / 2."""
        middle = np.array([[0.5 * (n - 1) for n in self.size]])
        return tuple(self.points_mm(middle)[0].tolist())

    @cached_property
    def world_from_index(self) -> FloatArray:
        """Homogeneous (d+1, d+1) matrix from continuous indices to points in mm; read-only."""
        d = self.dimension
        matrix = np.eye(d + 1)
        matrix[:d, :d] = self.direction * np.array(self.spacing_mm)
        matrix[:d, d] = self.origin_mm
        return _read_only(matrix)

    @cached_property
    def index_from_world(self) -> FloatArray:
        """Homogeneous (d+1, d+1) matrix from points in mm to continuous indices; read-only."""
        d = self.dimension
        matrix = np.eye(d + 1)
        matrix[:d, :d] = smallmatrix.inverse(self.world_from_index[:d, :d])
        matrix[:d, d] = -smallmatrix.matvec(matrix[:d, :d], np.array(self.origin_mm))
        return _read_only(matrix)

    @cached_property
    def corner_points_mm(self) -> FloatArray:
        """The (2**d, d) outer corners, at indices -0.5 and size - 0.5; x varies fastest."""
        ends = [(-0.5, n - 0.5) for n in reversed(self.size)]
        indices = np.array([corner[::-1] for corner in product(*ends)])
        return _read_only(self.points_mm(indices))

    @property
    def orientation(self) -> str:
        """Letters of the patient directions nearest to the axes: the identity is "LPS"."""
        remaining = np.abs(self.direction)
        letters = [""] * self.dimension
        for _ in range(self.dimension):
            row, column = divmod(int(np.argmax(remaining)), self.dimension)
            letters[column] = _LETTERS[row][int(self.direction[row, column] < 0.0)]
            remaining[row, :] = -1.0
            remaining[:, column] = -1.0
        return "".join(letters)

    def points_mm(self, indices: npt.ArrayLike) -> FloatArray:
        """World points (n, d) of continuous indices (n, d) in (x, y, z) order."""
        return smallmatrix.apply_affine(self.world_from_index, self._rows("indices", indices))

    def indices(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Continuous indices (n, d) in (x, y, z) order of world points (n, d)."""
        d = self.dimension
        offsets = self._rows("points_mm", points_mm) - np.array(self.origin_mm)
        return smallmatrix.matvec(self.index_from_world[:d, :d], offsets)

    def cropped(self, lower: Sequence[int], size: Sequence[int]) -> "ImageGrid":
        """The grid of `size` voxels from voxel `lower` on; it may reach outside this one."""
        first = tuple(operator.index(k) for k in lower)
        if len(first) != self.dimension or len(size) != self.dimension:
            raise GeometryError(
                f"lower and size need {self.dimension} numbers, got {first} and {tuple(size)}"
            )
        origin = self.points_mm(np.array([first], dtype=np.float64))[0]
        return ImageGrid(size, self.spacing_mm, origin.tolist(), self.direction)

    def describe(self) -> str:
        """One line for people: size, spacing, origin and orientation."""
        size = " x ".join(str(n) for n in self.size)
        spacing = " x ".join(f"{s:.4g}" for s in self.spacing_mm)
        origin = ", ".join(f"{o:.6g}" for o in self.origin_mm)
        oblique = "" if np.max(np.abs(self.direction), axis=0).min() > 1.0 - 1e-9 else ", oblique"
        return f"{size} voxels of {spacing} mm, origin ({origin}) mm, {self.orientation}{oblique}"

    def _rows(self, name: str, values: npt.ArrayLike) -> FloatArray:
        rows = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if rows.shape != (len(rows), self.dimension):
            raise GeometryError(
                f"{name} of a {self.dimension}D grid must have the shape (n, {self.dimension}), "
                f"got {rows.shape}"
            )
        return rows


def reference_grid(
    grids: Sequence[ImageGrid],
    size: Sequence[int] | None = None,
    spacing_mm: float | Sequence[float] | None = None,
    size_x: int | None = None,
    extent_mm: Sequence[float] | None = None,
    alignment: Alignment = "image",
) -> ImageGrid:
    """A grid over the largest physical extent of several grids, centred on the first one.

    Exactly one of `size` (voxels then fit the extent on each axis), `spacing_mm` and `size_x`
    (isotropic voxels, as many along x) is given. `alignment="image"` takes extents along each
    grid's own axes and the first grid's direction; "patient" takes extents of the boxes along the
    LPS axes and the identity. `extent_mm` replaces the extent that the grids have.

    Raises:
        GeometryError: no grids, mixed dimensions, or not exactly one of the three.
    """
    if not grids:
        raise GeometryError("a reference grid needs at least one grid, got none")
    first = grids[0]
    if any(grid.dimension != first.dimension for grid in grids):
        found = sorted({grid.dimension for grid in grids})
        raise GeometryError(f"grids of dimensions {found} cannot share a reference grid")
    if sum(choice is not None for choice in (size, spacing_mm, size_x)) != 1:
        raise GeometryError(
            "a reference grid needs exactly one of size, spacing_mm and size_x, got "
            f"size={size}, spacing_mm={spacing_mm}, size_x={size_x}"
        )
    if alignment not in ("image", "patient"):
        raise GeometryError(f'alignment must be "image" or "patient", got {alignment!r}')
    extent = _largest_extent(grids, alignment) if extent_mm is None else tuple(extent_mm)
    extent = _checked_numbers("extent_mm", extent, (1.0,) * first.dimension)
    if min(extent) <= 0.0:
        raise GeometryError(f"extent_mm must be above zero on every axis, got {extent}")
    voxels, spacing = _sampling(extent, size, spacing_mm, size_x)
    direction = first.direction if alignment == "image" else np.eye(first.dimension)
    return _centred_grid(voxels, spacing, first.centre_mm, direction)


def _largest_extent(grids: Sequence[ImageGrid], alignment: Alignment) -> tuple[float, ...]:
    extents = [
        grid.extent_mm
        if alignment == "image"
        else smallmatrix.matvec(np.abs(grid.direction), np.array(grid.extent_mm)).tolist()
        for grid in grids
    ]
    return tuple(max(lengths) for lengths in zip(*extents, strict=True))


def _sampling(
    extent: tuple[float, ...],
    size: Sequence[int] | None,
    spacing_mm: float | Sequence[float] | None,
    size_x: int | None,
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Voxel counts and spacing that cover an extent."""
    if size is not None:
        voxels = _checked_size(size)
        if len(voxels) != len(extent):
            raise GeometryError(
                f"the grids are {len(extent)}D and need {len(extent)} numbers in size, got {voxels}"
            )
        return voxels, tuple(e / n for e, n in zip(extent, voxels, strict=True))
    if size_x is not None:
        count = _checked_size((size_x, 1))[0]
        spacing: tuple[float, ...] = (extent[0] / count,) * len(extent)
    elif isinstance(spacing_mm, Sequence):
        spacing = tuple(spacing_mm)
    else:
        spacing = (spacing_mm,) * len(extent) if spacing_mm is not None else ()
    spacing = _checked_numbers("spacing_mm", spacing, (1.0,) * len(extent))
    if min(spacing) <= 0.0:
        raise GeometryError(f"spacing_mm must be above zero on every axis, got {spacing}")
    counts = tuple(
        max(1, math.ceil(e / s - _CEIL_SLACK)) for e, s in zip(extent, spacing, strict=True)
    )
    return counts, spacing


def _centred_grid(
    size: tuple[int, ...],
    spacing_mm: tuple[float, ...],
    centre_mm: tuple[float, ...],
    direction: FloatArray,
) -> ImageGrid:
    half = np.array([0.5 * (n - 1) * s for n, s in zip(size, spacing_mm, strict=True)])
    origin = np.array(centre_mm) - smallmatrix.matvec(direction, half)
    return ImageGrid(size, spacing_mm, origin.tolist(), direction)


def _read_only(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array


def _checked_size(size: Sequence[int]) -> tuple[int, ...]:
    try:
        checked = tuple(operator.index(n) for n in size)
    except TypeError:
        raise GeometryError(f"size must hold whole numbers of voxels, got {size!r}") from None
    if not _MIN_DIMENSION <= len(checked) <= _MAX_DIMENSION:
        raise GeometryError(f"a grid is 2D or 3D, got a size of {len(checked)} numbers: {checked}")
    if min(checked) < 1:
        raise GeometryError(f"size must be at least 1 on every axis, got {checked}")
    return checked


def _checked_numbers(
    name: str, values: Sequence[float] | None, default: tuple[float, ...]
) -> tuple[float, ...]:
    if values is None:
        return default
    try:
        numbers = tuple(float(v) for v in values)
    except (TypeError, ValueError):
        raise GeometryError(f"{name} must hold numbers, got {values!r}") from None
    if len(numbers) != len(default):
        raise GeometryError(f"{name} needs {len(default)} numbers (x, y, z order), got {numbers}")
    if not all(math.isfinite(v) for v in numbers):
        raise GeometryError(f"{name} must be finite, got {numbers}")
    return numbers


def _checked_direction(direction: npt.ArrayLike | None, dimension: int) -> FloatArray:
    if direction is None:
        return _read_only(np.eye(dimension))
    try:
        matrix = np.array(direction, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise GeometryError(f"direction must hold numbers, got {direction!r}") from None
    if matrix.shape != (dimension, dimension):
        raise GeometryError(
            f"direction must have the shape ({dimension}, {dimension}), got {matrix.shape}"
        )
    if not np.isfinite(matrix).all():
        raise GeometryError(f"direction must be finite, got {matrix.tolist()}")
    product_ = smallmatrix.matmul(smallmatrix.transpose(matrix), matrix)
    deviation = float(np.max(np.abs(product_ - np.eye(dimension))))
    if deviation > DIRECTION_TOLERANCE:
        raise GeometryError(
            f"direction is singular or sheared: its columns deviate by {deviation:.2g} from "
            f"orthonormal (at most {DIRECTION_TOLERANCE:g} is accepted), got {matrix.tolist()}; "
            "resample the image onto an orthogonal grid, or correct its header"
        )
    return _read_only(matrix)
