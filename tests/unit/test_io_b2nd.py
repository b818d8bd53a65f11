"""Blosc2 arrays: exact, the same bytes every time, and no damage gets through."""

import sys

import blosc2
import numpy as np
import pytest

from millimorph.errors import FileError, OutputError
from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import b2nd, read_image, read_labels, write_image, write_labels
from millimorph.transforms import from_itk_parameters

TURN = from_itk_parameters("Euler3D", (0.3, -0.2, 0.5, 0, 0, 0), (0, 0, 0)).linear
GRID = ImageGrid((70, 33, 9), (0.7, 1 / 3, 2.9), (-31.25, 17.5, 12345.678901234), TURN)
FLAT = ImageGrid((13, 11), (0.5, 1 / 7))
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES += ["float32", "float64"]


def noise(shape, dtype="int16"):
    return np.random.default_rng(0).integers(0, 120, shape).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_and_the_exact_grid_come_back(tmp_path, dtype):
    image = ScalarImage(noise(GRID.shape, dtype), GRID)
    write_image(image, tmp_path / "a.b2nd")
    back = read_image(tmp_path / "a.b2nd")
    assert back.dtype == image.dtype
    assert back.grid == GRID
    assert back.frames is None
    np.testing.assert_array_equal(back.array, image.array)


@pytest.mark.parametrize("grid", [GRID, FLAT], ids=["3D", "2D"])
@pytest.mark.parametrize("frames", [None, FrameAxis(2.5, 0.5)], ids=["channels", "frames"])
def test_channels_and_frames_come_back(tmp_path, grid, frames):
    image = ScalarImage(noise((3, *grid.shape), "float32"), grid, frames)
    write_image(image, tmp_path / "a.b2nd")
    back = read_image(tmp_path / "a.b2nd")
    assert (back.grid, back.frames) == (grid, frames)
    np.testing.assert_array_equal(back.array, image.array)


def test_labels_keep_their_type_and_say_that_they_are_labels(tmp_path):
    labels = LabelMap(np.full(GRID.shape, 2**32 - 1, np.uint32), GRID)
    write_labels(labels, tmp_path / "a.b2nd")
    back = read_labels(tmp_path / "a.b2nd")
    assert back.dtype == np.uint32
    np.testing.assert_array_equal(back.array, labels.array)
    stored = blosc2.open(str(tmp_path / "a.b2nd"), mode="r")
    assert stored.schunk.vlmeta["millimorph"]["role"] == "labels"


def test_blosc2_itself_reads_patches_and_the_geometry(tmp_path):
    """A loader needs no millimorph: chunks of 64 voxels an axis, the place in vlmeta."""
    image = ScalarImage(noise((2, *GRID.shape)), GRID)
    write_image(image, tmp_path / "a.b2nd")
    stored = blosc2.open(str(tmp_path / "a.b2nd"), mode="r", mmap_mode="r")
    assert stored.chunks == (1, 9, 33, 64)
    np.testing.assert_array_equal(stored[1, 2:5, 3:20, 10:69], image.array[1, 2:5, 3:20, 10:69])
    place = stored.schunk.vlmeta["millimorph"]
    assert tuple(place["size"]) == GRID.size
    assert tuple(place["spacing_mm"]) == GRID.spacing_mm
    assert tuple(place["origin_mm"]) == GRID.origin_mm
    np.testing.assert_array_equal(place["direction"], GRID.direction)
    assert place["channels"] == 2


def test_the_bytes_are_the_same_every_time(tmp_path):
    image = ScalarImage(noise(GRID.shape), GRID)
    before = blosc2.nthreads
    for name, threads in (("a", 1), ("b", 2)):
        blosc2.set_nthreads(threads)
        write_image(image, tmp_path / f"{name}.b2nd")
    blosc2.set_nthreads(before)
    assert (tmp_path / "a.b2nd").read_bytes() == (tmp_path / "b.b2nd").read_bytes()


@pytest.fixture
def content(tmp_path):
    small = ImageGrid((6, 5, 4))
    write_image(ScalarImage(noise(small.shape), small), tmp_path / "whole.b2nd")
    return (tmp_path / "whole.b2nd").read_bytes()


def refused(path, content, reason):
    path.write_bytes(content)
    with pytest.raises(FileError, match=rf"a\.b2nd: .*({reason})"):
        read_image(path)


def test_every_flipped_byte_is_refused_before_blosc2_sees_it(tmp_path, content, monkeypatch):
    """Blosc2 reads many of these as other voxels, and has no checksum."""

    def fail(_):
        raise AssertionError("a damaged frame reached the library")

    monkeypatch.setattr(blosc2, "ndarray_from_cframe", fail)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        refused(tmp_path / "a.b2nd", damaged, "")


def test_every_truncation_and_addition_is_refused(tmp_path, content):
    for length in range(1, len(content)):
        refused(tmp_path / "a.b2nd", content[:length], "truncated|not a Blosc2 array")
    refused(tmp_path / "a.b2nd", content + b"\0", "too long")


def test_arrays_of_other_programs_are_refused(tmp_path):
    blosc2.asarray(noise((4, 5, 6)), urlpath=str(tmp_path / "a.b2nd"), mode="w")
    refused(tmp_path / "a.b2nd", (tmp_path / "a.b2nd").read_bytes(), "without a place")


def test_words_and_nothing_are_no_images(tmp_path):
    refused(tmp_path / "a.b2nd", b"", "empty")
    refused(tmp_path / "a.b2nd", b"these are words\n" * 20, "not a Blosc2 array")


def _signed(stored):
    """A frame with the right digest, whatever it holds."""
    frame = bytearray(stored.to_cframe())
    place = b2nd._digest_at("a", frame)
    frame[place] = b2nd.hashlib.sha256(frame).digest()
    return bytes(frame)


def test_a_true_digest_does_not_make_nonsense_true(tmp_path, content):
    """8 GB are refused before they are allocated, and a geometry of another shape."""
    mark = {"millimorph": b2nd._MARK + bytes(32)}
    huge = blosc2.zeros((2**10,) * 3, dtype="f8", meta=mark)
    place = b2nd._Place.of(ScalarImage(noise(GRID.shape), GRID)).model_dump(mode="json")
    huge.schunk.vlmeta["millimorph"] = place | {"size": [2**10] * 3}
    refused(tmp_path / "a.b2nd", _signed(huge), "announces")
    other = blosc2.zeros((4, 5, 6), dtype="i2", meta=mark)
    refused(tmp_path / "a.b2nd", _signed(other), "not an image of millimorph")
    other.schunk.vlmeta["millimorph"] = place
    refused(tmp_path / "a.b2nd", _signed(other), "its geometry says")
    other.schunk.vlmeta["millimorph"] = place | {"size": [6, 5, 4], "spacing_mm": [0, 1, 1]}
    refused(tmp_path / "a.b2nd", _signed(other), "spacing")
    assert content


def test_without_the_library_both_ways_say_what_to_install(tmp_path, content, monkeypatch):
    monkeypatch.setitem(sys.modules, "blosc2", None)
    (tmp_path / "a.b2nd").write_bytes(content)
    with pytest.raises(FileError, match=r"pip install \"millimorph\[blosc2\]\""):
        read_image(tmp_path / "a.b2nd")
    with pytest.raises(OutputError, match=r"pip install \"millimorph\[blosc2\]\""):
        write_image(ScalarImage(noise(GRID.shape), GRID), tmp_path / "b.b2nd")
    with pytest.raises(OutputError, match=r"format \.b2nd needs"):
        b2nd.check_available()
    assert not (tmp_path / "b.b2nd").exists()
