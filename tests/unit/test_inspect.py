"""Inspect: what it says of a file is what SimpleITK wrote into it; its advice fits the folder."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  as all the world writes it

from millimorph.errors import FileError
from millimorph.geometry import ImageGrid
from millimorph.images import Landmarks, ScalarImage
from millimorph.io import find_cases, write_landmarks
from millimorph.report import FileInspection, FolderInspection, inspect_path
from millimorph.report.measure import label_counts, looks_like_labels, measure
from millimorph.report.patterns import FoundFile, suggest_patterns


def _write(
    path: Path, array: np.ndarray, spacing=(1.0, 1.0, 1.0), direction=None, origin=(0.0, 0.0, 0.0)
) -> Path:
    """Write an array with SimpleITK, which is independent of millimorph's own writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    dimension = array.ndim
    image.SetSpacing(spacing[:dimension])
    image.SetOrigin(origin[:dimension])
    if direction is not None:
        image.SetDirection(direction)
    sitk.WriteImage(image, str(path))
    return path


def _scan(seed: int, shape=(6, 8, 10), low=0, high=900) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.int16)


def _organs(shape=(6, 8, 10)) -> np.ndarray:
    labels = np.zeros(shape, dtype=np.uint8)
    labels[1:5, 2:6, 2:5] = 1
    labels[1:5, 2:6, 6:9] = 7
    return labels


def _file(path: Path) -> FileInspection:
    found = inspect_path(path)
    assert isinstance(found, FileInspection)
    return found


def _folder(path: Path) -> FolderInspection:
    found = inspect_path(path)
    assert isinstance(found, FolderInspection)
    return found


def test_geometry_and_range_of_a_file_are_those_that_were_written(tmp_path):
    """Oblique by 20 degrees about x, anisotropic, far from the origin."""
    cosine, sine = np.cos(np.radians(20)), np.sin(np.radians(20))
    direction = (1.0, 0.0, 0.0, 0.0, cosine, -sine, 0.0, sine, cosine)
    array = _scan(1)
    path = _write(tmp_path / "mr.nrrd", array, (0.5, 0.75, 4.0), direction, (10.0, -20.0, 900.0))
    content = _file(path).content
    assert content.grid.size == (10, 8, 6)
    np.testing.assert_allclose(content.grid.spacing_mm, (0.5, 0.75, 4.0))
    np.testing.assert_allclose(content.grid.extent_mm, (5.0, 6.0, 24.0))
    assert content.grid.orientation == "LPS"
    assert content.oblique_deg == pytest.approx(20.0)
    assert content.right_handed
    assert content.dtype == "int16"
    values = content.values
    assert (values.minimum, values.maximum) == (array.min(), array.max())
    assert values.mean == pytest.approx(array.mean())
    np.testing.assert_allclose(values.robust, np.percentile(array, (1, 99)))
    assert content.labels is None


def test_left_handed_directions_are_named(tmp_path):
    """A mirrored axis is legal and easily missed."""
    path = _write(tmp_path / "mr.nrrd", _scan(1), direction=(1, 0, 0, 0, -1, 0, 0, 0, 1))
    found = _file(path)
    assert not found.content.right_handed
    assert found.content.grid.orientation == "LAS"
    assert "left-handed" in found.text()


def test_labels_are_counted_with_their_volume(tmp_path):
    """4 x 4 x 3 voxels of 1 x 2 x 3 mm are 48 voxels and 288 mm3."""
    found = _file(_write(tmp_path / "x.nii.gz", _organs(), (1.0, 2.0, 3.0)))
    counted = {one.value: (one.voxels, one.volume_mm) for one in found.content.labels}
    assert counted[1] == (48, pytest.approx(288.0))
    assert counted[7] == (48, pytest.approx(288.0))
    assert counted[0][0] == 480 - 96
    assert found.kind == "labels"
    assert "288" in found.text()


def test_labels_stored_as_floats_are_still_labels(tmp_path):
    """Real label maps come as float32 and float64."""
    found = _file(_write(tmp_path / "x.nii.gz", _organs().astype(np.float32)))
    assert found.kind == "labels"
    assert found.content.dtype == "float32"


def test_eight_bit_scans_are_no_label_maps():
    """They have at most 256 values as well, but their neighbours differ."""
    smooth = np.linspace(0, 255, 64)[None, :] * np.linspace(0.2, 1, 64)[:, None]
    image = ScalarImage(smooth.astype(np.uint8), ImageGrid((64, 64)))
    assert not looks_like_labels(image, label_counts(image))


def test_more_than_a_thousand_values_are_no_labels():
    """Nor is anything with parts of whole numbers."""
    many = np.repeat(np.arange(1200, dtype=np.int32), 4).reshape(60, 80)
    assert label_counts(ScalarImage(many, ImageGrid((80, 60)))) is None
    halves = np.full((60, 80), 0.5, dtype=np.float32)
    assert label_counts(ScalarImage(halves, ImageGrid((80, 60)))) is None


def test_labels_beyond_the_span_of_a_table_are_counted():
    """Values to 2^32 - 1 are legal labels."""
    wide = np.zeros((4, 4), dtype=np.uint32)
    wide[1, 1:3] = 4294967295
    counts = label_counts(ScalarImage(wide, ImageGrid((4, 4))))
    assert [(one.value, one.voxels) for one in counts] == [(0, 14), (4294967295, 2)]


def test_nan_and_infinite_voxels_are_counted_and_left_out_of_the_range(tmp_path):
    """One NaN must not hide the rest, and JSON has none."""
    array = _scan(2).astype(np.float32)
    array[0, 0, :3] = np.nan
    array[1, 1, 1] = np.inf
    found = _file(_write(tmp_path / "mr.nii.gz", array))
    values = found.content.values
    assert (values.nan_count, values.infinite_count) == (3, 1)
    assert values.maximum == np.nanmax(np.where(np.isfinite(array), array, np.nan))
    assert "3 NaN, 1 infinite" in found.text()


def test_an_image_without_a_finite_voxel_is_valid_json():
    """Nothing is known of its range."""
    values = measure(ScalarImage(np.full((4, 4), np.nan, dtype=np.float32), ImageGrid((4, 4))))
    assert values.nan_count == 16
    assert np.isnan(values.mean)


def test_json_holds_the_same_as_the_text(tmp_path):
    """Programs read this; no NaN, no NumPy types."""
    array = np.full((4, 4, 4), np.nan, dtype=np.float32)
    for path in (_write(tmp_path / "a.nii.gz", _organs()), _write(tmp_path / "b.nii.gz", array)):
        data = json.loads(json.dumps(_file(path).as_data(), allow_nan=False))
        assert data["path"] == str(path)
    folder = json.loads(json.dumps(_folder(tmp_path).as_data(), allow_nan=False))
    assert [file["kind"] for file in folder["files"]] == ["labels", "image"]
    assert folder["files"][0]["spacing_mm"] == [1.0, 1.0, 1.0]


def test_colour_images_tell_their_channels(tmp_path):
    """A picture is 2D with three channels."""
    picture = sitk.GetImageFromArray(_scan(3, (16, 12, 3), 0, 255).astype(np.uint8), isVector=True)
    sitk.WriteImage(picture, str(tmp_path / "photo.png"))
    found = _file(tmp_path / "photo.png")
    assert found.content.channels == 3
    assert found.content.grid.size == (12, 16)
    assert "3 channels" in found.text()


def _data_set(folder: Path) -> Path:
    for case in range(3):
        _write(folder / f"images/p{case}.nii.gz", _scan(case, low=-1000), (1.0, 1.0, 1.0 + case))
        _write(folder / f"labels/p{case}.nii.gz", _organs(), (1.0, 1.0, 1.0 + case))
    (folder / "notes.txt").write_text("hello", encoding="utf-8")
    return folder


def test_a_folder_is_a_line_per_file_a_summary_and_the_next_command(tmp_path):
    """What a person needs before generating."""
    found = _folder(_data_set(tmp_path))
    text = found.text()
    assert len(found.files) == 6
    assert found.ignored == 1
    assert "3 images, 3 label maps, 1 file of another type" in text
    assert "spacings 1 x 1 x 1 to 1 x 1 x 3 mm" in text
    assert found.next_command == (
        f"millimorph generate {tmp_path} --pipeline ct --out augmented "
        "--image 'image=images/{case}.nii.gz' --label 'labels=labels/{case}.nii.gz'"
    )


def test_suggested_patterns_find_the_cases(tmp_path):
    """The advice is held against the code that takes it."""
    found = _folder(_data_set(tmp_path)).suggestion
    images = {one.name: one.pattern for one in found.patterns if one.kind == "image"}
    labels = {one.name: one.pattern for one in found.patterns if one.kind == "labels"}
    cases = find_cases(tmp_path, images, labels)
    assert [case.id for case in cases] == ["p0", "p1", "p2"]


def test_damaged_files_of_a_folder_are_listed_with_the_reason(tmp_path):
    """The rest of the folder is still told of."""
    _write(tmp_path / "good.nii.gz", _scan(1))
    whole = (tmp_path / "good.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    found = _folder(tmp_path)
    kinds = {file.path: file.kind for file in found.files}
    assert kinds == {"cut.nii.gz": None, "empty.nii.gz": None, "good.nii.gz": "image"}
    assert "2 unreadable" in found.text()
    assert "cut.nii.gz" in next(file.error for file in found.files if file.path == "cut.nii.gz")


def test_a_damaged_or_missing_file_alone_is_an_error(tmp_path):
    """Exit code 1 and the path."""
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    with pytest.raises(FileError, match=r"empty\.nii\.gz"):
        inspect_path(tmp_path / "empty.nii.gz")
    with pytest.raises(FileError, match="no such"):
        inspect_path(tmp_path / "missing.nii.gz")


def test_a_folder_without_images_says_so(tmp_path):
    """An empty table would look like a fault."""
    assert "no image files" in _folder(tmp_path).text()


def test_landmark_tables_are_read(tmp_path):
    """CSV in LPS mm."""
    write_landmarks(Landmarks(np.array([[1.0, 2.0, 3.5]]), ("carina",)), tmp_path / "p.csv")
    found = _file(tmp_path / "p.csv")
    assert found.kind == "landmarks"
    assert "carina" in found.text()
    assert found.as_data()["points_mm"] == {"carina": [1.0, 2.0, 3.5]}


def test_progress_is_told_file_by_file(tmp_path):
    """Large folders take a while; the last word is that all are done."""
    told: list[tuple[int, int]] = []
    inspect_path(_data_set(tmp_path), lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(7)]


@pytest.mark.parametrize(
    ("files", "patterns"),
    [
        (
            {"p1/ct.nii.gz": "image", "p1/organs.nii.gz": "labels", "p2/ct.nii.gz": "image",
             "p2/organs.nii.gz": "labels"},
            ["ct={case}/ct.nii.gz", "organs={case}/organs.nii.gz"],
        ),
        (
            {"p1.nii.gz": "image", "p1_seg.nii.gz": "labels", "p2.nii.gz": "image",
             "p2_seg.nii.gz": "labels"},
            ["image={case}.nii.gz", "seg={case}_seg.nii.gz"],
        ),
        (
            {"imagesTr/a_0000.nii.gz": "image", "imagesTr/a_0001.nii.gz": "image",
             "imagesTr/b_0000.nii.gz": "image", "imagesTr/b_0001.nii.gz": "image",
             "labelsTr/a.nii.gz": "labels", "labelsTr/b.nii.gz": "labels"},
            ["image=imagesTr/{case}_0000.nii.gz", "image2=imagesTr/{case}_0001.nii.gz",
             "labels=labelsTr/{case}.nii.gz"],
        ),
        (
            {"a_mr.mha": "image", "b_mr.mha": "image", "a_points.csv": "landmarks",
             "b_points.csv": "landmarks"},
            ["mr={case}_mr.mha", "points={case}_points.csv"],
        ),
    ],
    ids=["folder per case", "suffix", "nnU-Net", "landmarks"],
)  # fmt: skip
def test_usual_layouts_are_recognised(files, patterns):
    """The layouts that public data sets have."""
    found = suggest_patterns([FoundFile(path, kind) for path, kind in files.items()])
    assert [one.option() for one in found.patterns] == patterns
    assert found.cases == 2
    assert found.incomplete == ()


def test_cases_that_lack_a_file_are_named():
    """The command would refuse them."""
    files = [FoundFile(f"images/p{k}.nii", "image") for k in range(5)]
    files += [FoundFile(f"labels/p{k}.nii", "labels") for k in range(4)]
    assert suggest_patterns(files).incomplete == ("p4",)


def test_a_single_file_has_no_pattern():
    """A {case} that stands for one name tells nothing."""
    assert suggest_patterns([FoundFile("ct.nii.gz", "image")]) is None


@pytest.mark.parametrize(
    "paths",
    [
        ("images/p1.nrrd", "labels/p1.nrrd"),
        ("p1/ct.nii.gz", "p1/organs.nii.gz"),
        ("p1_ct.nii.gz", "p1_organs.nii.gz"),
    ],
)
def test_one_case_of_several_files_has_patterns(paths):
    """A first try is often made with one patient."""
    image, labels = paths
    found = suggest_patterns([FoundFile(image, "image"), FoundFile(labels, "labels")])
    assert [(one.kind, one.pattern) for one in found.patterns] == [
        ("image", image.replace("p1", "{case}")),
        ("labels", labels.replace("p1", "{case}")),
    ]
    assert (found.cases, found.files, found.incomplete) == (1, 2, ())


def test_every_real_file_can_be_inspected(shared_data):
    """Oblique, left-handed, 4D, 2D, colour, DICOM, labels to 530 and labels as floats."""
    found = _folder(shared_data)
    assert [file.error for file in found.files if file.error is not None] == []
    by_path = {file.path: file for file in found.files}
    labelled = {path for path, file in by_path.items() if file.kind == "labels"}
    assert labelled == {
        path for path in by_path if "label" in path and path != "brain_scan_with_labels.npz"
    }
    assert by_path["dicom_ct"].content.grid.size == (88, 128, 17)
    assert by_path["flair_oblique.nii.gz"].content.oblique_deg == pytest.approx(19.0, abs=0.5)
    assert by_path["time_series_oblique.nii.gz"].content.frames == 2
    assert by_path["fundus_rgb.jpg"].content.channels == 3
    assert by_path["brain_label_maps/brain_01.nii.gz"].content.dtype == "float32"
    assert not by_path["brain_tumour/mr.nrrd"].content.right_handed
