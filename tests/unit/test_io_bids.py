"""BIDS: anatomical images and their segmentations, paired by entities."""

import pytest
from layouts import put_image, put_json, put_labels

from millimorph.errors import FileError
from millimorph.io import find_data_set

RAW = {"Name": "tiny", "BIDSVersion": "1.11.0"}


def test_cases_are_subject_session_and_run(tmp_path):
    put_json(tmp_path / "dataset_description.json", RAW)
    put_image(tmp_path / "sub-01/ses-a/anat/sub-01_ses-a_run-1_T1w.nii.gz")
    put_image(tmp_path / "sub-01/ses-a/anat/sub-01_ses-a_run-2_T1w.nii.gz")
    put_image(tmp_path / "sub-02/anat/sub-02_acq-fast_T2w.nii")
    put_image(tmp_path / "sub-02/func/sub-02_task-rest_bold.nii.gz")
    put_labels(tmp_path / "sub-02/anat/sub-02_desc-brain_mask.nii.gz")
    found = find_data_set(tmp_path)
    assert [case.id for case in found.cases] == [
        "sub-01_ses-a_run-1",
        "sub-01_ses-a_run-2",
        "sub-02",
    ]
    assert [case.group for case in found.cases] == ["sub-01", "sub-01", "sub-02"]
    assert list(found.cases[2].images) == ["acq-fast_T2w"]
    assert list(found.cases[2].labels) == ["desc-brain_mask"]
    assert found.text().startswith(
        "BIDS raw (dataset_description.json has BIDSVersion 1.11.0); 3 cases of 2 patients"
    )
    assert "no acq-fast_T2w: 2 cases: sub-01_ses-a_run-1, sub-01_ses-a_run-2" in found.notes


def test_label_maps_of_a_raw_data_set_lie_in_its_derivatives(tmp_path):
    """Their probability maps and images are other data; a dseg of no image is told."""
    put_json(tmp_path / "dataset_description.json", RAW)
    put_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    anat = tmp_path / "derivatives/seg/sub-01/anat"
    put_labels(anat / "sub-01_desc-aseg_dseg.nii.gz")
    put_image(anat / "sub-01_desc-preproc_T1w.nii.gz")
    put_image(anat / "sub-01_label-GM_probseg.nii.gz")
    put_labels(anat / "sub-01_space-MNI_dseg.nii.gz")
    found = find_data_set(tmp_path)
    (case,) = found.cases
    assert (list(case.images), list(case.labels)) == (["T1w"], ["desc-aseg_dseg"])
    assert "sub-01_space-MNI" in found.notes[0]
    put_labels(tmp_path / "derivatives/other/sub-01/anat/sub-01_dseg.nii.gz")
    (case,) = find_data_set(tmp_path).cases
    assert set(case.labels) == {"seg_desc-aseg_dseg", "other_dseg"}


def test_a_space_of_a_derivative_is_a_case_of_its_own(tmp_path):
    """Native and template space are different places, which one case must not mix."""
    put_json(tmp_path / "dataset_description.json", RAW | {"DatasetType": "derivative"})
    for space in ("", "_space-MNI"):
        put_image(tmp_path / f"sub-1/anat/sub-1{space}_desc-preproc_T1w.nii.gz")
        put_labels(tmp_path / f"sub-1/anat/sub-1{space}_dseg.nii.gz")
    found = find_data_set(tmp_path)
    assert found.layout == "BIDS derivative"
    assert [case.id for case in found.cases] == ["sub-1", "sub-1_space-MNI"]
    assert all(set(case.labels) == {"dseg"} for case in found.cases)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sub-01/anat/sub-02_T1w.nii.gz", "must begin with sub-01_"),
        ("sub-01/anat/sub-01_sub-01_T1w.nii.gz", "every entity once"),
        ("sub-01/anat/scan.nii.gz", "not one of BIDS"),
        ("sub-01/anat/sub-01_T1w.nii", "as .*sub-01_T1w.nii is"),
        ("sub-01/anat/sub-01_t1w.nii", "remove or rename one"),
    ],
)
def test_a_name_against_the_rules_is_an_error(tmp_path, name, message):
    put_json(tmp_path / "dataset_description.json", RAW)
    put_image(tmp_path / "sub-01/anat/sub-01_T1w.nii.gz")
    put_image(tmp_path / name)
    with pytest.raises(FileError, match=message):
        find_data_set(tmp_path)


def test_a_description_without_its_required_fields_is_an_error(tmp_path):
    put_json(tmp_path / "dataset_description.json", {"Name": "tiny"})
    with pytest.raises(FileError, match="BIDSVersion must be there"):
        find_data_set(tmp_path)


def test_a_data_set_without_anatomical_images_is_an_error(tmp_path):
    put_json(tmp_path / "dataset_description.json", RAW)
    put_image(tmp_path / "sub-01/func/sub-01_task-rest_bold.nii.gz")
    with pytest.raises(FileError, match=r"no complete case; .*--layout files"):
        find_data_set(tmp_path)


def test_copies_of_a_derivative_of_millimorph_are_cases_of_their_own(tmp_path):
    """Each has a grid of its own; in derivatives of others desc tells files of a case apart."""
    made_by = [{"Name": "millimorph"}]
    put_json(tmp_path / "dataset_description.json", {**RAW, "GeneratedBy": made_by})
    for copy in ("orig", "aug0001"):
        put_image(tmp_path / f"sub-1/anat/sub-1_desc-{copy}_T1w.nii.gz")
        put_labels(tmp_path / f"sub-1/anat/sub-1_desc-brain+{copy}_mask.nii.gz")
    found = find_data_set(tmp_path)
    assert [case.id for case in found.cases] == ["sub-1_desc-aug0001", "sub-1_desc-orig"]
    assert (found.roles("image"), found.roles("labels")) == (("T1w",), ("desc-brain_mask",))
    put_json(tmp_path / "dataset_description.json", {**RAW, "GeneratedBy": [{"Name": "other"}]})
    assert [case.id for case in find_data_set(tmp_path).cases] == ["sub-1"]


@pytest.mark.parametrize("text", ["index\tcolour\n", "index\tname\n1.5\ta\n", "index\tname\n1\n"])
def test_names_of_labels_are_read_from_the_table_beside_them(tmp_path, text):
    put_json(tmp_path / "dataset_description.json", RAW)
    put_image(tmp_path / "sub-1/anat/sub-1_T1w.nii.gz")
    put_labels(tmp_path / "sub-1/anat/sub-1_dseg.nii.gz")
    table = tmp_path / "sub-1/anat/sub-1_dseg.tsv"
    table.write_text("index\tname\tcolor\n0\tbackground\t#000\n17\tLeft hippocampus\t#fff\n")
    expected = {"background": "0", "Left hippocampus": "17"}
    assert find_data_set(tmp_path).label_names == expected
    table.write_text(text)
    with pytest.raises(FileError, match=r"sub-1_dseg\.tsv"):
        find_data_set(tmp_path)
