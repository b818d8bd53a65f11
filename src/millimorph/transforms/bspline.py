"""Cubic B-spline free-form deformation (Rueckert 1999) with ITK's BSplineTransform semantics.

Displacements are in mm along the world axes; the lattice of control points may be oblique. The
displacement is zero outside the valid region, lattice indices [1, size - 2] on every axis.
"""

from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
import numpy.typing as npt

from millimorph.errors import TransformError
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.kernels import smallmatrix
from millimorph.transforms.maps import PointMap
from millimorph.transforms.sampling import BLOCK_POINTS, checked_field, checked_points

TAPS = 4
_SAMPLES_PER_CELL = 4


@final
@dataclass(frozen=True, eq=False, repr=False)
class BSplineTransform(PointMap):
    """x -> x + u(x), u a uniform cubic B-spline over a lattice of control points.

    `grid` places the control points, at least 4 on each axis; `coefficients` is a read-only
    (d, z, y, x) array in mm, its first axis the world components x, y, z.
    """

    grid: ImageGrid
    coefficients: FloatArray

    def __post_init__(self) -> None:
        if min(self.grid.size) < TAPS:
            raise TransformError(
                f"a cubic B-spline needs at least {TAPS} control points on every axis, got "
                f"{self.grid.size}"
            )
        field = checked_field("coefficients", self.coefficients, self.grid)
        object.__setattr__(self, "coefficients", field)

    def __repr__(self) -> str:
        points = " x ".join(str(n) for n in self.grid.size)
        spacing = " x ".join(f"{s:.4g}" for s in self.grid.spacing_mm)
        bound = self.max_displacement_bound_mm()
        return (
            f"BSplineTransform {self.dimension}D, {points} control points every {spacing} mm, "
            f"displacement below {bound:.3g} mm"
        )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.grid.dimension

    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d)."""
        points = checked_points(points_mm, self.dimension)
        mapped = points.copy()
        for first in range(0, len(points), BLOCK_POINTS):
            block = slice(first, first + BLOCK_POINTS)
            inside, starts, fractions = self._cells(points[block])
            (displacements,) = self._contract(starts, [[spline_weights(t) for t in fractions]])
            mapped[block][inside] += displacements.T
        return mapped

    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Derivatives (n, d, d), analytic; the identity outside the valid region."""
        points = checked_points(points_mm, self.dimension)
        d = self.dimension
        by_index = np.zeros((len(points), d, d))
        for first in range(0, len(points), BLOCK_POINTS):
            block = slice(first, first + BLOCK_POINTS)
            inside, starts, fractions = self._cells(points[block])
            values = [spline_weights(t) for t in fractions]
            slopes = [spline_slopes(t) for t in fractions]
            along = [[slopes[k] if k == axis else values[k] for k in range(d)] for axis in range(d)]
            for axis, derivative in enumerate(self._contract(starts, along)):
                by_index[block][inside, :, axis] = derivative.T
        gradients = smallmatrix.matmul(by_index, self.grid.index_from_world[:d, :d])
        return gradients + np.eye(d)

    def own_domain(self) -> ImageGrid:
        """The valid region: one voxel for each cell of the lattice in it."""
        d = self.dimension
        origin = self.grid.points_mm([[1.5] * d])[0].tolist()
        cells = [n - TAPS + 1 for n in self.grid.size]
        return ImageGrid(cells, self.grid.spacing_mm, origin, self.grid.direction)

    def refined(self) -> "BSplineTransform":
        """The same map on a lattice of half the spacing (knot insertion), equal to rounding."""
        field = self.coefficients
        for array_axis in range(1, field.ndim):
            field = _subdivided(field, array_axis)
        origin = self.grid.points_mm([[0.5] * self.dimension])[0].tolist()
        spacing = [0.5 * s for s in self.grid.spacing_mm]
        lattice = ImageGrid(field.shape[:0:-1], spacing, origin, self.grid.direction)
        return BSplineTransform(lattice, field)

    def max_displacement_bound_mm(self) -> float:
        """A length that no displacement exceeds, from two rounds of knot insertion.

        A B-spline stays inside the convex hull of its control points, and refined ones lie near
        the curve: the bound is about 5 to 10 per cent above the largest displacement.
        """
        field = self.coefficients
        for _ in range(2):
            for array_axis in range(1, field.ndim):
                field = _subdivided(field, array_axis)
        squares = field[0] * field[0]
        for component in field[1:]:
            squares = squares + component * component
        return float(np.sqrt(np.max(squares)))

    def minimum_jacobian(self) -> float:
        """The least Jacobian determinant at 4 points per lattice cell and axis, ends included."""
        d = self.dimension
        world = self.grid.index_from_world[:d, :d]
        by_index = [
            _sampled(self.coefficients, tuple(axis == k for k in range(d))) for axis in range(d)
        ]
        rows = []
        for component in range(d):
            row = []
            for column in range(d):
                total = by_index[0][component] * world[0, column]
                for axis in range(1, d):
                    total = total + by_index[axis][component] * world[axis, column]
                row.append(total + 1.0 if component == column else total)
            rows.append(row)
        return float(np.min(_determinant(rows)))

    def _cells(
        self, points: FloatArray
    ) -> tuple[npt.NDArray[np.bool_], list[npt.NDArray[np.intp]], list[FloatArray]]:
        """Which points are in the valid region; their first control point and fraction per axis."""
        indices = self.grid.indices(points)
        last = np.array(self.grid.size) - 2
        inside = np.asarray(((indices >= 1.0) & (indices <= last)).all(axis=1))
        starts, fractions = [], []
        for axis, n in enumerate(self.grid.size):
            index = indices[inside, axis]
            start = np.minimum(np.floor(index).astype(np.intp) - 1, n - TAPS)
            starts.append(start)
            fractions.append(index - (start + 1))
        return inside, starts, fractions

    def _contract(
        self, starts: list[npt.NDArray[np.intp]], products: list[list[list[FloatArray]]]
    ) -> list[FloatArray]:
        """Sums (d, n) over the taps of weight times coefficient, x innermost.

        Each product has one list of tap weights per axis; a line of coefficients is fetched once
        for all of them, and contracted once for each different list along x.
        """
        flat = self.coefficients.reshape(self.dimension, -1)
        strides = [1]
        for n in self.grid.size[:-1]:
            strides.append(strides[-1] * n)
        base = starts[0].copy()
        for start, stride in zip(starts[1:], strides[1:], strict=True):
            base += start * stride
        totals = [np.zeros((self.dimension, len(base))) for _ in products]
        for taps in product(range(TAPS), repeat=self.dimension - 1):
            offset = sum(tap * stride for tap, stride in zip(taps, strides[:0:-1], strict=True))
            row = [flat.take(base + (offset + tap), axis=1, mode="clip") for tap in range(TAPS)]
            lines: dict[int, FloatArray] = {}
            for k, weights in enumerate(products):
                if id(weights[0]) not in lines:
                    lines[id(weights[0])] = _weighted(row, weights[0])
                outer = weights[-1][taps[0]]
                for axis, tap in zip(range(self.dimension - 2, 0, -1), taps[1:], strict=True):
                    outer = outer * weights[axis][tap]
                totals[k] += outer * lines[id(weights[0])]
        return totals


def _weighted(row: list[FloatArray], weights: list[FloatArray]) -> FloatArray:
    """The sum of four arrays (d, n) times four weights (n,), from the first on."""
    total = weights[0] * row[0]
    for weight, values in zip(weights[1:], row[1:], strict=True):
        total += weight * values
    return total


def spline_weights(fraction: FloatArray) -> list[FloatArray]:
    """The four cubic B-spline weights at fractions in [0, 1] between the second and third tap."""
    t = fraction
    s = 1.0 - t
    sixth = 1.0 / 6.0
    return [
        s * s * s * sixth,
        2.0 / 3.0 - t * t * (1.0 - 0.5 * t),
        2.0 / 3.0 - s * s * (1.0 - 0.5 * s),
        t * t * t * sixth,
    ]


def spline_slopes(fraction: FloatArray) -> list[FloatArray]:
    """Derivatives of the four weights by the fraction."""
    t = fraction
    s = 1.0 - t
    return [-0.5 * s * s, t * (1.5 * t - 2.0), s * (2.0 - 1.5 * s), 0.5 * t * t]


def _subdivided(field: FloatArray, axis: int) -> FloatArray:
    """Control points of the same spline at half the spacing along one array axis: n -> 2n - 3."""
    c = np.moveaxis(field, axis, 0)
    result = np.empty((2 * len(c) - 3, *c.shape[1:]))
    result[0::2] = 0.5 * (c[:-1] + c[1:])
    result[1::2] = 0.125 * ((c[:-2] + c[2:]) + 6.0 * c[1:-1])
    return np.moveaxis(result, 0, axis)


def _sampled(coefficients: FloatArray, slope_axes: tuple[bool, ...]) -> FloatArray:
    """The spline, or its derivative by the chosen lattice axes, at points of the valid region."""
    phases = np.arange(_SAMPLES_PER_CELL) / _SAMPLES_PER_CELL
    field = coefficients
    for axis, slope in enumerate(slope_axes):
        weights = spline_slopes if slope else spline_weights
        field = _sampled_axis(field, field.ndim - 1 - axis, weights(phases), weights(np.ones(1)))
    return field


def _sampled_axis(
    field: FloatArray, axis: int, weights: list[FloatArray], end_weights: list[FloatArray]
) -> FloatArray:
    """Samples along one array axis: the phases of every cell, then the end of the last cell."""
    c = np.moveaxis(field, axis, 0)
    cells = len(c) - TAPS + 1
    phases = len(weights[0])
    result = np.empty((cells * phases + 1, *c.shape[1:]))
    for phase in range(phases):
        total = weights[0][phase] * c[:cells]
        for tap in range(1, TAPS):
            total += weights[tap][phase] * c[tap : tap + cells]
        result[phase:-1:phases] = total
    end = end_weights[0][0] * c[cells - 1]
    for tap in range(1, TAPS):
        end = end + end_weights[tap][0] * c[cells - 1 + tap]
    result[-1] = end
    return np.moveaxis(result, 0, axis)


def _determinant(rows: list[list[FloatArray]]) -> FloatArray:
    """Determinants of matrices given as rows of component arrays, 2 x 2 or 3 x 3."""
    if len(rows) == len(("x", "y")):
        (a, b), (c, e) = rows
        return a * e - b * c
    first, second, third = rows
    total = first[0] * (second[1] * third[2] - second[2] * third[1])
    total = total - first[1] * (second[0] * third[2] - second[2] * third[0])
    return total + first[2] * (second[0] * third[1] - second[1] * third[0])
