"""Ops on grey levels, applied after the one resample in the listed order.

Amplitudes are in the image's own units (HU for CT). A `_fraction` is relative to the robust range,
the 1st to the 99th percentile, of the original image.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import LogUniform, Parameter, Uniform
from millimorph.ops.base import Op, check_one_of, not_both, prefer
from millimorph.parameters import Range


class Gamma(Op):
    """Grey levels to a power: between the image's minimum and maximum, x becomes x ** gamma.

    `gamma`: above 0; below 1 brightens, above 1 darkens, 1 changes nothing.
    """

    op: Literal["gamma"] = "gamma"
    gamma: Annotated[Parameter, Range(low=0.0, above_low=True)] = LogUniform(0.7, 1.5)


class GaussianNoise(Op):
    """Independent normal noise of mean 0 in every voxel.

    `std`: standard deviation in the image's own units. `std_fraction`: the same as a fraction of
    the robust range. One of the two; left out, a fraction up to 5 %.
    """

    model_config = not_both("std", "std_fraction")

    op: Literal["gaussian_noise"] = "gaussian_noise"
    std: Annotated[Parameter | None, Range(low=0.0, optional=True)] = None
    std_fraction: Annotated[Parameter | None, Range(low=0.0, optional=True)] = Uniform(0.0, 0.05)

    @model_validator(mode="before")
    @classmethod
    def _std_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="std", instead_of="std_fraction")

    @model_validator(mode="after")
    def _one_amplitude(self) -> Self:
        check_one_of(self, "std", "std_fraction")
        return self


IntensityOp = Gamma | GaussianNoise
