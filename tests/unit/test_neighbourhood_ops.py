"""Networks that find a median, what ops on windows accept, and how their steps are spelled."""

import itertools

import numpy as np
import pytest

import millimorph as mm
from millimorph.kernels.networks import GREATER, LESSER, median_network

SMALL_WINDOWS = [
    (depth, width)
    for depth, width in itertools.product(range(1, 126, 2), range(1, 126, 2))
    if depth * width <= 125
]


def by_network(numbers, depth, width):
    """Make the exchanges of rows of numbers: columns first, as a kernel does."""
    network = median_network(depth, width)
    rows = numbers.copy()
    for column in np.split(rows, width):
        _exchange(column, network.column)
    _exchange(rows, network.window)
    return rows[network.place]


def _exchange(rows, steps):
    for i, j, kept in steps.tolist():
        lesser, greater = np.minimum(rows[i], rows[j]), np.maximum(rows[i], rows[j])
        if kept != GREATER:
            rows[i] = lesser
        if kept != LESSER:
            rows[j] = greater


@pytest.mark.parametrize("window", [(1, 1), (3, 1), (1, 3), (3, 3), (5, 3), (1, 15), (15, 1)])
def test_a_network_finds_the_median_of_all_zeros_and_ones(window):
    """Enough for all numbers: exchanges commute with every threshold (Knuth 5.3.4, Theorem Z)."""
    count = window[0] * window[1]
    every = (np.arange(2**count) >> np.arange(count)[:, None]) & 1
    np.testing.assert_array_equal(by_network(every, *window), every.sum(axis=0) > count // 2)


@pytest.mark.parametrize("window", SMALL_WINDOWS)
def test_a_network_finds_the_median_of_near_ties(window):
    """Zeros and ones, half of each; at 3 x 3 x 3 enough to show almost any missing exchange."""
    count = window[0] * window[1]
    draws = 100_000 if count == 27 else 200
    places = np.random.default_rng(1).permuted(
        np.tile(np.arange(count, dtype=np.int8)[:, None], draws), axis=0
    )
    for ones in (count // 2, count // 2 + 1):
        numbers = (places < ones).astype(np.int8)
        expected = np.full(draws, int(ones > count // 2))
        np.testing.assert_array_equal(by_network(numbers, *window), expected)


def test_a_network_leaves_out_what_the_median_does_not_need():
    """3 x 3 x 3: a third of a whole sorting network's 138 exchanges for 27 numbers."""
    network = median_network(9, 3)
    assert len(network.column) <= 26
    assert len(network.window) <= 46


@pytest.mark.parametrize("radius", [-1, 1.5, 101, "one", (1, 2, 3, 4)])
@pytest.mark.parametrize("op", [mm.Median, mm.AdaptiveHistogramEqualization])
def test_a_radius_is_a_count_of_voxels(op, radius):
    with pytest.raises(mm.PipelineError, match="radius"):
        op(radius=radius)


def test_one_range_sigma_is_given():
    assert mm.Bilateral(range_sigma=8.0).range_sigma_fraction is None
    with pytest.raises(mm.PipelineError, match="range_sigma_fraction"):
        mm.Bilateral(range_sigma=8.0, range_sigma_fraction=0.1)


@pytest.mark.parametrize("name", ["alpha", "beta"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_alpha_and_beta_lie_between_0_and_1(name, value):
    with pytest.raises(mm.PipelineError, match=name):
        mm.AdaptiveHistogramEqualization(**{name: value})


def test_steps_print_their_windows_in_voxels():
    grid = mm.ImageGrid((8, 7, 6), (1.0, 1.0, 2.0))
    case = mm.Case(id="p01", images={"ct": mm.ScalarImage(np.zeros(grid.shape), grid)})
    ops = (
        mm.Median(radius=(1, 2, 0)),
        mm.Bilateral(domain_sigma_mm=2.0, range_sigma=30.0),
        mm.AdaptiveHistogramEqualization(radius=5, alpha=0.3, beta=1.0),
    )
    (recipe,) = mm.draw(mm.Pipeline(intensity=ops), case=case.id, stop=1)
    text = str(mm.compile(recipe, case))
    assert "median of 3 x 5 x 1 voxels" in text
    assert "bilateral filter of 2 x 2 x 1 voxels, levels 30" in text
    assert "adaptive equalisation in 11 x 11 x 11 voxels, alpha 0.3, beta 1" in text
