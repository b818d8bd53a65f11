"""Ops that add random numbers; a voxel's number depends on the op's key and the voxel alone.

Channels get numbers of their own. Some laws need grey levels that are counts or magnitudes, above
a level of no signal: the field `baseline`, left out the minimum of the original image where that is
negative (CT), else 0 (MR, X-ray). Name it when an op in front moves the grey levels. An image of
one grey level has no robust range, so noise that is relative to it is none.

The laws hold to the precision of float32 numbers; a voxel's number is within 1e-5 of the image's
range of float64 arithmetic.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Choice, LogUniform, Parameter, Uniform
from millimorph.ops.base import check_one_of, not_both, prefer
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Range, Word

Deviation = Annotated[Parameter | None, Range(low=0.0, optional=True)]
GreyLevel = Annotated[Parameter | None, Range(optional=True)]
Rate = Annotated[Parameter | None, Range(low=0.0, above_low=True, optional=True)]


class GaussianNoise(ImageOp):
    """Independent normal noise of mean 0 in every voxel.

    `std`: standard deviation in the image's own units. `std_fraction`: the same as a fraction of
    the robust range. One of the two; left out, a fraction up to 5 %.
    """

    model_config = not_both("std", "std_fraction")

    op: Literal["gaussian_noise"] = "gaussian_noise"
    std: Deviation = None
    std_fraction: Deviation = Uniform(0.0, 0.05)

    @model_validator(mode="before")
    @classmethod
    def _std_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="std", instead_of="std_fraction")

    @model_validator(mode="after")
    def _one_amplitude(self) -> Self:
        check_one_of(self, "std", "std_fraction")
        return self


class RicianNoise(ImageOp):
    """The noise of MR magnitude images: x becomes |x + n + i m|, n and m normal (Rice 1944).

    `std`: standard deviation of n and of m in the image's own units. `std_fraction`: the same as a
    fraction of the robust range. One of the two; left out, a fraction up to 5 %. `baseline`: x is
    counted from it; below it the magnitude mirrors.
    """

    model_config = not_both("std", "std_fraction")

    op: Literal["rician_noise"] = "rician_noise"
    std: Deviation = None
    std_fraction: Deviation = Uniform(0.0, 0.05)
    baseline: GreyLevel = None

    @model_validator(mode="before")
    @classmethod
    def _std_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="std", instead_of="std_fraction")

    @model_validator(mode="after")
    def _one_amplitude(self) -> Self:
        check_one_of(self, "std", "std_fraction")
        return self


class SaltAndPepper(ImageOp):
    """Lone voxels at the two ends of a range, half of them at each, as ITK's filter has it.

    `density`: the share of voxels that are replaced, 0 to 1. `limits`: the ends are the minimum and
    maximum of the original image, or of its integer `type` (ITK's choice; an error for floats).
    `pepper`, `salt`: a grey level in place of the lower or upper end.
    """

    op: Literal["salt_and_pepper"] = "salt_and_pepper"
    density: Annotated[Parameter, Range(low=0.0, high=1.0)] = LogUniform(0.001, 0.02)
    limits: Annotated[str | Choice, Word(("image", "type"))] = "image"
    pepper: GreyLevel = None
    salt: GreyLevel = None


class ShotNoise(ImageOp):
    """Counting noise: a grey level becomes a Poisson number of its mean, as in ITK's filter.

    `scale`: counts for each grey level (ITK's scale); the noise at level x has a variance of
    x / scale. `counts`: the counts for a grey level of one robust range. One of the two; left out,
    100 to 2000 counts, which is noise of 10 to 2 % at the bright end. `baseline`: the level of no
    counts; voxels below it are set to it.

    The counts are whole for any mean, where ITK draws normal numbers from 50 on. For one voxel in
    10000 a mean of 12 or more gets a count off by one.
    """

    model_config = not_both("scale", "counts")

    op: Literal["shot_noise"] = "shot_noise"
    scale: Rate = None
    counts: Rate = LogUniform(100.0, 2000.0)
    baseline: GreyLevel = None

    @model_validator(mode="before")
    @classmethod
    def _scale_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="scale", instead_of="counts")

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        check_one_of(self, "scale", "counts")
        return self


class Speckle(ImageOp):
    """Multiplicative noise: grey levels times gamma numbers of mean 1, as in ITK's filter.

    `relative_std`: their standard deviation, so that of the noise over the grey level; the gamma
    law has the shape 1 / relative_std². `baseline`: the level that is left as it is. Neighbouring
    voxels are independent; the grain of an ultrasound image is an op of its own.
    """

    op: Literal["speckle"] = "speckle"
    relative_std: Annotated[Parameter, Range(low=0.0, high=10.0)] = Uniform(0.05, 0.2)
    baseline: GreyLevel = None


NoiseOp = GaussianNoise | RicianNoise | SaltAndPepper | ShotNoise | Speckle
