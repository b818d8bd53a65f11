"""Starters for modalities: values that keep an image plausible, to be changed to one's data."""

from millimorph.distributions import LogUniform, Uniform
from millimorph.ops import (
    Affine,
    BiasField,
    Brightness,
    ColourJitter,
    CtCupping,
    CtDoseNoise,
    CtKernelChange,
    Elastic,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    Ghosting,
    Gibbs,
    IntensityCurve,
    LowResolution,
    Motion,
    RadialDistortion,
    RicianNoise,
    ShotNoise,
    SpecularHighlights,
    UltrasoundAttenuation,
    UltrasoundShadow,
    UltrasoundSpeckle,
    Vignette,
    XrayCollimation,
    XrayScatter,
)
from millimorph.recipe import Pipeline


def starter() -> Pipeline:
    """Any image."""
    return Pipeline(
        spatial=(
            Affine(
                rotation_deg=Uniform(-8.0, 8.0),
                scale=Uniform(0.92, 1.08),
                translation_mm=Uniform(-6.0, 6.0),
            ),
            Elastic(control_spacing_mm=40.0, magnitude_mm=Uniform(2.0, 8.0)),
        ),
        intensity=(GaussianNoise(std_fraction=Uniform(0.0, 0.02)),),
    )


def ct() -> Pipeline:
    """CT in HU: grey values keep their meaning."""
    return Pipeline(
        spatial=(
            Affine(
                rotation_deg=Uniform(-10.0, 10.0),
                scale=Uniform(0.9, 1.1),
                translation_mm=Uniform(-10.0, 10.0),
            ),
            Elastic(control_spacing_mm=40.0, magnitude_mm=Uniform(2.0, 8.0), probability=0.7),
        ),
        intensity=(
            CtKernelChange(probability=0.3),
            LowResolution(zoom=Uniform(0.5, 1.0), probability=0.2),
            CtCupping(depth_hu=Uniform(10.0, 50.0), probability=0.15),
            CtDoseNoise(dose_fraction=LogUniform(0.1, 0.7), probability=0.5),
        ),
    )


def mr() -> Pipeline:
    """MR of any contrast, its grey levels without a unit."""
    return Pipeline(
        spatial=(
            Affine(
                rotation_deg=Uniform(-15.0, 15.0),
                scale=Uniform(0.85, 1.15),
                translation_mm=Uniform(-8.0, 8.0),
            ),
            Elastic(control_spacing_mm=32.0, magnitude_mm=Uniform(2.0, 7.0), probability=0.7),
        ),
        intensity=(
            IntensityCurve(probability=0.3),
            BiasField(probability=0.5),
            Gamma(gamma=LogUniform(0.75, 1.4), probability=0.4),
            Motion(probability=0.1),
            Ghosting(intensity=Uniform(0.03, 0.12), probability=0.1),
            Gibbs(probability=0.1),
            LowResolution(zoom=Uniform(0.5, 1.0), probability=0.2),
            RicianNoise(std_fraction=Uniform(0.0, 0.04), probability=0.5),
        ),
    )


def xray() -> Pipeline:
    """Radiographs, bright where the patient absorbs."""
    return Pipeline(
        dimension=2,
        spatial=(
            Affine(
                rotation_deg=Uniform(-7.0, 7.0),
                scale=Uniform(0.9, 1.1),
                translation_mm=Uniform(-15.0, 15.0),
            ),
            Elastic(control_spacing_mm=60.0, magnitude_mm=Uniform(1.0, 5.0), probability=0.5),
            RadialDistortion(
                coefficients=(Uniform(-0.04, 0.04),), unit="half_diagonal", probability=0.3
            ),
        ),
        intensity=(
            XrayScatter(probability=0.3),
            Gamma(gamma=LogUniform(0.7, 1.4), probability=0.7),
            GaussianBlur(sigma_voxels=Uniform(0.3, 1.0), probability=0.2),
            GaussianNoise(std_fraction=Uniform(0.0, 0.03), probability=0.5),
            XrayCollimation(probability=0.3),
        ),
    )


def ultrasound() -> Pipeline:
    """B-mode pictures, depth along y from the first row, grey levels as logarithms of echoes."""
    return Pipeline(
        dimension=2,
        spatial=(
            Affine(
                rotation_deg=Uniform(-5.0, 5.0),
                scale=Uniform(0.9, 1.1),
                translation_mm=Uniform(-5.0, 5.0),
            ),
            Elastic(control_spacing_mm=20.0, magnitude_mm=Uniform(0.5, 2.5), probability=0.5),
        ),
        intensity=(
            UltrasoundShadow(probability=0.3),
            UltrasoundAttenuation(probability=0.5),
            UltrasoundSpeckle(probability=0.5),
            Brightness(shift_fraction=Uniform(-0.08, 0.08), probability=0.5),
            Gamma(gamma=LogUniform(0.8, 1.25), probability=0.5),
        ),
    )


def endoscopy() -> Pipeline:
    """Pictures in red, green and blue, without an upright; lengths are relative to the picture."""
    return Pipeline(
        dimension=2,
        spatial=(
            Affine(rotation_deg=Uniform(-180.0, 180.0), scale=Uniform(0.9, 1.2)),
            RadialDistortion(
                coefficients=(Uniform(-0.1, 0.1),), unit="half_diagonal", probability=0.5
            ),
        ),
        intensity=(
            ColourJitter(probability=0.8),
            SpecularHighlights(probability=0.3),
            Vignette(probability=0.3),
            GaussianBlur(sigma_voxels=Uniform(0.5, 3.0), probability=0.2),
            ShotNoise(counts=LogUniform(300.0, 3000.0), probability=0.3),
        ),
    )
