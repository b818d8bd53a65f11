"""Other image formats, damaged files, and writing that is complete or not there."""

import errno
import hashlib
import os
import resource
import subprocess
import sys
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it

from millimorph.errors import FileError, ImageError, LabelError, MillimorphWarning, OutputError
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import from_sitk, read_image, read_labels, write_image, write_labels
from millimorph.io.atomic import is_temporary, replacing, write_bytes, write_text
from millimorph.io.files import write_digested

TURN = np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()).reshape(3, 3)
GRID = ImageGrid((13, 11, 9), (0.7, 1 / 3, 2.9), (-31.25, 17.5, 12345.678901234), TURN)
FLAT = ImageGrid((13, 11))
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES += ["float32", "float64"]


def noise(shape, dtype="int16"):
    return np.random.default_rng(0).integers(0, 120, shape).astype(dtype)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("extension", [".mha", ".nrrd"])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_and_the_exact_grid_come_back(tmp_path, dtype, extension):
    image = ScalarImage(noise(GRID.shape, dtype), GRID)
    write_image(image, tmp_path / f"a{extension}")
    back = read_image(tmp_path / f"a{extension}")
    assert back.dtype == image.dtype
    np.testing.assert_allclose(back.grid.corner_points_mm, GRID.corner_points_mm, atol=1e-9)
    np.testing.assert_array_equal(back.array, image.array)
    by_itk = from_sitk(sitk.ReadImage(str(tmp_path / f"a{extension}")))
    np.testing.assert_array_equal(by_itk.array, image.array)


@pytest.mark.parametrize(
    ("extension", "dtype", "channels"),
    [
        *[(".png", dtype, c) for dtype in ("uint8", "uint16") for c in (None, 3, 4)],
        *[(".tif", dtype, None) for dtype in ("uint8", "int16", "uint16", "float32")],
        *[(".tiff", "uint8", 3)],
    ],
)
def test_pictures_come_back(tmp_path, extension, dtype, channels):
    shape = FLAT.shape if channels is None else (channels, *FLAT.shape)
    image = ScalarImage(noise(shape, dtype), FLAT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MillimorphWarning)
        write_image(image, tmp_path / f"a{extension}")
    back = read_image(tmp_path / f"a{extension}")
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back.array, image.array)


def test_pictures_warn_when_the_place_is_lost(tmp_path):
    grid = ImageGrid((13, 11), origin_mm=(5.0, 0.0))
    with pytest.warns(MillimorphWarning, match=r"a\.png.*do not hold origin"):
        write_image(ScalarImage(noise(grid.shape, "uint8"), grid), tmp_path / "a.png")
    write_image(ScalarImage(noise(FLAT.shape, "uint8"), FLAT), tmp_path / "b.png")


@pytest.mark.parametrize(
    ("extension", "dtype", "shape"),
    [
        *[(".png", dtype, FLAT.shape) for dtype in ("float32", "int16", "int64")],
        *[(".bmp", "uint8", FLAT.shape), (".tif", "float64", FLAT.shape)],
        (".png", "uint8", GRID.shape),
        *[(".jpg", "uint8", FLAT.shape), (".jpeg", "uint8", FLAT.shape)],
        *[(".vtk", "uint8", FLAT.shape), ("", "uint8", FLAT.shape), (".mhd", "uint8", FLAT.shape)],
    ],
)
def test_what_a_format_would_change_is_refused(tmp_path, extension, dtype, shape):
    grid = FLAT if shape == FLAT.shape else GRID
    with pytest.raises(OutputError, match="a" + extension):
        write_image(ScalarImage(noise(shape, dtype), grid), tmp_path / f"a{extension}")
    labels = LabelMap(noise(shape, "int64"), grid)
    with pytest.raises(OutputError):
        write_labels(labels, tmp_path / f"a{extension}")
    assert names(tmp_path) == []


def test_images_and_labels_have_their_own_writers(tmp_path):
    with pytest.raises(LabelError, match="ScalarImage"):
        write_labels(ScalarImage(noise(FLAT.shape), FLAT), tmp_path / "a.mha")
    with pytest.raises(ImageError, match="LabelMap"):
        write_image(LabelMap(noise(FLAT.shape), FLAT), tmp_path / "a.mha")


def test_the_ending_counts_in_any_case(tmp_path):
    image = ScalarImage(noise(GRID.shape), GRID)
    write_image(image, tmp_path / "A.NII.GZ")
    np.testing.assert_array_equal(read_image(tmp_path / "A.NII.GZ").array, image.array)
    write_image(image, tmp_path / "b.MHA")
    np.testing.assert_array_equal(read_image(tmp_path / "b.MHA").array, image.array)


def test_the_bytes_are_the_same_every_time(tmp_path):
    for extension in (".mha", ".nrrd"):
        for name in ("a", "b"):
            write_image(ScalarImage(noise(GRID.shape), GRID), tmp_path / f"{name}{extension}")
        first, second = (tmp_path / f"{name}{extension}" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mha", ".nrrd", ".tif", ".b2nd"])
def test_the_digest_of_what_was_written_is_that_of_the_file(tmp_path, extension):
    """Sidecars take it without reading the file again."""
    grid = FLAT if extension == ".tif" else GRID
    path = tmp_path / f"a{extension}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MillimorphWarning)
        written = write_digested(ScalarImage(noise(grid.shape), grid), path)
    content = path.read_bytes()
    assert written.sha256 == hashlib.sha256(content).hexdigest()
    assert written.bytes == len(content)


def test_mha_is_written_uncompressed(tmp_path):
    """For fast disks: compressing takes longer than making a sample."""
    image = ScalarImage(noise(GRID.shape), GRID)
    write_image(image, tmp_path / "a.mha")
    assert (tmp_path / "a.mha").read_bytes().endswith(image.array.tobytes())


def itk_file(path, compressed):
    flat = path.suffix in (".png", ".jpg", ".bmp", ".tif")
    image = sitk.GetImageFromArray(noise((40, 50) if flat else (20, 30, 40), "uint8"))
    sitk.WriteImage(image, str(path), compressed)
    return path.read_bytes()


RAW = [".mha", ".nrrd", ".gipl", ".bmp", ".tif"]
PACKED = [".mha", ".nrrd", ".png", ".jpg", ".tif"]


@pytest.mark.parametrize(
    ("extension", "compressed"), [*[(e, False) for e in RAW], *[(e, True) for e in PACKED]]
)
def test_truncated_files_are_refused(tmp_path, extension, compressed):
    """ITK reads half of these, with zeros or leftovers for what is missing."""
    content = itk_file(tmp_path / f"whole{extension}", compressed)
    read_image(tmp_path / f"whole{extension}")
    path = tmp_path / f"a{extension}"
    lengths = [1, 20, 40, 200, *np.linspace(300, len(content) - 12, 12).astype(int)]
    if extension != ".tif":
        lengths += [len(content) - 1]
    for length in lengths:
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match=f"a{extension}: "):
            read_image(path)


@pytest.mark.parametrize("extension", [".mha", ".nrrd", ".png"])
def test_flipped_bits_in_compressed_data_are_refused(tmp_path, extension, capfd):
    """ITK reads such .mha files as other voxels, without an error."""
    content = itk_file(tmp_path / f"whole{extension}", True)
    path = tmp_path / f"a{extension}"
    for position in np.linspace(len(content) // 2, len(content) - 13, 60).astype(int):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=f"a{extension}: "):
            read_image(path)
    capfd.readouterr()


@pytest.mark.parametrize("extension", [".mha", ".nrrd", ".gipl"])
def test_what_follows_the_voxels_is_refused(tmp_path, extension):
    for compressed in (False, True):
        content = itk_file(tmp_path / f"a{extension}", compressed)
        (tmp_path / f"a{extension}").write_bytes(content + b"more")
        with pytest.raises(FileError, match=f"a{extension}: "):
            read_image(tmp_path / f"a{extension}")


@pytest.mark.parametrize("extension", [".mhd", ".nhdr"])
@pytest.mark.parametrize("compressed", [False, True])
def test_detached_voxels_are_read_and_checked(tmp_path, extension, compressed):
    itk_file(tmp_path / f"a{extension}", compressed)
    read_image(tmp_path / f"a{extension}")
    (voxels,) = [path for path in tmp_path.iterdir() if path.suffix != extension]
    content = voxels.read_bytes()
    voxels.write_bytes(content[:-1])
    with pytest.raises(FileError):
        read_image(tmp_path / f"a{extension}")
    voxels.unlink()
    with pytest.raises(FileError, match="no such file"):
        read_image(tmp_path / f"a{extension}")


@pytest.mark.parametrize("name", ["../secret.raw", "/etc/passwd", "LIST", "a%03d.raw", "..\\a.raw"])
def test_a_header_cannot_lead_out_of_its_folder(tmp_path, name):
    (tmp_path / "a.mhd").write_text(
        f"NDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\nElementDataFile = {name}\n"
    )
    (tmp_path / "a.nhdr").write_text(
        "NRRD0004\ntype: uint8\ndimension: 2\nsizes: 4 4\nencoding: raw\n" + f"data file: {name}\n"
    )
    for extension in (".mhd", ".nhdr"):
        with pytest.raises(FileError, match=r"same folder|several files"):
            read_image(tmp_path / f"a{extension}")


HUGE = {
    "a.mha": "NDims = 3\nDimSize = 90000 90000 90000\nElementType = MET_DOUBLE\n"
    "CompressedData = True\nElementDataFile = LOCAL\n",
    "a.nrrd": "NRRD0004\ntype: double\ndimension: 3\nsizes: 90000 90000 90000\nencoding: gzip\n\n",
}


@pytest.mark.parametrize(("name", "text"), HUGE.items())
def test_headers_that_announce_terabytes_allocate_nothing(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(FileError, match="announces 5832000000000000 bytes"):
        read_image(tmp_path / name)


def test_pages_in_a_circle_end(tmp_path):
    """The next page of this TIFF file is the page itself."""
    content = bytearray(itk_file(tmp_path / "a.tif", False))
    first = int.from_bytes(content[4:8], "little")
    entries = int.from_bytes(content[first : first + 2], "little")
    end = first + 2 + 12 * entries
    content[end : end + 4] = first.to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(FileError, match="circle"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("extension", [".mha", ".nrrd", ".png", ".jpg", ".tif", ".bmp", ".gipl"])
def test_words_and_nothing_are_no_images(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    path.write_bytes(b"")
    with pytest.raises(FileError, match="empty"):
        read_image(path)
    path.write_bytes(b"these are words, not an image\n" * 20)
    with pytest.raises(FileError, match=f"a{extension}: not a"):
        read_image(path)


@pytest.mark.parametrize("extension", [".mha", ".nrrd", ".png", ".jpg", ".tif", ".bmp", ".gipl"])
def test_random_damage_never_ends_in_another_error(tmp_path, extension, capfd):
    content = itk_file(tmp_path / f"whole{extension}", extension in PACKED)
    rng = np.random.default_rng(1)
    path = tmp_path / f"a{extension}"
    for _ in range(60):
        damaged = bytearray(content)
        for position in rng.integers(0, min(len(content), 300), 4):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_image(path)
        except FileError as error:
            message = str(error)
            assert "\n" not in message, message
    capfd.readouterr()


def test_missing_files_and_unknown_endings_are_named(tmp_path):
    with pytest.raises(FileError, match=r"a\.mha: no such file"):
        read_image(tmp_path / "a.mha")
    with pytest.raises(FileError, match=r"a\.nii: no such file"):
        read_image(tmp_path / "a.nii")
    with pytest.raises(FileError, match=r"'\.docx' are not read"):
        read_image(tmp_path / "a.docx")
    with pytest.raises(FileError, match="no DICOM files"):
        read_image(tmp_path)


def test_label_errors_name_the_file(tmp_path):
    image = ScalarImage(np.full(GRID.shape, 1.5, np.float32), GRID)
    write_image(image, tmp_path / "a.mha")
    with pytest.raises(LabelError, match=r"a\.mha: .*1\.5"):
        read_labels(tmp_path / "a.mha")


def test_a_former_file_is_replaced_and_a_link_is_not_followed(tmp_path):
    image = ScalarImage(noise(GRID.shape), GRID)
    precious = tmp_path / "precious.nii"
    precious.write_bytes(b"precious")
    (tmp_path / "a.nii").symlink_to(precious)
    write_image(image, tmp_path / "a.nii")
    assert precious.read_bytes() == b"precious"
    write_image(image.with_array(image.array + np.int16(1)), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").array, image.array + 1)
    assert names(tmp_path) == ["a.nii", "precious.nii"]


@contextmanager
def disk_of(size):
    """Let no file grow beyond a size, as on a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mha", ".nrrd", ".b2nd", ".png", ".tif"])
def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, extension, capfd):
    """SimpleITK writes several of these formats to a full disk without an error."""
    flat = extension in (".png", ".tif")
    grid = ImageGrid((400, 300)) if flat else ImageGrid((80, 70, 60))
    image = ScalarImage(np.random.default_rng(0).integers(0, 255, grid.shape).astype("u1"), grid)
    path = tmp_path / f"a{extension}"
    path.write_bytes(b"former")
    with disk_of(20_000), pytest.raises(OutputError, match=f"a{extension}"):
        write_image(image, path)
    assert names(tmp_path) == [path.name]
    assert path.read_bytes() == b"former"
    capfd.readouterr()


def test_a_failing_sync_is_an_error(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_bytes(tmp_path / "a.json", b"{}")
    assert names(tmp_path) == []


def interrupted(path):
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert is_temporary(temporary)
        assert temporary.parent == path.parent
        assert temporary.suffix == path.suffix
        raise KeyboardInterrupt


def test_whatever_interrupts_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "a.txt")
    assert names(tmp_path) == []
    write_text(tmp_path / "a.txt", "Größe\n")
    assert (tmp_path / "a.txt").read_text("utf-8") == "Größe\n"


def test_bad_targets_are_named(tmp_path):
    image = ScalarImage(noise(GRID.shape), GRID)
    for extension in (".nii", ".mha"):
        with pytest.raises(OutputError, match=r"folder .*absent does not exist"):
            write_image(image, tmp_path / "absent" / f"a{extension}")
        (tmp_path / f"folder{extension}").mkdir()
        with pytest.raises(OutputError, match="a folder has that name"):
            write_image(image, tmp_path / f"folder{extension}")


def test_importing_io_loads_neither_simpleitk_nor_nibabel():
    code = "import sys, millimorph.io; print({'SimpleITK', 'nibabel', 'numba'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.strip() == "set()"
