"""Weights of Gaussian filters."""

import numpy as np
import pytest
from scipy import special

from millimorph.kernels import gaussian


@pytest.mark.parametrize("sd", [0.05, 0.3, 1.0, 2.7, 20.0])
def test_sampled_weights_are_the_density_at_whole_voxels(sd):
    weights = np.array(gaussian.sampled(sd))
    expected = np.exp(-0.5 * (np.arange(len(weights)) / sd) ** 2)
    np.testing.assert_allclose(weights, expected / (2 * expected.sum() - 1), rtol=1e-12)
    assert len(weights) == 1 + int(4 * sd + 0.5)


@pytest.mark.parametrize("variance", [1e-5, 0.02, 0.7, 4.0, 31.0, 33.0, 100.0, 900.0])
def test_discrete_weights_are_bessel_functions(variance):
    """Up to a common factor, because what the ends lack is spread over all."""
    weights = np.array(gaussian.discrete(variance))
    expected = special.ive(np.arange(len(weights)), variance)
    np.testing.assert_allclose(weights / weights[0], expected / expected[0], rtol=1e-12)
    assert 2 * weights.sum() - weights[0] == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("variance", [0.02, 4.0, 31.0, 100.0])
def test_discrete_weights_end_where_one_percent_is_lost(variance):
    weights = gaussian.discrete(variance)
    shares = special.ive(np.arange(len(weights)), variance)
    reached = shares[0] + 2 * np.cumsum(shares[1:])
    assert reached[-1] >= 0.99
    assert len(weights) == 2 or reached[-2] < 0.99


def test_discrete_weights_end_after_as_many_pairs_as_itk_has():
    assert len(gaussian.discrete(1000.0)) == 33


def test_a_variance_of_almost_nothing_is_the_voxel_itself():
    assert gaussian.discrete(1e-300) == (1.0,)
