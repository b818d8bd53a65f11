"""The pipeline of the notebook's filters gives, one by one, what SimpleITK's filters give."""

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from scipy import ndimage

import millimorph as mm
from millimorph.pipelines import notebook_intensity

GRID = mm.ImageGrid((60, 50), (1.0, 1.25), (-3, 7))


def recursive_gaussian():
    found = sitk.SmoothingRecursiveGaussianImageFilter()
    found.SetSigma(2.0)
    return found


def discrete_gaussian():
    found = sitk.DiscreteGaussianImageFilter()
    found.SetVariance(4.0)
    return found


def bilateral():
    found = sitk.BilateralImageFilter()
    found.SetDomainSigma(4.0)
    found.SetRangeSigma(8.0)
    return found


def median():
    found = sitk.MedianImageFilter()
    found.SetRadius(8)
    return found


def equalisation(alpha, beta):
    found = sitk.AdaptiveHistogramEqualizationImageFilter()
    found.SetAlpha(alpha)
    found.SetBeta(beta)
    return found


# Place in the series, the notebook's filter, the bound in standard deviations of the image.
DETERMINISTIC = {
    "recursive_gaussian": (0, recursive_gaussian(), 0.015),
    "discrete_gaussian": (1, discrete_gaussian(), 1e-4),
    "bilateral": (2, bilateral(), 0.01),
    "median": (3, median(), 0.0),
    "equalisation_alpha": (8, equalisation(1.0, 0.0), 2e-4),
    "equalisation_beta": (9, equalisation(0.0, 1.0), 2e-4),
}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_a_sample_is_what_the_filter_of_its_name_makes(name):
    """Where chance plays no part; the noises have tests of their laws."""
    noise = np.random.default_rng(2).normal(size=GRID.shape)
    voxels = (100 + 400 * ndimage.gaussian_filter(noise, 2.0)).astype(np.float32)
    index, itk_filter, share = DETERMINISTIC[name]
    case = mm.Case(id="p01", images={"mr": mm.ScalarImage(voxels, GRID)})
    recipe = list(mm.draw(notebook_intensity(), case="p01"))[index]
    assert recipe.intensity[0].id == f"filter.{name}"
    result = mm.run(mm.compile(recipe, case), case).images["mr"].array
    expected = sitk.GetArrayFromImage(itk_filter.Execute(oracles.itk_image(voxels, GRID)))
    oracles.check_close(result, expected, share * float(voxels.std()), name)
    assert np.abs(result - voxels).max() > voxels.std() / 10
