"""Exports to nnU-Net, the Decathlon, MONAI and BIDS: names, values and patients survive."""

import json

import numpy as np
import pytest
from exported import REGIONS, colours, from_bids, from_decathlon, from_nnunet, from_table, generate
from layouts import put_frames, put_image, put_labels

from millimorph.cli import run_command
from millimorph.errors import FileError, OutputError
from millimorph.generate import (
    export_bids,
    export_decathlon,
    export_monai,
    export_nnunet,
)
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import (
    find_data_set,
    load_case,
    read_image,
    read_labels,
    write_image,
    write_labels,
)
from millimorph.ops import ZScore
from millimorph.recipe import Pipeline


@pytest.fixture(scope="module")
def channels(tmp_path_factory):
    return from_decathlon(tmp_path_factory.mktemp("channels"))


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    return from_nnunet(tmp_path_factory.mktemp("regions"))


@pytest.fixture(scope="module")
def contrasts(tmp_path_factory):
    return from_bids(tmp_path_factory.mktemp("contrasts"))


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    return from_table(tmp_path_factory.mktemp("gaps"))


def groups(data_set):
    return {case.id: case.group for case in data_set.cases}


PATIENTS = {
    f"t_{k}{copy}": group
    for k, group in enumerate(("p1", "p1", "p2"))
    for copy in ("", "__aug0000", "__aug0001")
}


def check_read_back(dest, out):
    """Recognised, with the same patients, channels and voxels, and fit to generate from."""
    found = find_data_set(dest)
    sample = load_case(next(case for case in found.cases if case.id.endswith("t_2__aug0001")))
    made = read_image(out / "t_2/t_2__0001_image.nii.gz")
    voxels = np.concatenate([image.channel_arrays for image in sample.images.values()])
    assert np.array_equal(voxels, made.array)
    generate(dest, dest.parent / f"again-{dest.name}", count=1)
    return found


def test_channels_of_one_file_become_files_of_nnunet_with_their_names(tmp_path, channels):
    dest = tmp_path / "Dataset101_Two"
    export_nnunet(channels, dest)
    described = json.loads((dest / "dataset.json").read_text())
    assert described["channel_names"] == {"0": "FLAIR", "1": "T1 (Gd)"}
    assert described["labels"] == {"background": 0, "edema": 1, "core": 2}
    first = read_image(channels.parent / "in/imagesTr/t_0.nii.gz")
    for k in (0, 1):
        part = read_image(dest / f"imagesTr/t_0_{k:04d}.nii.gz")
        assert np.array_equal(part.array, first.array[k])
        assert (part.grid, part.dtype) == (first.grid, first.dtype)
    assert groups(check_read_back(dest, channels)) == PATIENTS


def test_the_decathlon_gets_its_four_axes_back(tmp_path, channels):
    dest = tmp_path / "Task11_Two"
    export = export_decathlon(channels, dest)
    assert (export.originals, export.copies, export.patients) == (3, 6, 2)
    described = json.loads((dest / "dataset.json").read_text())
    assert described["modality"] == {"0": "FLAIR", "1": "T1 (Gd)"}
    assert described["tensorImageSize"] == "4D"
    assert described["labels"] == {"0": "background", "1": "edema", "2": "core"}
    assert (described["numTraining"], described["numTest"], described["test"]) == (9, 0, [])
    item = described["training"][-1]
    assert item == {
        "image": "./imagesTr/t_2__aug0001.nii.gz",
        "label": "./labelsTr/t_2__aug0001.nii.gz",
        "fold": item["fold"],
        "group": "p2",
        "aug_id": "aug0001",
        "source": "t_2",
    }
    volume = read_image(dest / "imagesTr/t_2__aug0001.nii.gz")
    assert volume.frames is not None
    assert (dest / "imagesTs").is_dir()
    found = check_read_back(dest, channels)
    assert groups(found) == PATIENTS
    assert found.channel_names == {"image": ("FLAIR", "T1 (Gd)")}


def test_no_copy_of_a_validation_patient_trains_by_the_decathlons_splits(tmp_path, channels):
    dest = tmp_path / "Task12_Two"
    export_decathlon(channels, dest)
    splits = json.loads((dest / "splits_final.json").read_text())
    assert len(splits) == 2
    for split in splits:
        held_out = {PATIENTS[case] for case in split["val"]}
        assert split["val"]
        assert not any("__aug" in case for case in split["val"])
        assert {PATIENTS[case] for case in split["train"]} == {"p1", "p2"} - held_out
        assert any("__aug" in case for case in split["train"])


def test_lists_of_monai_hold_out_whole_patients(tmp_path, channels):
    dest = tmp_path / "lists"
    export_monai(channels, dest)
    held_out = []
    for name in ("datalist.json", "datalist_fold1.json"):
        content = json.loads((dest / name).read_text())
        trained = {item["group"] for item in content["training"]}
        validated = {item["group"] for item in content["validation"]}
        assert not trained & validated
        assert {item["aug_id"] for item in content["validation"]} == {"orig"}
        assert {item["aug_id"] for item in content["training"]} == {"orig", "aug0000", "aug0001"}
        held_out.append(validated)
        assert {item["fold"] for item in content["validation"]} == {len(held_out) - 1}
    assert set().union(*held_out) == {"p1", "p2"}
    assert len(list(dest.glob("*.json"))) == 2
    found = find_data_set(dest)
    assert found.layout == "MONAI data list"
    assert found.channel_names == {"image": ("FLAIR", "T1 (Gd)")}
    case = load_case(found.cases[0])
    assert (case.images["image"].channels, case.images["image"].frames) == (2, None)


def test_regions_and_the_ignore_label_stay_verbatim(tmp_path, regions):
    dest = tmp_path / "Dataset102_Regions"
    export = export_nnunet(regions, dest)
    described = json.loads((dest / "dataset.json").read_text())
    assert (described["labels"], described["regions_class_order"]) == (REGIONS, [1, 2])
    assert find_data_set(dest).label_names["whole"] == "1+2"
    assert "nnUNetv2_move_plans_between_datasets -s 7 -t 102" in "\n".join(export.next_steps)


def test_values_of_regions_are_named_by_all_of_them_elsewhere(tmp_path, regions):
    """One value has one name in the Decathlon and in BIDS."""
    export_decathlon(regions, tmp_path / "Task13_Regions")
    described = json.loads((tmp_path / "Task13_Regions/dataset.json").read_text())
    expected = {"0": "background", "1": "whole", "2": "whole and core", "3": "ignore"}
    assert described["labels"] == expected
    export_bids(regions, tmp_path / "bids")
    (table, *_) = sorted((tmp_path / "bids").rglob("*_dseg.tsv"))
    rows = table.read_text().splitlines()
    assert rows == ["index\tname", *(f"{k}\t{name}" for k, name in expected.items())]


def test_references_copy_nothing_and_are_read_through_links(tmp_path, regions):
    dest = tmp_path / "Dataset103_Refer"
    export_nnunet(regions, dest, placing="linked")
    assert {path.name for path in dest.iterdir()} == {
        *("copies", "originals", "dataset.json", "splits_final.json", "millimorph")
    }
    described = json.loads((dest / "dataset.json").read_text())
    assert described["numTraining"] == len(described["dataset"]) == 6
    entry = described["dataset"]["a_1__aug0001"]
    assert entry == {
        "images": ["copies/a_1/a_1__0001_CT.nii.gz"],
        "label": "copies/a_1/a_1__0001_labels.nii.gz",
    }
    assert str(tmp_path) not in (dest / "dataset.json").read_text()
    found = find_data_set(dest)
    assert len(found.cases) == 6
    generate(dest, tmp_path / "again", count=1)
    export_monai(regions, tmp_path / "lists", placing="linked")
    (item, *_) = json.loads((tmp_path / "lists/datalist.json").read_text())["training"]
    assert (tmp_path / "lists" / item["image"]).is_file()
    generate(tmp_path / "lists", tmp_path / "again-lists", count=1)


def test_what_cannot_be_referred_to_is_told(tmp_path, channels, gaps):
    with pytest.raises(OutputError, match="several channels; leave out --refer"):
        export_nnunet(channels, tmp_path / "Dataset104_A", placing="linked")
    with pytest.raises(OutputError, match="without a gap; leave out --refer"):
        export_nnunet(gaps, tmp_path / "Dataset104_A", placing="linked")
    with pytest.raises(OutputError, match=r"several channels.*leave out --refer"):
        export_monai(channels, tmp_path / "lists", placing="linked")
    assert not list(tmp_path.iterdir())


def test_labels_with_gaps_are_renumbered_for_nnunet_and_the_values_kept_in_names(tmp_path, gaps):
    """nnU-Net refuses gaps; label 6 must not silently become an unnamed 2."""
    dest = tmp_path / "Dataset105_Gaps"
    export = export_nnunet(gaps, dest)
    assert "renumbered" in export.notes[0]
    described = json.loads((dest / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "label_3": 1, "label_6": 2}
    labels = read_labels(dest / "labelsTr/v-0001.nii.gz")
    before = read_labels(gaps.parent / "in/v_0001_seg.nii.gz")
    assert labels.dtype == np.uint8
    assert np.array_equal(labels.array * 3, before.array)
    cases = json.loads((dest / "millimorph/cases.json").read_text())
    assert cases["w"]["original_labels"] == {"0": 0, "1": 3, "2": 6}


def test_case_ids_never_end_like_a_channel_number(tmp_path, gaps):
    """v_0001_0000.nii.gz could be read as channel 1 of v."""
    export_nnunet(gaps, tmp_path / "Dataset106_Gaps")
    found = groups(find_data_set(tmp_path / "Dataset106_Gaps"))
    assert {case for case in found if "__" not in case} == {"v-0001", "v-0002", "w"}
    assert found["v-0001__aug0000"] == "pat 1"


def test_files_of_several_types_become_one_type_with_the_same_voxels(tmp_path):
    """Originals in .mha with label maps in .nrrd, samples in .nii.gz."""
    rows = ["id,image:mr,label"]
    for case in "ab":
        put_image(tmp_path / f"in/{case}.mha", ord(case))
        put_labels(tmp_path / f"in/{case}_seg.nrrd")
        rows.append(f"{case},{case}.mha,{case}_seg.nrrd")
    (tmp_path / "in/cases.csv").write_text("\n".join(rows))
    out = generate(tmp_path / "in", tmp_path / "out", count=1)
    dest = tmp_path / "Dataset112_Mixed"
    export_nnunet(out, dest)
    assert json.loads((dest / "dataset.json").read_text())["file_ending"] == ".nii.gz"
    before, after = read_image(tmp_path / "in/a.mha"), read_image(dest / "imagesTr/a_0000.nii.gz")
    assert np.array_equal(before.array, after.array)
    assert before.dtype == after.dtype
    assert np.allclose(before.grid.corner_points_mm, after.grid.corner_points_mm)
    made = tmp_path / "out/a/a__0000_mr.nii.gz"
    assert (dest / "imagesTr/a__aug0000_0000.nii.gz").read_bytes() == made.read_bytes()
    export_monai(out, tmp_path / "lists")
    suffixes = {path.name.partition(".")[2] for path in (tmp_path / "lists/images").iterdir()}
    assert suffixes == {"nii.gz"}


def test_colour_pictures_stay_one_file_of_three_channels(tmp_path):
    """As nnU-Net's reader of natural images wants them, and JPEG is none of its types."""
    out = colours(tmp_path)
    dest = tmp_path / "Dataset113_Colour"
    export_nnunet(out, dest)
    described = json.loads((dest / "dataset.json").read_text())
    assert described["file_ending"] == ".png"
    assert len(described["channel_names"]) == 3
    names = {path.name for path in (dest / "imagesTr").iterdir()}
    assert names == {f"{case}{copy}_0000.png" for case in "ab" for copy in ("", "__aug0000")}
    assert read_image(dest / "imagesTr/b__aug0000_0000.png").channels == 3
    found = find_data_set(dest)
    assert (found.roles("image"), len(found.cases)) == (("image",), 4)


def test_a_number_of_nnunet_that_is_taken_is_refused(tmp_path, gaps, monkeypatch):
    monkeypatch.setenv("nnUNet_results", str(tmp_path / "results"))
    (tmp_path / "results/Dataset107_Other").mkdir(parents=True)
    with pytest.raises(OutputError, match="Dataset107_Other has Dataset107"):
        export_nnunet(gaps, tmp_path / "raw/Dataset107_Gaps")


def test_a_ct_that_is_no_longer_in_hu_is_refused(tmp_path, regions):
    """Its copies would be normalised with the intensities of the originals."""
    source = regions.parent / "Dataset007_Source"
    out = generate(source, tmp_path / "out", pipeline=Pipeline(intensity=(ZScore(),)))
    with pytest.raises(OutputError, match="z_score takes the channel CT out of HU"):
        export_nnunet(out, tmp_path / "Dataset108_A")
    export_monai(out, tmp_path / "lists")


def test_a_bids_source_keeps_its_entities_and_its_originals(tmp_path, contrasts):
    dest = tmp_path / "bids"
    export = export_bids(contrasts, dest, skull_stripped=True)
    assert (export.originals, export.copies) == (0, 4)
    anat = dest / "sub-01/ses-a/anat"
    stems = {path.name.removesuffix(".nii.gz") for path in anat.glob("*.nii.gz")}
    assert stems == {
        f"sub-01_ses-a_{name}"
        for k in (0, 1)
        for name in (
            f"acq-fast_desc-aug000{k}_T1w",
            f"desc-aug000{k}_T2w",
            f"desc-manual+aug000{k}_dseg",
        )
    }
    sidecar = json.loads((anat / "sub-01_ses-a_desc-manual+aug0001_dseg.json").read_text())
    source = "derivatives/seg/sub-01/ses-a/anat/sub-01_ses-a_desc-manual_dseg.nii.gz"
    assert sidecar["Sources"] == [f"bids:raw:{source}"]
    sidecar = json.loads((anat / "sub-01_ses-a_desc-aug0001_T2w.json").read_text())
    assert sidecar["SkullStripped"] is True
    described = json.loads((dest / "dataset_description.json").read_text())
    assert (dest / described["DatasetLinks"]["raw"]).resolve() == contrasts.parent / "in"
    assert described["GeneratedBy"][0]["Name"] == "millimorph"
    assert not (dest / ".bidsignore").exists()
    found = find_data_set(dest)
    assert groups(found) == {
        f"sub-{k}_ses-a_desc-aug000{n}": f"sub-{k}" for k in ("01", "02") for n in (0, 1)
    }
    assert found.roles("image") == ("acq-fast_T1w", "T2w")
    assert found.roles("labels") == ("desc-manual_dseg",)
    generate(dest, tmp_path / "again", count=1)


def test_other_sources_get_subjects_of_letters_and_digits_that_stay_apart(tmp_path, gaps):
    """Pat 1 and pat-1 are two patients, and both would be sub-pat1."""
    dest = tmp_path / "bids"
    export_bids(gaps, dest)
    rows = (dest / "participants.tsv").read_text().splitlines()[1:]
    subjects = dict(reversed(row.split("\t")) for row in rows)
    assert set(subjects) == {"pat 1", "pat-1"}
    assert len(set(subjects.values())) == 2
    assert all(one.removeprefix("sub-").isalnum() for one in subjects.values())
    found = find_data_set(dest)
    assert set(groups(found).values()) == set(subjects.values())
    assert len(found.cases) == 9
    assert found.label_names == {"background": "0", "label_3": "3", "label_6": "6"}
    assert "*_ct.nii.gz" in (dest / ".bidsignore").read_text().splitlines()
    generate(dest, tmp_path / "again", count=1)


def test_one_hot_labels_and_other_grids_are_refused(tmp_path):
    put_image(tmp_path / "in/a.nii.gz")
    put_frames(tmp_path / "in/seg.nii.gz", 2)
    put_labels(tmp_path / "in/far.nii.gz", ImageGrid((6, 5, 4), (1.0, 1.0, 2.0), (9, 0, 0)))
    for k, (label, message) in enumerate((("seg", "2 label maps"), ("far", "one grid"))):
        (tmp_path / "in/cases.csv").write_text(f"id,image,label\na,a.nii.gz,{label}.nii.gz\n")
        out = generate(tmp_path / "in", tmp_path / f"out{k}", count=1)
        for export, name in ((export_nnunet, "Dataset109_A"), (export_decathlon, "Task14_A")):
            with pytest.raises(OutputError, match=message):
                export(out, tmp_path / name)


def test_a_label_value_without_a_name_is_found(tmp_path, channels):
    """nnU-Net would refuse the finished data set for it."""
    folder = channels.parent / "in"
    before = (folder / "dataset.json").read_text()
    (folder / "dataset.json").write_text(before.replace(', "2": "core"', ""))
    try:
        with pytest.raises(OutputError, match=r"holds the label values \[2\]"):
            export_nnunet(channels, tmp_path / "Dataset110_A")
    finally:
        (folder / "dataset.json").write_text(before)


@pytest.mark.parametrize("name", ["Task_A", "Liver", "Task11_A_b"])
def test_a_name_that_the_decathlon_does_not_take_is_refused(channels, tmp_path, name):
    with pytest.raises(OutputError, match="TaskNN_Name"):
        export_decathlon(channels, tmp_path / name)


def test_files_that_changed_are_found_where_nothing_is_copied(tmp_path, regions):
    file = regions / "a_1/a_1__0000_CT.nii.gz"
    before = file.read_bytes()
    file.write_bytes(before + b" ")
    try:
        with pytest.raises(FileError, match="has changed"):
            export_nnunet(regions, tmp_path / "Dataset111_A", placing="linked")
    finally:
        file.write_bytes(before)
    assert not list(tmp_path.iterdir())


def test_the_command_tells_what_was_done_and_refuses_options_of_others(tmp_path, channels, capsys):
    words = ["export", str(channels)]
    assert run_command([*words, str(tmp_path / "Task15_A"), "--to", "decathlon"]) == 0
    assert "3 original cases and 6 augmented copies of 2 patients" in capsys.readouterr().out
    assert run_command([*words, str(tmp_path / "Task16_A"), "--to", "decathlon", "--refer"]) == 2
    assert "--refer is for --to nnunet and monai" in capsys.readouterr().err
    assert run_command([*words, str(tmp_path / "x"), "--to", "monai", "--skull-stripped"]) == 2
    assert "--skull-stripped is for --to bids" in capsys.readouterr().err
    assert run_command(["inspect", str(tmp_path / "Task15_A")]) == 0
    text = capsys.readouterr().out
    assert "layout: Medical Segmentation Decathlon (dataset.json has modality and training)" in text
    assert "image (channels FLAIR, T1 (Gd))" in text


def test_inspect_shows_channels_where_the_layout_has_no_time(channels, capsys):
    assert run_command(["inspect", str(channels.parent / "in"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    images = [file for file in told["files"] if file["path"].startswith("imagesTr")]
    assert {(file["channels"], file["frames"]) for file in images} == {(2, 1)}
    assert told["data_set"]["channel_names"] == {"image": ["FLAIR", "T1 (Gd)"]}


def test_warnings_are_told_with_the_final_name(tmp_path):
    """ITK, and so nnU-Net, does not read the NIfTI-2 file that a far origin needs."""
    grid = ImageGrid((6, 5, 4), (0.001, 0.001, 0.001), (90000.1, 0.0, 0.0))
    rows = ["id,image,label"]
    for case in "ab":
        values = np.indices(grid.shape).sum(axis=0)
        (tmp_path / "in").mkdir(exist_ok=True)
        write_image(ScalarImage(values.astype(np.int16), grid), tmp_path / f"in/{case}.mha")
        write_labels(LabelMap((values % 2).astype(np.uint8), grid), tmp_path / f"in/{case}_seg.mha")
        rows.append(f"{case},{case}.mha,{case}_seg.mha")
    (tmp_path / "in/cases.csv").write_text("\n".join(rows))
    out = generate(tmp_path / "in", tmp_path / "out", count=1, suffix=".mha")
    dest = tmp_path / "Task17_Far"
    notes = export_decathlon(out, dest).notes
    assert any(f"{dest}/imagesTr/a.nii.gz: written as NIfTI-2" in note for note in notes)
    assert not any(".millimorph-" in note for note in notes)
