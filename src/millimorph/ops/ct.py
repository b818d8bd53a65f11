"""Ops on computed tomograms in Hounsfield units: noise of a dose, and the artefacts of a scanner.

Axial planes are the grid planes nearest to across the patient's head-foot axis; a 2D image is one.
Attenuation is that of water at 0.0192 per mm (70 keV) scaled by density, 1 + HU / 1000; rays are
parallel, and what lies outside the image is air. Voxels below -1500 HU are padding and stay.
Images of unsigned types cannot hold HU and are refused. Put these ops before any that leaves HU.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from millimorph.distributions import Choice, LogUniform, Parameter, Uniform
from millimorph.ops.base import Centre, WholeParameter
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Checked, Range, Whole
from millimorph.values import number, shown

MOST_RINGS = 100
MOST_PINS = 20


@dataclass(frozen=True)
class Places(Checked):
    """A list of points [x, y] or [x, y, z] in LPS mm; None: drawn."""

    def parse(self, given: Any) -> tuple[tuple[float, ...], ...] | None:
        """The points as tuples."""
        if given is None:
            return None
        message = f"must be a list of points in mm such as [[12, -30, 85.5]], got {shown(given)}"
        if not isinstance(given, list | tuple) or not 0 < len(given) <= MOST_PINS:
            raise ValueError(message)
        try:
            points = tuple(tuple(number(entry) for entry in point) for point in given)
        except (TypeError, ValueError):
            raise ValueError(message) from None
        if len(points[0]) not in {2, 3} or any(len(p) != len(points[0]) for p in points):
            raise ValueError(message)
        return points

    def schema(self) -> dict[str, Any]:
        """An array of arrays of two or three numbers, or null."""
        point = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3}
        points = {"type": "array", "items": point, "minItems": 1, "maxItems": MOST_PINS}
        return {"anyOf": [points, {"type": "null"}]}


class CtDoseNoise(ImageOp):
    """The noise that a lower dose would have added, in HU.

    `dose_fraction`: the dose, relative to that of the image, above 0 to 1; 1 adds nothing.
    `full_dose_noise_hu`: SD of the image's own noise behind 300 mm of water. The added SD there is
    full_dose_noise_hu * sqrt(1 / dose_fraction - 1); elsewhere it is that times the square root of
    the mean of exp(path) over 32 directions through the voxel, relative to 300 mm of water, paths
    held at 520 mm of water. `peak_frequency_per_mm`: where the noise power spectrum f exp(-f^2 /
    (2 peak^2)), a ramp and an apodisation, has its peak: 0.2 a soft kernel, 0.5 a sharp one.

    Approximate: no bow-tie filter, no tube current modulation, noise alike in all directions (not
    the streaks of the shoulders), independent from plane to plane. Paths are found on 5 mm voxels.
    Sources: Kak and Slaney 1988, chapter 5 (variance of a filtered backprojection); Solomon 2012,
    Medical Physics 39:6048 (noise spectra of scanners).
    SciPy's FFT is used.
    """

    op: Literal["ct_dose_noise"] = "ct_dose_noise"
    dose_fraction: Annotated[Parameter, Range(low=0.0, high=1.0, above_low=True)] = LogUniform(
        0.05, 0.5
    )
    full_dose_noise_hu: Annotated[Parameter, Range(low=0.0, unit="HU")] = 10.0
    peak_frequency_per_mm: Annotated[Parameter, Range(low=0.0, above_low=True, unit="/mm")] = (
        Uniform(0.2, 0.4)
    )


class CtRings(ImageOp):
    """Concentric rings of detector channels whose gain is off.

    `count`: how many, 1 to 100, their radii drawn evenly up to the nearest edge. `amplitude_hu`: in
    each plane the height of each ring is drawn evenly between plus and minus this. `width_mm`: full
    width at half maximum of a channel's error, at least a voxel. `centre_mm`: a point of the axis
    of rotation; left out, the centre of the image.

    The profile of a ring is the inverse Abel transform of the bump (1 - x^2)^3, which is what
    filtered backprojection of a constant error is: a sharp rim, a halo of the other sign inside,
    nothing outside.
    Approximate: the same channels fail in every plane, through the whole turn of an axial scan.
    Source: Sijbers and Postnov 2004, Physics in Medicine and Biology 49:N247 (their cause).
    """

    op: Literal["ct_rings"] = "ct_rings"
    count: Annotated[WholeParameter, Whole(low=1, high=MOST_RINGS)] = Choice((8, 16, 24))
    amplitude_hu: Annotated[Parameter, Range(low=0.0, unit="HU")] = Uniform(30.0, 80.0)
    width_mm: Annotated[Parameter, Range(low=0.0, above_low=True, unit="mm")] = Uniform(0.7, 1.5)
    centre_mm: Centre = None


class CtMetalStreaks(ImageOp):
    """Metal pins along the patient, and the streaks and dark bands that they throw.

    `count`: how many pins, 1 to 20, drawn among the densest of 64 places of each pin's, or
    `places_mm`: their centres. `radius_mm` and `length_mm`: of a pin. `metal_hu`: its HU.
    `streak_hu`: root mean square of the streaks within 50 mm of the pins.

    Approximate: a ray of path p, q of it through metal (0.4 per mm), is off by second-order beam
    hardening, -0.015 (p^2 - (p - q)^2), plus the noise of 4e6 photons a mm, of SD exp(p / 2) / 2000
    for a ray of 1 mm, p held at 520 mm of water; rays off the metal are right. The error's filtered
    backprojection (240 directions, as wide as voxels of at least 1.2 mm) is scaled to `streak_hu`.
    Results are held at -1024 HU from below.
    Sources: De Man 1999, IEEE Transactions on Nuclear Science 46:691; Joseph and Spital 1978,
    Journal of Computer Assisted Tomography 2:100.
    """

    op: Literal["ct_metal_streaks"] = "ct_metal_streaks"
    count: Annotated[WholeParameter, Whole(low=1, high=MOST_PINS)] = 2
    streak_hu: Annotated[Parameter, Range(low=0.0, unit="HU")] = Uniform(60.0, 180.0)
    radius_mm: Annotated[Parameter, Range(low=0.0, above_low=True, unit="mm")] = Uniform(2.0, 4.0)
    length_mm: Annotated[Parameter, Range(low=0.0, above_low=True, unit="mm")] = Uniform(10.0, 40.0)
    metal_hu: Annotated[Parameter, Range(low=-1024.0, unit="HU")] = 3000.0
    places_mm: Annotated[tuple[tuple[float, ...], ...] | None, Places()] = None


class CtCupping(ImageOp):
    """Beam hardening that was not corrected: HU fall towards the middle and between bones.

    `depth_hu`: the deepest depression in the image. What is subtracted is the filtered
    backprojection of the squared path lengths, the second-order term of beam hardening, scaled to
    that depth; in a cylinder of radius R it is depth_hu * sqrt(1 - (r / R)^2).

    Approximate: found on voxels of 5 mm with 48 directions, so edges of bones are smooth.
    Source: Joseph and Spital 1978, Journal of Computer Assisted Tomography 2:100.
    """

    op: Literal["ct_cupping"] = "ct_cupping"
    depth_hu: Annotated[Parameter, Range(low=0.0, unit="HU")] = Uniform(30.0, 80.0)


class CtKernelChange(ImageOp):
    """The image as a softer or sharper reconstruction kernel would have given it.

    `sharpness`: the frequency at which the new kernel's modulation transfer is one half, relative
    to the image's; below 1 softer, above 1 sharper, 1 changes nothing. `mtf50_per_mm`: that
    frequency of the image; left out, a quarter cycle per voxel of the plane, at most 0.4 per mm.

    Each plane is filtered by the ratio of two Gaussian transfer functions, g = exp(-ln 2 (f /
    mtf50)^2 (1 / sharpness^2 - 1)), repeated or mirrored at its edges. Where g exceeds 1 it is held
    near 3 by g sqrt(10) / sqrt(9 + g^2), so noise is not blown up without limit. HU of even regions
    stay.
    Approximate: real sharp kernels also overshoot at middle frequencies.
    Source: Schaller 2003, IEEE Transactions on Medical Imaging 22:846 (kernels changed afterwards).
    SciPy's FFT is used.
    """

    op: Literal["ct_kernel_change"] = "ct_kernel_change"
    sharpness: Annotated[Parameter, Range(low=0.0, above_low=True)] = LogUniform(0.7, 1.4)
    mtf50_per_mm: Annotated[
        Parameter | None, Range(low=0.0, above_low=True, unit="/mm", optional=True)
    ] = None


CtOp = CtDoseNoise | CtRings | CtMetalStreaks | CtCupping | CtKernelChange
