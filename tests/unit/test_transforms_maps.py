"""Laws that hold for every transform: composition, inverses, derivatives, values."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from millimorph.errors import TransformError
from millimorph.geometry import ImageGrid
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    CompositeTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
    to_displacement_field,
)

OBLIQUE = Rotation.from_euler("xyz", [25, -40, 65], degrees=True).as_matrix()
TURN = np.array([[0.6, -0.8], [0.8, 0.6]])
LATTICE = {
    2: ImageGrid((9, 10), (12.0, 10.0), (-30.0, -40.0), TURN),
    3: ImageGrid((9, 10, 8), (12.0, 10.0, 14.0), (-30.0, -40.0, -50.0), OBLIQUE),
}
FIELD_GRID = {
    2: ImageGrid((24, 20), (4.0, 5.0), (-50.0, -50.0), TURN),
    3: ImageGrid((24, 20, 16), (4.0, 5.0, 6.0), (-50.0, -50.0, -50.0), OBLIQUE),
}


def _smooth(grid, largest, seed):
    """A smooth field that is zero at the border of its grid."""
    rng = np.random.default_rng(seed)
    field = np.stack([gaussian_filter(rng.normal(size=grid.shape), 2.5) for _ in grid.size])
    window = np.ones(grid.shape)
    for axis, n in enumerate(grid.shape):
        ramp = np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / 4.0, 0.0, 1.0)
        window = window * ramp.reshape([-1 if k == axis else 1 for k in range(grid.dimension)])
    field = field * window
    return field * (largest / np.sqrt((field**2).sum(axis=0)).max())


def _locked(lattice, seed, magnitude=4.0):
    """Random coefficients whose outer three layers are zero: no jump at the border."""
    field = np.zeros((lattice.dimension, *lattice.shape))
    inner = (slice(None), *[slice(3, -3)] * lattice.dimension)
    rng = np.random.default_rng(seed)
    field[inner] = rng.uniform(-magnitude, magnitude, field[inner].shape)
    return field


def _examples(dimension):
    rng = np.random.default_rng(12)
    d = dimension
    affine = AffineTransform.from_linear(
        np.eye(d) + 0.15 * rng.normal(size=(d, d)), (3.0, -4.0, 5.0)[:d], (1.0, 2.0, 3.0)[:d]
    )
    spline = BSplineTransform(LATTICE[d], _locked(LATTICE[d], 13))
    field = DisplacementFieldTransform(FIELD_GRID[d], _smooth(FIELD_GRID[d], 4.0, 14))
    velocity = StationaryVelocityField(FIELD_GRID[d], _smooth(FIELD_GRID[d], 6.0, 15))
    radial = RadialDistortionTransform((2e-6, 1e-11), (5.0, 6.0, 7.0)[:d])
    return {
        "affine": affine,
        "spline": spline,
        "field": field,
        "velocity": velocity,
        "radial": radial,
        "composite": affine @ spline @ radial @ affine @ affine.inverse() @ velocity,
    }


EXAMPLES = {f"{name}_{d}d": transform for d in (2, 3) for name, transform in _examples(d).items()}


def _points(transform, count=300, seed=16):
    return np.random.default_rng(seed).uniform(-45.0, 45.0, (count, transform.dimension))


@pytest.mark.parametrize("name", EXAMPLES)
def test_inverse_points_return_within_the_tolerance(name):
    transform = EXAMPLES[name]
    points = _points(transform)
    found = transform.inverse_points(points)
    np.testing.assert_array_less(
        np.linalg.norm(transform.map_points(found) - points, axis=1), 1.0000001e-7
    )
    loose = transform.inverse_points(points, tolerance_mm=1e-2)
    np.testing.assert_array_less(
        np.linalg.norm(transform.map_points(loose) - points, axis=1), 1.0000001e-2
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_inverse_points_find_the_points_that_were_mapped(name):
    transform = EXAMPLES[name]
    points = _points(transform, seed=17)
    back = transform.inverse_points(transform.map_points(points))
    np.testing.assert_allclose(back, points, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", EXAMPLES)
def test_jacobians_are_the_derivatives_of_the_map(name):
    transform = EXAMPLES[name]
    d = transform.dimension
    points = _points(transform, seed=18)
    h = 1e-4
    sides = [
        (transform.map_points(points + h * e) - transform.map_points(points - h * e)) / (2.0 * h)
        for e in np.eye(d)
    ]
    expected = np.stack(sides, axis=-1)
    errors = np.abs(transform.jacobians(points) - expected).max(axis=(1, 2))
    # A step may cross a voxel border of a field, where the derivative jumps.
    assert np.quantile(errors, 0.97) < 1e-7


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pickled_transform_maps_to_the_same_bits(name):
    transform = EXAMPLES[name]
    copy = pickle.loads(pickle.dumps(transform))  # noqa: S301 - our own bytes
    points = _points(transform)
    assert np.array_equal(copy.map_points(points), transform.map_points(points))
    assert repr(copy) == repr(transform)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_point_maps_to_the_same_bits_alone_and_among_others(name):
    transform = EXAMPLES[name]
    points = np.concatenate([_points(transform, seed=seed) for seed in range(40)])
    together = transform.map_points(points)
    assert np.array_equal(transform.map_points(points[8191:8194]), together[8191:8194])
    assert np.array_equal(transform.map_points(points[::-1]), together[::-1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_transform_is_described_in_one_line(name):
    text = repr(EXAMPLES[name])
    assert "\n" not in text
    assert f"{EXAMPLES[name].dimension}D" in text


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_points_are_mapped_to_no_points(name):
    transform = EXAMPLES[name]
    nothing = np.zeros((0, transform.dimension))
    assert transform.map_points(nothing).shape == nothing.shape
    assert transform.inverse_points(nothing).shape == nothing.shape
    assert transform.jacobians(nothing).shape == (0, transform.dimension, transform.dimension)


@pytest.mark.parametrize("name", EXAMPLES)
def test_points_of_the_wrong_shape_are_refused(name):
    transform = EXAMPLES[name]
    for bad in (np.zeros(transform.dimension), np.zeros((3, 4)), np.zeros((1, 1, 2))):
        with pytest.raises(TransformError, match="shape"):
            transform.map_points(bad)
    with pytest.raises(TransformError, match="finite"):
        transform.inverse_points(np.full((1, transform.dimension), np.nan))


KINDS = st.sampled_from(["affine", "spline", "field", "velocity", "radial"])


@given(outer=KINDS, middle=KINDS, inner=KINDS, dimension=st.sampled_from([2, 3]))
def test_composition_is_application_and_is_associative(outer, middle, inner, dimension):
    a, b, c = (EXAMPLES[f"{kind}_{dimension}d"] for kind in (outer, middle, inner))
    points = _points(a, count=20)
    expected = a.map_points(b.map_points(c.map_points(points)))
    np.testing.assert_allclose((a @ b @ c).map_points(points), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose((a @ (b @ c)).map_points(points), expected, rtol=0, atol=1e-9)


def test_two_maps_that_do_not_commute_are_composed_outer_on_the_left():
    turn = AffineTransform.from_linear([[0.0, -1.0], [1.0, 0.0]])
    shift = AffineTransform.translation((10.0, 0.0))
    assert (turn @ shift).map_points([[1.0, 0.0]]).tolist() == [[0.0, 11.0]]
    assert (shift @ turn).map_points([[1.0, 0.0]]).tolist() == [[10.0, 1.0]]


def test_compositions_are_flat_and_neighbouring_affine_parts_are_merged():
    affine, spline = EXAMPLES["affine_3d"], EXAMPLES["spline_3d"]
    assert isinstance(affine @ affine, AffineTransform)
    composite = (affine @ spline) @ (affine @ affine @ spline)
    assert isinstance(composite, CompositeTransform)
    assert [type(part) for part in composite.parts] == [
        AffineTransform, BSplineTransform, AffineTransform, BSplineTransform,
    ]  # fmt: skip
    assert composite.parts[2] == affine @ affine
    nested = CompositeTransform((affine, CompositeTransform((affine, spline))))
    assert nested.parts == (affine @ affine, spline)


def test_maps_of_different_dimensions_do_not_compose():
    with pytest.raises(TransformError, match="dimensions"):
        EXAMPLES["affine_3d"] @ EXAMPLES["affine_2d"]
    with pytest.raises(TransformError, match="dimensions"):
        EXAMPLES["affine_3d"] @ EXAMPLES["spline_2d"]
    with pytest.raises(TypeError):
        EXAMPLES["affine_3d"] @ np.eye(4)
    with pytest.raises(TransformError, match="at least one"):
        CompositeTransform(())


@pytest.mark.parametrize("name", [n for n in EXAMPLES if n.startswith(("spline", "velocity"))])
def test_an_approximate_inverse_reports_the_residual_that_it_has(name):
    transform = EXAMPLES[name]
    found = transform.approximate_inverse(tolerance_mm=0.5)
    assert found.residual_mm <= 0.5
    domain = transform.own_domain()
    indices = np.random.default_rng(19).uniform(0.0, 1.0, (2000, transform.dimension))
    points = domain.points_mm(indices * (np.array(domain.size) - 1.0))
    back = transform.map_points(found.transform.map_points(points))
    assert np.linalg.norm(back - points, axis=1).max() <= 1.3 * found.residual_mm


def test_a_tighter_tolerance_gives_a_smaller_residual():
    transform = EXAMPLES["spline_2d"]
    residuals = [transform.approximate_inverse(t).residual_mm for t in (1.0, 0.02, 0.002)]
    assert residuals[0] > residuals[1] > residuals[2]
    assert residuals[2] <= 0.002


def test_a_velocity_field_inverts_by_negation_when_that_is_near_enough():
    transform = EXAMPLES["velocity_2d"]
    loose = transform.approximate_inverse(tolerance_mm=5.0)
    assert isinstance(loose.transform, StationaryVelocityField)
    assert np.array_equal(loose.transform.velocities_mm, -transform.velocities_mm)
    tight = transform.approximate_inverse(tolerance_mm=0.1 * loose.residual_mm)
    assert tight.residual_mm < loose.residual_mm
    assert isinstance(tight.transform, DisplacementFieldTransform)


def test_a_composition_is_inverted_part_by_part_or_over_a_given_domain():
    affine, spline = EXAMPLES["affine_2d"], EXAMPLES["spline_2d"]
    composite = affine @ spline
    parts = composite.approximate_inverse(tolerance_mm=0.1)
    assert isinstance(parts.transform, CompositeTransform)
    assert parts.transform.parts[1] == affine.inverse()
    assert parts.residual_mm <= 0.1
    domain = ImageGrid((50, 40), (1.0, 1.0), (-20.0, -20.0))
    over = composite.approximate_inverse(tolerance_mm=0.1, domain=domain)
    assert over.residual_mm <= 0.1
    inside = np.random.default_rng(20).uniform(-19.0, 18.0, (500, 2))
    for found in (parts, over):
        back = composite.map_points(found.transform.map_points(inside))
        np.testing.assert_allclose(back, inside, rtol=0, atol=0.15)


def test_a_map_without_a_domain_asks_for_one():
    radial = EXAMPLES["radial_2d"]
    for transform in (radial, radial @ EXAMPLES["spline_2d"]):
        with pytest.raises(TransformError, match="domain="):
            transform.approximate_inverse(tolerance_mm=0.1)
    domain = ImageGrid((20, 20), (4.0, 4.0), (-40.0, -40.0))
    assert radial.approximate_inverse(0.01, domain=domain).residual_mm <= 0.01
    with pytest.raises(TransformError, match="3D domain"):
        radial.approximate_inverse(0.01, domain=LATTICE[3])
    with pytest.raises(TransformError, match="tolerance_mm"):
        EXAMPLES["spline_2d"].approximate_inverse(tolerance_mm=0.0)


def test_points_that_nothing_maps_to_are_refused_with_their_number():
    """A field that jumps by 20 mm at its border leaves a gap behind."""
    grid = ImageGrid((20, 20), (1.0, 1.0))
    transform = DisplacementFieldTransform(grid, np.full((2, 20, 20), 20.0))
    with pytest.raises(TransformError, match="2 of 3 points"):
        transform.inverse_points([[5.0, 5.0], [10.0, 4.0], [30.0, 30.0]])


@pytest.mark.parametrize("name", [n for n in EXAMPLES if n.endswith("2d")])
def test_a_sampled_transform_is_exact_at_the_voxels(name):
    grid = ImageGrid((9, 8), (7.0, 6.0), (-30.0, -20.0), TURN)
    field = to_displacement_field(EXAMPLES[name], grid)
    indices = np.array([[0.0, 0.0], [3.0, 7.0], [8.0, 2.0]])
    points = grid.points_mm(indices)
    expected = EXAMPLES[name].map_points(points)
    np.testing.assert_allclose(field.map_points(points), expected, rtol=0, atol=1e-9)
    with pytest.raises(TransformError, match="3D grid"):
        to_displacement_field(EXAMPLES[name], LATTICE[3])
