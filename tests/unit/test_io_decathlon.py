"""Data sets of the Medical Segmentation Decathlon, as its archives hold them."""

import pytest
from layouts import put_frames, put_image, put_json, put_labels

from millimorph.errors import FileError
from millimorph.io import find_data_set, load_case

PAIRS = [{"image": f"./imagesTr/t_{k}.nii.gz", "label": f"./labelsTr/t_{k}.nii.gz"} for k in (1, 2)]
DESCRIPTION = {
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
    "numTraining": 2,
    "training": PAIRS,
    "test": ["./imagesTs/t_9.nii.gz"],
}


def decathlon(folder, **changes):
    for k in (1, 2):
        put_image(folder / f"imagesTr/t_{k}.nii.gz", k)
        put_labels(folder / f"labelsTr/t_{k}.nii.gz")
    put_json(folder / "dataset.json", DESCRIPTION | changes)
    return folder


def test_training_pairs_are_the_cases(tmp_path):
    """Paths begin with ./ and label names are the reverse of nnU-Net's."""
    found = find_data_set(decathlon(tmp_path))
    assert [case.id for case in found.cases] == ["t_1", "t_2"]
    assert found.cases[1].images == {"MRI": tmp_path / "imagesTr/t_2.nii.gz"}
    assert found.cases[1].labels == {"labels": tmp_path / "labelsTr/t_2.nii.gz"}
    assert found.label_names == {"background": "0", "Anterior": "1", "Posterior": "2"}
    assert found.text().startswith("Medical Segmentation Decathlon (dataset.json has modality")
    assert found.notes == ("test (1 images) has no labels and is not used",)


def test_several_modalities_are_one_image_with_four_axes(tmp_path):
    folder = decathlon(tmp_path, modality={"0": "FLAIR", "1": "T1w"})
    for k in (1, 2):
        put_frames(folder / f"imagesTr/t_{k}.nii.gz", 2)
    found = find_data_set(folder)
    assert found.roles("image") == ("image",)
    assert "FLAIR, T1w" in found.notes[0]
    assert found.channel_names == {"image": ("FLAIR", "T1w")}
    image = load_case(found.cases[0]).images["image"]
    assert (image.channels, image.frames) == (2, None)


def test_files_of_the_system_that_packed_the_archive_are_no_images(tmp_path):
    """AppleDouble files (._name) are listed in some of the real archives."""
    extra = {"image": "./imagesTr/._t_1.nii.gz", "label": "./labelsTr/._t_1.nii.gz"}
    found = find_data_set(decathlon(tmp_path, training=[extra, *PAIRS]))
    assert [case.id for case in found.cases] == ["t_1", "t_2"]


def test_test_images_are_paths_or_objects_and_orphans_are_listed(tmp_path):
    """MONAI's lists have objects; AppleDouble files are counted nowhere."""
    test = ["./imagesTs/a.nii.gz", {"image": "./imagesTs/b.nii.gz"}, "./imagesTs/._a.nii.gz"]
    folder = decathlon(tmp_path, test=test)
    put_image(folder / "imagesTr/alone.nii.gz")
    put_image(folder / "imagesTr/_hidden.nii.gz")
    put_labels(folder / "labelsTr/lost.nii.gz")
    assert find_data_set(folder).notes == (
        "in imagesTr, but of no complete case of training: 1 file: alone.nii.gz",
        "in labelsTr, but of no complete case of training: 1 file: lost.nii.gz",
        "test (2 images) has no labels and is not used",
    )


def test_an_image_with_another_number_of_channels_is_left_out(tmp_path):
    """One without its T1w would be trained on with the wrong channel."""
    from millimorph.generate.inputs import Patterns, read_inputs

    folder = decathlon(tmp_path, modality={"0": "FLAIR", "1": "T1w"})
    put_frames(folder / "imagesTr/t_1.nii.gz", 2)
    put_frames(folder / "imagesTr/t_2.nii.gz", 3)
    cases, (failure,) = read_inputs(Patterns(folder, {}, {}, {}), find_data_set(folder))
    assert [case.id for case in cases] == ["t_1"]
    assert failure.reason == (
        "imagesTr/t_2.nii.gz: has 3 values for each voxel, the layout wants 2 (FLAIR, T1w)"
    )


def test_the_group_of_a_data_list_is_kept(tmp_path):
    found = find_data_set(decathlon(tmp_path, training=[{**PAIRS[0], "group": "p7"}, PAIRS[1]]))
    assert [case.group for case in found.cases] == ["p7", None]


def test_a_missing_file_leaves_its_case_out(tmp_path):
    folder = decathlon(tmp_path)
    (folder / "labelsTr/t_2.nii.gz").unlink()
    (lacking,) = find_data_set(folder).lacking
    assert (lacking.case, lacking.reason) == ("t_2", "has no labelsTr/t_2.nii.gz")


def test_the_older_nnunet_layout_is_told_apart(tmp_path):
    """nnU-Net v1 has the Decathlon's dataset.json, but channel suffixes."""
    folder = decathlon(tmp_path)
    for k in (1, 2):
        image = folder / f"imagesTr/t_{k}.nii.gz"
        image.rename(image.with_name(f"t_{k}_0000.nii.gz"))
    with pytest.raises(FileError, match="nnUNetv2_convert_old_nnUNet_dataset"):
        find_data_set(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": [{"image": "../x.nii.gz", "label": "y"}]}, "item 0.*not below"),
        ({"training": [{"image": "/x.nii.gz", "label": "y"}]}, "item 0.*not below"),
        ({"training": [{"image": ["a", "b"], "label": "y"}]}, "the path of one file"),
        ({"training": ["a.nii.gz"]}, "the path of one file"),
        ({"training": [PAIRS[0], PAIRS[0]]}, "t_1 twice"),
        ({"training": {}}, "must be a list"),
        ({"modality": {"1": "MRI"}}, "modality must have the keys"),
        ({"labels": {"liver": "1"}}, "must map values"),
        ({"labels": {"0": "background", "1": "a", "2": "a"}}, "the same name"),
        ({"test": "imagesTs"}, "test must be a list"),
        ({"test": [{"picture": "a"}]}, "test, item 0: image must be"),
    ],
)
def test_a_broken_rule_is_named_with_the_file(tmp_path, changes, message):
    with pytest.raises(FileError, match=message) as caught:
        find_data_set(decathlon(tmp_path, **changes))
    assert "dataset.json" in str(caught.value)
