"""Ops that deform: free form, diffeomorphic, radial, or by a given transform."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy.typing as npt
from pydantic import ConfigDict, Field, StringConstraints, model_validator

from millimorph.distributions import Parameter, Uniform
from millimorph.errors import PipelineError
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.ops.base import (
    Centre,
    Op,
    PerAxisParameter,
    PerAxisWhole,
    check_one_of,
    not_both,
    prefer,
)
from millimorph.parameters import Listed, PerAxis, Range, Whole
from millimorph.transforms import ApproximateInverse, RadialDistortionTransform
from millimorph.values import mistake

Spacing = Annotated[
    PerAxisParameter | None,
    PerAxis(Range(low=0.0, above_low=True, unit="mm"), together=True, optional=True),
]
ControlPoints = Annotated[
    PerAxisWhole | None,
    PerAxis(Whole(low=4), together=True, optional=True),
]
Magnitude = Annotated[Parameter, Range(low=0.0, unit="mm")]
Shrink = Annotated[float, Range(low=0.0, high=1.0, above_low=True, constant=True)]


class Elastic(Op):
    """A free-form deformation by cubic B-splines with random control points (Rueckert 1999).

    `control_spacing_mm`: above 0, one for all axes or one for each; or instead `control_points`,
    their number along each axis, at least 4. `magnitude_mm`: no displacement is longer; the longest
    is 5 to 10 % shorter. `lock_border`: the border of the reference grid stays where it is; without
    it the longest displacement may lie beyond the border. `allow_folding`: by default a field that
    would fold is shrunk, and `fold_shrink` (1: not at all) records the factor in the recipe that a
    program holds.
    """

    model_config = not_both("control_spacing_mm", "control_points")

    op: Literal["elastic"] = "elastic"
    control_spacing_mm: Spacing = 40.0
    control_points: ControlPoints = None
    magnitude_mm: Magnitude = Uniform(2.0, 6.0)
    lock_border: Annotated[bool, Field(strict=True)] = True
    allow_folding: Annotated[bool, Field(strict=True)] = False
    fold_shrink: Shrink = 1.0

    @model_validator(mode="before")
    @classmethod
    def _points_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="control_points", instead_of="control_spacing_mm")

    @model_validator(mode="after")
    def _one_lattice(self) -> Self:
        check_one_of(self, "control_spacing_mm", "control_points")
        return self


class Diffeomorphic(Op):
    """An invertible deformation: the flow of a random stationary velocity field (Arsigny 2006).

    `control_spacing_mm` or `control_points`, `lock_border` and `fold_shrink` as in Elastic.
    `magnitude_mm`: the largest length of the displacement.
    """

    model_config = not_both("control_spacing_mm", "control_points")

    op: Literal["diffeomorphic"] = "diffeomorphic"
    control_spacing_mm: Spacing = 40.0
    control_points: ControlPoints = None
    magnitude_mm: Magnitude = Uniform(2.0, 8.0)
    lock_border: Annotated[bool, Field(strict=True)] = True
    fold_shrink: Shrink = 1.0

    @model_validator(mode="before")
    @classmethod
    def _points_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="control_points", instead_of="control_spacing_mm")

    @model_validator(mode="after")
    def _one_lattice(self) -> Self:
        check_one_of(self, "control_spacing_mm", "control_points")
        return self


class RadialDistortion(Op):
    """Lens distortion (Brown 1971): the pull-back p -> p + (p - c)(k1 r^2 + k2 r^4 + ...).

    `coefficients`: k1, k2, ..., any number of them. `unit`: r = |p - c| in mm, or in half diagonals
    of the reference grid; "mm" once coefficients are given. `centre_mm`: c; left out, the centre of
    the reference grid.

    Bare, k1 varies by ±0.1 in half diagonals. With plain numbers and a centre, in mm, the op is
    also a map of points.
    """

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"unit": ["coefficients"]}})
    ALWAYS_SPELLED: ClassVar[tuple[str, ...]] = ("op", "coefficients", "unit")

    op: Literal["radial_distortion"] = "radial_distortion"
    coefficients: Annotated[tuple[Parameter, ...], Listed(Range(), prefix="k", first=1)] = (
        Uniform(-0.1, 0.1),
    )
    centre_mm: Centre = None
    unit: Literal["mm", "half_diagonal"] = "half_diagonal"

    @model_validator(mode="before")
    @classmethod
    def _in_mm_when_given(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        if "unit" in given and "coefficients" not in given:
            raise mistake("with unit, coefficients must be given too", "unit")
        return {"unit": "mm", **given} if "coefficients" in given else given

    def map(self, dimension: int) -> RadialDistortionTransform:
        """The op as a transform of points; PipelineError unless it has numbers and a centre."""
        numbers = tuple(k for k in self.coefficients if isinstance(k, float))
        if self.centre_mm is None or self.unit != "mm" or len(numbers) < len(self.coefficients):
            raise PipelineError(
                "RadialDistortion is a map of points only with numbers as coefficients, centre_mm "
                'and unit="mm"; otherwise put it in a pipeline'
            )
        if len(self.centre_mm) != dimension:
            raise PipelineError(
                f"RadialDistortion: centre_mm has {len(self.centre_mm)} numbers, got points in "
                f"{dimension}D"
            )
        return RadialDistortionTransform(numbers, self.centre_mm)

    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d) in mm."""
        return self._as_map().map_points(points_mm)

    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Derivatives (n, d, d) at points (n, d)."""
        return self._as_map().jacobians(points_mm)

    def inverse_points(self, points_mm: npt.ArrayLike, tolerance_mm: float = 1e-7) -> FloatArray:
        """Points (n, d) that map to the given ones."""
        return self._as_map().inverse_points(points_mm, tolerance_mm)

    def approximate_inverse(
        self, tolerance_mm: float, domain: ImageGrid | None = None
    ) -> ApproximateInverse:
        """The inverse as a sampled map, with the residual that it reached."""
        return self._as_map().approximate_inverse(tolerance_mm, domain)

    def _as_map(self) -> RadialDistortionTransform:
        return self.map(3 if self.centre_mm is None else len(self.centre_mm))


class Warp(Op):
    """A given transform: x -> x + strength (T(x) - x), a pull-back like every map of an op.

    `transform`: the name under which the case holds T (`case.transforms[name]`): a recipe holds
    neither voxels nor paths. `strength`: 0 is no motion, 1 is T; beyond 1 exaggerates.
    """

    op: Literal["warp"] = "warp"
    transform: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100)]
    strength: Annotated[Parameter, Range(low=0.0, high=2.0)] = 1.0
