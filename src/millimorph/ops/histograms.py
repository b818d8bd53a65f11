"""Ops that measure the image first: its range, its moments, its quantiles, its histogram.

What is measured is the image as the ops before have left it, each channel or frame by itself. Ops
behind one that makes floats take the image as it then is for the original: its range, its median.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import StringConstraints, model_validator

from millimorph.distributions import Distribution, Parameter
from millimorph.images.histograms import DECILES
from millimorph.ops.base import check_one_of, not_both, prefer
from millimorph.ops.labels import Values
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Listed, Range
from millimorph.values import mistake

Level = Annotated[Parameter, Range()]
Percentile = Annotated[Parameter, Range(low=0.0, high=100.0)]
Levels = Annotated[tuple[float, ...], Listed(Range(constant=True))]


class MeasuringOp(ImageOp):
    """An op that measures some voxels and, by what it finds, changes all.

    `over`: "image", all voxels, or "foreground", those above Otsu's threshold; or instead `mask`,
    the name of a label map on the same grid, and `mask_labels`, those of its labels that count;
    left out, all above 0. It is an ImageError where a mask is empty. A constant image is all
    foreground.
    """

    model_config = not_both("over", "mask")

    over: Literal["image", "foreground"] | None = "image"
    mask: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100)] | None = None
    mask_labels: Values = None

    @model_validator(mode="before")
    @classmethod
    def _mask_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="mask", instead_of="over")

    @model_validator(mode="after")
    def _one_region(self) -> Self:
        check_one_of(self, "over", "mask")
        if self.mask_labels is not None and self.mask is None:
            raise mistake("mask_labels needs the name of their label map in mask", "mask_labels")
        return self


class Rescale(MeasuringOp):
    """Bring the grey levels linearly into a range; the result is float32.

    `low`, `high`: the range that comes out, grey levels. `low_percentile`, `high_percentile`: what
    becomes low and high, percentiles (0 to 100) of the measured voxels, on the line between two
    ranks; 0 and 100, the least and the greatest, unless given; 0.5 and 99.5 leave single bright
    voxels out of account. `clip`: hold what lies beyond at low and high; otherwise the line goes
    on. `over`, `mask`, `mask_labels`: what is measured.

    Where the two percentiles are the same grey level, the least and the greatest take their place;
    where these are the same too, all voxels become low. Exact to float32.
    """

    MAKES_FLOAT = True

    op: Literal["rescale"] = "rescale"
    low: Level = 0.0
    high: Level = 1.0
    low_percentile: Percentile = 0.0
    high_percentile: Percentile = 100.0
    clip: bool = True

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        _check_below(self.low, self.high, "low", "high")
        _check_below(self.low_percentile, self.high_percentile, "low_percentile", "high_percentile")
        return self


class ZScore(MeasuringOp):
    """Subtract the mean and divide by the standard deviation; the result is float32.

    `over`, `mask`, `mask_labels`: what is measured. The deviation is over n, not n - 1. Where it is
    0, the mean is only subtracted. Exact to float32.
    """

    MAKES_FLOAT = True

    op: Literal["z_score"] = "z_score"


class HistogramEqualization(MeasuringOp):
    """Spread the grey levels of an integer image so that each occurs about equally often.

    A level becomes low + (high - low) * (c - c0) / (n - c0), with c the number of measured voxels
    up to it, c0 that of the lowest level and n of all. `low`, `high`: the range that comes out,
    grey levels; left out, the image's own least and greatest. To fill the range of 8-bit voxels,
    as SimpleITK's data augmentation notebook does (which cuts fractions off where this rounds),
    give 0 and 255. `over`, `mask`, `mask_labels`: what is counted; levels beyond become low and
    high. A constant image is left as it is.

    Voxels are counted as the whole numbers that they would be stored as. It is a CompileError for
    float images, which have no levels to count: use HistogramStandardization for them, or
    HistogramMatching.
    """

    op: Literal["histogram_equalization"] = "histogram_equalization"
    low: Annotated[Parameter | None, Range(optional=True)] = None
    high: Annotated[Parameter | None, Range(optional=True)] = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        _check_below(self.low, self.high, "low", "high")
        return self


class HistogramStandardization(MeasuringOp):
    """Bring the percentiles of an MR image to a standard scale, learnt from a set of images.

    `landmarks`: the standard grey levels, from `fit_histogram_landmarks`. `percentiles`: what each
    of them is for, 0 to 100, ascending; left out, 1, 10, 20, …, 90, 99. Between landmarks the map
    is linear; beyond, the outer pieces go on. TorchIO 2 makes the same of its landmarks, which are
    for the percentiles 1, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 99, but where percentiles of
    the image coincide. `over`, `mask`, `mask_labels`: what is measured; the same as for the fit.

    A grey level that several percentiles share becomes the mean of their landmarks, but the lowest
    and the highest level become the lowest and the highest landmark. An image of which all
    percentiles are one level is left as it is. The result is float32, exact to 1e-6 of the range
    of the landmarks between them. Source: Nyúl, Udupa and Zhang 2000, IEEE Trans. Med. Imag.
    19:143, with the deciles as landmarks.
    """

    MAKES_FLOAT = True

    op: Literal["histogram_standardization"] = "histogram_standardization"
    landmarks: Levels
    percentiles: Annotated[tuple[float, ...], Listed(Range(low=0.0, high=100.0, constant=True))] = (
        DECILES
    )

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        _check_ascending(self.landmarks, "landmarks")
        _check_ascending(self.percentiles, "percentiles")
        if len(set(self.percentiles)) < len(self.percentiles):
            raise mistake("percentiles must be different numbers", "percentiles")
        if len(self.landmarks) != len(self.percentiles):
            raise mistake(
                f"landmarks must be one for each of the {len(self.percentiles)} percentiles, got "
                f"{len(self.landmarks)}; landmarks that were fitted for others need the field "
                "percentiles",
                "landmarks",
            )
        return self


class HistogramMatching(MeasuringOp):
    """Give an image the histogram of another, of which only the quantiles need be known.

    `quantiles`: the other's grey levels at equal steps of rank, from its least to its greatest, at
    least 2; from `histogram_quantiles`. `blend`: 0 leaves the image as it is, 1 matches it wholly.
    `over`, `mask`, `mask_labels`: what is measured; the same as for the quantiles.

    The image's own quantiles are measured exactly at the same ranks; between them the map is
    linear; beyond, it has the slope of the line from the first to the last. A grey level that
    several quantiles share becomes the mean of theirs, but the lowest and the highest level become
    the lowest and the highest. A constant image is left as it is. The image keeps its type. Where
    the two hold different shares of air, measure both over the foreground or a mask. With n
    quantiles it is ITK's HistogramMatchingImageFilter with n - 2 match points and no threshold at
    the mean, without ITK's bins: the two differ by about two bins of its histograms, and
    where many voxels have one value.
    """

    op: Literal["histogram_matching"] = "histogram_matching"
    quantiles: Levels
    blend: Annotated[Parameter, Range(low=0.0, high=1.0)] = 1.0

    @model_validator(mode="after")
    def _at_least_two(self) -> Self:
        _check_ascending(self.quantiles, "quantiles")
        return self


HistogramOp = (
    Rescale | ZScore | HistogramEqualization | HistogramStandardization | HistogramMatching
)


def _check_below(
    low: Parameter | None, high: Parameter | None, low_name: str, high_name: str
) -> None:
    """Refuse two fields of which the first may come out as the greater."""
    if low is None or high is None:
        return
    most = low.bounds[1] if isinstance(low, Distribution) else low
    least = high.bounds[0] if isinstance(high, Distribution) else high
    if most >= least:
        raise mistake(
            f"{low_name} must be below {high_name}, got up to {most:g} and from {least:g}", low_name
        )


def _check_ascending(levels: tuple[float, ...], name: str) -> None:
    """Refuse a list that is too short or descends."""
    if len(levels) < 2:
        raise mistake(f"{name} must have at least 2 numbers, got {len(levels)}", name)
    for k, (one, following) in enumerate(pairwise(levels)):
        if following < one:
            raise mistake(f"{name} must ascend; entry {k} is {one:g}, the next {following:g}", name)
    if levels[0] == levels[-1]:
        raise mistake(f"{name} must not all be the same, got {levels[0]:g}", name)
