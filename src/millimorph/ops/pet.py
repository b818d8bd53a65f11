"""Ops on positron emission tomograms; grey levels are proportional to activity, 0 being none."""

from typing import Annotated, Literal

from millimorph.distributions import LogUniform, Parameter, Uniform
from millimorph.ops.base import PerAxisParameter
from millimorph.ops.selection import ImageOp
from millimorph.parameters import PerAxis, Range

MOST_COUNTS = 1e6


class PetCounts(ImageOp):
    """The noise that fewer counts would have added: Poisson's law, then the post-filter.

    `dose_fraction`: dose times duration, relative to that of the image, above 0 to 1; 1 adds
    nothing. `full_dose_counts`: counts that the image has in a voxel whose value is its robust
    range (1st to 99th percentile of the original), up to 1e6. `filter_fwhm_mm`: of the Gaussian
    post-filter, which correlates the noise; the image itself is not smoothed; 0: none.

    A voxel of value v > 0 with the rate of counts k = full_dose_counts * dose_fraction /
    (1 - dose_fraction) per robust range gets the noise Poisson(k v) / k - v; its filtered noise is
    added, and no voxel that was not negative becomes negative.
    Approximate: the noise arises in the voxels and not along the lines of response, so it is
    independent before the filter and its variance is proportional to activity (after iterative
    reconstruction the SD is nearer to proportional). Source: Barrett 1994, Physics in Medicine and
    Biology 39:833.
    """

    op: Literal["pet_counts"] = "pet_counts"
    dose_fraction: Annotated[Parameter, Range(low=0.0, high=1.0, above_low=True)] = LogUniform(
        0.05, 0.5
    )
    full_dose_counts: Annotated[
        Parameter, Range(low=0.0, high=MOST_COUNTS, above_low=True, unit="counts")
    ] = 100.0
    filter_fwhm_mm: Annotated[Parameter, Range(low=0.0, unit="mm")] = Uniform(4.0, 7.0)


class PetPointSpread(ImageOp):
    """A coarser scanner: convolve with a Gaussian of a full width at half maximum in mm.

    `fwhm_mm`: one for all axes, or one for each grid axis x, y, z; 0 leaves an axis alone. It is
    what is added: widths add in squares, sqrt(new^2 - old^2). Edges are repeated.
    Approximate: the same everywhere, while a scanner's widens off its axis.
    Source: Rahmim 2013, Medical Physics 40:064301.
    """

    op: Literal["pet_point_spread"] = "pet_point_spread"
    fwhm_mm: Annotated[PerAxisParameter, PerAxis(Range(low=0.0, unit="mm"), together=True)] = (
        Uniform(4.0, 8.0)
    )


PetOp = PetCounts | PetPointSpread
