"""nnU-Net v2 raw data sets: its rules are those of nnU-Net's dataset-format.md."""

import pytest
from layouts import NNUNET, nnunet, put_frames, put_image, put_json, put_labels

from millimorph.errors import FileError
from millimorph.geometry import ImageGrid
from millimorph.io import find_data_set, load_case


def test_cases_are_told_by_their_channel_suffixes(tmp_path):
    """A case id may hold underscores and digits, so only the last four digits are the channel."""
    folder = nnunet(tmp_path, channel_names={"0": "T1", "1": "FLAIR"})
    put_image(folder / "imagesTs/b_0000.nii.gz")
    (folder / "imagesTr/.DS_Store").write_bytes(b"x")
    found = find_data_set(folder)
    assert [case.id for case in found.cases] == ["a_1", "a_2"]
    assert found.cases[0].images == {
        "T1": folder / "imagesTr/a_1_0000.nii.gz",
        "FLAIR": folder / "imagesTr/a_1_0001.nii.gz",
    }
    assert found.cases[0].labels == {"labels": folder / "labelsTr/a_1.nii.gz"}
    assert found.label_names == {"background": "0", "liver": "1", "tumour": "2"}
    assert found.text() == (
        "nnU-Net v2 raw (dataset.json has channel_names); 2 cases, images: T1, FLAIR, "
        "labels: labels"
    )
    assert "imagesTs" in found.notes[0]
    assert set(load_case(found.cases[0]).images) == {"T1", "FLAIR"}


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["CT", "PET (SUV)"], ("CT", "PET-SUV")),
        (["zscore", "zScore"], ("zscore_0", "zScore_1")),
        (["labels", "../x"], ("labels_0", "x")),
        (["a", "a", "a_0"], ("image_0", "image_1", "image_2")),
    ],
)
def test_channel_names_become_safe_and_different_roles(tmp_path, names, roles):
    """nnU-Net takes any text, and the same one twice: the names choose normalisations."""
    folder = nnunet(tmp_path, channel_names={str(k): name for k, name in enumerate(names)})
    assert find_data_set(folder).roles("image") == roles


def test_incomplete_cases_are_named_with_what_they_lack(tmp_path):
    folder = nnunet(tmp_path, channel_names={"0": "T1", "1": "T2"}, numTraining=4)
    put_image(folder / "imagesTr/b_0001.nii.gz")
    put_labels(folder / "labelsTr/b.nii.gz")
    put_labels(folder / "labelsTr/c.nii.gz")
    put_image(folder / "imagesTr/d_0000.nii.gz")
    for k in (1, 7):
        put_image(folder / f"imagesTr/d_{k:04d}.nii.gz")
    found = find_data_set(folder)
    assert [case.id for case in found.cases] == ["a_1", "a_2"]
    reasons = {one.case: one.reason for one in found.lacking}
    assert reasons == {
        "b": "has no image of channel 0000 (T1)",
        "c": "has a label map but no image",
        "d": "has an image of channel 0007, which channel_names does not name",
    }


def test_a_colour_picture_is_one_image_of_several_channels(tmp_path):
    """nnU-Net's reader of natural images takes R, G and B from one file."""
    names = {"0": "R", "1": "G", "2": "B"}
    put_json(
        tmp_path / "dataset.json",
        NNUNET | {"channel_names": names, "file_ending": ".png", "numTraining": 1},
    )
    for name in ("imagesTr/a_0000.png", "labelsTr/a.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    assert find_data_set(tmp_path).roles("image") == ("image",)


def test_the_key_dataset_refers_to_files_below_the_folder(tmp_path):
    names = [put_image(tmp_path / f"raw/{case}.nii.gz").name for case in "xy"]
    put_labels(tmp_path / "raw/seg.nii.gz")
    entries = {name[0]: {"images": [f"./raw/{name}"], "label": "raw/seg.nii.gz"} for name in names}
    put_json(tmp_path / "dataset.json", NNUNET | {"dataset": entries})
    found = find_data_set(tmp_path)
    assert [case.images["CT"] for case in found.cases] == [
        tmp_path / "raw/x.nii.gz",
        tmp_path / "raw/y.nii.gz",
    ]


@pytest.mark.parametrize(
    "path",
    ["/etc/x.nii.gz", "../x.nii.gz", "$HOME/x.nii.gz", "~/x.nii.gz", "a\\x.nii.gz", "C:/x.nii.gz"],
)
def test_paths_that_lead_out_are_refused(tmp_path, path):
    """A description from elsewhere must not choose which files are read."""
    entries = {"x": {"images": [path], "label": "x.nii.gz"}}
    put_json(tmp_path / "dataset.json", NNUNET | {"dataset": entries, "numTraining": 1})
    with pytest.raises(FileError, match=r"dataset\.json: dataset, case 'x'.*not below"):
        find_data_set(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numTraining": 3}, "numTraining is 3, but there are 2"),
        ({"numTraining": "2"}, "numTraining must be"),
        ({"file_ending": "nii.gz"}, "file_ending"),
        ({"file_ending": ".jpg"}, "without loss"),
        ({"channel_names": {"1": "CT"}}, "channel_names must have the keys"),
        ({"channel_names": ["CT"]}, "channel_names must have the keys"),
        ({"labels": {"liver": 1}}, '"background" with 0'),
        ({"labels": {"background": 0, "liver": 2}}, "without a gap"),
        ({"labels": {"background": 0, "ignore": 1, "liver": 2}}, '"ignore" must have the highest'),
        (
            {"labels": {"background": 0, "all": [1, 2], "core": 2}},
            "regions_class_order must list 2",
        ),
        (
            {
                "labels": {"background": 0, "all": [1, 2], "core": 2},
                "regions_class_order": [1, "2"],
            },
            "regions_class_order must list 2",
        ),
        ({"labels": {"background": 0, "liver": 1.5}}, "must be integers"),
    ],
)
def test_a_broken_rule_is_named_with_the_file(tmp_path, changes, message):
    with pytest.raises(FileError, match=message) as caught:
        find_data_set(nnunet(tmp_path, **changes))
    assert str(tmp_path / "dataset.json") in str(caught.value)


def test_regions_and_the_ignore_label_are_accepted(tmp_path):
    labels = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}
    found = find_data_set(nnunet(tmp_path, labels=labels, regions_class_order=[1, 2]))
    assert found.label_names["whole"] == "1+2"


def test_patients_are_read_where_millimorph_wrote_them(tmp_path):
    folder = nnunet(tmp_path / "Dataset001_A")
    assert {case.group for case in find_data_set(folder).cases} == {None}
    put_json(folder / "millimorph/cases.json", {"a_1": {"group": "p"}, "a_2": {"group": "p"}})
    assert {case.group for case in find_data_set(folder).cases} == {"p"}
    put_json(folder / "millimorph/cases.json", {"a_1": {"group": 3}})
    with pytest.raises(FileError, match="'a_1' must have a group"):
        find_data_set(folder)


def test_a_folder_that_nnunet_would_not_find_is_told(tmp_path):
    assert find_data_set(nnunet(tmp_path / "Dataset001_A")).notes == ()
    (note,) = find_data_set(nnunet(tmp_path / "liver")).notes
    assert "DatasetNNN_Name" in note


def test_a_series_is_no_channel_of_nnunet(tmp_path):
    """Its files have one value for each voxel; a fourth axis would be augmented as time."""
    from millimorph.generate.inputs import Patterns, read_inputs

    folder = nnunet(tmp_path)
    put_frames(folder / "imagesTr/a_2_0000.nii.gz", 2)
    _, (failure,) = read_inputs(Patterns(folder, {}, {}, {}), find_data_set(folder))
    assert (failure.case, "has 2 values for each voxel" in failure.reason) == ("a_2", True)


def test_the_voxel_sizes_of_3d_tiff_are_not_guessed(tmp_path):
    put_json(tmp_path / "dataset.json", NNUNET | {"file_ending": ".tif", "numTraining": 1})
    put_json(tmp_path / "labelsTr/a.json", {"spacing": [2, 1, 1]})
    for name in ("imagesTr/a_0000.tif", "labelsTr/a.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(FileError, match=r"a\.json: the voxel sizes of 3D TIFF"):
        find_data_set(tmp_path)


def test_an_image_without_a_channel_suffix_is_refused(tmp_path):
    """nnU-Net would cut five characters off its name all the same."""
    put_image(nnunet(tmp_path) / "imagesTr/other.nii.gz")
    with pytest.raises(FileError, match=r"other\.nii\.gz: .*_0000\.nii\.gz"):
        find_data_set(tmp_path)


@pytest.mark.parametrize(
    "text",
    ['{"channel_names": {}, "channel_names": {}}', '{"numTraining": NaN}', "[1]", "{", "1e999"],
)
def test_a_malformed_description_is_an_error(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(FileError, match=r"dataset\.json: .*--layout files"):
        find_data_set(tmp_path)


def test_a_label_map_on_another_grid_is_left_out(tmp_path):
    """nnU-Net only warns when origins differ; a training pair that is shifted is no pair."""
    from data_sets import PIPELINE

    from millimorph.generate import DatasetRequest, generate_dataset

    folder = nnunet(tmp_path / "in")
    put_labels(folder / "labelsTr/a_2.nii.gz", ImageGrid((6, 5, 4), (1.0, 1.0, 2.0), (0, 0, 1)))
    request = DatasetRequest(folder, PIPELINE, tmp_path / "out", count=1, backend="reference")
    report = generate_dataset(request)
    assert report.made == 1
    assert [one.case for one in report.failures] == ["a_2"]
    assert "one grid" in report.failures[0].reason
