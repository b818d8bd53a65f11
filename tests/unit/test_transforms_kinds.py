"""What each kind of transform promises beyond the laws that all of them share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from scipy.linalg import expm

from millimorph.errors import TransformError
from millimorph.geometry import ImageGrid
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
)

LATTICE = ImageGrid((8, 7, 9), (12.0, 10.0, 14.0), (-30.0, -40.0, -50.0))


def _coefficients(lattice, seed, magnitude):
    shape = (lattice.dimension, *lattice.shape)
    return np.random.default_rng(seed).uniform(-magnitude, magnitude, shape)


@st.composite
def affines(draw):
    d = draw(st.sampled_from([2, 3]))
    numbers = st.floats(-0.25, 0.25)
    linear = np.eye(d) + np.array([[draw(numbers) for _ in range(d)] for _ in range(d)])
    shift = [draw(st.floats(-1e3, 1e3)) for _ in range(d)]
    return AffineTransform.from_linear(linear, shift)


@given(transform=affines())
def test_an_affine_inverse_undoes_the_map_to_1e9_mm(transform):
    points = np.random.default_rng(21).uniform(-300.0, 300.0, (10, transform.dimension))
    back = transform.inverse().map_points(transform.map_points(points))
    np.testing.assert_allclose(back, points, rtol=0, atol=1e-9)
    undone = transform.approximate_inverse(tolerance_mm=1e-6)
    assert undone.transform == transform.inverse()
    assert undone.residual_mm < 1e-9


def test_an_affine_map_about_a_centre_leaves_it_but_for_the_translation():
    transform = AffineTransform.from_linear(
        [[0.0, -2.0], [2.0, 0.0]], translation_mm=(1.0, 2.0), centre_mm=(10.0, 20.0)
    )
    mapped = transform.map_points([[10.0, 20.0], [11.0, 20.0]])
    assert mapped.tolist() == [[11.0, 22.0], [11.0, 24.0]]


def test_affine_maps_are_values():
    matrix = np.diag([2.0, 3.0, 1.0])
    transform = AffineTransform.from_matrix(matrix)
    matrix[0, 0] = 9.0
    assert transform.matrix[0, 0] == 2.0
    assert transform == AffineTransform.from_matrix(np.diag([2.0, 3.0, 1.0]))
    assert hash(transform) == hash(AffineTransform.from_matrix(np.diag([2.0, 3.0, 1.0])))
    assert transform != AffineTransform.identity(2)
    assert AffineTransform.identity(2) != AffineTransform.identity(3)
    with pytest.raises(ValueError, match="read-only"):
        transform.matrix[0, 0] = 1.0


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2), "homogeneous"),
        (np.eye(5), "homogeneous"),
        (np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.1, 1.0]]), "last row"),
        (np.array([[1.0, 0.0, np.nan], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), "finite"),
    ],
)
def test_a_matrix_that_is_not_affine_is_refused(matrix, message):
    with pytest.raises(TransformError, match=message):
        AffineTransform.from_matrix(matrix)


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_a_singular_matrix_maps_but_has_no_inverse_whatever_its_scale(scale):
    flat = AffineTransform.from_linear(scale * np.array([[1.0, 2.0], [2.0, 4.0]]))
    assert np.isfinite(flat.map_points([[1.0, 1.0]])).all()
    with pytest.raises(TransformError, match="singular"):
        flat.inverse()
    with pytest.raises(TransformError):
        flat.inverse_points([[0.0, 1.0 * scale]])
    regular = AffineTransform.from_linear(scale * np.array([[1.0, 2.0], [2.0, 5.0]]))
    regular.inverse()


def test_the_splines_weights_are_those_of_scipys_cubic_bspline():
    lattice = ImageGrid((9, 4), (1.0, 1.0))
    coefficients = np.zeros((2, 4, 9))
    line = np.random.default_rng(22).normal(size=9)
    coefficients[0] = line
    x = np.linspace(1.0, 7.0, 50)
    points = np.stack([x, np.full(50, 1.5)], axis=-1)
    moved = BSplineTransform(lattice, coefficients).map_points(points)[:, 0] - x
    expected = BSpline(np.arange(-2, 11), line, 3)(x)
    np.testing.assert_allclose(moved, expected, atol=1e-12)


@pytest.mark.parametrize("seed", [23, 24, 25])
def test_the_displacement_bound_holds_and_is_near(seed):
    transform = BSplineTransform(LATTICE, _coefficients(LATTICE, seed, 5.0))
    size = np.array(LATTICE.size)
    indices = 1.0 + np.random.default_rng(seed).uniform(0.0, 1.0, (60_000, 3)) * (size - 3)
    points = LATTICE.points_mm(indices)
    largest = np.linalg.norm(transform.map_points(points) - points, axis=1).max()
    assert largest <= transform.max_displacement_bound_mm() <= 1.25 * largest


def test_the_bound_of_a_constant_field_is_its_length():
    coefficients = np.zeros((3, *LATTICE.shape))
    coefficients[0], coefficients[1] = 3.0, 4.0
    transform = BSplineTransform(LATTICE, coefficients)
    assert transform.max_displacement_bound_mm() == pytest.approx(5.0, abs=1e-12)
    assert transform.minimum_jacobian() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_least_jacobian_is_that_of_a_dense_sampling(dimension):
    c, s = np.cos(0.5), np.sin(0.5)
    direction = np.eye(3)
    direction[:2, :2] = [[c, -s], [s, c]]
    size = (6, 5, 7)[:dimension]
    lattice = ImageGrid(
        size, (9.0, 12.0, 7.0)[:dimension], direction=direction[:dimension, :dimension]
    )
    transform = BSplineTransform(lattice, _coefficients(lattice, 26, 3.0))
    axes = [np.linspace(1.0, n - 2.0, 4 * (n - 3) + 1) for n in size]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, dimension)
    nudged = np.clip(indices, 1.0 + 1e-9, np.array(size) - 2.0 - 1e-9)
    dense = np.linalg.det(transform.jacobians(lattice.points_mm(nudged))).min()
    assert transform.minimum_jacobian() == pytest.approx(dense, abs=1e-6)


def test_a_fold_makes_the_least_jacobian_negative():
    coefficients = np.zeros((2, 8, 8))
    coefficients[0, :, 4:] = -40.0
    transform = BSplineTransform(ImageGrid((8, 8), (10.0, 10.0)), coefficients)
    assert transform.minimum_jacobian() < 0.0


def test_a_refined_lattice_describes_the_same_map():
    transform = BSplineTransform(LATTICE, _coefficients(LATTICE, 27, 5.0))
    refined = transform.refined()
    assert refined.grid.size == (13, 11, 15)
    points = np.random.default_rng(28).uniform(-60.0, 90.0, (3000, 3))
    np.testing.assert_allclose(
        refined.map_points(points), transform.map_points(points), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BSplineTransform(ImageGrid((3, 8)), np.zeros((2, 8, 3))), "at least 4"),
        (lambda: BSplineTransform(ImageGrid((5, 8)), np.zeros((2, 5, 8))), "shape"),
        (lambda: BSplineTransform(ImageGrid((5, 8)), np.full((2, 8, 5), np.inf)), "finite"),
        (lambda: DisplacementFieldTransform(ImageGrid((5, 8)), np.zeros((8, 5, 2))), "shape"),
        (lambda: StationaryVelocityField(ImageGrid((5, 8)), np.zeros((2, 8, 5)), -1), "steps"),
        (lambda: RadialDistortionTransform((1e-5,), (1.0,)), "2 or 3"),
        (lambda: RadialDistortionTransform((1e-5,), (1.0, 2.0), 0.0), "above zero"),
        (lambda: RadialDistortionTransform((np.nan,), (1.0, 2.0)), "finite"),
    ],
)
def test_malformed_transforms_are_refused(make, message):
    with pytest.raises(TransformError, match=message):
        make()


def test_arrays_of_transforms_are_copies_and_read_only():
    field = np.zeros((2, 8, 5))
    transform = DisplacementFieldTransform(ImageGrid((5, 8)), field)
    field[:] = 7.0
    assert transform.displacements.max() == 0.0
    with pytest.raises(ValueError, match="read-only"):
        transform.displacements[0, 0, 0] = 1.0


def test_the_flow_of_a_linear_velocity_is_the_matrix_exponential():
    """Linear interpolation is exact for it, so only the integration errs."""
    grid = ImageGrid((41, 41), (1.0, 1.0), (-20.0, -20.0))
    generator = np.array([[0.02, -0.3], [0.3, -0.01]])
    y, x = np.mgrid[-20:21, -20:21].astype(float)
    velocities = np.stack([generator[k, 0] * x + generator[k, 1] * y for k in range(2)])
    points = np.random.default_rng(29).uniform(-9.0, 9.0, (200, 2))
    expected = points @ expm(generator).T
    errors = [
        np.abs(StationaryVelocityField(grid, velocities, steps).map_points(points) - expected).max()
        for steps in (5, 8, 11)
    ]
    assert errors[0] < 0.05
    assert errors[2] < 0.15 * errors[1] < 0.03 * errors[0]


def test_a_constant_flow_moves_by_the_velocity_far_from_the_border():
    grid = ImageGrid((60, 60), (1.0, 1.0))
    velocities = np.stack([np.full((60, 60), 4.0), np.full((60, 60), -3.0)])
    flow = StationaryVelocityField(grid, velocities)
    assert flow.squarings == 7
    mapped = flow.map_points([[30.0, 30.0], [100.0, 30.0]])
    np.testing.assert_allclose(mapped, [[34.0, 27.0], [100.0, 30.0]], atol=1e-12)


def test_opposite_flows_undo_each_other_up_to_their_discretisation():
    grid = ImageGrid((32, 32), (2.0, 2.0))
    y, x = np.mgrid[0:32, 0:32] / 31.0
    bump = (16.0 * x * (1 - x) * y * (1 - y)) ** 2
    flow = StationaryVelocityField(grid, np.stack([5.0 * bump, -3.0 * bump]))
    points = np.random.default_rng(30).uniform(5.0, 55.0, (300, 2))
    back = flow.negated().map_points(flow.map_points(points))
    assert np.abs(back - points).max() < 0.03
    assert np.linalg.det(flow.jacobians(points)).min() > 0.0


@pytest.mark.parametrize("coefficients", [(1e-5,), (-1e-5, 2e-11), (3e-6, -1e-11, 1e-16), ()])
@pytest.mark.parametrize("centre", [(3.0, -4.0), (3.0, -4.0, 5.0)])
def test_radial_distortion_is_browns_formula(coefficients, centre):
    transform = RadialDistortionTransform(coefficients, centre, unit_mm=2.0)
    points = np.random.default_rng(31).uniform(-80.0, 80.0, (50, len(centre)))
    offsets = points - np.array(centre)
    radius = np.linalg.norm(offsets, axis=1, keepdims=True) / 2.0
    growth = sum(k * radius ** (2 * n) for n, k in enumerate(coefficients, start=1))
    expected = points + offsets * growth
    np.testing.assert_allclose(transform.map_points(points), expected, rtol=0, atol=1e-10)
    assert transform.map_points([centre]).tolist() == [list(centre)]


@given(first=st.floats(-1e-5, 1e-5), second=st.floats(-1e-9, 1e-9), third=st.floats(-1e-13, 1e-13))
def test_radial_distortion_is_inverted_wherever_its_radius_grows(first, second, third):
    transform = RadialDistortionTransform((first, second, third), (1.0, 2.0))
    reach = min(transform.monotone_radius, 300.0)
    radii = np.linspace(0.0, 0.999 * reach, 50)
    points = np.array([1.0, 2.0]) + radii[:, np.newaxis] * np.array([0.6, -0.8])
    back = transform.inverse_points(transform.map_points(points))
    np.testing.assert_allclose(back, points, rtol=0, atol=1e-5)
    assert np.linalg.det(transform.jacobians(points[:-1])).min() > 0.0


def test_points_beyond_the_fold_of_a_radial_distortion_are_refused():
    transform = RadialDistortionTransform((-1e-4,), (0.0, 0.0))
    assert transform.monotone_radius == pytest.approx(np.sqrt(1.0 / 3e-4), rel=1e-12)
    with pytest.raises(TransformError, match="1 of 2"):
        transform.inverse_points([[30.0, 0.0], [60.0, 0.0]])
