"""Ops that look at a neighbourhood of each voxel; edges are repeated.

Lengths are mm along the grid axes, so that unequal spacings are respected; where a field also
comes in voxels, one of the two is given.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Choice, Parameter, Uniform
from millimorph.ops.base import PerAxisParameter, check_one_of, not_both, prefer
from millimorph.ops.selection import ImageOp
from millimorph.parameters import PerAxis, Range, Word

SigmaMm = Annotated[
    PerAxisParameter | None, PerAxis(Range(low=0.0, unit="mm"), together=True, optional=True)
]
SigmaVoxels = Annotated[
    PerAxisParameter | None, PerAxis(Range(low=0.0, unit="voxels"), together=True, optional=True)
]


class GaussianBlur(ImageOp):
    """Convolve with a Gaussian.

    `sigma_mm`: its standard deviation, one for all axes, or one for each grid axis x, y, z; 0
    leaves an axis alone. `sigma_voxels`: the same in voxels, whatever their spacing. One of the
    two; left out, 0.5 to 2.5 mm. `kernel`: "sampled", the Gaussian at the voxels, cut at 4 sigma
    (SciPy's gaussian_filter); or "discrete", the discrete Gaussian of Lindeberg (1990), exact in
    its variance at any sigma but cut where 1 % is lost or after 32 voxels (ITK's
    DiscreteGaussianImageFilter with its defaults).

    ITK's parameters: SmoothingRecursiveGaussian(sigma) is sigma_mm = sigma; its recursive
    approximation and the sampled kernel differ by at most 0.3 % of the image's range from a sigma
    of 1 voxel up. DiscreteGaussian(variance) is kernel "discrete" with sigma_mm = the square root
    of the variance, and sigma_voxels where ITK is told not to use the spacing; they agree within
    1e-5 of the image's SD up to a variance of 20 square voxels.

    Accuracy: within 1e-6 of the largest magnitude of float64 arithmetic.
    """

    model_config = not_both("sigma_mm", "sigma_voxels")

    op: Literal["gaussian_blur"] = "gaussian_blur"
    sigma_mm: SigmaMm = Uniform(0.5, 2.5)
    sigma_voxels: SigmaVoxels = None
    kernel: Annotated[str | Choice, Word(("sampled", "discrete"))] = "sampled"

    @model_validator(mode="before")
    @classmethod
    def _voxels_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="sigma_voxels", instead_of="sigma_mm")

    @model_validator(mode="after")
    def _one_sigma(self) -> Self:
        check_one_of(self, "sigma_mm", "sigma_voxels")
        return self


class Sharpen(ImageOp):
    """Add what a blur takes away: an unsharp mask, or a Laplacian.

    `amount`: how much of it, from 0; 1 doubles the finest details. `sigma_mm`: the standard
    deviation of the blur, one for all axes or one for each; `sigma_voxels`: the same in voxels. One
    of the two; left out, 2 mm. `method`: "unsharp", the image plus `amount` times the image minus
    its Gaussian blur; or "laplacian", which adds `amount` times the difference to each of the
    nearest neighbours along all axes and needs no sigma (batchgeneratorsv2's SharpeningTransform,
    whose strength is `amount`). `keep_range` (the default): clamp to the minimum and maximum
    that each channel had before, so that edges do not overshoot them.

    Accuracy: within 1e-6 (1 + amount) of the largest magnitude of float64 arithmetic.
    """

    model_config = not_both("sigma_mm", "sigma_voxels")

    op: Literal["sharpen"] = "sharpen"
    amount: Annotated[Parameter, Range(low=0.0)] = Uniform(0.3, 1.0)
    sigma_mm: SigmaMm = 2.0
    sigma_voxels: SigmaVoxels = None
    method: Annotated[str | Choice, Word(("unsharp", "laplacian"))] = "unsharp"
    keep_range: bool = True

    @model_validator(mode="before")
    @classmethod
    def _voxels_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="sigma_voxels", instead_of="sigma_mm")

    @model_validator(mode="after")
    def _one_sigma(self) -> Self:
        check_one_of(self, "sigma_mm", "sigma_voxels")
        return self


class LowResolution(ImageOp):
    """Acquire thicker slices and resample them back onto the image's grid.

    `zoom`: the share of the resolution that is kept, above 0 to 1; one for all axes, or one for
    each grid axis: the axis gets round(zoom * size) slices that fill it without gaps. Or instead
    `thickness_mm` of the slices, with a `gap_mm` between them, along `axis`: i, j or k of the grid,
    all of them, or the grid axis nearest to a patient axis. Slices closer than the voxels change
    nothing. Left out, a zoom of 0.5 to 1. The slices lie symmetrically about the centre of the
    image, which stays where it is.

    `profile`: what a slice averages: "box" (all of its thickness evenly), "triangle" or "gaussian"
    (the thickness is the full width at half maximum), each over voxels taken as constant, at least
    one voxel wide and with its centre of mass at the slice's centre; or "nearest", the voxel
    nearest to its centre, which aliases and shifts by up to half a voxel. `interpolation` on the
    way back: "linear", "cubic" (interpolating cubic B-spline, which overshoots at edges) or
    "nearest" (steps; a voxel midway takes the upper slice).

    nnU-Net's SimulateLowResolution is zoom = Uniform(0.5, 1), profile "nearest", interpolation
    "linear" in batchgeneratorsv2, "cubic" before.

    Accuracy: within 1e-5 of the image's range of float64 arithmetic.
    """

    model_config = not_both("zoom", "thickness_mm")

    op: Literal["low_resolution"] = "low_resolution"
    zoom: Annotated[
        PerAxisParameter | None,
        PerAxis(Range(0.0, 1.0, above_low=True), together=True, optional=True),
    ] = Uniform(0.5, 1.0)
    thickness_mm: Annotated[
        Parameter | None, Range(low=0.0, above_low=True, unit="mm", optional=True)
    ] = None
    gap_mm: Annotated[Parameter, Range(low=0.0, unit="mm")] = 0.0
    axis: Annotated[
        str | Choice,
        Word(("k", "j", "i", "all", "left-right", "anterior-posterior", "inferior-superior")),
    ] = "k"
    profile: Annotated[str | Choice, Word(("box", "triangle", "gaussian", "nearest"))] = "box"
    interpolation: Annotated[str | Choice, Word(("linear", "cubic", "nearest"))] = "linear"

    @model_validator(mode="before")
    @classmethod
    def _thickness_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="thickness_mm", instead_of="zoom")

    @model_validator(mode="after")
    def _one_resolution(self) -> Self:
        check_one_of(self, "zoom", "thickness_mm")
        return self


StencilOp = GaussianBlur | Sharpen | LowResolution
