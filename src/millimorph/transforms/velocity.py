"""Stationary velocity fields and their exponentials by scaling and squaring (Arsigny 2006)."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import numpy.typing as npt

from millimorph.errors import TransformError
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.transforms import sampling
from millimorph.transforms.inversion import newton_inverse
from millimorph.transforms.maps import (
    ApproximateInverse,
    DisplacementFieldTransform,
    PointMap,
    measured_residual,
    sampled_inverse,
)

_FIRST_STEP = 0.0625
_MAX_STEPS = 30


@final
@dataclass(frozen=True, eq=False, repr=False)
class StationaryVelocityField(PointMap):
    """x -> the place where x is after flowing for unit time through a constant velocity field.

    `velocities_mm` is a read-only (d, z, y, x) array along the world axes, interpolated linearly
    and zero outside its grid. The flow is integrated on that grid: v / 2**steps composed with
    itself `steps` times. Left out, `steps` is the least with which the first displacement is at
    most a sixteenth of the smallest spacing.
    """

    grid: ImageGrid
    velocities_mm: FloatArray
    steps: int | None = None

    def __post_init__(self) -> None:
        field = sampling.checked_field("velocities_mm", self.velocities_mm, self.grid)
        object.__setattr__(self, "velocities_mm", field)
        if self.steps is not None and not 0 <= self.steps <= _MAX_STEPS:
            raise TransformError(f"steps must be from 0 to {_MAX_STEPS}, got {self.steps}")

    def __repr__(self) -> str:
        return (
            f"StationaryVelocityField {self.dimension}D, {self.squarings} squarings, on "
            f"{self.grid.describe()}"
        )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.grid.dimension

    @cached_property
    def squarings(self) -> int:
        """How many times the scaled field is composed with itself."""
        if self.steps is not None:
            return self.steps
        squares = self.velocities_mm[0] * self.velocities_mm[0]
        for component in self.velocities_mm[1:]:
            squares = squares + component * component
        longest = float(np.sqrt(np.max(squares)))
        count = 0
        while longest > _FIRST_STEP * min(self.grid.spacing_mm) and count < _MAX_STEPS:
            longest *= 0.5
            count += 1
        return count

    @cached_property
    def displacement_field(self) -> DisplacementFieldTransform:
        """The flow after unit time at the voxels of the grid."""
        field = self.velocities_mm / float(1 << self.squarings)
        for _ in range(self.squarings):
            field = _composed_with_itself(self.grid, field)
        return DisplacementFieldTransform(self.grid, field)

    def negated(self) -> "StationaryVelocityField":
        """The field of the opposite velocities, whose flow undoes this one's."""
        return StationaryVelocityField(self.grid, -self.velocities_mm, self.steps)

    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d)."""
        return self.displacement_field.map_points(points_mm)

    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Derivatives (n, d, d) of the integrated, linearly interpolated flow."""
        return self.displacement_field.jacobians(points_mm)

    def own_domain(self) -> ImageGrid:
        """The grid of the field."""
        return self.grid

    def nearest_inverse(
        self, targets: FloatArray, tolerance_mm: float, start: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Newton's method from where the opposite flow leads."""
        first = self._negated.map_points(targets) if start is None else start
        flow = self.displacement_field
        return newton_inverse(flow.map_points, flow.jacobians, targets, first, tolerance_mm)

    def approximate_inverse(
        self, tolerance_mm: float, domain: ImageGrid | None = None
    ) -> ApproximateInverse:
        """The negated field; a sampled inverse instead, if its residual is too large and more.

        The residual is measured at the voxels and cell middles of the domain (or the own grid).
        """
        if not tolerance_mm > 0.0:
            raise TransformError(f"tolerance_mm must be above zero, got {tolerance_mm}")
        region = self.grid if domain is None else domain
        residual = measured_residual(self, self._negated, region)
        negated = ApproximateInverse(self._negated, residual)
        if residual <= tolerance_mm:
            return negated
        sampled = sampled_inverse(self, region, tolerance_mm)
        return sampled if sampled.residual_mm < residual else negated

    @cached_property
    def _negated(self) -> "StationaryVelocityField":
        return self.negated()


def _composed_with_itself(grid: ImageGrid, field: FloatArray) -> FloatArray:
    """Displacements u(x) + u(x + u(x)) at the voxels."""
    flat = field.reshape(grid.dimension, -1)
    result = np.empty_like(flat)
    for block, points in sampling.point_blocks(grid):
        moved = points + flat[:, block].T
        result[:, block] = flat[:, block] + sampling.linear_values(grid, field, moved).T
    return result.reshape(field.shape)
