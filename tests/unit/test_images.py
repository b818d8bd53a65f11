import pickle
import weakref

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself

from millimorph.errors import ImageError, LabelError
from millimorph.geometry import ImageGrid
from millimorph.images import (
    Boxes,
    Case,
    FrameAxis,
    LabelMap,
    Landmarks,
    ScalarImage,
    background_value,
    check_name,
    common_background,
    crop_to_foreground,
    otsu_threshold,
)

GRID = ImageGrid(size=(4, 3, 2), spacing_mm=(1.0, 2.0, 3.0), origin_mm=(5.0, 6.0, 7.0))
FLAT = ImageGrid(size=(4, 3))
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32"]


def ramp(dtype="float32", shape=GRID.shape):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [*TYPES, "float64"])
def test_an_image_keeps_type_and_memory(dtype):
    array = ramp(dtype)
    image = ScalarImage(array, GRID)
    assert image.dtype == np.dtype(dtype)
    assert np.shares_memory(image.array, array)


def test_an_image_is_read_only_and_leaves_the_argument_alone():
    array = ramp()
    image = ScalarImage(array, GRID)
    with pytest.raises(ValueError, match="read-only"):
        image.array[0, 0, 0] = 1
    array[0, 0, 0] = 1
    with pytest.raises(AttributeError):
        image.array = array


@pytest.mark.parametrize(
    "array", [ramp().astype(">f4"), np.asfortranarray(ramp()), ramp(shape=(2, 3, 8))[:, :, ::2]]
)
def test_only_foreign_layouts_are_copied(array):
    image = ScalarImage(array, GRID)
    assert image.array.flags.c_contiguous
    assert image.array.dtype.isnative
    np.testing.assert_array_equal(image.array, array)


@pytest.mark.parametrize("dtype", ["float16", "bool", "complex64", "object"])
def test_other_types_are_refused_by_name(dtype):
    with pytest.raises(ImageError, match=dtype):
        ScalarImage(ramp().astype(dtype), GRID)


def test_a_wrong_shape_is_told_in_x_y_z():
    """The array is (z, y, x); people compare sizes in (x, y, z)."""
    with pytest.raises(ImageError, match=r"size \(2, 3, 4\).*grid \(4, 3, 2\)"):
        ScalarImage(ramp().T, GRID)
    with pytest.raises(ImageError, match="3 axes, or one more"):
        ScalarImage(ramp(shape=(3, 4)), GRID)
    with pytest.raises(ImageError, match="at least one channel"):
        ScalarImage(np.zeros((0, 2, 3, 4)), GRID)


def test_the_leading_axis_is_channels_or_frames():
    array = ramp(shape=(5, *GRID.shape))
    assert ScalarImage(array, GRID).channels == 5
    series = ScalarImage(array, GRID, FrameAxis(2.0, 1.0))
    assert series.frames == FrameAxis(2.0, 1.0)
    assert series.channel_arrays.shape == (5, 2, 3, 4)
    assert ScalarImage(ramp(), GRID).channel_arrays.shape == (1, 2, 3, 4)
    with pytest.raises(ImageError, match="leading axis"):
        ScalarImage(ramp(), GRID, FrameAxis())
    with pytest.raises(ImageError, match="positive spacing"):
        FrameAxis(0.0)


def test_with_array_keeps_grid_and_frames():
    series = ScalarImage(ramp(shape=(5, *GRID.shape)), GRID, FrameAxis(2.0))
    other = series.with_array(np.zeros((5, *GRID.shape), np.uint8))
    assert other.frames == series.frames
    assert other.dtype == np.uint8
    assert series.with_array(ramp()).frames is None
    with pytest.raises(ImageError):
        series.with_array(ramp().T)


@pytest.mark.parametrize(
    "value",
    [
        ScalarImage(ramp(), GRID),
        LabelMap(ramp("uint8"), GRID),
        Landmarks(np.ones((2, 3)), ("a", "b")),
        Boxes(np.zeros((2, 3)), np.ones((2, 3))),
        Case("p1", {"ct": ScalarImage(ramp(), GRID)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_equal_by_identity_and_can_be_pickled_and_weakly_held(value):
    copy = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    assert copy != value
    assert {value: 1}[value] == 1
    assert weakref.ref(value)() is value
    assert repr(copy) == repr(value)


def test_a_pickled_image_comes_back_read_only():
    image = ScalarImage(ramp(), GRID)
    copy = pickle.loads(pickle.dumps(image))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(copy.array, image.array)
    assert copy.grid == image.grid
    assert not copy.array.flags.writeable


def test_the_first_voxel_that_is_not_finite_is_named():
    array = ramp()
    array[1, 2, 3] = np.inf
    array[1, 0, 1] = np.nan
    image = ScalarImage(array, GRID)
    with pytest.raises(
        ImageError, match=r'"ct" has 2 of 24 .*nan at index \(x, y, z\) = \(1, 0, 1\)'
    ):
        image.check_finite("ct")
    ScalarImage(ramp(), GRID).check_finite()
    ScalarImage(ramp("uint8"), GRID).check_finite()


@pytest.mark.parametrize("value", [2**32, -(2**31) - 1])
def test_labels_out_of_range_are_refused_with_their_place(value):
    array = ramp("int64")
    array[1, 2, 3] = value
    with pytest.raises(LabelError, match=rf"{value} at index \(x, y, z\) = \(3, 2, 1\)"):
        LabelMap(array, GRID)


def test_labels_are_exact_up_to_their_limits():
    array = ramp("int64")
    array[0, 0, :2] = 2**32 - 1, -(2**31)
    assert LabelMap(array, GRID).labels()[-1] == 2**32 - 1
    assert LabelMap(array, GRID).labels()[0] == -(2**31)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint32"])
def test_labels_are_listed_sorted(dtype):
    array = np.zeros(GRID.shape, dtype)
    array[0, 0, 0], array[1, 2, 3] = 100, 7
    if np.dtype(dtype).kind == "i":
        array[0, 0, 1] = -3
    expected = tuple(np.unique(array).tolist())
    assert LabelMap(array, GRID).labels() == expected


def test_float_labels_are_taken_only_when_asked_and_whole():
    with pytest.raises(LabelError, match="from_floats"):
        LabelMap(ramp(), GRID)
    assert LabelMap.from_floats(ramp(), GRID).dtype == np.uint8
    assert LabelMap.from_floats(ramp() + 300, GRID).dtype == np.uint16
    assert LabelMap.from_floats(ramp("float64") + 2**31, GRID).dtype == np.uint32
    assert LabelMap.from_floats(ramp() - 1, GRID).dtype == np.int16
    assert LabelMap.from_floats(ramp("int32"), GRID).dtype == np.int32


@pytest.mark.parametrize("value", [2.5, np.nan, np.inf, 2.0**33])
def test_the_first_label_that_is_none_is_named(value):
    array = ramp("float64")
    array[1, 0, 2] = value
    with pytest.raises(LabelError, match=rf"{value} at index \(x, y, z\) = \(2, 0, 1\)"):
        LabelMap.from_floats(array, GRID)


def test_one_hot_labels_have_a_leading_axis():
    labels = LabelMap(ramp("uint8", (3, *GRID.shape)), GRID)
    assert labels.channels == 3
    assert labels.with_array(ramp("uint8")).channels == 1


def test_points_are_checked_and_copied():
    points = np.ones((2, 3))
    landmarks = Landmarks(points)
    points[0] = 9
    assert landmarks.points_mm[0, 0] == 1
    assert len(landmarks) == 2
    assert len(Landmarks(np.zeros((0, 3)))) == 0
    with pytest.raises(ImageError, match="point 1"):
        Landmarks([[0, 0, 0], [0, np.nan, 0]])
    with pytest.raises(ImageError, match="shape"):
        Landmarks(np.ones((2, 4)))
    with pytest.raises(ImageError, match="1 names"):
        Landmarks(np.ones((2, 3)), ("a",))
    with pytest.raises(ImageError, match='"a" occurs twice'):
        Landmarks(np.ones((2, 3)), ("a", "a"))


def test_boxes_have_their_lower_corner_below():
    with pytest.raises(ImageError, match="box 1"):
        Boxes([[0, 0], [2, 0]], [[1, 1], [1, 1]])
    with pytest.raises(ImageError, match="as many"):
        Boxes([[0, 0]], [[1, 1], [1, 1]])


def test_a_case_has_unique_names_and_one_dimension():
    image, labels = ScalarImage(ramp(), GRID), LabelMap(ramp("uint8"), GRID)
    case = Case("p1", {"ct": image}, {"organs": labels})
    assert case.grid_of("organs") is labels.grid
    assert case.grid is image.grid
    assert case.dimension == 3
    assert Case("p1", labels={"organs": labels}).grid is labels.grid
    with pytest.raises(ImageError, match='"ct" in images and in labels'):
        Case("p1", {"ct": image}, {"ct": labels})
    with pytest.raises(ImageError, match='"ct" is 3D, labels "flat" is 2D'):
        Case("p1", {"ct": image}, {"flat": LabelMap(ramp("uint8", (3, 4)), FLAT)})
    with pytest.raises(ImageError, match="empty"):
        Case("p1")
    with pytest.raises(ImageError, match='"mr"; it has "ct"'):
        Case("p1", {"ct": image}).grid_of("mr")
    with pytest.raises(ImageError, match="LabelMap, expected ScalarImage"):
        Case("p1", {"organs": labels})
    with pytest.raises(ImageError, match='transforms "warp" is a int'):
        Case("p1", {"ct": image}, transforms={"warp": 3})
    with pytest.raises(ImageError, match="no grid"):
        _ = Case("p1", landmarks={"carina": Landmarks(np.ones((1, 3)))}).grid


def test_a_case_is_not_changed_through_the_mappings_given():
    images = {"ct": ScalarImage(ramp(), GRID)}
    case = Case("p1", images)
    images.clear()
    assert list(case.images) == ["ct"]
    with pytest.raises(TypeError):
        case.images["mr"] = case.images["ct"]


@pytest.mark.parametrize(
    "name", ["", "..", ".hidden", "a/b", "a\\b", "a\0", "a\n", "a:b", "x" * 101, "end.", " a", "a "]
)
def test_names_that_are_unsafe_as_files_are_refused(name):
    """Ids and roles become file names: none may leave the output folder or hide."""
    with pytest.raises(ImageError, match="case id"):
        check_name(name, "case id")


@pytest.mark.parametrize("name", ["p01", "Müller", "a.b", "patient 7", "p_1-2"])
def test_usual_names_are_accepted(name):
    check_name(name, "case id")


def otsu_of_itk(array):
    image = sitk.OtsuThresholdImageFilter()
    image.SetNumberOfHistogramBins(128)
    image.Execute(sitk.GetImageFromArray(array))
    return image.GetThreshold()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint16"])
def test_otsu_agrees_with_itk_within_a_bin(seed, dtype):
    rng = np.random.default_rng(seed)
    dark, bright = rng.normal(100, 30, 6000), rng.normal(700 - 90 * seed, 80, 4000)
    array = np.concatenate([dark, bright]).reshape(20, 25, 20).clip(0).astype(dtype)
    bin_width = (float(array.max()) - float(array.min())) / 128
    assert abs(otsu_threshold(array) - otsu_of_itk(array)) <= 1.001 * bin_width


def test_otsu_of_two_values_parts_them_and_of_one_is_that():
    array = np.repeat([3.0, 8.0], [90, 10])
    assert 3.0 < otsu_threshold(array) < 8.0
    assert otsu_threshold(np.full(5, 7, np.uint8)) == 7.0
    assert background_value(array) == 3.0


def test_otsu_does_not_depend_on_the_order_of_the_voxels():
    rng = np.random.default_rng(3)
    array = rng.gamma(2.0, 50.0, 300_000).astype(np.float32)
    assert otsu_threshold(array) == otsu_threshold(np.sort(array)[::-1])


@pytest.mark.parametrize("array", [np.zeros(0), np.array([0.0, np.nan]), np.array([0.0, np.inf])])
def test_otsu_refuses_what_has_no_histogram(array):
    with pytest.raises(ImageError):
        otsu_threshold(array)


@pytest.mark.parametrize("dtype", ["float32", "int16", "int64"])
def test_the_background_is_the_median_below_the_threshold(dtype):
    rng = np.random.default_rng(1)
    array = np.concatenate([rng.normal(-900, 20, 501), rng.normal(50, 20, 300)]).astype(dtype)
    expected = np.median(array[array <= otsu_threshold(array)])
    assert background_value(array) == expected


@pytest.mark.parametrize("channels", [None, 3])
def test_the_crop_is_the_box_of_the_foreground_in_its_place(channels):
    array = np.full((10, 12, 14), -1000, np.int16)
    array[2:5, 3:9, 4:13] = 200
    stacked = array if channels is None else np.stack([array, array // 2, array])
    grid = ImageGrid(size=(14, 12, 10), spacing_mm=(0.5, 1.0, 2.0), origin_mm=(-7.0, 3.0, 11.0))
    cropped, background = crop_to_foreground(ScalarImage(stacked, grid))
    assert cropped.grid.size == (9, 6, 3)
    assert (cropped.channel_arrays[0] == 200).all()
    np.testing.assert_allclose(cropped.grid.origin_mm, (-7 + 4 * 0.5, 3 + 3, 11 + 2 * 2))
    assert background == (-1000 if channels is None else -2500 / 3)


def test_a_constant_image_is_not_cropped():
    image = ScalarImage(np.zeros(GRID.shape), GRID)
    assert crop_to_foreground(image) == (image, 0.0)


def test_the_crop_agrees_with_itk_on_a_real_head(shared_data):
    image = sitk.ReadImage(str(shared_data / "head_t1.nii.gz"), sitk.sitkFloat32)
    array = sitk.GetArrayFromImage(image)
    inside = array > otsu_of_itk(array)
    bounds = [np.flatnonzero(inside.any(axis=other))[[0, -1]] for other in ((1, 2), (0, 2), (0, 1))]
    expected = tuple(int(last - first + 1) for first, last in reversed(bounds))
    cropped, _ = crop_to_foreground(ScalarImage(array, ImageGrid(size=image.GetSize())))
    assert np.abs(np.subtract(cropped.grid.size, expected)).max() <= 1


def test_the_background_of_a_colour_picture_is_that_of_its_dark_border():
    """Red tissue is dark in blue and green; that is no background."""
    picture = np.zeros((3, 20, 20), np.uint8)
    picture[:, :5] = 4
    picture[0, 5:], picture[1, 5:], picture[2, 5:] = 200, 80, 60
    assert common_background(picture) == 4.0
    assert common_background(picture[:1]) == background_value(picture[0]) == 4.0


def test_voxels_beyond_float32_are_refused_with_their_place():
    array = np.zeros((3, 4, 5))
    array[1, 2, 3] = -1e39
    image = ScalarImage(array, ImageGrid((5, 4, 3)))
    with pytest.raises(ImageError, match=r"1 of 60 voxels beyond 3\.4e\+38.*\(3, 2, 1\)"):
        image.check_finite("ct")
