"""Designs: which points of the unit hypercube are drawn."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import qmc

from millimorph.designs import (
    Branches,
    Explicit,
    FullFactorial,
    Joint,
    LatinHypercube,
    Origin,
    Random,
    Sobol,
    Subset,
    coordinates,
    describe_grid,
    design_points,
    grid_size,
    with_count,
)
from millimorph.designs.spaces import grid_point
from millimorph.distributions import Choice, Normal, Uniform, UnitInterval
from millimorph.errors import PipelineError
from millimorph.parameters import Coordinate

HERE = Origin(7, "p01")


def plain_space(*names):
    return Joint(tuple(Coordinate(name, UnitInterval()) for name in names))


def table(design, space, origin=HERE, rows=None):
    """The points as rows, coordinates in order."""
    points = design_points(design, space, origin)
    names = [coordinate.name for coordinate in coordinates(space)]
    count = points.count if rows is None else rows
    return np.array([[points.drawn(i)(name) for name in names] for i in range(count)])


def test_random_points_do_not_depend_on_the_count():
    space = plain_space("a", "b")
    few, many = (table(Random(count=n), space) for n in (3, 8))
    assert np.array_equal(few, many[:3])
    assert np.array_equal(table(Random(), space, rows=8), many)


def test_random_points_without_a_count_never_end():
    assert design_points(Random(), plain_space("a"), HERE).count is None


def test_hundred_thousand_random_points_of_seeds_and_indices_all_differ():
    """G2: no collisions between (seed, index) pairs."""
    space = plain_space("a")
    drawn = set()
    for seed in range(100):
        points = design_points(Random(), space, Origin(seed, "case"))
        drawn |= {points.drawn(index)("a") for index in range(1000)}
    assert len(drawn) == 100_000


def test_random_points_are_uniform_and_independent():
    points = table(Random(count=1500), plain_space("a", "b"))
    assert all(stats.kstest(column, "uniform").pvalue > 1e-4 for column in points.T)
    assert abs(np.corrcoef(points.T)[0, 1]) < 0.1
    assert abs(np.corrcoef(points[1:, 0], points[:-1, 0])[0, 1]) < 0.1


@pytest.mark.parametrize("design", [Random(count=8), LatinHypercube(count=8), Sobol(count=8)])
def test_points_belong_to_their_seed_and_case(design):
    space = plain_space("a", "b")
    tables = [table(design, space, Origin(s, c)) for s in (1, 2) for c in ("p", "q")]
    for first, second in itertools.combinations(tables, 2):
        assert not np.any(first == second)


@pytest.mark.parametrize("design", [Random(count=16), LatinHypercube(count=16)])
def test_a_new_coordinate_changes_no_other(design):
    alone = table(design, plain_space("a", "b"))
    beside = table(design, plain_space("new", "a", "newer", "b"))
    assert np.array_equal(beside[:, [1, 3]], alone)


@given(count=st.integers(1, 300), seed=st.integers(0, 2**64 - 1))
def test_a_latin_hypercube_has_one_point_in_every_part(count, seed):
    points = table(LatinHypercube(count=count), plain_space("a", "b"), Origin(seed, "case"))
    for column in points.T:
        assert sorted(np.floor(column * count).astype(int)) == list(range(count))


def test_places_within_the_parts_of_a_latin_hypercube_are_uniform():
    column = table(LatinHypercube(count=1000), plain_space("a"))[:, 0]
    assert stats.kstest(column * 1000 % 1, "uniform").pvalue > 1e-4


def test_the_columns_of_a_latin_hypercube_are_shuffled_apart():
    points = table(LatinHypercube(count=1000), plain_space("a", "b"))
    assert abs(np.corrcoef(points.T)[0, 1]) < 0.12


def test_sobol_points_are_scipys_with_flipped_bits():
    """The XOR of a column with SciPy's unscrambled one is the same for all its points."""
    points = table(Sobol(count=64), plain_space("a", "b", "c"))
    bits = np.floor(points * 2.0**32).astype(np.int64)
    plain = (qmc.Sobol(3, scramble=False).random(64) * 2.0**32).astype(np.int64)
    masks = bits ^ plain
    assert np.array_equal(masks, np.broadcast_to(masks[0], masks.shape))
    assert len(set(masks[0])) == 3


def test_every_aligned_block_of_sobol_points_has_one_in_every_part():
    """The first coordinates of a (t, s)-sequence: one in each of n equal parts."""
    points = table(Sobol(count=512), plain_space("a", "b"))
    for start in range(0, 512, 64):
        for column in points[start : start + 64].T:
            assert sorted(np.floor(column * 64).astype(int)) == list(range(64))


def test_sobol_points_come_out_the_same_in_any_order():
    space = plain_space("a", "b")
    straight = table(Sobol(count=1024), space)
    points = design_points(Sobol(count=1024), space, HERE)
    for index in (1023, 0, 511, 256, 255, 512, 3):
        assert [points.drawn(index)(name) for name in "ab"] == list(straight[index])


@pytest.mark.parametrize("design", [Random(count=3), LatinHypercube(count=3), Sobol(count=4)])
def test_a_space_without_coordinates_still_has_points(design):
    assert table(design, Joint(())).shape == (design.count, 0)


def test_sobol_says_when_there_are_too_many_coordinates():
    names = [str(k) for k in range(21_202)]
    with pytest.raises(PipelineError, match="21202 parameters vary, at most 21201"):
        design_points(Sobol(count=2), plain_space(*names), HERE)


@pytest.mark.parametrize(
    ("count", "below", "above"), [(3, 2, 4), (100, 64, 128), (1023, 512, 1024)]
)
def test_a_sobol_count_that_is_no_power_of_two_names_the_nearest(count, below, above):
    with pytest.raises(PipelineError, match=f"got {count}; the nearest are {below} and {above}"):
        Sobol(count=count)


def test_the_last_coordinate_of_a_full_factorial_varies_fastest():
    space = Joint(
        (
            Coordinate("a", Uniform(0, 10)),
            Coordinate("b", Choice(("x", "y"))),
            Coordinate("c", Normal(0, 1)),
        )
    )
    points = design_points(FullFactorial(levels=3), space, HERE)
    rows = [[points.drawn(i)(name) for name in "abc"] for i in range(points.count)]
    outer = Normal(0, 1).quantile(5 / 6)
    expected = list(itertools.product([0.0, 5.0, 10.0], ["x", "y"], [-outer, 0.0, outer]))
    assert [row[:2] for row in rows] == [list(row[:2]) for row in expected]
    np.testing.assert_allclose([row[2] for row in rows], [row[2] for row in expected], atol=1e-12)


def branched():
    """A choice between a parameter and nothing, beside a parameter."""
    a, b = Coordinate("a", UnitInterval()), Coordinate("b", UnitInterval())
    pick = Coordinate("pick", Choice(("a", "none")))
    return Joint((Branches(pick, ((0.25, a), (0.75, Joint(())))), b))


def test_parameters_of_a_branch_count_only_where_it_is_taken():
    space = branched()
    assert grid_size(space, 3) == (3 + 1) * 3
    rows = [tuple(sorted(grid_point(space, 3, i).items())) for i in range(12)]
    assert len(set(rows)) == 12
    assert sum("a" in dict(row) for row in rows) == 9
    assert [c.name for c in coordinates(space)] == ["pick", "a", "b"]


@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4), count=st.integers(0, 4))
def test_a_grid_over_subsets_has_every_combination_once(sizes, count):
    """Counted by enumerating the subsets."""
    count = min(count, len(sizes))
    parts = tuple(Coordinate(f"p{k}", Choice(tuple(range(size)))) for k, size in enumerate(sizes))
    ranks = tuple(Coordinate(f"r{k}", UnitInterval()) for k in range(len(sizes)))
    space = Subset(None, ((0.5, count),), ranks, parts)
    expected = sum(
        int(np.prod([sizes[k] for k in subset], dtype=int))
        for subset in itertools.combinations(range(len(sizes)), count)
    )
    assert grid_size(space, 3) == expected
    rows = [grid_point(space, 3, i) for i in range(expected)]
    assert len({tuple(sorted(row.items())) for row in rows}) == expected
    for row in rows:
        chosen = {name[1:] for name, unit in row.items() if name[0] == "r" and unit < 0.5}
        assert chosen == {name[1:] for name in row if name[0] == "p"}
        assert len(chosen) == count


def test_a_full_factorial_tells_its_size():
    equal = Joint(tuple(Coordinate(name, Uniform(0, 1)) for name in "abcd"))
    assert describe_grid(FullFactorial(levels=3), equal) == (
        "4 parameters × 3 values = 3^4 = 81 images"
    )
    mixed = Joint((Coordinate("a", Uniform(0, 1)), Coordinate("b", Choice((1, 2)))))
    assert describe_grid(FullFactorial(levels=3), mixed) == (
        "2 parameters with 3 × 2 values = 6 images"
    )
    assert describe_grid(FullFactorial(), branched()) == (
        "3 parameters in branches: 4 × 3 = 12 images"
    )
    assert describe_grid(FullFactorial(), Joint(())) == "nothing varies: 1 image"


def test_a_full_factorial_above_its_limit_is_refused_at_once():
    space = Joint(tuple(Coordinate(str(k), Uniform(0, 1)) for k in range(3000)))
    begin = time.perf_counter()
    with pytest.raises(PipelineError, match=r"3\^3000 = over 2\^4754 images, above the limit"):
        design_points(FullFactorial(), space, HERE)
    assert time.perf_counter() - begin < 5
    assert design_points(FullFactorial(levels=9, limit=81), plain_space("a", "b"), HERE).count == 81


def test_explicit_values_are_used_as_given():
    points = design_points(Explicit(values=((1.5, "b"), (9, "c"))), plain_space("x", "y"), HERE)
    assert points.count == 2
    assert (points.drawn(1)("x"), points.drawn(1)("y")) == (9.0, "c")


def test_explicit_points_go_through_the_distributions():
    space = Joint((Coordinate("x", Uniform(10, 20)),))
    points = design_points(Explicit(points=((0,), (0.25,))), space, HERE)
    assert [points.drawn(i)("x") for i in (0, 1)] == [10.0, 12.5]


def test_explicit_vectors_of_the_wrong_length_name_the_coordinates():
    with pytest.raises(PipelineError, match=r"needs 2 entries \(x, y\), got 3"):
        design_points(Explicit(values=((1, 2, 3),)), plain_space("x", "y"), HERE)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Random(count=0), "whole number from 1"),
        (lambda: Random(count=True), "whole number from 1"),
        (lambda: Random(cuont=3), 'did you mean "count"'),
        (LatinHypercube, '"count" is missing'),
        (lambda: Sobol(count=2**33), "at most 2\\^32"),
        (lambda: FullFactorial(levels=2.5), "whole number"),
        (Explicit, "exactly one of points and values"),
        (lambda: Explicit(points=((0.5,),), values=((1,),)), "exactly one"),
        (lambda: Explicit(points=((1.5,),)), "from 0 to 1"),
        (lambda: Explicit(values=((1,), (1, 2))), "one length"),
        (lambda: Explicit(values=()), "list of lists"),
        (lambda: Explicit(values=(3,)), "list of lists"),
        (lambda: Explicit(values=((float("nan"),),)), "finite"),
    ],
)
def test_a_wrong_design_says_what_is_wrong(make, told):
    with pytest.raises(PipelineError, match=told):
        make()


def test_a_count_replaces_that_of_a_sample_and_fits_no_grid():
    assert with_count(Random(), 5) == Random(count=5)
    assert with_count(Sobol(count=4), 8) == Sobol(count=8)
    with pytest.raises(PipelineError, match="number of images is fixed"):
        with_count(FullFactorial(), 5)
    with pytest.raises(PipelineError, match="power of two"):
        with_count(Sobol(count=4), 5)
