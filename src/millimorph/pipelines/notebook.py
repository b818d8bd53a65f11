"""The jobs of SimpleITK's data augmentation notebook: its similarities and its filters.

The similarities have the notebook's ranges: scales of 0.9 to 1.1, angles of plus and minus 10
degrees, translations of plus and minus 10 mm.
"""

import math

from millimorph.designs import FullFactorial, Random
from millimorph.distributions import Uniform
from millimorph.ops import (
    AdaptiveHistogramEqualization,
    Affine,
    Bilateral,
    GaussianBlur,
    GaussianNoise,
    Median,
    OneOf,
    SaltAndPepper,
    ShotNoise,
    Speckle,
    Transform,
)
from millimorph.recipe import Pipeline, Reference


def notebook_intensity(
    *,
    sigma_mm: float = 2.0,
    variance_mm2: float = 4.0,
    domain_sigma_mm: float = 4.0,
    range_sigma: float = 8.0,
    median_radius: int = 8,
    equalisation_radius: int = 5,
) -> Pipeline:
    """One image for each filter of the notebook's intensity series, ten in all, in its order.

    `sigma_mm`: of the recursive Gaussian. `variance_mm2`: of the discrete Gaussian, in mm².
    `domain_sigma_mm`, `range_sigma`: of the bilateral filter, mm and grey levels. `median_radius`:
    in voxels. `equalisation_radius`: of the two adaptive equalisations, in voxels; their alpha and
    beta are 1 and 0, 0 and 1. The noises have ITK's defaults: SD 1, probability 0.01, scale 1, SD
    1; they are weak or strong by the image's grey levels, so look at `show` first.

    Differences from ITK: salt and pepper are the image's own extremes, not those of its type, so
    that floats have them too; the Gaussian named recursive is a sampled one, whose error is
    smaller.
    """
    filters = (
        GaussianBlur(id="recursive_gaussian", sigma_mm=sigma_mm),
        GaussianBlur(id="discrete_gaussian", sigma_mm=math.sqrt(variance_mm2), kernel="discrete"),
        Bilateral(domain_sigma_mm=domain_sigma_mm, range_sigma=range_sigma),
        Median(radius=median_radius),
        GaussianNoise(std=1.0),
        SaltAndPepper(density=0.01),
        ShotNoise(scale=1.0),
        Speckle(relative_std=1.0),
        AdaptiveHistogramEqualization(
            id="equalisation_alpha", radius=equalisation_radius, alpha=1.0, beta=0.0
        ),
        AdaptiveHistogramEqualization(
            id="equalisation_beta", radius=equalisation_radius, alpha=0.0, beta=1.0
        ),
    )
    return Pipeline(intensity=(OneOf(id="filter", ops=filters),), design=FullFactorial())


def similarity_grid() -> Pipeline:
    """Every combination of three values of each parameter of a similarity in 2D."""
    angle = math.pi / 18.0
    return Pipeline(
        dimension=2,
        reference=Reference(size=(128, 128)),
        spatial=(
            Transform(
                kind="Similarity2D",
                parameters=(
                    Uniform(0.9, 1.1),
                    Uniform(-angle, angle),
                    Uniform(-10.0, 10.0),
                    Uniform(-10.0, 10.0),
                ),
            ),
        ),
        design=FullFactorial(levels=3),
    )


def similarity_random() -> Pipeline:
    """Ten random similarities in 3D."""
    return Pipeline(
        dimension=3,
        reference=Reference(size=(128, 128, 128)),
        spatial=(
            Affine(
                rotation_deg=Uniform(-10.0, 10.0),
                scale=Uniform(0.9, 1.1),
                translation_mm=Uniform(-10.0, 10.0),
            ),
        ),
        design=Random(count=10),
    )
