"""Generation from data sets in known layouts, and what `inspect` says of them."""

import json

import pytest
from data_sets import PIPELINE
from layouts import nnunet, put_frames, put_image, put_json, put_labels

from millimorph.cli import run_command
from millimorph.errors import FileError, PipelineError
from millimorph.generate import DatasetRequest, Sidecar, generate_dataset, replay
from millimorph.generate.inputs import Patterns, read_inputs, recognised
from millimorph.io import read_image, read_labels
from millimorph.ops import GaussianNoise
from millimorph.recipe import ImageSampling, Pipeline, dump_pipeline


def request(folder, out, **changes):
    asked = {"count": 1, "backend": "reference", "pipeline": PIPELINE} | changes
    return DatasetRequest(folder=folder, out=out, **asked)


def test_an_nnunet_data_set_needs_no_patterns_and_replays(tmp_path):
    """Sources are recorded relative to the data set's folder, so a sample can be made again."""
    folder = nnunet(tmp_path / "in", channel_names={"0": "T1", "1": "T2"})
    report = generate_dataset(request(folder, tmp_path / "out"))
    assert (report.made, report.cases, report.failures) == (2, 2, ())
    made = tmp_path / "out/a_1"
    names = {path.name.removeprefix("a_1__0000") for path in made.iterdir()}
    assert names == {"_T1.nii.gz", "_T2.nii.gz", "_labels.nii.gz", ".json"}
    assert set(read_labels(made / "a_1__0000_labels.nii.gz").array.ravel()) <= {0, 1, 2}
    sidecar = Sidecar.read(made / "a_1__0000.json")
    assert sidecar.sources["T2"].path.endswith("/in/imagesTr/a_1_0001.nii.gz")
    assert replay(made / "a_1__0000.json").reproduced


def test_the_modalities_of_a_decathlon_image_are_channels(tmp_path):
    """Its fourth axis is not time, for the sample and for its replay."""
    put_frames(tmp_path / "in/imagesTr/t.nii.gz", 2)
    put_labels(tmp_path / "in/labelsTr/t.nii.gz")
    pair = {"image": "./imagesTr/t.nii.gz", "label": "./labelsTr/t.nii.gz"}
    content = {"modality": {"0": "FLAIR", "1": "T1w"}, "training": [pair]}
    put_json(tmp_path / "in/dataset.json", content)
    generate_dataset(request(tmp_path / "in", tmp_path / "out"))
    made = read_image(tmp_path / "out/t/t__0000_image.nii.gz")
    assert (made.channels, made.frames) == (2, None)
    sidecar = tmp_path / "out/t/t__0000.json"
    assert Sidecar.read(sidecar).sources["image"].fourth_axis == "channels"
    assert replay(sidecar).reproduced


def test_the_patient_goes_with_the_case(tmp_path):
    """Splits by patient need it."""
    put_image(tmp_path / "a.nii.gz")
    (tmp_path / "cases.csv").write_text("id,image,group\nx,a.nii.gz,p1\n")
    patterns = Patterns(tmp_path, {}, {}, {})
    (case,), failures = read_inputs(patterns, recognised(patterns, "auto"))
    assert (case.id, case.group, failures) == ("x", "p1", ())


def test_an_incomplete_case_is_left_out_and_the_others_are_made(tmp_path):
    folder = nnunet(tmp_path / "in")
    (folder / "labelsTr/a_2.nii.gz").unlink()
    report = generate_dataset(request(folder, tmp_path / "out"))
    assert report.made == 1
    assert [(one.case, one.reason) for one in report.failures] == [("a_2", "has no label map")]


def test_names_in_the_pipeline_are_those_of_the_layout(tmp_path):
    """Sampling for a channel is accepted, for another name refused before anything is written."""
    folder = nnunet(tmp_path / "in")
    noise = (GaussianNoise(std=1.0),)
    fitting = Pipeline(intensity=noise, sampling={"CT": ImageSampling()})
    assert generate_dataset(request(folder, tmp_path / "out", pipeline=fitting)).made == 2
    other = Pipeline(intensity=noise, sampling={"MR": ImageSampling()})
    with pytest.raises(PipelineError, match="are named CT, labels"):
        generate_dataset(request(folder, tmp_path / "never", pipeline=other))
    assert not (tmp_path / "never").exists()


def test_without_a_known_layout_or_with_files_every_image_is_a_case(tmp_path):
    folder = nnunet(tmp_path / "in")
    report = generate_dataset(request(folder, tmp_path / "files", layout="files"))
    assert report.made == 4
    (folder / "dataset.json").write_text('{"name": "of another tool"}')
    assert generate_dataset(request(folder, tmp_path / "auto")).made == 4


def test_patterns_win_over_a_layout_that_is_only_recognised(tmp_path):
    folder = nnunet(tmp_path / "in")
    images = {"ct": "imagesTr/{case}_0000.nii.gz"}
    report = generate_dataset(request(folder, tmp_path / "out", images=images))
    assert (tmp_path / "out/a_1/a_1__0000_ct.nii.gz").is_file()
    assert report.made == 2
    with pytest.raises(PipelineError, match="give one of the two"):
        generate_dataset(request(folder, tmp_path / "never", images=images, layout="nnunet"))


@pytest.mark.parametrize("layout", ["nnunet", "decathlon", "bids", "table"])
def test_a_named_layout_must_be_there(tmp_path, layout):
    put_image(tmp_path / "in/a.nii.gz")
    with pytest.raises(FileError, match=r"dataset|table"):
        generate_dataset(request(tmp_path / "in", tmp_path / "out", layout=layout))


def test_the_command_says_which_layout_it_found_and_why(tmp_path, capsys):
    folder = nnunet(tmp_path / "in")
    dump_pipeline(PIPELINE, tmp_path / "my.yaml")
    words = ("generate", str(folder), "--pipeline", str(tmp_path / "my.yaml"), "--count", "1")
    options = ("--workers", "1", "--backend", "reference")
    assert run_command([*words, *options, "--out", str(tmp_path / "out")]) == 0
    assert (
        "layout: nnU-Net v2 raw (dataset.json has channel_names); 2 cases, images: CT, "
        "labels: labels\n" in capsys.readouterr().out
    )
    out = str(tmp_path / "files")
    assert run_command([*words, *options, "--out", out, "--layout", "files"]) == 0
    assert "layout: files; every image below" in capsys.readouterr().out
    assert run_command([*words, *options, "--out", out, "--layout", "bids"]) == 1
    assert "dataset_description.json: no such file" in capsys.readouterr().err


def test_inspect_tells_layout_reason_cases_channels_and_labels(tmp_path, capsys):
    folder = nnunet(tmp_path)
    put_image(folder / "imagesTs/b_0000.nii.gz")
    assert run_command(["inspect", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "layout: nnU-Net v2 raw (dataset.json has channel_names); 2 cases, images: CT" in text
    assert "label values: 0 background, 1 liver, 2 tumour" in text
    assert "imagesTs has no labels and is not used" in text
    assert "3 images, 2 label maps" in text
    assert f"millimorph generate {folder} --pipeline starter --out augmented\n" in text
    assert run_command(["inspect", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["data_set"]
    assert (told["cases"], told["images"], told["labels"]) == (2, ["CT"], ["labels"])


def test_inspect_tells_which_rule_is_broken_and_still_lists_the_files(tmp_path, capsys):
    folder = nnunet(tmp_path, numTraining=7)
    assert run_command(["inspect", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "layout: not usable: " in text
    assert "numTraining is 7, but there are 2" in text
    assert "a_1_0000.nii.gz" in text


def test_a_table_of_cases_is_no_unreadable_table_of_points(tmp_path, capsys):
    put_image(tmp_path / "a.nii.gz")
    (tmp_path / "cases.csv").write_text("id,image\nx,a.nii.gz\n")
    assert run_command(["inspect", str(tmp_path)]) == 0
    assert "unreadable" not in capsys.readouterr().out
