"""Own exp, log, sin, cos and normal quantile against the C library and SciPy."""

import math

import numpy as np
import pytest
from scipy.special import ndtri

from millimorph.kernels import elementary

CASES = {
    "exp": (elementary.exp, math.exp, (-745.0, 709.7)),
    "exp_near_zero": (elementary.exp, math.exp, (-1.0, 1.0)),
    "log_near_one": (elementary.log, math.log, (0.5, 2.0)),
    "log_wide": (elementary.log, math.log, (1e-300, 1e300)),
    "sin": (elementary.sin, math.sin, (-10.0, 10.0)),
    "cos": (elementary.cos, math.cos, (-10.0, 10.0)),
    "sin_far": (elementary.sin, math.sin, (-1e6, 1e6)),
    "cos_far": (elementary.cos, math.cos, (-1e6, 1e6)),
}


@pytest.mark.parametrize("name", CASES)
def test_functions_agree_with_the_c_library_to_one_unit_in_the_last_place(name):
    own, library, (low, high) = CASES[name]
    x = np.random.default_rng(1).uniform(low, high, 20_000)
    expected = np.array([library(value) for value in x.tolist()])
    units = np.abs(own(x) - expected) / np.spacing(np.abs(expected))
    assert units.max() <= 1.0


def test_sine_stays_accurate_next_to_multiples_of_pi():
    """There the result is all rounding error unless pi is subtracted in several parts."""
    x = np.arange(-300_000, 300_000, 37) * math.pi
    expected = np.array([math.sin(value) for value in x.tolist()])
    units = np.abs(elementary.sin(x) - expected) / np.spacing(np.abs(expected))
    assert units.max() <= 1.0


def test_logarithm_reaches_over_all_positive_numbers():
    x = np.array([5e-324, 1e-310, 2.2e-308, 1.0, 1.7e308])
    expected = [math.log(value) for value in x.tolist()]
    np.testing.assert_allclose(elementary.log(x), expected, rtol=3e-16)


def test_normal_quantile_agrees_with_scipy_from_the_deepest_tail_to_the_middle():
    rng = np.random.default_rng(2)
    p = np.concatenate([rng.uniform(0.0, 1.0, 20_000), 10.0 ** rng.uniform(-300.0, -0.31, 20_000)])
    np.testing.assert_allclose(elementary.normal_quantile(p), ndtri(p), rtol=1e-13)


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos", "normal_quantile"])
def test_a_float_has_the_same_bits_as_in_an_array_of_any_length(name):
    """Floats and arrays take different branches; vector loops may differ from their remainders."""
    function = getattr(elementary, name)
    x = np.random.default_rng(3).uniform(1e-6, 1.0 - 1e-6, 1003)
    if name != "normal_quantile":
        x = np.concatenate([x, 700.0 * x])
    whole = function(x)
    assert [function(value) for value in x.tolist()] == whole.tolist()
    assert np.array_equal(function(x[:7]), whole[:7])
    assert np.array_equal(function(x[::3]), whole[::3])


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos", "normal_quantile"])
def test_special_values_agree_between_floats_and_arrays(name):
    function = getattr(elementary, name)
    special = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 710.0, -746.0, math.inf, -math.inf, math.nan]
    alone = np.array([function(value) for value in special])
    np.testing.assert_array_equal(alone, function(np.array(special)))


def test_limits_are_those_of_the_functions():
    assert elementary.exp(710.0) == math.inf
    assert elementary.exp(-746.0) == 0.0
    assert elementary.exp(0.0) == 1.0
    assert elementary.log(0.0) == -math.inf
    assert elementary.log(1.0) == 0.0
    assert math.isnan(elementary.log(-1.0))
    assert math.isnan(elementary.sin(math.inf))
    assert elementary.normal_quantile(0.5) == 0.0
    assert elementary.normal_quantile(0.0) == -math.inf
    assert elementary.normal_quantile(1.0) == math.inf
    assert math.isnan(elementary.normal_quantile(1.5))


def test_arrays_keep_their_shape_and_floats_stay_floats():
    assert elementary.exp(np.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert elementary.sin(np.zeros((2, 3))).shape == (2, 3)
    assert type(elementary.cos(0.25)) is float
