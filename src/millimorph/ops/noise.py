"""Ops that add random numbers; a voxel's number depends on the op's key and the voxel alone."""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Parameter, Uniform
from millimorph.ops.base import check_one_of, not_both, prefer
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Range


class GaussianNoise(ImageOp):
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


NoiseOp = GaussianNoise
