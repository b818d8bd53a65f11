"""Ops that rank or weigh the voxels of a window about each voxel.

A window's radius r is a count of voxels along each grid axis: the window has 2 r + 1 of them.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Parameter, Uniform
from millimorph.ops.base import PerAxisParameter, PerAxisWhole, check_one_of, not_both, prefer
from millimorph.ops.selection import ImageOp
from millimorph.parameters import PerAxis, Range, Whole

MOST_RADIUS = 100

Radius = Annotated[PerAxisWhole, PerAxis(Whole(low=0, high=MOST_RADIUS), together=True)]


class Median(ImageOp):
    """Each voxel becomes the median of a window about it; edges are repeated.

    `radius`: in voxels, 0 to 100, one for all axes, or one for each grid axis x, y, z; 0 leaves an
    axis alone. Left out, 1. It is the radius of ITK's MedianImageFilter; batchgeneratorsv2 and
    SciPy count the window, 2 radius + 1.

    Accuracy: exact, a voxel of the window, the same as ITK's.
    """

    op: Literal["median"] = "median"
    radius: Radius = 1


class Bilateral(ImageOp):
    """Smooth, but not across edges: a Gaussian mean of the neighbours of a similar grey level.

    `domain_sigma_mm`: standard deviation of the places' weights, one for all axes, or one for each
    grid axis; 0 leaves an axis alone; left out, 1 to 2 mm. The window reaches ceil(2.5 sigma /
    spacing) voxels, beyond the edges by repeating them; the work grows with its volume.
    `range_sigma`: standard deviation of the grey levels' weights in the image's own units;
    `range_sigma_fraction`: the same as a fraction of the robust range. One of the two; left out,
    2 to 8 %. Neighbours four sigmas away or further count for nothing; 0 changes nothing.

    Accuracy: weights within 1e-4 of themselves, voxels within 1e-4 range sigmas (plus 1e-6 of the
    largest magnitude) of float64 arithmetic. ITK's BilateralImageFilter has the same window and
    cut, but takes its range weights from a table of 100 steps, each too large by up to 17 % at the
    far end: it differs by up to 0.04 range sigmas from this one, on average by less than 0.01.

    Source: Tomasi and Manduchi, ICCV 1998.
    """

    model_config = not_both("range_sigma", "range_sigma_fraction")

    op: Literal["bilateral"] = "bilateral"
    domain_sigma_mm: Annotated[
        PerAxisParameter, PerAxis(Range(low=0.0, unit="mm"), together=True)
    ] = Uniform(1.0, 2.0)
    range_sigma: Annotated[Parameter | None, Range(low=0.0, optional=True)] = None
    range_sigma_fraction: Annotated[Parameter | None, Range(low=0.0, optional=True)] = Uniform(
        0.02, 0.08
    )

    @model_validator(mode="before")
    @classmethod
    def _range_sigma_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="range_sigma", instead_of="range_sigma_fraction")

    @model_validator(mode="after")
    def _one_range_sigma(self) -> Self:
        check_one_of(self, "range_sigma", "range_sigma_fraction")
        return self


class AdaptiveHistogramEqualization(ImageOp):
    """Equalise the histogram of a window about each voxel, as much as asked for.

    With u the voxel and v its neighbours, both scaled to -1/2 ... 1/2 over the image's range of
    the moment, a voxel becomes the mean over v of sign(u - v) |2 (u - v)| ** alpha / 2 plus beta
    times the mean of v, scaled back; it may leave the image's range.

    `radius`: of the window in voxels, 0 to 100, one for all axes, or one for each grid axis; the
    window ends at the image's edges. The work grows with its volume. `alpha`: 0 equalises, 1 is an
    unsharp mask, 0 to 1; left out, 0.75 to 0.95. `beta`: how much of the local mean is kept, 0 to
    1; left out, 0.9 to 1. With both 1 nothing changes. A constant image stays as it is; each
    channel has its own range.

    Accuracy: within 2e-5 of the image's range of float64 arithmetic and of ITK's
    AdaptiveHistogramEqualizationImageFilter (whose defaults are radius 5, alpha 0.3, beta 0.3).

    Source: Stark, IEEE Transactions on Image Processing 9, 2000.
    """

    op: Literal["adaptive_histogram_equalization"] = "adaptive_histogram_equalization"
    radius: Radius = 5
    alpha: Annotated[Parameter, Range(low=0.0, high=1.0)] = Uniform(0.75, 0.95)
    beta: Annotated[Parameter, Range(low=0.0, high=1.0)] = Uniform(0.9, 1.0)


NeighbourhoodOp = Median | Bilateral | AdaptiveHistogramEqualization
