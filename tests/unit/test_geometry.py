"""Image grids against SimpleITK's physical points, and the reference domain."""

import pickle

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from millimorph.errors import GeometryError
from millimorph.geometry import ImageGrid, reference_grid

OBLIQUE = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
LEFT_HANDED = OBLIQUE @ np.diag([1.0, 1.0, -1.0])
PERMUTED = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
TURN = np.array([[0.6, -0.8], [0.8, 0.6]])

GRIDS = {
    "plain": ImageGrid((5, 6, 7)),
    "anisotropic": ImageGrid((40, 50, 9), (0.5, 0.5, 8.0), (10.0, -20.0, 30.0)),
    "oblique": ImageGrid((5, 6, 7), (1.5, 0.7, 3.0), (-4.0, 5.0, 6.0), OBLIQUE),
    "left_handed": ImageGrid((5, 6, 7), (1.5, 0.7, 3.0), (-4.0, 5.0, 6.0), LEFT_HANDED),
    "permuted_far": ImageGrid((5, 1, 7), (1.5, 0.7, 3.0), (1e5, -1e5, 1e5), PERMUTED),
    "flat": ImageGrid((12, 9), (0.3, 2.0), (7.0, 8.0), TURN),
}


def _sitk_image(grid):
    image = sitk.Image(list(grid.size), sitk.sitkUInt8)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction.ravel().tolist())
    return image


@st.composite
def grids(draw):
    d = draw(st.sampled_from([2, 3]))
    numbers = st.floats(-1e5, 1e5)
    angles = [draw(st.floats(-180.0, 180.0)) for _ in range(3)]
    if d == 3:
        direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    else:
        c, s = np.cos(angles[0]), np.sin(angles[0])
        direction = np.array([[c, -s], [s, c]])
    direction = direction * np.array([draw(st.sampled_from([1.0, -1.0])), *[1.0] * (d - 1)])
    return ImageGrid(
        [draw(st.integers(1, 500)) for _ in range(d)],
        [draw(st.floats(0.01, 20.0)) for _ in range(d)],
        [draw(numbers) for _ in range(d)],
        direction,
    )


@pytest.mark.parametrize("name", GRIDS)
def test_points_are_where_simpleitk_puts_them(name):
    grid = GRIDS[name]
    image = _sitk_image(grid)
    indices = np.random.default_rng(4).uniform(-20, 60, (50, grid.dimension))
    points = [image.TransformContinuousIndexToPhysicalPoint(i) for i in indices.tolist()]
    np.testing.assert_allclose(grid.points_mm(indices), points, rtol=0, atol=1e-9)
    back = [image.TransformPhysicalPointToContinuousIndex(p) for p in points]
    np.testing.assert_allclose(grid.indices(points), back, rtol=0, atol=1e-9)


@given(grid=grids(), share=st.floats(-1.0, 2.0))
def test_indices_return_after_a_round_trip_through_points(grid, share):
    indices = np.array([[share * n for n in grid.size]])
    spread = 1e5 / min(grid.spacing_mm) * 1e-15 * 100
    np.testing.assert_allclose(grid.indices(grid.points_mm(indices)), indices, atol=spread + 1e-9)


@given(grid=grids())
def test_the_two_matrices_undo_each_other(grid):
    product = grid.index_from_world @ grid.world_from_index
    np.testing.assert_allclose(product[:-1, :-1], np.eye(grid.dimension), atol=1e-9)


def test_shape_is_reversed_size_and_extent_covers_outer_half_voxels():
    grid = GRIDS["anisotropic"]
    assert grid.shape == (9, 50, 40)
    assert grid.voxel_count == 18_000
    assert grid.extent_mm == (20.0, 25.0, 72.0)


def test_the_centre_is_half_way_between_the_outer_voxel_centres():
    """Not index size / 2, which lies half a voxel off."""
    assert ImageGrid((4, 5), (2.0, 3.0), (10.0, 20.0)).centre_mm == (13.0, 26.0)


def test_corners_are_at_half_voxels_with_x_fastest():
    corners = ImageGrid((4, 2, 3), (1.0, 2.0, 3.0)).corner_points_mm
    assert corners.shape == (8, 3)
    assert corners[0].tolist() == [-0.5, -1.0, -1.5]
    assert corners[1].tolist() == [3.5, -1.0, -1.5]
    assert corners[2].tolist() == [-0.5, 3.0, -1.5]
    assert corners[7].tolist() == [3.5, 3.0, 7.5]


@given(grid=grids())
def test_a_crop_keeps_the_world_position_of_its_voxels(grid):
    lower = [-3, 2, 1][: grid.dimension]
    part = grid.cropped(lower, [4, 5, 6][: grid.dimension])
    index = np.array([[1.0, 2.0, 3.0][: grid.dimension]])
    np.testing.assert_allclose(part.points_mm(index), grid.points_mm(index + lower), atol=1e-9)
    assert part.spacing_mm == grid.spacing_mm


def test_orientation_names_the_nearest_patient_directions():
    assert GRIDS["plain"].orientation == "LPS"
    assert ImageGrid((2, 2, 2), direction=np.diag([-1.0, -1.0, 1.0])).orientation == "RAS"
    expected = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(PERMUTED.ravel())
    assert GRIDS["permuted_far"].orientation == expected


def test_grids_are_values():
    grid = GRIDS["oblique"]
    same = ImageGrid(grid.size, grid.spacing_mm, grid.origin_mm, grid.direction.copy())
    assert same == grid
    assert hash(same) == hash(grid)
    assert grid != GRIDS["left_handed"]
    assert grid != "oblique"
    with pytest.raises(AttributeError):
        grid.size = (1, 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        grid.direction[0, 0] = 2.0


@pytest.mark.parametrize("name", GRIDS)
def test_a_pickled_grid_is_equal_and_still_read_only(name):
    copy = pickle.loads(pickle.dumps(GRIDS[name]))  # noqa: S301 - our own bytes
    assert copy == GRIDS[name]
    assert not copy.direction.flags.writeable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (4,)}, "2D or 3D"),
        ({"size": (4, 4, 4, 4)}, "2D or 3D"),
        ({"size": (4, 0)}, "at least 1"),
        ({"size": (4, 2.5)}, "whole numbers"),
        ({"size": (4, 4), "spacing_mm": (1.0, 0.0)}, "above zero"),
        ({"size": (4, 4), "spacing_mm": (1.0, -1.0)}, "above zero"),
        ({"size": (4, 4), "spacing_mm": (1.0, float("nan"))}, "finite"),
        ({"size": (4, 4), "spacing_mm": (1.0, 1.0, 1.0)}, "2 numbers"),
        ({"size": (4, 4), "origin_mm": (1.0, float("inf"))}, "finite"),
        ({"size": (4, 4), "direction": np.eye(3)}, "shape"),
        ({"size": (4, 4), "direction": [[1.0, 0.01], [0.0, 1.0]]}, "sheared"),
        ({"size": (4, 4), "direction": [[1.0, 0.0], [0.0, 0.0]]}, "singular"),
        ({"size": (4, 4), "direction": [[2.0, 0.0], [0.0, 2.0]]}, "orthonormal"),
    ],
)
def test_an_illegal_grid_is_refused_with_its_reason(arguments, message):
    with pytest.raises(GeometryError, match=message):
        ImageGrid(**arguments)


def test_a_direction_that_is_orthonormal_to_1e4_is_accepted():
    ImageGrid((4, 4), direction=[[1.0, 0.9e-4], [0.0, 1.0]])
    with pytest.raises(GeometryError):
        ImageGrid((4, 4), direction=[[1.0, 1.1e-4], [0.0, 1.0]])


SMALL = ImageGrid((10, 10, 10), (1.0, 1.0, 1.0), (5.0, 5.0, 5.0))
LONG = ImageGrid((5, 40, 8), (1.0, 1.0, 2.0))


def test_a_reference_size_divides_the_largest_extent_of_each_axis():
    """A smaller extent must not replace a larger one, whatever the order of the grids."""
    for order in ([SMALL, LONG], [LONG, SMALL]):
        grid = reference_grid(order, size=(20, 20, 20))
        assert grid.size == (20, 20, 20)
        assert grid.spacing_mm == (0.5, 2.0, 0.8)
        assert grid.centre_mm == pytest.approx(order[0].centre_mm, abs=1e-12)


def test_a_reference_spacing_rounds_the_voxel_count_up():
    grid = reference_grid([SMALL, LONG], spacing_mm=3.0)
    assert grid.size == (4, 14, 6)
    assert grid.spacing_mm == (3.0, 3.0, 3.0)
    per_axis = reference_grid([SMALL, LONG], spacing_mm=(1.0, 2.0, 0.1))
    assert per_axis.size == (10, 20, 160)


def test_reference_voxels_from_the_size_along_x_are_isotropic():
    grid = reference_grid([SMALL, LONG], size_x=20)
    assert grid.size == (20, 80, 32)
    assert grid.spacing_mm == (0.5, 0.5, 0.5)


def test_a_given_extent_replaces_that_of_the_grids():
    grid = reference_grid([SMALL], size=(10, 10, 10), extent_mm=(100.0, 50.0, 20.0))
    assert grid.spacing_mm == (10.0, 5.0, 2.0)
    assert grid.centre_mm == pytest.approx(SMALL.centre_mm, abs=1e-12)


def test_image_alignment_follows_the_first_grid_and_patient_alignment_lps():
    grid = GRIDS["oblique"]
    along_image = reference_grid([grid], size=grid.size)
    assert np.array_equal(along_image.direction, grid.direction)
    np.testing.assert_allclose(along_image.origin_mm, grid.origin_mm, atol=1e-12)
    along_patient = reference_grid([grid], spacing_mm=0.5, alignment="patient")
    assert np.array_equal(along_patient.direction, np.eye(3))
    corners = grid.corner_points_mm
    np.testing.assert_allclose(along_patient.centre_mm, grid.centre_mm, atol=1e-9)
    lengths = corners.max(axis=0) - corners.min(axis=0)
    assert along_patient.size == tuple(np.ceil(lengths / 0.5).astype(int).tolist())


@given(grid=grids(), size_x=st.integers(1, 300))
def test_a_reference_grid_covers_the_grid_it_was_made_from(grid, size_x):
    for alignment in ("image", "patient"):
        around = reference_grid([grid], size_x=size_x, alignment=alignment)
        indices = around.indices(grid.corner_points_mm)
        slack = 1e-5
        assert (indices >= -0.5 - slack).all()
        assert (indices <= np.array(around.size) - 0.5 + slack).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grids": []}, "at least one"),
        ({"grids": [SMALL]}, "exactly one"),
        ({"grids": [SMALL], "size": (2, 2, 2), "size_x": 3}, "exactly one"),
        ({"grids": [SMALL, GRIDS["flat"]], "size_x": 3}, "dimensions"),
        ({"grids": [SMALL], "size": (2, 2)}, "3 numbers"),
        ({"grids": [SMALL], "spacing_mm": -1.0}, "above zero"),
        ({"grids": [SMALL], "size_x": 0}, "at least 1"),
        ({"grids": [SMALL], "size_x": 3, "extent_mm": (1.0, 0.0, 1.0)}, "above zero"),
        ({"grids": [SMALL], "size_x": 3, "alignment": "world"}, "alignment"),
    ],
)
def test_an_ambiguous_reference_is_refused(arguments, message):
    with pytest.raises(GeometryError, match=message):
        reference_grid(**arguments)
