"""Ops that map grey levels to grey levels, whatever the voxel's place.

The range, the median and the robust range that they refer to are the original image's, over all
its channels; `Contrast`, and `Gamma` where it keeps statistics, measure the voxels of the moment.
Grey levels are in the image's own units, HU for CT. Errors are of the size of float32's rounding,
about 1e-6 of the largest level, unless said; whole numbers are rounded and saturate.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from millimorph.distributions import Distribution, LogUniform, Parameter, Uniform
from millimorph.ops.base import WholeParameter, check_one_of, not_both, prefer
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Range, Whole
from millimorph.values import mistake

Flag = Annotated[bool, Field(strict=True)]
Level = Annotated[Parameter, Range()]
OptionalLevel = Annotated[Parameter | None, Range(optional=True)]
OptionalWidth = Annotated[Parameter | None, Range(low=0.0, above_low=True, optional=True)]

MOST_CONTROL_POINTS = 20


class Gamma(ImageOp):
    """Grey levels to a power: between the image's minimum and maximum, x becomes x ** gamma.

    `gamma`: above 0; below 1 brightens, above 1 darkens, 1 changes nothing. `invert`: the power is
    that of the distance from the maximum, as if the image were inverted before and after; now below
    1 darkens. `keep_statistics`: bring mean and standard deviation back to what they were, as in
    nnU-Net.

    What lies below the minimum becomes it. With `keep_statistics` minimum, maximum, mean and
    deviation are measured in the voxels of the moment, each channel or frame by itself, in a pass
    of its own, and a level may come to lie beyond the old extremes. A constant image is left as it
    is. Error below 1e-6 of the range up to a gamma of 4; with `keep_statistics` 1e-5.
    """

    op: Literal["gamma"] = "gamma"
    gamma: Annotated[Parameter, Range(low=0.0, above_low=True)] = LogUniform(0.7, 1.5)
    invert: Flag = False
    keep_statistics: Flag = False


class Brightness(ImageOp):
    """Add the same to all grey levels.

    `shift`: in the image's own units, of either sign. `shift_fraction`: the same as a fraction of
    the robust range. One of the two; left out, a fraction up to 0.1 either way. 0 changes nothing.
    To multiply instead (the multiplicative brightness of nnU-Net), use LinearMap.
    """

    model_config = not_both("shift", "shift_fraction")

    op: Literal["brightness"] = "brightness"
    shift: OptionalLevel = None
    shift_fraction: OptionalLevel = Uniform(-0.1, 0.1)

    @model_validator(mode="before")
    @classmethod
    def _shift_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="shift", instead_of="shift_fraction")

    @model_validator(mode="after")
    def _one_shift(self) -> Self:
        check_one_of(self, "shift", "shift_fraction")
        return self


class Contrast(ImageOp):
    """Multiply the distance from the mean: x becomes mean + (x - mean) factor.

    `factor`: from 0, which leaves the mean alone; 1 changes nothing. `preserve_range`: hold the
    result between minimum and maximum, as in nnU-Net's training.

    Mean, minimum and maximum are measured in the voxels of the moment, each channel or frame by
    itself, in a pass of its own.
    """

    op: Literal["contrast"] = "contrast"
    factor: Annotated[Parameter, Range(low=0.0)] = Uniform(0.75, 1.25)
    preserve_range: Flag = True


class LinearMap(ImageOp):
    """A line: x becomes scale x + shift, with x in the image's own units.

    `scale`: a ratio of either sign. `shift`: in the image's own units. 1 and 0 change nothing. As
    ITK's ShiftScaleImageFilter, whose shift comes before the scale.
    """

    op: Literal["linear_map"] = "linear_map"
    scale: Level = Uniform(0.9, 1.1)
    shift: Level = 0.0


class Clamp(ImageOp):
    """Hold grey levels between two limits; exact.

    `low`, `high`: in the image's own units, at least one of them; left out, that side is free. To
    hold at percentiles, use Rescale.
    """

    op: Literal["clamp"] = "clamp"
    low: OptionalLevel = None
    high: OptionalLevel = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is None and self.high is None:
            raise mistake("takes low, high or both")
        if self.low is not None and self.high is not None:
            most, least = _bounds(self.low)[1], _bounds(self.high)[0]
            if most > least:
                raise mistake(
                    f"low must not be above high, got up to {most:g} and from {least:g}", "low"
                )
        return self


class Window(ImageOp):
    """Look at the image through a window: what lies in it becomes low to high, linearly; float32.

    `level`: the middle of the window, in the image's own units (HU for CT); or instead
    `level_fraction`, 0 at the 1st and 1 at the 99th percentile. `width`: from end to end, above 0,
    in the same units; or instead `width_fraction` of the robust range. `low`, `high`: the range
    that comes out; below the window all is low, above it high. A low above high inverts.

    As ITK's IntensityWindowingImageFilter and DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3). Where the
    two percentiles are one level, minimum and maximum take their place; where these are one too,
    fractions make all voxels low.
    """

    MAKES_FLOAT = True

    model_config = not_both("level", "level_fraction")

    op: Literal["window"] = "window"
    level: OptionalLevel = None
    level_fraction: OptionalLevel = Uniform(0.45, 0.55)
    width: OptionalWidth = None
    width_fraction: OptionalWidth = Uniform(0.8, 1.2)
    low: Level = 0.0
    high: Level = 1.0

    @model_validator(mode="before")
    @classmethod
    def _units_alone(cls, given: Any) -> Any:
        given = prefer(given, chosen="level", instead_of="level_fraction")
        return prefer(given, chosen="width", instead_of="width_fraction")

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        check_one_of(self, "level", "level_fraction")
        check_one_of(self, "width", "width_fraction")
        return self


class Invert(ImageOp):
    """Bright becomes dark: x becomes 2 about - x.

    `about`: the grey level that stays, in the image's own units; left out, the middle between the
    original image's minimum and maximum, which then change places. With half its maximum it is
    ITK's InvertIntensityImageFilter.
    """

    op: Literal["invert"] = "invert"
    about: OptionalLevel = None


class Sigmoid(ImageOp):
    """From low to high along 1 / (1 + exp(-(x - midpoint) / alpha)), as ITK's SigmoidImageFilter.

    `alpha`: in the image's own units, above 0: the smaller, the steeper; half of the output range
    lies within 1.1 alpha of the midpoint. Or instead `alpha_fraction` of the robust range (of the
    whole range, where the robust one is 0). The steepness of SimpleITK's data augmentation notebook
    is 1 / alpha. `midpoint`: in the image's own units; left out, a median of the original image:
    with `over` "foreground", of the voxels above Otsu's threshold, with "image", of all, as in the
    notebook; in a picture that is mostly air, that is air. `low`, `high`: what comes out at the far
    ends; left out, the original image's minimum and maximum; a low above high makes the curve fall.
    With either given the result is float32, otherwise the image keeps its type.

    A constant image is left as it is by fractions. Error below 1e-6 of the output range.
    """

    model_config = not_both("alpha", "alpha_fraction")

    op: Literal["sigmoid"] = "sigmoid"
    alpha: OptionalWidth = None
    alpha_fraction: OptionalWidth = LogUniform(0.1, 0.25)
    midpoint: OptionalLevel = None
    over: Literal["image", "foreground"] = "foreground"
    low: OptionalLevel = None
    high: OptionalLevel = None

    @model_validator(mode="before")
    @classmethod
    def _alpha_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="alpha", instead_of="alpha_fraction")

    @model_validator(mode="after")
    def _one_alpha(self) -> Self:
        check_one_of(self, "alpha", "alpha_fraction")
        return self

    def makes_float(self) -> bool:
        """Whether the range that comes out is another than the image's own."""
        return self.low is not None or self.high is not None


class IntensityCurve(ImageOp):
    """A random rising curve through the original image's minimum and maximum, which stay.

    `strength`: standard deviation of the logarithm of the slope of each piece, before all are
    brought to the same total: with 0.5 slopes lie mostly between 0.6 and 1.6; 0 changes nothing.
    `control_points`: how many there are between the ends, 1 to 20, at equal steps. All channels
    share the curve; beyond the ends levels stay as they are.

    The random numbers are of the op's key. Through the control points goes the monotone cubic of
    Fritsch and Butland 1984 (SciPy's PchipInterpolator): no level passes another, and there are no
    creases. Error below 1e-5 of the range with the default number of points, 2e-4 with 20 and
    a strength of 1. In the place of the Bezier curves of Zhou 2019 (Models Genesis) and the
    histogram shift of MONAI; to let levels fall, add Invert.
    """

    op: Literal["intensity_curve"] = "intensity_curve"
    strength: Annotated[Parameter, Range(low=0.0, high=3.0)] = Uniform(0.1, 0.4)
    control_points: Annotated[WholeParameter, Whole(low=1, high=MOST_CONTROL_POINTS)] = 4


LevelOp = (
    Gamma | Brightness | Contrast | LinearMap | Clamp | Window | Invert | Sigmoid | IntensityCurve
)


def _bounds(level: Parameter) -> tuple[float, float]:
    return level.bounds if isinstance(level, Distribution) else (level, level)
