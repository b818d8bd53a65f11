"""Affine maps of physical points, the only transforms with an exact inverse."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from millimorph.errors import TransformError
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.kernels import smallmatrix
from millimorph.transforms.inversion import lengths
from millimorph.transforms.maps import ApproximateInverse, PointMap
from millimorph.transforms.sampling import checked_points, frozen_array

if TYPE_CHECKING:
    from millimorph.transforms import Transform

_SINGULAR = 1e-12
_SHAPES = ((3, 3), (4, 4))


@final
@dataclass(frozen=True, eq=False, repr=False)
class AffineTransform(PointMap):
    """x -> A x + t, stored as a read-only homogeneous (d+1, d+1) matrix; equal when that is.

    Raises:
        TransformError: not (3, 3) or (4, 4), numbers that are not finite, or a last row other
            than 0, ..., 0, 1.
    """

    matrix: FloatArray

    def __post_init__(self) -> None:
        matrix = frozen_array(self.matrix)
        if matrix.shape not in _SHAPES:
            raise TransformError(
                "matrix must be homogeneous, of shape (3, 3) in 2D or (4, 4) in 3D, "
                f"got {matrix.shape}; AffineTransform.from_linear takes a (d, d) one"
            )
        if not np.isfinite(matrix).all():
            raise TransformError(f"matrix must be finite, got {matrix.tolist()}")
        last = (0.0,) * (len(matrix) - 1) + (1.0,)
        if tuple(matrix[-1].tolist()) != last:
            raise TransformError(
                f"the last row of matrix must be {last}, got {matrix[-1].tolist()}"
            )
        object.__setattr__(self, "matrix", matrix)

    @staticmethod
    def from_matrix(matrix: npt.ArrayLike) -> "AffineTransform":
        """The map with a homogeneous (d+1, d+1) matrix."""
        return AffineTransform(np.asarray(matrix, dtype=np.float64))

    @staticmethod
    def identity(dimension: int) -> "AffineTransform":
        """The map that leaves every point where it is."""
        return AffineTransform(np.eye(dimension + 1))

    @staticmethod
    def translation(offset_mm: Sequence[float]) -> "AffineTransform":
        """The map x -> x + offset."""
        return AffineTransform.from_linear(np.eye(len(offset_mm)), offset_mm)

    @staticmethod
    def from_linear(
        linear: npt.ArrayLike,
        translation_mm: Sequence[float] | None = None,
        centre_mm: Sequence[float] | None = None,
    ) -> "AffineTransform":
        """The map x -> A (x - c) + c + t for a (d, d) matrix A; c and t default to zero."""
        a = np.asarray(linear, dtype=np.float64)
        d = len(a) if a.ndim else 0
        c = np.zeros(d) if centre_mm is None else np.asarray(centre_mm, dtype=np.float64)
        t = np.zeros(d) if translation_mm is None else np.asarray(translation_mm, dtype=np.float64)
        if a.shape != (d, d) or c.shape != (d,) or t.shape != (d,):
            raise TransformError(
                "linear must be (d, d), translation_mm and centre_mm of d numbers, got shapes "
                f"{a.shape}, {t.shape} and {c.shape}"
            )
        matrix = np.eye(d + 1)
        matrix[:d, :d] = a
        matrix[:d, d] = (c - smallmatrix.matvec(a, c)) + t
        return AffineTransform(matrix)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AffineTransform):
            return NotImplemented
        return bool(np.array_equal(self.matrix, other.matrix))

    def __hash__(self) -> int:
        return hash(tuple(self.matrix.ravel().tolist()))

    def __repr__(self) -> str:
        determinant = float(smallmatrix.determinant(self.linear))
        return f"AffineTransform {self.dimension}D, determinant {determinant:.4g}"

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return len(self.matrix) - 1

    @property
    def linear(self) -> FloatArray:
        """The (d, d) matrix A; read-only."""
        return self.matrix[:-1, :-1]

    @property
    def translation_mm(self) -> FloatArray:
        """The image (d,) of the world's origin; read-only."""
        return self.matrix[:-1, -1]

    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d)."""
        return smallmatrix.apply_affine(self.matrix, checked_points(points_mm, self.dimension))

    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """The matrix A, once per point: (n, d, d)."""
        points = checked_points(points_mm, self.dimension)
        return np.tile(self.linear, (len(points), 1, 1))

    def inverse(self) -> "AffineTransform":
        """The map that undoes this one, exact to rounding.

        Raises:
            TransformError: the matrix is singular, or so nearly that no digit would be right.
        """
        if self._is_singular():
            raise TransformError(
                f"the affine matrix is singular and has no inverse: {self.linear.tolist()}"
            )
        d = self.dimension
        matrix = np.eye(d + 1)
        matrix[:d, :d] = smallmatrix.inverse(self.linear)
        matrix[:d, d] = -smallmatrix.matvec(matrix[:d, :d], self.translation_mm)
        return AffineTransform(matrix)

    def merged_with(self, inner: "Transform") -> "AffineTransform | None":
        """This map after another affine one, as one affine map; None for other kinds."""
        if not isinstance(inner, AffineTransform) or inner.dimension != self.dimension:
            return None
        return AffineTransform(smallmatrix.matmul(self.matrix, inner.matrix))

    def nearest_inverse(
        self,
        targets: FloatArray,
        tolerance_mm: float,  # noqa: ARG002 - exact whatever is asked
        start: FloatArray | None = None,  # noqa: ARG002 - none is needed
    ) -> tuple[FloatArray, FloatArray]:
        """The points that map to the targets, and by how much rounding makes them miss."""
        if self._is_singular():
            return targets, np.full(len(targets), np.inf)
        inverse = self.inverse()
        points = inverse.map_points(targets)
        rests = targets - self.map_points(points)
        points = points + smallmatrix.matvec(inverse.linear, rests)
        return points, lengths(targets - self.map_points(points))

    def approximate_inverse(
        self, tolerance_mm: float, domain: ImageGrid | None = None
    ) -> ApproximateInverse:
        """The exact inverse, with the rounding error seen at the corners of a domain."""
        super_domain = ImageGrid((1,) * self.dimension) if domain is None else domain
        if not tolerance_mm > 0.0:
            raise TransformError(f"tolerance_mm must be above zero, got {tolerance_mm}")
        inverse = self.inverse()
        corners = super_domain.corner_points_mm
        back = self.map_points(inverse.map_points(corners))
        return ApproximateInverse(inverse, float(np.max(lengths(back - corners))))

    def _is_singular(self) -> bool:
        columns = lengths(smallmatrix.transpose(self.linear))
        volume = 1.0
        for length in columns.tolist():
            volume *= length
        return not abs(float(smallmatrix.determinant(self.linear))) > _SINGULAR * volume
