"""Radial lens distortion (Brown 1971) about a centre, in 2D and 3D."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np
import numpy.typing as npt

from millimorph.errors import TransformError
from millimorph.geometry import FloatArray
from millimorph.transforms.inversion import lengths
from millimorph.transforms.maps import PointMap
from millimorph.transforms.sampling import checked_points

_DOUBLINGS = 200
_FAR = 1e60
_ITERATIONS = 200
_SETTLED = 4e-16


@final
@dataclass(frozen=True, repr=False)
class RadialDistortionTransform(PointMap):
    """p -> p + (p - c)(k1 r^2 + k2 r^4 + ...) with r = |p - c| / unit_mm.

    `coefficients` are k1, k2, ..., any number of them; `centre_mm` is c. The inverse is sought
    where the distorted radius still grows with the radius.
    """

    coefficients: tuple[float, ...]
    centre_mm: tuple[float, ...]
    unit_mm: float = 1.0

    def __post_init__(self) -> None:
        numbers = (*self.coefficients, *self.centre_mm, self.unit_mm)
        if not np.isfinite(np.array(numbers, dtype=np.float64)).all() or not self.unit_mm > 0.0:
            raise TransformError(
                "coefficients and centre_mm must be finite and unit_mm above zero, got "
                f"{self.coefficients}, {self.centre_mm} and {self.unit_mm}"
            )
        if len(self.centre_mm) not in (2, 3):
            raise TransformError(f"centre_mm needs 2 or 3 numbers, got {self.centre_mm}")
        object.__setattr__(self, "coefficients", tuple(float(k) for k in self.coefficients))
        object.__setattr__(self, "centre_mm", tuple(float(c) for c in self.centre_mm))
        object.__setattr__(self, "unit_mm", float(self.unit_mm))

    def __repr__(self) -> str:
        terms = ", ".join(f"{k:.4g}" for k in self.coefficients)
        centre = ", ".join(f"{c:.6g}" for c in self.centre_mm)
        return (
            f"RadialDistortionTransform {self.dimension}D, coefficients ({terms}) per "
            f"{self.unit_mm:.4g} mm about ({centre}) mm"
        )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return len(self.centre_mm)

    @cached_property
    def monotone_radius(self) -> float:
        """The radius, in units, up to which the distorted radius grows; infinite if always."""
        slopes = (1.0, *((2 * n + 1) * k for n, k in enumerate(self.coefficients, start=1)))
        squared = _first_positive_root(slopes)
        return float(np.sqrt(squared))

    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d)."""
        points = checked_points(points_mm, self.dimension)
        offsets, squares = self._radii(points)
        return points + offsets * self._growth(squares)[:, np.newaxis]

    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Derivatives (n, d, d), analytic."""
        offsets, squares = self._radii(checked_points(points_mm, self.dimension))
        slopes = tuple(n * k for n, k in enumerate(self.coefficients, start=1))
        slope = _polynomial(slopes, squares) * (2.0 / (self.unit_mm * self.unit_mm))
        outer = offsets[:, :, np.newaxis] * offsets[:, np.newaxis, :]
        along = slope[:, np.newaxis, np.newaxis] * outer
        across = (1.0 + self._growth(squares))[:, np.newaxis, np.newaxis] * np.eye(self.dimension)
        return across + along

    def nearest_inverse(
        self,
        targets: FloatArray,
        tolerance_mm: float,  # noqa: ARG002 - the radius is found to rounding
        start: FloatArray | None = None,  # noqa: ARG002 - the root is bracketed
    ) -> tuple[FloatArray, FloatArray]:
        """Along each target's radius; targets beyond the reach of the monotone part miss."""
        offsets, squares = self._radii(targets)
        wanted = np.sqrt(squares)
        found = self._radius_before(wanted)
        shares = np.divide(found, wanted, out=np.ones_like(found), where=wanted > 0.0)
        points = np.array(self.centre_mm) + offsets * shares[:, np.newaxis]
        return points, lengths(targets - self.map_points(points))

    def _radii(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Offsets from the centre in mm, and squared radii in units."""
        offsets = points - np.array(self.centre_mm)
        radii = lengths(offsets) / self.unit_mm
        return offsets, radii * radii

    def _growth(self, squares: FloatArray) -> FloatArray:
        return squares * _polynomial(self.coefficients, squares)

    def _radius_before(self, wanted: FloatArray) -> FloatArray:
        """Radii whose distorted radius is the wanted one, by Newton inside a shrinking bracket."""
        low = np.zeros_like(wanted)
        high = self._upper_radius(wanted)
        slopes = (1.0, *((2 * n + 1) * k for n, k in enumerate(self.coefficients, start=1)))
        radius = np.minimum(wanted, high)
        for _ in range(_ITERATIONS):
            squares = radius * radius
            excess = radius * (1.0 + self._growth(squares)) - wanted
            high = np.where(excess > 0.0, radius, high)
            low = np.where(excess < 0.0, radius, low)
            slope = _polynomial(slopes, squares)
            step = np.divide(excess, slope, out=np.full_like(excess, np.inf), where=slope > 0.0)
            following = radius - step
            inside = (following > low) & (following < high)
            following = np.where(inside, following, 0.5 * (low + high))
            following = np.where(excess == 0.0, radius, following)
            settled = np.abs(following - radius) <= _SETTLED * radius
            radius = following
            if settled.all():
                break
        return radius

    def _upper_radius(self, wanted: FloatArray) -> FloatArray:
        """Radii within the monotone part whose distorted radius is at least the wanted one."""
        limit = self.monotone_radius
        if np.isfinite(limit):
            return np.full_like(wanted, limit)
        high = wanted.copy()
        for _ in range(_DOUBLINGS):
            short = high * (1.0 + self._growth(high * high)) < wanted
            if not short.any():
                break
            high = np.where(short, 2.0 * high, high)
        return high


def _polynomial(coefficients: tuple[float, ...], x: FloatArray) -> FloatArray:
    """Horner's rule, coefficients from the constant term up; zero without any."""
    total = np.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def _value(coefficients: tuple[float, ...], x: float) -> float:
    total = 0.0
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def _first_positive_root(coefficients: tuple[float, ...]) -> float:
    """Where a polynomial that is positive at 0 first becomes zero for x > 0; infinity if never."""
    roots = _positive_roots(coefficients)
    return roots[0] if roots else float("inf")


def _positive_roots(coefficients: tuple[float, ...]) -> list[float]:
    """Positive roots where the sign changes, ascending: between those of the derivative."""
    terms = coefficients
    while terms and terms[-1] == 0.0:
        terms = terms[:-1]
    if len(terms) <= 1:
        return []
    derivative = tuple(n * a for n, a in enumerate(terms))[1:]
    bound = min(_FAR, 2.0 + 2.0 * max(abs(a / terms[-1]) for a in terms[:-1]))
    edges = [0.0, *_positive_roots(derivative), bound]
    roots = []
    for low, high in pairwise(edges):
        if _value(terms, low) * _value(terms, high) < 0.0:
            roots.append(_bisected(terms, low, high))
    return roots


def _bisected(coefficients: tuple[float, ...], low: float, high: float) -> float:
    sign = 1.0 if _value(coefficients, low) > 0.0 else -1.0
    middle = 0.5 * (low + high)
    while low < middle < high:
        if sign * _value(coefficients, middle) > 0.0:
            low = middle
        else:
            high = middle
        middle = 0.5 * (low + high)
    return low
