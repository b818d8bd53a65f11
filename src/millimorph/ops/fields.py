"""Ops that change grey levels by a smooth field over the image.

Fields lie along the image's own axes after the resample: on an oblique grid they turn with it.
Places and widths are fractions of the image's extent along each axis, outer half voxels included: 0
is the border before the first voxel, 1 the border behind the last, 0.5 the centre.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import LogUniform, Parameter, Uniform
from millimorph.ops.base import PerAxisParameter, check_one_of, not_both, prefer
from millimorph.ops.selection import ImageOp
from millimorph.parameters import PerAxis, Range

CentreFraction = Annotated[PerAxisParameter, PerAxis(Range(low=-10.0, high=10.0))]
SigmaFraction = Annotated[PerAxisParameter, PerAxis(Range(low=0.01, high=10.0))]
GreyLevels = Annotated[Parameter | None, Range(optional=True)]
BlackLevel = Annotated[Parameter | None, Range(optional=True)]


class MultiplicativeAndAdditiveField(ImageOp):
    """Multiply by one Gaussian and add another: b + (x - b) m + a, computed in float32.

    m = multiplicative_peak exp(-d²/2), where d is the distance from the centre in units of sigma,
    axis by axis; a likewise. `multiplicative_centre_fraction`, `additive_centre_fraction`: -10 to
    10 of the extent, one distribution is drawn for each axis. `multiplicative_sigma_fraction`,
    `additive_sigma_fraction`: 0.01 to 10 of the extent. `multiplicative_peak`: a ratio.
    `additive_peak`: in the image's own units; or instead `additive_peak_fraction` of the robust
    range. `black_level`: b, the grey level that the factor leaves alone, such as air; left out, the
    original image's minimum; 0 is the plain product.

    Error below 1e-6 of the largest grey level or peak. Source: the data augmentation notebook of
    SimpleITK; its two GaussianSource images lie along the world's axes.
    """

    model_config = not_both("additive_peak", "additive_peak_fraction")

    op: Literal["multiplicative_and_additive_field"] = "multiplicative_and_additive_field"
    multiplicative_peak: Annotated[Parameter, Range(low=0.0)] = Uniform(0.9, 1.3)
    multiplicative_centre_fraction: CentreFraction = Uniform(0.25, 0.75)
    multiplicative_sigma_fraction: SigmaFraction = 0.5
    additive_peak: GreyLevels = None
    additive_peak_fraction: GreyLevels = Uniform(0.05, 0.25)
    additive_centre_fraction: CentreFraction = Uniform(0.0, 1.0)
    additive_sigma_fraction: SigmaFraction = 0.125
    black_level: BlackLevel = None

    @model_validator(mode="before")
    @classmethod
    def _peak_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="additive_peak", instead_of="additive_peak_fraction")

    @model_validator(mode="after")
    def _one_peak(self) -> Self:
        check_one_of(self, "additive_peak", "additive_peak_fraction")
        return self


class BiasField(ImageOp):
    """A smooth multiplicative field: b + (x - b) exp(f), as of a receive coil in MR.

    f is a cubic B-spline with independent normal control values of the op's key: unlike a
    polynomial it favours no corner and is as smooth at the border as inside, and unlike a linearly
    interpolated lattice (SynthSeg's, TorchIO's) it has no creases. All channels share it.

    `log_sd`: standard deviation of f, so that 0.2 is about 20 %; 0 changes nothing. A standard
    deviation s of SynthSeg's control values is a log_sd of about 0.54 s in 3D and 0.67 s in 2D.
    `control_spacing_mm`: distance of the control points, above 0; or instead
    `control_spacing_fraction`, 0.01 to 10 of the image's longest side. `black_level`: b, as in
    MultiplicativeAndAdditiveField; left out, the original image's minimum.

    Relative error of exp(f) below 1e-6 for a log_sd up to 1, 5e-6 up to 5. Source: Billot 2023
    (SynthSeg), Unser 1999 (B-splines).

    Raises:
        CompileError: more than a million control points.
    """

    model_config = not_both("control_spacing_mm", "control_spacing_fraction")

    op: Literal["bias_field"] = "bias_field"
    log_sd: Annotated[Parameter, Range(low=0.0, high=5.0)] = Uniform(0.05, 0.25)
    control_spacing_mm: Annotated[
        Parameter | None, Range(low=0.0, above_low=True, unit="mm", optional=True)
    ] = None
    control_spacing_fraction: Annotated[
        Parameter | None, Range(low=0.01, high=10.0, optional=True)
    ] = Uniform(0.25, 0.5)
    black_level: BlackLevel = None

    @model_validator(mode="before")
    @classmethod
    def _spacing_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="control_spacing_mm", instead_of="control_spacing_fraction")

    @model_validator(mode="after")
    def _one_spacing(self) -> Self:
        check_one_of(self, "control_spacing_mm", "control_spacing_fraction")
        return self


class BrightnessGradient(ImageOp):
    """Add a gradient: a Gaussian, often centred outside, brought to 0 to 1 over the image's voxels.

    `strength`: what is added where the Gaussian is greatest, in the image's own units, of either
    sign; or instead `strength_fraction` of the robust range. 0 changes nothing.
    `centre_fraction`: -10 to 10 of the extent, one distribution is drawn for each axis.
    `sigma_fraction`: 0.01 to 10 of the extent, likewise. Where the Gaussian is the same in all
    voxels, as in an image of one voxel, nothing changes.

    Error below 1e-6 of the strength for a sigma up to the extent, 1e-4 up to 10 of it.
    Source: Isensee 2021 (nnU-Net, additive brightness gradient of its DA5 training, whose strengths
    are in standard deviations).
    """

    model_config = not_both("strength", "strength_fraction")

    op: Literal["brightness_gradient"] = "brightness_gradient"
    strength: GreyLevels = None
    strength_fraction: GreyLevels = Uniform(-0.5, 0.5)
    centre_fraction: CentreFraction = Uniform(-0.5, 1.5)
    sigma_fraction: SigmaFraction = LogUniform(0.3, 1.0)

    @model_validator(mode="before")
    @classmethod
    def _strength_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="strength", instead_of="strength_fraction")

    @model_validator(mode="after")
    def _one_strength(self) -> Self:
        check_one_of(self, "strength", "strength_fraction")
        return self


class LocalGamma(ImageOp):
    """Gamma that varies in space: x + (gamma(x) - x) k, with k from 0 to 1 over the image's voxels.

    gamma(x) is the power of Gamma between the original image's minimum and maximum, k a Gaussian as
    in BrightnessGradient. `gamma`: above 0, 1 changes nothing. `centre_fraction`,
    `sigma_fraction`: as in BrightnessGradient.

    Error below 2e-6 of the image's range for a sigma up to the extent. Source: Isensee 2021
    (nnU-Net, local gamma of its DA5 training).
    """

    op: Literal["local_gamma"] = "local_gamma"
    gamma: Annotated[Parameter, Range(low=0.0, above_low=True)] = LogUniform(0.4, 2.5)
    centre_fraction: CentreFraction = Uniform(0.0, 1.0)
    sigma_fraction: SigmaFraction = LogUniform(0.2, 1.0)


FieldOp = MultiplicativeAndAdditiveField | BiasField | BrightnessGradient | LocalGamma
