"""Samples whose image is made from labels: files, sidecars, and the same again."""

import json

import numpy as np
import pytest
from data_sets import LABELS, request, write_cases

from millimorph.distributions import Uniform
from millimorph.errors import PipelineError
from millimorph.generate import generate_dataset, replay
from millimorph.io import read_image, read_labels
from millimorph.ops import Affine, Gamma, LabelsToImage, OneHot
from millimorph.recipe import Pipeline

PIPELINE = Pipeline(
    spatial=(Affine(rotation_deg=Uniform(-10, 10)),),
    intensity=(LabelsToImage(), Gamma(gamma=Uniform(0.5, 2.0)), OneHot(values=[1, 2])),
)


@pytest.fixture
def made(tmp_path):
    """Two samples of a case of labels only; the folder that they lie in."""
    inputs = write_cases(tmp_path, "p1")
    asked = {"images": {}, "landmarks": {}, "labels": LABELS, "count": 2, "pipeline": PIPELINE}
    report = generate_dataset(request(inputs, tmp_path / "out", **asked))
    assert report.made == 2
    assert not report.failures
    return tmp_path / "out" / "p1"


def test_an_image_is_written_beside_the_labels_it_was_made_from(made):
    ends = (".json", "_organs.nii.gz", "_synthetic.nii.gz")
    expected = [f"p1__{k:04d}{end}" for k in range(2) for end in ends]
    assert sorted(path.name for path in made.iterdir()) == expected
    image = read_image(made / "p1__0000_synthetic.nii.gz")
    labels = read_labels(made / "p1__0000_organs.nii.gz")
    assert image.dtype == np.float32
    assert image.grid == labels.grid
    assert labels.channels == 2
    inside = image.array[labels.array[1] == 1]
    assert inside.std() > 0


def test_its_sidecar_names_it_as_an_output_only(made):
    content = json.loads((made / "p1__0001.json").read_text())
    assert set(content["sources"]) == {"organs"}
    assert set(content["outputs"]) == {"organs", "synthetic"}
    assert any("synthetic: made from organs" in line for line in content["program"])


def test_it_is_made_again_to_the_byte(made):
    report = replay(made / "p1__0001.json")
    assert report.reproduced
    assert {role.role: role.remade for role in report.roles} == {
        "synthetic": "same bytes",
        "organs": "same bytes",
    }


def test_samples_differ(made):
    one, other = (read_image(made / f"p1__000{k}_synthetic.nii.gz").array for k in range(2))
    assert abs(one.mean() - other.mean()) > 1.0


def test_a_name_that_is_taken_is_refused_before_anything_is_written(tmp_path):
    inputs = write_cases(tmp_path, "p1")
    pipeline = Pipeline(intensity=(LabelsToImage(image="ct"),))
    with pytest.raises(PipelineError, match='makes the image "ct"'):
        generate_dataset(request(inputs, tmp_path / "out", pipeline=pipeline))
    assert not (tmp_path / "out").exists()
