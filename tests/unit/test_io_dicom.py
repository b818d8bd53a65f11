"""DICOM series made for the purpose, and a real one."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from data_sets import request

from millimorph.errors import FileError, MillimorphWarning
from millimorph.generate import generate_dataset, replay
from millimorph.io import (
    dicom,
    find_cases,
    from_sitk,
    is_dicom_folder,
    read_dicom_series,
    read_image,
)
from millimorph.report import inspect_path

SERIES = "1.2.826.0.1.3680043.2.1125.777.1"
TURN = np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()).reshape(3, 3)


def write_slice(path, position, array=None, turn=TURN, series=SERIES, extra=()):
    """Write one CT slice with this place."""
    plane = np.arange(20, dtype=np.int16).reshape(4, 5) if array is None else array
    image = sitk.GetImageFromArray(plane[np.newaxis])
    image.SetSpacing((2.0, 3.0, 4.0))
    tags = {
        "0008|0060": "CT",
        "0020|000e": series,
        "0020|0032": "\\".join(f"{x:.6f}" for x in position),
        "0020|0037": "\\".join(f"{x:.9f}" for x in turn.T[:2].ravel()),
        "0018|0050": "4.0",
        **dict(extra),
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


def stack(folder, steps, **other):
    """Write slices along the normal, their files named in another order."""
    for k, step in enumerate(steps):
        plane = np.full((4, 5), k, np.int16)
        position = np.array([10.0, 20.0, 30.0]) + TURN[:, 2] * step
        write_slice(folder / f"{(7 * k + 3) % 10}.dcm", position, plane, **other)


def test_slices_are_ordered_by_their_place(tmp_path):
    stack(tmp_path, [2.5 * k for k in range(5)])
    image = read_image(tmp_path)
    assert image.dtype == np.int16
    assert image.array[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(image.grid.spacing_mm, (2, 3, 2.5), atol=1e-5)
    np.testing.assert_allclose(image.grid.origin_mm, (10, 20, 30), atol=1e-5)
    np.testing.assert_allclose(image.grid.direction, TURN, atol=1e-7)


def test_a_real_series_is_what_simpleitk_reads(shared_data):
    folder = shared_data / "dicom_ct"
    assert is_dicom_folder(folder)
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    expected = from_sitk(sitk.ReadImage(files))
    image = read_image(folder)
    assert image.dtype == np.int16
    np.testing.assert_array_equal(image.array, expected.array)
    np.testing.assert_allclose(
        image.grid.corner_points_mm, expected.grid.corner_points_mm, atol=1e-3
    )


def test_each_file_is_rescaled_by_its_own_numbers(tmp_path):
    for k in range(3):
        extra = {"0028|1052": str(-1000 - k), "0028|1053": "1"}
        write_slice(tmp_path / f"{k}.dcm", TURN[:, 2] * k, extra=extra)
    whole = read_image(tmp_path)
    paths = [str(tmp_path / f"{k}.dcm") for k in range(3)]
    expected = [sitk.GetArrayFromImage(sitk.ReadImage(path))[0] for path in paths]
    np.testing.assert_array_equal(whole.array, np.stack(expected))
    for k in range(3):
        stored = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1"}
        extra = {"0028|1052": "0", "0028|1053": str(0.5 + k), **stored}
        plane = np.arange(20.0).reshape(4, 5)
        write_slice(tmp_path / f"{k}.dcm", TURN[:, 2] * k, plane, extra=extra)
    assert read_image(tmp_path).dtype == np.float32


def refused(folder, reason):
    with pytest.raises(FileError, match=reason) as caught:
        read_dicom_series(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_missing_slices_are_named(tmp_path):
    stack(tmp_path, [0, 2.5, 5, 10, 12.5])
    message = refused(tmp_path, r"slices are missing.*2\.5 mm; 1 gaps")
    assert "7.dcm" in message
    assert "4.dcm" in message


def test_doubled_slices_are_named(tmp_path):
    stack(tmp_path, [0, 2.5, 2.5, 5])
    refused(tmp_path, r"1 slices lie where another one lies: 0\.dcm at .* and 7\.dcm at ")
    write_slice(tmp_path / "z.dcm", np.array([10.0, 20.0, 30.0]))
    refused(tmp_path, r"2 slices lie where another one lies: 3\.dcm at .*z\.dcm.*0\.dcm at ")


def test_uneven_slices_are_refused_and_small_jitter_is_not(tmp_path):
    stack(tmp_path, [0, 2.5, 5.05, 7.5, 10])
    read_dicom_series(tmp_path)
    stack(tmp_path, [0, 2.5, 5.2, 7.5, 10])
    refused(tmp_path, r"1 slices are not.*uneven spacing: 7\.dcm at .*0\.2 mm off")


def test_gantry_tilt_is_refused(tmp_path):
    """ITK makes a box of such a series, with slices centimetres from their place."""
    for k in range(5):
        write_slice(tmp_path / f"{k}.dcm", TURN[:, 2] * 2.5 * k + TURN[:, 1] * 0.5 * k)
    refused(tmp_path, r"4 slices .*gantry tilt.*: 1\.dcm at .*2\.dcm at .*3\.dcm at .*4\.dcm at ")


def test_mixed_orientations_and_sizes_are_refused(tmp_path):
    stack(tmp_path, [0, 2.5])
    write_slice(tmp_path / "z.dcm", TURN[:, 2] * 5, turn=np.eye(3))
    refused(tmp_path, r"different orientation.*localiser")
    write_slice(tmp_path / "z.dcm", TURN[:, 2] * 5, np.zeros((6, 5), np.int16))
    refused(tmp_path, r"different size.*z\.dcm")


def test_several_series_are_told_apart(tmp_path):
    stack(tmp_path, [0, 2.5, 5])
    write_slice(tmp_path / "z.dcm", TURN[:, 2] * 5, series=SERIES + "9")
    message = refused(tmp_path, "2 DICOM series.*series_uid=")
    assert "(3 files, #series-" in message
    assert SERIES not in message, "identifiers are shortened"
    assert read_dicom_series(tmp_path, series_uid=SERIES).grid.size == (5, 4, 3)
    assert read_dicom_series(tmp_path, series_uid="777.19").grid.size == (5, 4, 1)
    with pytest.raises(FileError, match="no DICOM series ends in"):
        read_dicom_series(tmp_path, series_uid="55")


def test_one_slice_takes_its_thickness(tmp_path):
    stack(tmp_path, [0])
    assert read_dicom_series(tmp_path).grid.spacing_mm[2] == 4.0
    assert read_image(tmp_path / "3.dcm").grid.spacing_mm[2] == 4.0
    unknown = replace(dicom._header(tmp_path / "3.dcm"), thickness=None)
    with pytest.warns(MillimorphWarning, match=r"3\.dcm: one slice without a thickness"):
        assert dicom._lone_step("3.dcm", unknown) == 1.0


def test_other_files_in_the_folder_are_left_out(tmp_path):
    stack(tmp_path, [0, 2.5])
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + b"no image")
    assert read_image(tmp_path).grid.size == (5, 4, 2)
    assert is_dicom_folder(tmp_path)
    (tmp_path / "empty").mkdir()
    assert not is_dicom_folder(tmp_path / "empty")
    assert not is_dicom_folder(tmp_path / "absent")


def test_damaged_files_are_named(tmp_path, capfd):
    stack(tmp_path, [0, 2.5])
    content = (tmp_path / "3.dcm").read_bytes()
    for length in (140, 300, len(content) // 2, len(content) - 1):
        (tmp_path / "3.dcm").write_bytes(content[:length])
        with pytest.raises(FileError, match=r"3\.dcm"):
            read_image(tmp_path)
    (tmp_path / "a.dcm").write_text("words")
    with pytest.raises(FileError, match=r"a\.dcm: not a DICOM file"):
        read_image(tmp_path / "a.dcm")
    capfd.readouterr()


def test_monochrome1_is_turned_round(tmp_path):
    """Larger is brighter, by the range of the stored bits."""
    plane = np.arange(20, dtype=np.uint16).reshape(4, 5)
    write_slice(tmp_path / "a.dcm", (0, 0, 0), plane, extra={"0008|0060": "DX"})
    content = (tmp_path / "a.dcm").read_bytes()
    assert content.count(b"MONOCHROME2") == 1
    (tmp_path / "a.dcm").write_bytes(content.replace(b"MONOCHROME2", b"MONOCHROME1"))
    np.testing.assert_array_equal(read_image(tmp_path).array[0], 65535 - plane)


def test_monochrome1_in_ct_is_refused(tmp_path):
    """Hounsfield units must not be turned round."""
    write_slice(tmp_path / "a.dcm", (0, 0, 0))
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content.replace(b"MONOCHROME2", b"MONOCHROME1"))
    refused(tmp_path, r"a\.dcm: MONOCHROME1 in CT")


@pytest.fixture
def study(tmp_path):
    """Two series with numbers, two with one number, in one folder, and a lone one beside it."""
    folder = tmp_path / "in" / "study"
    folder.mkdir(parents=True)
    for k, number in enumerate(("7", "2", "3", "3")):
        for slice_ in range(3):
            place = TURN[:, 2] * 2.5 * slice_ + 100 * k
            extra = {"0020|0011": number}
            plane = np.full((4, 5), 10 * k + slice_, np.int16)
            path = folder / f"{slice_}_{k}.dcm"
            write_slice(path, place, plane, series=f"{SERIES}.{k}", extra=extra)
    (tmp_path / "in" / "lone").mkdir()
    stack(tmp_path / "in" / "lone", [0, 2.5])
    return tmp_path / "in"


def test_each_series_of_a_folder_is_a_case_with_a_clear_name(study):
    cases = {case.id: case.images["image"] for case in find_cases(study)}
    doubled = sorted(set(cases) - {"lone", "study_series2", "study_series7"})
    assert len(doubled) == 2
    assert all(name.startswith("study_series-") for name in doubled)
    assert cases["lone"] == study / "lone"
    assert read_image(cases["study_series7"]).array[:, 0, 0].tolist() == [0, 1, 2]
    assert read_image(cases["study_series2"]).array[:, 0, 0].tolist() == [10, 11, 12]
    values = sorted(read_image(cases[name]).array[0, 0, 0] for name in doubled)
    assert values == [20, 30]
    root = {case.id for case in find_cases(study / "study")}
    assert {"study_series2", "study_series7"} < root


def test_samples_of_a_series_are_made_replayed_and_refused_when_it_changed(study, tmp_path):
    """Only its own files count, and no identifier gets into the records."""
    asked = request(study, tmp_path / "out", images={}, labels={}, landmarks={}, count=1)
    report = generate_dataset(asked)
    assert (report.made, report.failures) == (5, ())
    sidecar = tmp_path / "out" / "study_series7" / "study_series7__0000.json"
    assert SERIES[-12:] not in sidecar.read_text()
    write_slice(study / "study" / "0_1.dcm", (0, 0, 0), series=f"{SERIES}.1")
    assert replay(sidecar).reproduced
    write_slice(study / "study" / "0_0.dcm", (0, 0, 0), series=f"{SERIES}.0")
    with pytest.raises(FileError, match="has changed since"):
        replay(sidecar)
    for path in (study / "study").glob("*_0.dcm"):
        path.unlink()
    with pytest.raises(FileError, match="no such DICOM series any more"):
        replay(sidecar)


def test_a_broken_file_costs_its_folder_and_no_other(study, tmp_path, capfd):
    content = (study / "study" / "0_0.dcm").read_bytes()
    (study / "study" / "0_0.dcm").write_bytes(content[:300])
    asked = request(study, tmp_path / "out", images={}, labels={}, landmarks={}, count=1)
    report = generate_dataset(asked)
    assert [failure.case for failure in report.failures] == ["study"]
    assert "0_0.dcm" in report.failures[0].reason
    assert report.made == 1
    capfd.readouterr()


def test_inspect_lists_every_series(study):
    found = inspect_path(study)
    assert len(found.files) == 5
    assert [file.error for file in found.files] == [None] * 5
    alone = inspect_path(study / "study")
    assert len(alone.files) == 4
    choice = study / "study" / alone.files[0].path
    assert inspect_path(choice).content.grid.size == (5, 4, 3)
