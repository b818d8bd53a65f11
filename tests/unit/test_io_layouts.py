"""Folders of cases."""

import numpy as np
import pytest

from millimorph.errors import FileError, LabelError
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, Landmarks, ScalarImage, check_name
from millimorph.io import find_cases, load_case, write_image, write_labels, write_landmarks
from millimorph.io.layouts import natural_key

GRID = ImageGrid((4, 3, 2))


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def ids(cases):
    return [case.id for case in cases]


def test_cases_pair_files_by_name_in_natural_order(tmp_path):
    touch(tmp_path, *(f"im/p{k}_t1.nii.gz" for k in (10, 9, 1)))
    touch(tmp_path, *(f"seg/p{k}.nii.gz" for k in (10, 9, 1)), "seg/notes.txt")
    cases = find_cases(tmp_path, {"t1": "im/{case}_t1.nii.gz"}, {"organs": "seg/{case}.nii.gz"})
    assert ids(cases) == ["p1", "p9", "p10"]
    assert cases[0].images == {"t1": tmp_path / "im/p1_t1.nii.gz"}
    assert cases[0].labels == {"organs": tmp_path / "seg/p1.nii.gz"}


def test_patterns_may_name_folders(tmp_path):
    touch(tmp_path, "a/t1.nii.gz", "a/x/t2.mha", "b/t1.nii.gz", "b/x/t2.mha")
    touch(tmp_path, "a/points.csv", "b/points.csv", "c.txt", ".hidden/t1.nii.gz")
    cases = find_cases(
        tmp_path,
        {"t1": "{case}/t1.nii.gz", "t2": "{case}/x/t2.mha"},
        landmarks={"points": "{case}/points.csv"},
    )
    assert ids(cases) == ["a", "b"]
    assert cases[1].landmarks == {"points": tmp_path / "b/points.csv"}


def test_a_file_belongs_to_the_more_exact_pattern(tmp_path):
    touch(tmp_path, "p1.nii.gz", "p1_seg.nii.gz", "p2.nii.gz", "p2_seg.nii.gz")
    cases = find_cases(tmp_path, {"ct": "{case}.nii.gz"}, {"organs": "{case}_seg.nii.gz"})
    assert ids(cases) == ["p1", "p2"]
    with pytest.raises(FileError, match="fits both"):
        find_cases(tmp_path, {"ct": "{case}.nii.gz"}, {"organs": "{case}.nii.gz"})


def test_orphans_on_both_sides_are_listed(tmp_path):
    touch(tmp_path, *(f"im/p{k}.nii" for k in range(12)), *(f"seg/p{k}.nii" for k in range(10, 13)))
    with pytest.raises(FileError) as caught:
        find_cases(tmp_path, {"ct": "im/{case}.nii"}, {"organs": "seg/{case}.nii"})
    message = str(caught.value)
    assert 'images "ct" (im/{case}.nii) has no file for 1 cases: p12' in message
    assert "has no file for 10 cases: p0, p1, p2, p3, p4 and 5 more" in message
    with pytest.raises(FileError, match=r"masks/\{case\}\.nii\) fits no file"):
        find_cases(tmp_path, {"ct": "im/{case}.nii"}, {"organs": "masks/{case}.nii"})


@pytest.mark.parametrize(
    "pattern",
    [
        "*.nii",
        "{case}/{case}.nii",
        "/abs/{case}.nii",
        "../{case}.nii",
        "a//{case}.nii",
        "a\\{case}",
    ],
)
def test_patterns_stay_below_the_folder_and_hold_case_once(tmp_path, pattern):
    with pytest.raises(FileError, match="must be a path below the folder"):
        find_cases(tmp_path, {"ct": pattern})


@pytest.mark.parametrize("name", ["a:b.nii", "a\nb.nii", "x" * 120 + ".nii", "a\\b.nii"])
def test_unsafe_case_ids_are_refused_with_the_file(tmp_path, name):
    touch(tmp_path, name)
    with pytest.raises(FileError, match="case id"):
        find_cases(tmp_path, {"ct": "{case}.nii"})


def test_ids_that_are_one_file_on_other_systems_are_refused(tmp_path):
    touch(tmp_path, "p1.nii", "P1.nii")
    with pytest.raises(FileError, match="'P1' and 'p1' differ only in spelling"):
        find_cases(tmp_path, {"ct": "{case}.nii"})


def test_without_patterns_every_image_is_a_case(tmp_path):
    touch(tmp_path, "b/x.mha", "b/y.nii.gz", "a.png", "notes.txt", ".hidden.png", "b/.git/z.png")
    (tmp_path / "link").symlink_to(tmp_path)
    cases = find_cases(tmp_path)
    assert ids(cases) == ["a", "b_x", "b_y"]
    assert cases[1].images == {"image": tmp_path / "b/x.mha"}


def test_ids_made_of_paths_are_safe_unique_and_stable(tmp_path):
    long = "x" * 200
    hostile = ("a/b.nii", "a_b.nii", "a_b.mha", "sp ace.nii", "ä:|.nii", f"{long}.nii", "..x.nii")
    touch(tmp_path, *hostile[:-1], "A_B.png", "..hidden/x.nii", "<img src=x>/1.nii")
    found = find_cases(tmp_path)
    assert len({case.id.casefold() for case in found}) == len(found) == 8
    for case in found:
        check_name(case.id, "case id")
    assert ids(found) == ids(find_cases(tmp_path))


def test_empty_and_missing_folders_are_named(tmp_path):
    with pytest.raises(FileError, match="nothing here fits any image"):
        find_cases(tmp_path)
    with pytest.raises(FileError, match="nothing here fits images"):
        find_cases(tmp_path, {"ct": "{case}.nii"})
    with pytest.raises(FileError, match="no such folder"):
        find_cases(tmp_path / "absent")


def test_natural_order_compares_numbers_as_numbers():
    names = ["p10", "p9", "p1", "P2", "p01", "q", "10", "9"]
    expected = ["9", "10", "p01", "p1", "P2", "p9", "p10", "q"]
    assert sorted(names, key=natural_key) == expected


def test_a_case_is_loaded_whole_and_errors_name_the_file(tmp_path):
    write_image(ScalarImage(np.ones(GRID.shape), GRID), tmp_path / "p1_ct.nii.gz")
    write_labels(LabelMap(np.ones(GRID.shape, np.uint8), GRID), tmp_path / "p1_seg.nii.gz")
    write_landmarks(Landmarks([[1.0, 2.0, 3.0]], ("carina",)), tmp_path / "p1.csv")
    patterns = (
        {"ct": "{case}_ct.nii.gz"},
        {"organs": "{case}_seg.nii.gz"},
        {"points": "{case}.csv"},
    )
    (found,) = find_cases(tmp_path, *patterns)
    case = load_case(found)
    assert case.id == "p1"
    assert case.landmarks["points"].names == ("carina",)
    assert case.grid_of("organs") == GRID
    write_landmarks(Landmarks([[1.0, 2.0]]), tmp_path / "p1.csv")
    with pytest.raises(FileError, match=r"is 2D .*p1_ct\.nii\.gz"):
        load_case(found)
    write_image(ScalarImage(np.full(GRID.shape, 0.5), GRID), tmp_path / "p1_seg.nii.gz")
    with pytest.raises(LabelError, match=r"p1_seg\.nii\.gz"):
        load_case(found)


def test_real_folders_are_found(shared_data):
    cases = find_cases(
        shared_data / "prostate", {"mr": "images/{case}.nii.gz"}, {"gland": "labels/{case}.nii.gz"}
    )
    assert ids(cases) == [f"case_0{k}" for k in range(6)]
    series = find_cases(shared_data, {"ct": "dicom_{case}"})
    assert ids(series) == ["ct"]
    assert load_case(series[0]).grid.size == (88, 128, 17)
