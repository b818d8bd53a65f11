"""Contact sheets: orientation, scale, outlines, landmarks and grid lines lie where they should."""

import numpy as np
import pytest
from PIL import Image

from millimorph.errors import ImageError
from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, Landmarks, ScalarImage
from millimorph.ops import Affine, Elastic
from millimorph.recipe import Pipeline
from millimorph.report import contact_sheet
from millimorph.report.captions import describe_op
from millimorph.report.planes import View, focus_mm, plane_through
from millimorph.report.render import (
    COLOURS,
    GRID_COLOUR,
    POINT_COLOUR,
    Window,
    colours_of,
    image_picture,
    label_picture,
    window_of,
    with_outlines,
    with_points,
    with_warped_grid,
)
from millimorph.report.typeset import fitted_lines, printable, text_width
from millimorph.runner import AugmentedCase, augment
from millimorph.transforms import AffineTransform

_DIRECTIONS = {
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "LIA": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]]),
    "left-handed PSR": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "oblique by 19 degrees": np.array(
        [
            [1.0, 0.0, 0.0],
            [0.0, np.cos(np.radians(19)), -np.sin(np.radians(19))],
            [0.0, np.sin(np.radians(19)), np.cos(np.radians(19))],
        ]
    ),
}
# What lies in the picture's upper left corner, as signs of LPS; None is not seen in the view.
_UPPER_LEFT = {
    View.AXIAL: (-1, -1, None),
    View.CORONAL: (-1, None, 1),
    View.SAGITTAL: (None, -1, 1),
}


def _image(direction, size=(24, 20, 16), spacing=(2.0, 2.5, 4.0)) -> ScalarImage:
    grid = ImageGrid(size, spacing, (30.0, -40.0, 500.0), direction)
    return ScalarImage(np.zeros(grid.shape, dtype=np.float32), grid)


def _window(picture):
    return picture[:, :, 0].astype(float)


@pytest.mark.parametrize("view", _UPPER_LEFT, ids=lambda view: view.title)
@pytest.mark.parametrize("direction", _DIRECTIONS.values(), ids=_DIRECTIONS)
def test_right_anterior_and_superior_are_where_radiologists_expect_them(direction, view):
    """The marked voxel is found by world coordinates, so the test knows nothing of array axes."""
    image = _image(direction)
    grid = image.grid
    indices = np.argwhere(np.ones(grid.shape))[:, ::-1].astype(float)
    offsets = grid.points_mm(indices) - np.array(grid.centre_mm)
    signs = _UPPER_LEFT[view]
    score = sum(sign * offsets[:, axis] for axis, sign in enumerate(signs) if sign is not None)
    unseen = next(axis for axis, sign in enumerate(signs) if sign is None)
    extreme = np.argmax(score - 0.01 * np.abs(offsets[:, unseen]))
    voxels = image.array.copy()
    voxels[tuple(indices[extreme].astype(int)[::-1])] = 100.0
    plane = plane_through(grid, view, grid.points_mm(indices[[extreme]])[0])
    picture = image_picture(image.with_array(voxels), plane, Window(0.0, 100.0), (120, 120))
    row, column = np.unravel_index(np.argmax(_window(picture)), picture.shape[:2])
    assert row < 60
    assert column < 60


def test_pictures_have_the_true_proportions_of_anisotropic_voxels():
    """24 voxels of 2 mm are as wide as 12 of 4 mm are high."""
    plane = plane_through(_image(np.eye(3)).grid, View.CORONAL, np.array([30.0, -40.0, 500.0]))
    assert plane.width_mm == pytest.approx(48.0)
    assert plane.height_mm == pytest.approx(64.0)


def test_slices_go_through_the_voxels_with_most_labels():
    """A middle slice may miss every organ."""
    grid = ImageGrid((20, 20, 20))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[3, 5:9, 6] = 1
    labels[3, 12, 6] = 2
    labels[15, 12, 10] = 1
    focus = focus_mm(grid, LabelMap(labels, grid))
    assert focus[2] == 3.0
    assert focus[0] == 6.0


def test_focus_without_labels_is_the_middle():
    """Nothing tells where to look."""
    grid = ImageGrid((20, 11, 7), (1.0, 2.0, 3.0))
    np.testing.assert_allclose(focus_mm(grid, None), grid.centre_mm)


def test_window_is_the_robust_range_of_the_original():
    """Single bright voxels must not darken all others."""
    values = np.linspace(0.0, 100.0, 10_000, dtype=np.float32).reshape(100, 100)
    values[0, 0] = 1e6
    window = window_of(ScalarImage(values, ImageGrid((100, 100))))
    assert window.low == pytest.approx(1.0, abs=0.1)
    assert window.high == pytest.approx(99.0, abs=0.1)


def test_hounsfield_images_have_a_wide_fixed_window():
    """Two CTs look alike, whatever their field of view."""
    values = np.full((8, 8), -1000, dtype=np.int16)
    values[2:6, 2:6] = 60
    window = window_of(ScalarImage(values, ImageGrid((8, 8))))
    assert (window.low, window.high) == (-500.0, 450.0)


def test_nan_and_constant_images_are_drawn():
    """A sheet must not fail on what a person wants to look at."""
    values = np.full((8, 8), np.nan, dtype=np.float32)
    image = ScalarImage(values, ImageGrid((8, 8)))
    plane = plane_through(image.grid, View.FLAT, np.array([3.5, 3.5]))
    assert image_picture(image, plane, window_of(image), (16, 16)).max() == 0


def test_rgb_images_are_shown_in_their_colours():
    """Channels are the leading axis; only 8-bit triples are colours."""
    voxels = np.zeros((3, 6, 6), dtype=np.uint8)
    voxels[0], voxels[2] = 200, 50
    image = ScalarImage(voxels, ImageGrid((6, 6)))
    plane = plane_through(image.grid, View.FLAT, np.array([2.5, 2.5]))
    picture = image_picture(image, plane, Window(0.0, 1.0), (12, 12))
    assert tuple(picture[6, 6]) == (200, 0, 50)


def test_outlines_surround_their_label_in_its_colour_and_leave_the_rest():
    """The middle of a label and the ground around it stay as they are."""
    grid = ImageGrid((12, 12))
    array = np.zeros(grid.shape, dtype=np.uint16)
    array[3:9, 3:9] = 500
    plane = plane_through(grid, View.FLAT, np.array([5.5, 5.5]))
    labels = label_picture(LabelMap(array, grid), plane, (120, 120))
    picture = with_outlines(np.zeros((120, 120, 3), dtype=np.uint8), labels, colours_of([500]))
    painted = (picture == COLOURS[0]).all(axis=2)
    assert painted[60, 31]
    assert not picture[60, 60].any()
    assert not picture[60, 25].any()
    assert not picture[~painted].any()


def test_labels_of_one_voxel_are_not_lost_by_rounding_corners():
    """The outlines are there to find such labels."""
    grid = ImageGrid((15, 15))
    array = np.zeros(grid.shape, dtype=np.uint8)
    array[7, 7] = 9
    plane = plane_through(grid, View.FLAT, np.array([7.0, 7.0]))
    labels = label_picture(LabelMap(array, grid), plane, (150, 150))
    rows, columns = np.nonzero(labels == 9)
    assert 40 < len(rows) <= 100
    assert rows.mean() == pytest.approx(74.5, abs=1.0)
    assert columns.mean() == pytest.approx(74.5, abs=1.0)


def test_one_hot_channels_are_shown_as_labels():
    """Channel k is label k + 1."""
    grid = ImageGrid((6, 6))
    array = np.zeros((2, 6, 6), dtype=np.uint8)
    array[0, :, :3], array[1, :, 3:] = 1, 1
    plane = plane_through(grid, View.FLAT, np.array([2.5, 2.5]))
    labels = label_picture(LabelMap(array, grid), plane, (60, 60))
    assert labels[30, 5] == 1
    assert labels[30, 55] == 2


def test_labels_on_another_grid_than_the_image_are_drawn_in_place():
    """A coarse label map is looked up by world coordinates."""
    image_grid = ImageGrid((40, 40))
    label_grid = ImageGrid((10, 10), (2.0, 2.0), (20.5, 0.5))
    labels = LabelMap(np.ones(label_grid.shape, dtype=np.uint8), label_grid)
    plane = plane_through(image_grid, View.FLAT, np.array([20.0, 20.0]))
    drawn = label_picture(labels, plane, (80, 80))
    rows, columns = np.nonzero(drawn)
    assert (columns.min(), columns.max()) == (40, 79)
    assert (rows.min(), rows.max()) == (0, 39)


@pytest.mark.parametrize(("height_mm", "seen"), [(504.0, True), (540.0, False)])
def test_landmarks_are_crosses_in_their_own_slice_only(height_mm, seen):
    """A cross far from its slice would mark the wrong anatomy."""
    grid = _image(np.eye(3)).grid
    plane = plane_through(grid, View.AXIAL, np.array([30.0, -40.0, 504.0]))
    blank = np.zeros((100, 100, 3), dtype=np.uint8)
    picture = with_points(blank, plane, np.array([[53.0, -16.25, height_mm]]), 4)
    assert (tuple(picture[50, 50]) == POINT_COLOUR) is seen
    assert picture.any() == seen


def _line_columns(shift_mm: float) -> np.ndarray:
    """Picture columns of the upright lines under a pull-back that adds a shift to x."""
    grid = ImageGrid((211, 211))
    plane = plane_through(grid, View.FLAT, np.array([105.0, 105.0]))
    shifted = AffineTransform.from_matrix(
        np.array([[1.0, 0.0, shift_mm], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    )
    blank = np.zeros((211, 211, 3), dtype=np.uint8)
    picture = with_warped_grid(blank, plane, grid, shifted)
    blue = picture[112, :, 2].astype(int)
    return np.flatnonzero(blue >= 0.7 * GRID_COLOUR[2])


def test_grid_lines_of_the_identity_lie_at_multiples_of_the_step():
    """The middle of the source is on a line, and the next ones 20 mm off."""
    np.testing.assert_array_equal(_line_columns(0.0), np.arange(5, 211, 20))


def test_grid_lines_move_with_the_anatomy():
    """A pull-back by +7 mm moves what is seen by 7 mm to the other side, and ends the grid."""
    np.testing.assert_array_equal(_line_columns(7.0), np.arange(18, 199, 20))


def test_grid_lines_follow_a_turn():
    """After a quarter turn about the middle the picture of a square grid is the same."""
    grid = ImageGrid((201, 201))
    plane = plane_through(grid, View.FLAT, np.array([100.0, 100.0]))
    blank = np.zeros((201, 201, 3), dtype=np.uint8)
    turned = AffineTransform.from_linear(
        np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2), np.array([100.0, 100.0])
    )
    identity = AffineTransform.identity(2)
    np.testing.assert_array_equal(
        with_warped_grid(blank, plane, grid, turned),
        with_warped_grid(blank, plane, grid, identity),
    )


def test_captions_name_what_changes_and_leave_out_what_does_not():
    """Numbers that stand still, ids and lattices would hide the ones that matter."""
    op = {"op": "affine", "id": "affine", "rotation_deg": [1.25, 0, -3], "scale": [1.1] * 3}
    assert describe_op(op, 3) == "affine rotation 1.25, 0, -3 deg, scale 1.1"
    assert describe_op(op, 2) == "affine rotation -3 deg, scale 1.1"
    assert describe_op({"op": "gaussian_noise", "std_fraction": 0.031}, 3) == (
        "gaussian noise std 3.1 %"
    )
    assert describe_op({"op": "flip", "axis": "left-right", "label_pairs": []}, 3) == (
        "flip left-right"
    )


def test_lines_fit_their_width_and_say_when_they_are_cut():
    """A caption never runs into the next column."""
    lines = fitted_lines("elastic magnitude 5.2 mm " * 20, 12, 200, 3)
    assert len(lines) == 3
    assert all(text_width(line, 12) <= 200 for line in lines)
    assert lines[-1].endswith("…")


def test_characters_that_the_font_lacks_are_replaced():
    """Pillow's font would draw empty boxes."""
    assert printable("2×3 − 日本") == "2x3 - ??"


@pytest.fixture
def phantom() -> Case:
    grid = ImageGrid((32, 24, 12), (3.0, 3.0, 6.0))
    z, y, x = np.indices(grid.shape)
    ball = ((x - 16) ** 2 + (y - 12) ** 2 + 4 * (z - 6) ** 2) < 80
    voxels = np.where(ball, 300.0, 20.0).astype(np.float32)
    return Case(
        "p01",
        images={"mr": ScalarImage(voxels, grid)},
        labels={"ball": LabelMap(ball.astype(np.uint8), grid)},
        landmarks={"points": Landmarks(np.array([grid.centre_mm]), ("centre",))},
    )


@pytest.fixture
def samples(phantom) -> list[AugmentedCase]:
    pipeline = Pipeline(
        spatial=(
            Affine(rotation_deg=10.0, scale=0.9),
            Elastic(control_spacing_mm=30.0, magnitude_mm=5.0),
        )
    )
    return [augment(phantom, pipeline, seed=3, index=k, backend="reference") for k in range(2)]


def test_a_sheet_shows_every_sample_beside_its_case(phantom, samples, tmp_path):
    """Real samples of a pipeline, drawn, written and opened again."""
    path = tmp_path / "sheet.png"
    contact_sheet([(phantom, samples)], path, {1: "ball"})
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    assert path.read_bytes().count(b"IEND") == 1
    outline = np.abs(pixels - COLOURS[0]).sum(axis=2) < 60
    columns = np.flatnonzero(outline.any(axis=0))
    groups = np.flatnonzero(np.diff(columns) > 150)
    assert len(groups) + 1 == 3


def test_a_sheet_grows_with_cases_and_samples(phantom, samples, tmp_path):
    """Rows are cases, columns are samples."""
    sizes = []
    for pairs in ([(phantom, samples[:1])], [(phantom, samples)], [(phantom, samples)] * 2):
        contact_sheet(pairs, tmp_path / "sheet.png")
        with Image.open(tmp_path / "sheet.png") as sheet:
            sizes.append(sheet.size)
    assert sizes[1][0] > sizes[0][0]
    assert sizes[1][1] == sizes[0][1]
    assert sizes[2][0] == sizes[1][0]
    assert sizes[2][1] > sizes[1][1]


def test_a_case_without_an_image_is_refused_by_name(phantom, tmp_path):
    """Labels alone have no grey levels to show."""
    empty = Case("p02", labels=dict(phantom.labels))
    with pytest.raises(ImageError, match="p02"):
        contact_sheet([(empty, [])], tmp_path / "sheet.png")
    with pytest.raises(ImageError, match="at least one"):
        contact_sheet([], tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())
