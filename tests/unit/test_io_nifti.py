"""NIfTI against SimpleITK and nibabel, and files that must be refused."""

import contextlib
import gzip
import sys
import warnings

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its own name for itself

from millimorph.errors import FileError, LabelError, MillimorphWarning, OutputError
from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import from_sitk, read_image, read_labels, write_image, write_labels
from millimorph.io.nifti import read_head
from millimorph.io.nifti_header import rotation_of_quaternion
from millimorph.transforms import from_itk_parameters

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES += ["float32", "float64"]
TURN = from_itk_parameters("Euler3D", (0.3, -0.2, 0.5, 0, 0, 0), (0, 0, 0)).linear
AFFINE = np.array([[2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
SIZE = (4, 5, 6)


def oblique(size=SIZE, flip=False):
    direction = TURN * np.array([1, 1, -1 if flip else 1])
    return ImageGrid(size, (0.7, 1.3, 2.9), (-31.25, 17.5, 203.75), direction)


def ramp(shape, dtype="int16"):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def nifti(path, codes=(0, 0), qform=AFFINE, sform=AFFINE, fields=(), voxels=None):
    """Write a file through nibabel with exactly these codes and fields."""
    stored = ramp(SIZE) if voxels is None else voxels
    image = nibabel.Nifti1Image(stored, None)
    image.header["pixdim"][1:4] = 2, 3, 4
    if codes[0]:
        image.set_qform(qform, codes[0])
    if codes[1]:
        image.set_sform(sform, codes[1])
    for name, value in dict(fields).items():
        image.header[name] = value
    image.to_filename(path)
    return path


def lps(affine):
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_comes_back_bit_for_bit(tmp_path, dtype, extension):
    path = tmp_path / f"a{extension}"
    image = ScalarImage(ramp(SIZE[::-1], dtype), oblique())
    write_image(image, path)
    back = read_image(path)
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back.array, image.array)


@pytest.mark.parametrize("flip", [False, True], ids=["right-handed", "left-handed"])
def test_itk_and_nibabel_find_the_image_in_the_same_place(tmp_path, flip):
    image = ScalarImage(ramp(SIZE[::-1]), oblique(flip=flip))
    write_image(image, tmp_path / "a.nii.gz")
    by_itk = from_sitk(sitk.ReadImage(str(tmp_path / "a.nii.gz")))
    np.testing.assert_array_equal(by_itk.array, image.array)
    corners = image.grid.corner_points_mm
    np.testing.assert_allclose(by_itk.grid.corner_points_mm, corners, atol=1e-4)
    by_nibabel = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(lps(by_nibabel.affine), image.grid.world_from_index, atol=1e-4)
    np.testing.assert_allclose(by_nibabel.get_qform(), by_nibabel.get_sform(), atol=1e-4)
    np.testing.assert_array_equal(np.asanyarray(by_nibabel.dataobj).T, image.array)


def test_the_header_says_scanner_mm_and_no_scaling(tmp_path):
    write_image(ScalarImage(ramp(SIZE[::-1]), oblique()), tmp_path / "a.nii.gz")
    header = nibabel.load(tmp_path / "a.nii.gz").header
    assert int(header["qform_code"]) == int(header["sform_code"]) == 1
    assert header.get_xyzt_units() == ("mm", "unknown")
    assert header.get_slope_inter() in [(1.0, 0.0), (None, None)]
    assert bytes(header["descrip"]).strip(b"\0") == b""


def test_the_bytes_are_the_same_every_time_and_hold_no_name_or_time(tmp_path):
    image = ScalarImage(ramp(SIZE[::-1]), oblique())
    for name in ("a.nii.gz", "b.nii.gz"):
        write_image(image, tmp_path / name)
    content = (tmp_path / "a.nii.gz").read_bytes()
    assert content == (tmp_path / "b.nii.gz").read_bytes()
    assert content[3] == 0, "no optional gzip fields"
    assert content[4:8] == bytes(4), "no time"


def test_without_isal_zlib_writes_the_same_content(tmp_path, monkeypatch):
    """The bytes may differ between compressors; either way they are those of one stream."""
    image = ScalarImage(ramp(SIZE[::-1]), oblique())
    write_image(image, tmp_path / "a.nii.gz")
    monkeypatch.setitem(sys.modules, "isal", None)
    for name in ("b.nii.gz", "c.nii.gz"):
        write_image(image, tmp_path / name)
    content = (tmp_path / "b.nii.gz").read_bytes()
    assert content == (tmp_path / "c.nii.gz").read_bytes()
    assert content != (tmp_path / "a.nii.gz").read_bytes()
    assert gzip.decompress(content) == gzip.decompress((tmp_path / "a.nii.gz").read_bytes())


def test_two_images_in_one_place_do_not_share_their_type(tmp_path):
    """Headers are remembered by what is in them."""
    for dtype in ("int16", "float32"):
        write_image(ScalarImage(ramp(SIZE[::-1], dtype), oblique()), tmp_path / "a.nii")
        assert read_image(tmp_path / "a.nii").dtype == dtype


@pytest.mark.parametrize("extension", [".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("channels", [2, 3])
def test_channels_come_back_and_itk_sees_vectors(tmp_path, extension, dimension, dtype, channels):
    grid = ImageGrid(SIZE[:dimension], (1.5, 2.0, 2.5)[:dimension])
    image = ScalarImage(ramp((channels, *grid.shape), dtype), grid)
    path = tmp_path / f"a{extension}"
    write_image(image, path)
    back = read_image(path)
    assert back.grid == grid
    assert back.frames is None
    np.testing.assert_array_equal(back.array, image.array)
    by_itk = sitk.ReadImage(str(path))
    assert by_itk.GetNumberOfComponentsPerPixel() == channels
    np.testing.assert_array_equal(from_sitk(by_itk).array, image.array)


@pytest.mark.parametrize("extension", [".nii.gz", ".nii", ".mha", ".nrrd"])
def test_frames_come_back_with_their_times(tmp_path, extension):
    image = ScalarImage(ramp((7, *SIZE[::-1])), oblique(), FrameAxis(2.5, 0.5))
    path = tmp_path / f"a{extension}"
    write_image(image, path)
    back = read_image(path)
    assert back.frames == image.frames
    np.testing.assert_array_equal(back.array, image.array)
    np.testing.assert_array_equal(from_sitk(sitk.ReadImage(str(path))).array, image.array)


def test_one_slice_stays_3d_and_2d_stays_2d(tmp_path):
    for size in ((4, 5, 1), (4, 5)):
        for leading in ((), (3,)):
            grid = ImageGrid(size, (2.0, 3.0, 4.0)[: len(size)])
            image = ScalarImage(ramp((*leading, *grid.shape)), grid)
            write_image(image, tmp_path / "a.nii")
            assert read_image(tmp_path / "a.nii").grid == grid


def test_a_2d_series_is_refused(tmp_path):
    image = ScalarImage(ramp((3, 5, 4)), ImageGrid((4, 5)), FrameAxis())
    for extension in (".nii.gz", ".mha"):
        with pytest.raises(OutputError, match="2D time series"):
            write_image(image, tmp_path / f"a{extension}")


@pytest.mark.parametrize("codes", [(0, 1), (1, 1), (2, 1), (0, 2), (0, 4), (1, 0), (1, 2), (2, 2)])
def test_the_sform_wins_over_the_qform(tmp_path, codes):
    """ITK takes the qform for (1, 2) and (2, 2); the rule here does not depend on the codes."""
    moved = AFFINE + np.array([[0, 0, 0, 5], [0] * 4, [0] * 4, [0] * 4])
    path = nifti(tmp_path / "a.nii", codes, qform=moved)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grid = read_image(path).grid
    expected = lps(AFFINE if codes[1] else moved)
    np.testing.assert_allclose(grid.world_from_index, expected, atol=1e-6)
    both = bool(codes[0] and codes[1])
    assert [("5.00 mm apart" in str(w.message)) for w in caught] == [True] * both


def test_without_codes_the_image_lies_where_itk_puts_it(tmp_path):
    path = nifti(tmp_path / "a.nii")
    by_itk = sitk.ReadImage(str(path))
    grid = read_image(path).grid
    assert grid.origin_mm == by_itk.GetOrigin() == (0, 0, 0)
    assert grid.spacing_mm == by_itk.GetSpacing()
    np.testing.assert_array_equal(grid.direction.ravel(), by_itk.GetDirection())


@pytest.mark.parametrize("seed", range(20))
def test_a_qform_alone_is_read_as_nibabel_and_itk_do(tmp_path, seed):
    rng = np.random.default_rng(seed)
    angles = (*rng.uniform(-3, 3, 3), 0, 0, 0)
    affine = np.eye(4)
    handed = np.diag([1, 1, rng.choice([-1, 1])])
    affine[:3, :3] = from_itk_parameters("Euler3D", angles, (0, 0, 0)).linear @ handed * (2, 3, 4)
    affine[:3, 3] = rng.uniform(-100, 100, 3)
    path = nifti(tmp_path / "a.nii", (1, 0), qform=affine)
    grid = read_image(path).grid
    np.testing.assert_allclose(
        grid.world_from_index, lps(nibabel.load(path).affine), rtol=1e-6, atol=2e-4
    )
    by_itk = from_sitk(sitk.ReadImage(str(path))).grid
    np.testing.assert_allclose(grid.corner_points_mm, by_itk.corner_points_mm, atol=5e-3)


def test_a_quaternion_a_little_too_long_is_a_half_turn():
    """Float32 rounding makes such files, and nibabel refuses them."""
    half_turn = rotation_of_quaternion(0.0, 0.0, 1.0000002, "a.nii")
    np.testing.assert_allclose(half_turn, np.diag([-1.0, -1.0, 1.0]), atol=1e-12)
    with pytest.raises(FileError, match=r"a\.nii.*no rotation"):
        rotation_of_quaternion(0.8, 0.8, 0.0, "a.nii")
    with pytest.raises(FileError, match="no rotation"):
        rotation_of_quaternion(float("nan"), 0.0, 0.0, "a.nii")


@pytest.mark.parametrize(("unit", "factor"), [(1, 1000.0), (3, 0.001), (2, 1.0), (0, 1.0)])
def test_units_of_space_are_honoured(tmp_path, unit, factor):
    for codes in ((1, 0), (0, 1), (0, 0)):
        path = nifti(tmp_path / "a.nii", codes, fields={"xyzt_units": unit})
        grid = read_image(path).grid
        np.testing.assert_allclose(grid.spacing_mm, np.array([2, 3, 4]) * factor, rtol=1e-6)
    path = nifti(tmp_path / "a.nii", (1, 0), fields={"xyzt_units": unit})
    by_itk = from_sitk(sitk.ReadImage(str(path))).grid
    np.testing.assert_allclose(
        read_image(path).grid.corner_points_mm, by_itk.corner_points_mm, rtol=1e-6
    )


@pytest.mark.parametrize(("unit", "factor"), [(8, 1.0), (16, 1e-3), (24, 1e-6)])
def test_units_of_time_are_honoured(tmp_path, unit, factor):
    voxels = ramp((*SIZE, 3))
    fields = {"xyzt_units": unit + 2, "toffset": 4.0, "pixdim": [1, 2, 3, 4, 2500, 1, 1, 1]}
    path = nifti(tmp_path / "a.nii", (1, 0), fields=fields, voxels=voxels)
    assert read_image(path).frames == FrameAxis(2500 * factor, 4 * factor)


def sheared(amount):
    affine = AFFINE.copy()
    affine[0, 1] = amount * 3
    return affine


def test_nearly_orthonormal_directions_are_mended(tmp_path):
    """ITK refuses such files; the nearest rotation is off by half the shear on either axis."""
    path = nifti(tmp_path / "a.nii", (0, 1), sform=sheared(1e-4))
    grid = read_image(path).grid
    product = grid.direction.T @ grid.direction
    np.testing.assert_allclose(product, np.eye(3), atol=1e-12)
    large = nifti(
        tmp_path / "b.nii", (0, 1), sform=sheared(9e-3), voxels=np.zeros((4, 90, 6), np.uint8)
    )
    with pytest.warns(MillimorphWarning, match=r"b\.nii.*a corner moves by"):
        assert read_image(large).grid.size == (4, 90, 6)


def test_sheared_directions_are_refused(tmp_path):
    path = nifti(tmp_path / "a.nii", (0, 1), sform=sheared(0.02))
    with pytest.raises(FileError, match=r"a\.nii: .*sheared"):
        read_image(path)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_zero_and_unknown_spacing_is_refused(tmp_path, value):
    for codes in ((0, 0), (1, 0)):
        path = nifti(tmp_path / "a.nii", codes)
        content = bytearray(path.read_bytes())
        content[84:88] = np.array([value], "<f4").tobytes()
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"a\.nii: spacing"):
            read_image(path)
    content = bytearray(nifti(tmp_path / "a.nii", (0, 1)).read_bytes())
    content[300:304] = np.array([value], "<f4").tobytes()
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MillimorphWarning)
        with pytest.raises(FileError, match=r"a\.nii: spacing"):
            read_image(path)


def test_a_pixdim_that_contradicts_the_sform_is_told(tmp_path):
    fields = {"pixdim": [1, 2, 3, 5, 1, 1, 1, 1]}
    path = nifti(tmp_path / "a.nii", (0, 1), fields=fields)
    with pytest.warns(MillimorphWarning, match="differs from pixdim"):
        assert read_image(path).grid.spacing_mm == (2, 3, 4)


def test_a_2d_image_outside_the_axial_plane_gets_the_axes(tmp_path):
    sagittal = np.array([[0, 0, 4.0, 10], [2, 0, 0, 20], [0, 3, 0, 30], [0, 0, 0, 1]])
    path = nifti(tmp_path / "a.nii", (0, 1), sform=sagittal, voxels=ramp((4, 5)))
    with pytest.warns(MillimorphWarning, match="axial"):
        grid = read_image(path).grid
    assert grid == ImageGrid((4, 5), (2.0, 3.0), (-10.0, -20.0))


def test_scaled_integers_become_floats_as_nibabel_scales_them(tmp_path):
    path = nifti(tmp_path / "a.nii", (1, 1))
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([0.5, -7.25], "<f4").tobytes()
    path.write_bytes(content)
    image = read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image.array, nibabel.load(path).get_fdata().T)
    for slope, intercept in ((0.0, 5.0), (np.nan, np.nan), (1.0, 0.0)):
        content[112:120] = np.array([slope, intercept], "<f4").tobytes()
        path.write_bytes(content)
        assert read_image(path).dtype == np.int16
    content[112:120] = np.array([np.inf, 0.0], "<f4").tobytes()
    path.write_bytes(content)
    with pytest.raises(FileError, match="scl_slope"):
        read_image(path)


def test_big_endian_files_and_nifti_2_are_read(tmp_path):
    for kind, order in ((nibabel.Nifti1Image, ">"), (nibabel.Nifti2Image, "<")):
        header = kind.header_class(endianness=order)
        header.set_data_dtype(np.dtype("i2").newbyteorder(order))
        kind(ramp(SIZE), AFFINE, header).to_filename(tmp_path / "a.nii")
        image = read_image(tmp_path / "a.nii")
        np.testing.assert_array_equal(image.array, ramp(SIZE).T)
        assert image.array.dtype.isnative
        np.testing.assert_allclose(image.grid.world_from_index, lps(AFFINE))


def test_colours_become_channels(tmp_path):
    colours = np.zeros(SIZE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for k, name in enumerate("RGB"):
        colours[name] = ramp(SIZE) + k
    nibabel.Nifti1Image(colours, AFFINE).to_filename(tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(image.array, np.stack([(ramp(SIZE).T + k) for k in range(3)]))


def test_complex_voxels_are_refused_by_name(tmp_path):
    nibabel.Nifti1Image(np.zeros(SIZE, np.complex64), AFFINE).to_filename(tmp_path / "a.nii")
    with pytest.raises(FileError, match="complex64"):
        read_image(tmp_path / "a.nii")


def test_vector_fields_are_no_images(tmp_path):
    field = sitk.GetImageFromArray(np.zeros((6, 5, 4, 3)), isVector=True)
    sitk.WriteImage(field, str(tmp_path / "a.nii.gz"))
    with pytest.raises(FileError, match="read_displacement_field"):
        read_image(tmp_path / "a.nii.gz")


def test_channels_written_by_itk_are_an_image(tmp_path):
    """ITK marks every image with several channels as vectors."""
    colours = sitk.GetImageFromArray(ramp((6, 5, 4, 3), "uint8"), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "a.nii.gz"))
    assert read_image(tmp_path / "a.nii.gz").channels == 3


def test_far_origins_are_written_as_nifti_2(tmp_path):
    """float32 holds 10^5 mm only to 0.004 mm, which is more than 1e-3 voxel."""
    grid = ImageGrid(SIZE, (0.4, 0.4, 0.4), (1e5 + 1 / 3, -1e5, 7.0), TURN)
    image = ScalarImage(ramp(SIZE[::-1]), grid)
    with pytest.warns(MillimorphWarning, match="NIfTI-2"):
        write_image(image, tmp_path / "a.nii.gz")
    back = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(back.grid.corner_points_mm, grid.corner_points_mm, atol=1e-9)
    np.testing.assert_array_equal(back.array, image.array)
    by_nibabel = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(lps(by_nibabel.affine), grid.world_from_index, atol=1e-9)


@pytest.fixture
def compressed(tmp_path):
    rng = np.random.default_rng(0)
    image = ScalarImage(rng.integers(0, 50, (20, 20, 20)).astype(np.int16), ImageGrid((20,) * 3))
    write_image(image, tmp_path / "whole.nii.gz")
    return (tmp_path / "whole.nii.gz").read_bytes()


def test_every_truncation_is_refused(tmp_path, compressed):
    path = tmp_path / "a.nii.gz"
    plain = gzip.decompress(compressed)
    for length in [1, 5, 10, 300, *range(500, len(compressed), 997), len(compressed) - 1]:
        path.write_bytes(compressed[:length])
        with pytest.raises(FileError, match=r"a\.nii\.gz"):
            read_image(path)
    for length in (1, 347, 348, 352, 1000, len(plain) - 1):
        (tmp_path / "b.nii").write_bytes(plain[:length])
        with pytest.raises(FileError, match=r"b\.nii"):
            read_image(tmp_path / "b.nii")


def test_every_flipped_bit_in_the_compressed_data_is_refused(tmp_path, compressed):
    """Both nibabel and ITK read most of these without an error."""
    path = tmp_path / "a.nii.gz"
    for position in range(10, len(compressed), 211):
        damaged = bytearray(compressed)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=r"a\.nii\.gz"):
            read_image(path)


@pytest.mark.parametrize("tail", [b"x", b"\0" * 8, gzip.compress(b"more")])
def test_what_follows_the_image_is_refused(tmp_path, compressed, tail):
    (tmp_path / "a.nii.gz").write_bytes(compressed + tail)
    with pytest.raises(FileError, match=r"a\.nii\.gz"):
        read_image(tmp_path / "a.nii.gz")
    (tmp_path / "b.nii").write_bytes(gzip.decompress(compressed) + tail)
    with pytest.raises(FileError, match="too long"):
        read_image(tmp_path / "b.nii")


@pytest.mark.parametrize("missing", [1, 100, 15_000])
def test_whole_gzip_of_too_few_voxels_is_refused(tmp_path, compressed, missing):
    plain = gzip.decompress(compressed)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(plain[:-missing]))
    with pytest.raises(FileError, match=r"a\.nii\.gz: .*truncated"):
        read_image(tmp_path / "a.nii.gz")


def test_the_header_alone_is_read_without_the_voxels(tmp_path, compressed):
    for name, content in (("a.nii.gz", compressed), ("b.nii", gzip.decompress(compressed))):
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        assert read_head(tmp_path / name).grid == ImageGrid((20,) * 3)
    (tmp_path / "c.nii").write_bytes(b"words")
    with pytest.raises(FileError, match="not a NIfTI file"):
        read_head(tmp_path / "c.nii")


def test_gzip_in_several_members_is_read(tmp_path, compressed):
    plain = gzip.decompress(compressed)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(plain[:5000]) + gzip.compress(plain[5000:]))
    (tmp_path / "b.nii.gz").write_bytes(compressed)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.nii.gz").array, read_image(tmp_path / "b.nii.gz").array
    )


def test_a_header_that_announces_terabytes_allocates_nothing(tmp_path, compressed):
    plain = bytearray(gzip.decompress(compressed))
    plain[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], "<i2").tobytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(plain))
    with pytest.raises(FileError, match="announces 54000000000000 bytes"):
        read_image(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    "sizes", [[0], [3, -1, 5, 5], [3, 0, 5, 5], [9], [1, 5], [6, 2, 2, 2, 1, 1, 2]]
)
def test_illegal_sizes_are_refused(tmp_path, compressed, sizes):
    plain = bytearray(gzip.decompress(compressed))
    plain[40:56] = np.array([*sizes, *[1] * (8 - len(sizes))], "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(plain)
    with pytest.raises(FileError, match=r"a\.nii"):
        read_image(tmp_path / "a.nii")


@pytest.mark.parametrize("offset", [0.0, 100.0, 352.5, np.nan, 1e30, -5.0])
def test_illegal_offsets_are_refused(tmp_path, compressed, offset):
    plain = bytearray(gzip.decompress(compressed))
    plain[108:112] = np.array([offset], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(plain)
    with pytest.raises(FileError, match=r"a\.nii"):
        read_image(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.nii", b"", "empty"),
        ("a.nii.gz", b"", "empty"),
        ("a.nii", b"these are words, not voxels" * 40, "not a NIfTI file"),
        ("a.nii.gz", b"these are words, not voxels", "is not gzip"),
        ("a.nii", gzip.compress(b"x" * 500), "is gzip"),
        ("a.nii.gz", gzip.compress(b"words" * 200), "not a NIfTI file"),
    ],
)
def test_other_content_is_refused_with_its_reason(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=reason):
        read_image(tmp_path / name)


def test_random_headers_never_end_in_another_error(tmp_path, compressed):
    """Whatever a header holds, the answer is an image or a FileError."""
    plain = gzip.decompress(compressed)
    rng = np.random.default_rng(7)
    path = tmp_path / "a.nii"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MillimorphWarning)
        read = 0
        for _ in range(400):
            damaged = bytearray(plain)
            for position in rng.integers(0, 352, 3):
                damaged[position] = rng.integers(256)
            path.write_bytes(damaged)
            with contextlib.suppress(FileError):
                read_image(path)
                read += 1
    assert 0 < read < 400, "some damage is harmless, some is not"


def test_float_labels_in_files_are_read_exactly_or_refused(tmp_path):
    whole = ScalarImage(np.full(SIZE[::-1], 530, np.float32), oblique())
    write_image(whole, tmp_path / "a.nii.gz")
    assert read_labels(tmp_path / "a.nii.gz").dtype == np.uint16
    write_image(whole.with_array(whole.array + np.float32(0.25)), tmp_path / "b.nii.gz")
    with pytest.raises(LabelError, match=r"b\.nii\.gz: .*530\.25 at index"):
        read_labels(tmp_path / "b.nii.gz")


def test_large_labels_are_written_exactly(tmp_path):
    array = ramp(SIZE[::-1], "uint32")
    array[0, 0, 0] = 2**32 - 1
    write_labels(LabelMap(array, oblique()), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.nii.gz").array, array)
