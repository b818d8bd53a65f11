"""Export to nnU-Net: what is written is what was made, and no split leaks a copy."""

import json

import pytest
from data_sets import PIPELINE
from layouts import nnunet, put_image, put_labels

from millimorph.cli import run_command
from millimorph.errors import FileError, OutputError
from millimorph.generate import DatasetRequest, export_nnunet, generate_dataset
from millimorph.io import find_data_set

LABELS = {"background": 0, "liver": 1, "Tumour (all)": 2}


def generate(folder, out, **changes):
    asked = {"count": 2, "backend": "reference", "pipeline": PIPELINE} | changes
    return generate_dataset(DatasetRequest(folder=folder, out=out, **asked))


def visits(folder):
    """Two visits of p1, one each of p2 and p3, and the table that says so."""
    rows = ["id,image:ct,label:organs,group"]
    for case, group in (("a", "p1"), ("b", "p2"), ("c", "p1"), ("d", "p3")):
        put_image(folder / f"{case}.nii.gz", ord(case))
        put_labels(folder / f"{case}_seg.nii.gz")
        rows.append(f"{case},{case}.nii.gz,{case}_seg.nii.gz,{group}")
    (folder / "cases.csv").write_text("\n".join(rows))
    return folder


def test_an_export_is_an_nnunet_data_set_with_names_verbatim(tmp_path):
    """Held against the reader of that layout, and the files against those they come from."""
    folder = nnunet(tmp_path / "in", channel_names={"0": "CT (HU)", "1": "noNorm"}, labels=LABELS)
    generate(folder, tmp_path / "out")
    dest = tmp_path / "raw/Dataset101_Liver"
    export = export_nnunet(tmp_path / "out", dest)
    assert (export.originals, export.copies, export.patients_known) == (2, 4, False)
    described = json.loads((dest / "dataset.json").read_text())
    assert described["channel_names"] == {"0": "CT (HU)", "1": "noNorm"}
    assert (described["labels"], described["numTraining"]) == (LABELS, 6)
    found = find_data_set(dest)
    ids = ["a_1", "a_1__aug0000", "a_1__aug0001", "a_2", "a_2__aug0000", "a_2__aug0001"]
    assert [case.id for case in found.cases] == ids
    assert found.lacking == ()
    pairs = {
        "imagesTr/a_1_0001.nii.gz": folder / "imagesTr/a_1_0001.nii.gz",
        "imagesTr/a_1__aug0001_0001.nii.gz": tmp_path / "out/a_1/a_1__0001_noNorm.nii.gz",
        "labelsTr/a_2__aug0000.nii.gz": tmp_path / "out/a_2/a_2__0000_labels.nii.gz",
    }
    for name, source in pairs.items():
        assert (dest / name).read_bytes() == source.read_bytes()
    assert {path.name for path in dest.parent.iterdir()} == {dest.name}


def test_no_copy_of_a_validation_patient_trains_and_no_copy_validates(tmp_path):
    """Five folds even of three patients: nnU-Net splits at random beyond the last."""
    generate(visits(tmp_path / "in"), tmp_path / "out")
    dest = tmp_path / "Dataset102_Visits"
    export = export_nnunet(tmp_path / "out", dest)
    assert (export.patients, export.patients_known) == (3, True)
    patient = {"a": "p1", "b": "p2", "c": "p1", "d": "p3"}
    everything = {case.id for case in find_data_set(dest).cases}
    splits = json.loads((dest / "splits_final.json").read_text())
    assert len(splits) == 5
    for split in splits:
        held_out = {patient[case] for case in split["val"]}
        assert split["val"]
        assert set(split["val"]) == {case for case, of in patient.items() if of in held_out}
        trained = {case for case in everything if patient[case[0]] not in held_out}
        assert set(split["train"]) == trained
    validated = {case for split in splits for case in split["val"]}
    assert validated == set(patient)


def test_labels_without_names_are_numbered(tmp_path):
    generate(visits(tmp_path / "in"), tmp_path / "out")
    export_nnunet(tmp_path / "out", tmp_path / "Dataset103_Visits")
    described = json.loads((tmp_path / "Dataset103_Visits/dataset.json").read_text())
    assert described["labels"] == {"background": 0, "label_1": 1, "label_2": 2}
    assert described["channel_names"] == {"0": "ct"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    generate(visits(folder / "in"), folder / "out", count=1)
    return folder


@pytest.mark.parametrize("name", ["Liver", "Dataset1_Liver", "Dataset101", "Dataset101_a b"])
def test_a_name_that_nnunet_does_not_take_is_refused(made, name):
    with pytest.raises(OutputError, match="DatasetNNN_Name"):
        export_nnunet(made / "out", made / name)


def test_a_place_that_is_taken_is_refused(made):
    for place in (made / "in/Dataset101_A", made / "out/Dataset101_A"):
        with pytest.raises(OutputError, match="lies inside"):
            export_nnunet(made / "out", place)
    (made / "Dataset104_A").mkdir()
    with pytest.raises(OutputError, match="exists"):
        export_nnunet(made / "out", made / "Dataset104_A")
    with pytest.raises(FileError, match="no finished samples"):
        export_nnunet(made / "in", made / "Dataset105_A")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("out/b/b__0000_ct.nii.gz", "has changed"),
        ("in/b.nii.gz", "has changed"),
        ("out/b/b__0000.json", "has changed"),
        ("in/d.nii.gz", "is missing"),
    ],
)
def test_a_changed_file_is_found_and_nothing_is_left(made, changed, message):
    """Half a data set under its final name would be trained on."""
    file = made / changed
    before = file.read_bytes()
    if message == "is missing":
        file.unlink()
    else:
        file.write_bytes(before + b" ")
    try:
        with pytest.raises(FileError, match=message):
            export_nnunet(made / "out", made / "Dataset106_A")
    finally:
        file.write_bytes(before)
    assert {path.name for path in made.iterdir()} <= {"in", "out", "Dataset104_A"}


def test_one_patient_cannot_be_split(tmp_path):
    put_image(tmp_path / "in/a.nii.gz")
    put_labels(tmp_path / "in/s.nii.gz")
    (tmp_path / "in/cases.csv").write_text("id,image,label\na,a.nii.gz,s.nii.gz\n")
    generate(tmp_path / "in", tmp_path / "out", count=1)
    with pytest.raises(OutputError, match="one patient"):
        export_nnunet(tmp_path / "out", tmp_path / "Dataset107_A")


def test_images_without_label_maps_are_refused(tmp_path):
    put_image(tmp_path / "in/a.nii.gz")
    generate(tmp_path / "in", tmp_path / "out", count=1)
    with pytest.raises(OutputError, match="one label map for each case"):
        export_nnunet(tmp_path / "out", tmp_path / "Dataset108_A")


def test_the_command_says_where_the_splits_belong(made, capsys):
    dest = made.parent / f"{made.name}-raw/Dataset109_A"
    assert run_command(["export", str(made / "out"), str(dest), "--to", "nnunet"]) == 0
    told = capsys.readouterr().out
    assert "4 original cases and 4 augmented copies of 3 patients" in told
    assert f"cp {dest / 'splits_final.json'} $nnUNet_preprocessed/Dataset109_A/" in told
