"""Tables of cases: what their columns mean, and which of their rows are refused."""

import pytest
from layouts import put_image, put_labels

from millimorph.errors import FileError
from millimorph.io import find_data_set


def files(folder):
    for case in "ab":
        put_image(folder / f"im/{case}.nii.gz")
        put_labels(folder / f"seg/{case}.nii.gz")
        (folder / f"{case}.csv").write_text("name,x,y,z\np,1,2,3\n")
    return folder


def test_columns_name_the_roles_and_empty_cells_are_absent_files(tmp_path):
    files(tmp_path)
    (tmp_path / "cases.csv").write_text(
        "\ufeffid,image:t1,label:organs,points,group,age\r\n"
        "a,im/a.nii.gz,seg/a.nii.gz,a.csv,p1,50\r\n\r\n"
        "b,im/b.nii.gz,,,p1,51\r\n",
        encoding="utf-8",
    )
    found = find_data_set(tmp_path)
    first, second = found.cases
    assert first.images == {"t1": tmp_path / "im/a.nii.gz"}
    assert first.labels == {"organs": tmp_path / "seg/a.nii.gz"}
    assert first.landmarks == {"points": tmp_path / "a.csv"}
    assert (second.id, dict(second.labels), second.group) == ("b", {}, "p1")
    assert found.text() == (
        "table of cases (cases.csv has the columns id, image:t1, label:organs, points); "
        "2 cases of 1 patient, images: t1, labels: organs, points: points"
    )
    assert found.notes == ("columns that are not used: age",)


def test_tabs_separate_the_cells_of_a_tsv(tmp_path):
    files(tmp_path)
    (tmp_path / "cases.tsv").write_text("id\timage\tlabel\na\tim/a.nii.gz\tseg/a.nii.gz\n")
    (case,) = find_data_set(tmp_path).cases
    assert (list(case.images), list(case.labels), case.group) == (["image"], ["labels"], None)


def test_a_row_whose_file_is_missing_is_left_out(tmp_path):
    files(tmp_path)
    (tmp_path / "cases.csv").write_text("id,image\na,im/a.nii.gz\nc,im/c.nii.gz\nd,\n")
    found = find_data_set(tmp_path)
    assert [one.reason for one in found.lacking] == [
        "has no im/c.nii.gz (line 3 of cases.csv)",
        "names no image and no label (line 4)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,image\na,../a.nii.gz\n", "line 2, column image.*not below"),
        ("id,image\na,/data/a.nii.gz\n", "line 2, column image.*not below"),
        ("id,image\na,im/a.nii.gz\na,im/b.nii.gz\n", "line 3: the id 'a' is in line 2"),
        ("id,image\n,im/a.nii.gz\n", "line 2: the id is empty"),
        ("id,image\nx/y,im/a.nii.gz\n", "line 2: .*not safe"),
        ("id,image\na,im/a.nii.gz\nA,im/b.nii.gz\n", "differ only in spelling"),
        ("id,image\na\n", "line 2 has 1 fields"),
        ("id,image,image:image\na,b,c\n", "the name image twice"),
        ("id,image\na,im/none.nii.gz\n", "no complete case"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, text, message):
    (files(tmp_path) / "cases.csv").write_text(text)
    with pytest.raises(FileError, match=message) as caught:
        find_data_set(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_tables_of_points_are_no_tables_of_cases(tmp_path):
    assert find_data_set(files(tmp_path)) is None
    with pytest.raises(FileError, match="no table of cases"):
        find_data_set(tmp_path, "table")


def test_two_tables_are_ambiguous(tmp_path):
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("id,image\n")
    with pytest.raises(FileError, match=r"one\.csv, two\.csv"):
        find_data_set(tmp_path)
