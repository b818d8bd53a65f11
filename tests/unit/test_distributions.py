"""A distribution is its inverse CDF, with the same bits everywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from millimorph.distributions import (
    SMALLEST_UNIT,
    Choice,
    LogUniform,
    Normal,
    TruncatedNormal,
    Uniform,
)
from millimorph.errors import PipelineError
from millimorph.kernels.philox import stream_key, uniforms
from millimorph.spelling import read_distribution

CASES = [
    (Uniform(-3, 5), stats.uniform(-3, 8)),
    (LogUniform(0.7, 1.5), stats.loguniform(0.7, 1.5)),
    (LogUniform(1e-3, 1e4), stats.loguniform(1e-3, 1e4)),
    (Normal(2, 0.5), stats.norm(2, 0.5)),
    (TruncatedNormal(1, 0.05, 0.9, 1.1), stats.truncnorm(-2, 2, 1, 0.05)),
    (TruncatedNormal(0, 1, 3, 9), stats.truncnorm(3, 9, 0, 1)),
    (TruncatedNormal(0, 2, -60, -40), stats.truncnorm(-30, -20, 0, 2)),
    (TruncatedNormal(0, 1, -0.5, 30), stats.truncnorm(-0.5, 30, 0, 1)),
]
KINDS = [distribution for distribution, _ in CASES] + [Choice((1, 2, 3), (1, 0, 2))]
units = st.floats(SMALLEST_UNIT, 1.0 - SMALLEST_UNIT)


def named(case):
    return str(case)


@pytest.mark.parametrize(("distribution", "law"), CASES, ids=named)
def test_quantiles_are_those_of_scipy(distribution, law):
    levels = np.linspace(0.0005, 0.9995, 41)
    ours = np.array([distribution.quantile(float(u)) for u in levels])
    np.testing.assert_allclose(ours, law.ppf(levels), rtol=3e-13, atol=1e-13)


@pytest.mark.parametrize(("distribution", "law"), CASES, ids=named)
def test_draws_follow_the_law(distribution, law):
    """Kolmogorov and Smirnov's distance of Philox draws, p > 1e-4."""
    drawn = [distribution.quantile(float(u)) for u in uniforms(stream_key("test", "law"), 1500)]
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("distribution", KINDS, ids=named)
@given(first=units, second=units)
def test_a_larger_coordinate_never_gives_a_smaller_value(distribution, first, second):
    """Up to the rounding of neighbouring coordinates."""
    low, high = sorted((first, second))
    above = distribution.quantile(high)
    assert distribution.quantile(low) <= above + 4 * np.spacing(max(abs(above), 1.0))


@pytest.mark.parametrize("distribution", KINDS, ids=named)
@given(u=units)
def test_values_stay_within_the_bounds(distribution, u):
    low, high = distribution.bounds
    assert low <= distribution.quantile(u) <= high


@pytest.mark.parametrize(
    "distribution", [Uniform(0.1, 0.7), LogUniform(0.7, 1.5), TruncatedNormal(0, 1, 0.3, 2.7)]
)
def test_the_ends_of_a_bounded_distribution_are_exact(distribution):
    assert (distribution.quantile(0.0), distribution.quantile(1.0)) == distribution.bounds


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), units)
def test_any_uniform_keeps_its_limits(low, width, u):
    distribution = Uniform(low, low + width)
    assert distribution.low <= distribution.quantile(u) <= distribution.high


@given(st.floats(1e-6, 10), st.floats(-8, 8), st.floats(1e-3, 8), units)
def test_any_truncated_normal_keeps_its_limits(sd, start, width, u):
    distribution = TruncatedNormal(0, sd, start * sd, (start + width) * sd)
    value = distribution.quantile(u)
    assert distribution.low <= value <= distribution.high


def test_quantiles_have_the_same_bits_everywhere():
    """The last digit belongs to the promise; a change here changes every recipe."""
    u = 0.3141592653589793
    assert Uniform(-10, 10).quantile(u).hex() == "-0x1.dbc095777a5d0p+1"
    assert LogUniform(0.7, 1.5).quantile(u).hex() == "0x1.c75b8b8afafacp-1"
    assert Normal(1, 2).quantile(u).hex() == "0x1.0496e27039580p-5"
    assert TruncatedNormal(0, 1, -1, 2).quantile(u).hex() == "-0x1.b3611bb25f37bp-3"


def test_choice_gives_each_value_its_share():
    choice = Choice(("a", "b", "c"), (1, 0, 3))
    drawn = [choice.quantile(float(u)) for u in uniforms(stream_key("test", "choice"), 4000)]
    counts = [drawn.count(value) for value in choice.values]
    assert counts[1] == 0
    assert stats.chisquare([counts[0], counts[2]], [1000, 3000]).pvalue > 1e-4


def test_choice_without_weights_is_even():
    assert [Choice((5, 6, 7)).quantile(u) for u in (0.0, 0.33, 0.34, 0.66, 0.67, 1.0)] == [
        *(5, 5),
        *(6, 6),
        *(7, 7),
    ]


def test_levels_of_a_bounded_distribution_include_both_ends():
    assert Uniform(0, 1).levels(5) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert LogUniform(1, 2).levels(1) == (0.5,)
    assert Uniform(3, 3).levels(4) == (0.5,)


def test_levels_of_an_unbounded_distribution_are_middles():
    assert Normal(0, 1).levels(4) == (0.125, 0.375, 0.625, 0.875)


def test_levels_of_a_choice_give_each_possible_value_once():
    choice = Choice(("a", "b", "c"), (1, 0, 3))
    assert [choice.quantile(u) for u in choice.levels(7)] == ["a", "c"]
    assert choice.levels(7) == (0.125, 0.625)


def test_distributions_are_values():
    assert Uniform(1, 2) == Uniform(1.0, 2.0)
    assert hash(Choice([1, 2])) == hash(Choice((1.0, 2.0)))
    with pytest.raises(AttributeError):
        Uniform(1, 2).low = 3


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Uniform(10, -10), "low must not be above high"),
        (lambda: Uniform("1", 2), "low must be a number"),
        (lambda: Uniform(True, 2), "low must be a number"),
        (lambda: Uniform(0, float("inf")), "high must be a finite number"),
        (lambda: Uniform(0, 10**400), "high must be a finite number"),
        (lambda: Uniform(-1.7e308, 1.7e308), "too large"),
        (lambda: LogUniform(0, 1), "low must be above 0"),
        (lambda: LogUniform(2, 1), "low must not be above high"),
        (lambda: Normal(0, 0), "sd must be above 0"),
        (lambda: TruncatedNormal(0, 1, 2, 2), "low must be below high"),
        (lambda: TruncatedNormal(0, 1, 31, 32), "30 sd"),
        (lambda: Choice(()), "values that differ"),
        (lambda: Choice((1, 1.0)), "values that differ"),
        (lambda: Choice("ab"), "must be a list"),
        (lambda: Choice((1, 2), (1,)), "one weight for each"),
        (lambda: Choice((1, 2), (1, -1)), "none below 0"),
        (lambda: Choice((1, 2), (0, 0)), "not all 0"),
        (lambda: Uniform(0, 1).quantile(1.5), "from 0 to 1"),
        (lambda: Uniform(0, 1).quantile(float("nan")), "from 0 to 1"),
        (lambda: Normal(0, 1).quantile(0.0), "no end"),
        (lambda: Normal(0, 1).quantile(1.0), "no end"),
    ],
)
def test_a_wrong_distribution_says_what_is_wrong(make, told):
    with pytest.raises(PipelineError, match=told):
        make()


@pytest.mark.parametrize("distribution", [*KINDS, Choice(("a", "b"))], ids=named)
def test_a_files_spelling_reads_back(distribution):
    assert read_distribution(distribution.as_data()) == distribution


@pytest.mark.parametrize(
    ("spelled", "told"),
    [
        ({"unform": [1, 2]}, 'did you mean "uniform"'),
        ({"uniform": [1]}, r"takes \[low, high\]"),
        ({"uniform": 1}, r"takes \[low, high\]"),
        ({"uniform": [1, 2], "normal": [1, 2]}, "one key"),
        ({}, "one key"),
        ({"choice": {"value": [1]}}, 'did you mean "values"'),
        ({"choice": {}}, '"values" is missing'),
        ({3: [1, 2]}, "unknown distribution 3"),
    ],
)
def test_a_wrong_spelling_says_what_is_right(spelled, told):
    with pytest.raises(PipelineError, match=told):
        read_distribution(spelled)
