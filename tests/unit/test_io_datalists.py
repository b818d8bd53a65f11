"""MONAI's data lists: training and validation, one image of several channels or one file each."""

import pytest
from layouts import put_frames, put_image, put_json, put_labels

from millimorph.errors import FileError
from millimorph.io import find_data_set, load_case


def item(case, **more):
    return {"image": f"images/{case}.nii.gz", "label": f"labels/{case}.nii.gz", **more}


def lists(folder, **changes):
    for case in "abc":
        put_image(folder / f"images/{case}.nii.gz", ord(case))
        put_labels(folder / f"labels/{case}.nii.gz")
    content = {"training": [item("a"), item("b", group="p1")], "validation": [item("c", fold=0)]}
    put_json(folder / "datalist.json", content | changes)
    return folder


def test_training_and_validation_are_cases_with_their_patients(tmp_path):
    found = find_data_set(lists(tmp_path))
    assert found.text() == (
        "MONAI data list (datalist.json has training); 3 cases of 1 patient, images: image, "
        "labels: labels"
    )
    assert [(case.id, case.group) for case in found.cases] == [
        ("a", None),
        ("b", "p1"),
        ("c", None),
    ]


def test_a_dataset_json_without_modality_is_a_list_of_monai_too(tmp_path):
    (lists(tmp_path) / "datalist.json").rename(tmp_path / "dataset.json")
    assert find_data_set(tmp_path).layout == "MONAI data list"
    assert find_data_set(tmp_path, "monai").layout == "MONAI data list"


def test_the_fourth_axis_is_channels_and_a_list_of_files_is_one_image_each(tmp_path):
    folder = lists(tmp_path, training=[item("a"), item("b")], validation=[])
    for case in "ab":
        put_frames(folder / f"images/{case}.nii.gz", 2)
    image = load_case(find_data_set(folder).cases[0]).images["image"]
    assert (image.channels, image.frames) == (2, None)
    pair = {"id": "x", "image": ["images/a.nii.gz", "images/c.nii.gz"], "label": "labels/a.nii.gz"}
    (case,) = find_data_set(lists(tmp_path, training=[pair], validation=[])).cases
    assert (case.id, list(case.images)) == ("x", ["image_0", "image_1"])
    modality = {"0": "T1", "1": "T2 (fat)"}
    found = find_data_set(lists(tmp_path, training=[pair], validation=[], modality=modality))
    assert found.channel_names == {"T1": ("T1",), "T2-fat": ("T2 (fat)",)}


def test_a_missing_file_leaves_its_case_out(tmp_path):
    (lists(tmp_path) / "labels/b.nii.gz").unlink()
    (lacking,) = find_data_set(tmp_path).lacking
    assert (lacking.case, lacking.reason) == ("b", "has no labels/b.nii.gz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": [item("a"), item("a")]}, "a is there twice"),
        ({"training": [{"image": "../a.nii.gz"}]}, "training, item 0.*not below"),
        ({"training": [{"image": 3}]}, "a path or a list of paths"),
        ({"training": [item("a", label=1)]}, "label must be a path"),
        ({"training": [{"image": []}]}, "names no image"),
        ({"training": ["a.nii.gz"]}, "must be an object"),
        ({"validation": {}}, "validation must be a list"),
        ({"training": [item("a", id=4)]}, "id must be a text"),
    ],
)
def test_a_broken_rule_is_named_with_the_file(tmp_path, changes, message):
    with pytest.raises(FileError, match=message) as caught:
        find_data_set(lists(tmp_path, **changes))
    assert "datalist.json" in str(caught.value)
