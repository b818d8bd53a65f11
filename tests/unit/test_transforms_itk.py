"""Every transform that ITK has too, against SimpleITK point by point."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from scipy.spatial.transform import Rotation

from millimorph.errors import TransformError
from millimorph.geometry import ImageGrid
from millimorph.transforms import (
    PARAMETER_NAMES,
    AffineTransform,
    BSplineTransform,
    DisplacementFieldTransform,
    from_itk_parameters,
)

TURN = np.array([[0.6, -0.8], [0.8, 0.6]])
OBLIQUE = Rotation.from_euler("xyz", [25, -40, 65], degrees=True).as_matrix()
LATTICES = {
    "plain_2d": ImageGrid((4, 7), (10.0, 12.0), (5.0, -20.0)),
    "oblique_2d": ImageGrid((7, 6), (10.0, 12.0), (5.0, -20.0), TURN),
    "plain_3d": ImageGrid((5, 4, 6), (10.0, 12.0, 8.0)),
    "oblique_3d": ImageGrid((7, 6, 5), (10.0, 12.0, 8.0), (5.0, -20.0, 30.0), OBLIQUE),
    "left_handed_far": ImageGrid(
        (5, 6, 7), (3.0, 2.0, 9.0), (1e5, -1e5, 1e5), OBLIQUE @ np.diag([1.0, -1.0, 1.0])
    ),
}


def _mapped(transform, points):
    return np.array([transform.TransformPoint(point) for point in points.tolist()])


def _itk_linear(kind, dimension):
    constructor = getattr(sitk, f"{kind}Transform")
    return constructor(dimension) if kind in {"Translation", "Scale", "Affine"} else constructor()


def _field(lattice, seed):
    return np.random.default_rng(seed).uniform(-3.0, 3.0, (lattice.dimension, *lattice.shape))


def _points_around(lattice, count=400):
    indices = np.random.default_rng(5).uniform(-1.0, 1.0, (count, lattice.dimension))
    size = np.array(lattice.size)
    return lattice.points_mm(0.5 * (size - 1) + indices * (0.5 * size + 1.0))


@pytest.mark.parametrize(("kind", "dimension"), list(PARAMETER_NAMES))
def test_a_parameter_vector_means_what_it_means_to_itk(kind, dimension):
    rng = np.random.default_rng(6)
    for _ in range(5):
        parameters = rng.uniform(-0.55, 0.55, len(PARAMETER_NAMES[kind, dimension])).tolist()
        centre = [] if kind == "Translation" else rng.uniform(-50.0, 50.0, dimension).tolist()
        reference = _itk_linear(kind, dimension)
        if centre:
            reference.SetFixedParameters([*centre, 0.0] if kind == "Euler3D" else centre)
        reference.SetParameters(parameters)
        points = rng.uniform(-200.0, 200.0, (20, dimension))
        transform = from_itk_parameters(kind, parameters, centre)
        expected = _mapped(reference, points)
        np.testing.assert_allclose(transform.map_points(points), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kind", "dimension"), list(PARAMETER_NAMES))
def test_every_named_parameter_is_one_that_itk_has(kind, dimension):
    count = _itk_linear(kind, dimension).GetNumberOfParameters()
    assert len(PARAMETER_NAMES[kind, dimension]) == count


def test_euler_angles_follow_itks_other_order_when_its_flag_is_set():
    reference = sitk.Euler3DTransform()
    reference.SetComputeZYX(True)
    reference.SetCenter((1.0, 2.0, 3.0))
    reference.SetParameters((0.3, -0.5, 0.7, 4.0, 5.0, 6.0))
    points = np.random.default_rng(7).uniform(-50.0, 50.0, (20, 3))
    transform = from_itk_parameters(
        "Euler3D", reference.GetParameters(), reference.GetFixedParameters()
    )
    np.testing.assert_allclose(transform.map_points(points), _mapped(reference, points), atol=1e-11)


@pytest.mark.parametrize("name", LATTICES)
def test_a_bspline_from_parameters_is_itks_inside_and_outside_its_domain(name):
    """Also that the displacement is exactly zero outside: ITK leaves such points untouched."""
    lattice = LATTICES[name]
    coefficients = _field(lattice, 8)
    reference = sitk.BSplineTransform(lattice.dimension, 3)
    fixed = [*lattice.size, *lattice.origin_mm, *lattice.spacing_mm, *lattice.direction.ravel()]
    reference.SetFixedParameters([float(value) for value in fixed])
    reference.SetParameters(coefficients.ravel().tolist())
    points = _points_around(lattice)
    transform = from_itk_parameters(
        "BSpline", reference.GetParameters(), reference.GetFixedParameters()
    )
    assert isinstance(transform, BSplineTransform)
    assert np.array_equal(transform.coefficients, coefficients)
    mapped, expected = transform.map_points(points), _mapped(reference, points)
    np.testing.assert_allclose(mapped, expected, rtol=0, atol=1e-10)
    still = (expected == points).all(axis=1)
    assert 0.1 < still.mean() < 0.99
    assert np.array_equal(mapped[still], points[still])


def test_a_bspline_moves_points_on_the_border_of_its_domain_as_itk_does():
    lattice = LATTICES["plain_3d"]
    reference = sitk.BSplineTransform(3, 3)
    fixed = [*lattice.size, *lattice.origin_mm, *lattice.spacing_mm, *lattice.direction.ravel()]
    reference.SetFixedParameters([float(value) for value in fixed])
    reference.SetParameters(_field(lattice, 9).ravel().tolist())
    transform = BSplineTransform(lattice, _field(lattice, 9))
    indices = np.array([[1, 1, 1], [3, 2, 4], [1, 2, 2.5], [2.5, 1.5, 4], [0.999, 2, 2]])
    points = lattice.points_mm(indices)
    expected = _mapped(reference, points)
    np.testing.assert_allclose(transform.map_points(points), expected, atol=1e-5)
    assert not np.array_equal(expected[1], points[1])


@pytest.mark.parametrize("name", LATTICES)
def test_a_displacement_field_is_itks_with_its_half_voxel_edge(name):
    grid = LATTICES[name]
    field = _field(grid, 10)
    image = sitk.GetImageFromArray(np.moveaxis(field, 0, -1).copy(), isVector=True)
    image.SetOrigin(grid.origin_mm)
    image.SetSpacing(grid.spacing_mm)
    image.SetDirection(grid.direction.ravel().tolist())
    reference = sitk.DisplacementFieldTransform(image)
    points = _points_around(grid)
    mapped = DisplacementFieldTransform(grid, field).map_points(points)
    np.testing.assert_allclose(mapped, _mapped(reference, points), rtol=0, atol=1e-10)
    half_voxel = grid.points_mm(np.full((1, grid.dimension), -0.4999))
    assert np.abs(DisplacementFieldTransform(grid, field).map_points(half_voxel) - half_voxel).max()


def test_field_determinants_are_itks_away_from_the_edge():
    """At the edge ITK halves the one-sided difference; here it is whole."""
    grid = ImageGrid((9, 8, 7), (1.5, 2.0, 3.0))
    field = _field(grid, 11)
    image = sitk.GetImageFromArray(np.moveaxis(field, 0, -1).copy(), isVector=True)
    image.SetSpacing(grid.spacing_mm)
    expected = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(image))
    found = DisplacementFieldTransform(grid, field).jacobian_determinant()
    assert found.shape == grid.shape
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-5)


def test_field_determinants_of_an_affine_field_are_constant_on_an_oblique_grid():
    grid = LATTICES["oblique_3d"]
    linear = np.array([[1.1, 0.2, 0.0], [0.0, 0.9, 0.1], [-0.1, 0.0, 1.2]])
    points = grid.points_mm(np.stack(np.meshgrid(*map(range, grid.size), indexing="ij"), -1)
                            .reshape(-1, 3))  # fmt: skip
    moved = (points @ linear.T - points).reshape(*grid.size, 3)
    field = DisplacementFieldTransform(grid, np.moveaxis(moved.transpose(2, 1, 0, 3), -1, 0))
    np.testing.assert_allclose(field.jacobian_determinant(), np.linalg.det(linear), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Similarity4D", (1.0,)), "no transform kind"),
        (("Euler2D", (1.0, 2.0)), "needs 3"),
        (("Affine", (1.0, 2.0)), r"6 \(2D\) or 12 \(3D\)"),
        (("Euler2D", (1.0, 2.0, 3.0), (1.0, 2.0, 3.0)), "centre needs 2"),
        (("Scale", (1.0, float("nan"))), "finite"),
        (("Versor", (0.8, 0.8, 0.0)), "versor's length"),
        (("BSpline", (1.0,), (4.0, 4.0)), "fixed parameters"),
        (("BSpline", (1.0,), (4.0, 4.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0)), "needs 32"),
        (("BSpline", (1.0,), (4.5, 4.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0)), "whole"),
    ],
)
def test_a_vector_that_fits_no_transform_is_refused(arguments, message):
    with pytest.raises(TransformError, match=message):
        from_itk_parameters(*arguments)


def test_half_a_turn_as_a_versor_of_length_one_is_accepted():
    transform = from_itk_parameters("Versor", (1.0, 0.0, 0.0))
    assert transform == AffineTransform(np.diag([1.0, -1.0, -1.0, 1.0]))
