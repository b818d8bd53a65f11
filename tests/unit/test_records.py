"""What a run leaves on record: measured facts, the manifest as a table, and the data set's card."""

import hashlib
import json
import warnings
from dataclasses import replace
from importlib import metadata

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pytest
from data_sets import PIPELINE, request, tree, write_cases

from millimorph.compiler import compile as compile_recipe
from millimorph.designs import Random
from millimorph.errors import FileError
from millimorph.generate import Sidecar, generate_dataset, tabular, verify
from millimorph.generate.lines import opened, sealed
from millimorph.generate.measuring import counted, measured
from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, ScalarImage
from millimorph.ops import Affine, Elastic, Flip, LabelsToImage
from millimorph.recipe import Pipeline, draw
from millimorph.runner import run
from millimorph.transforms import DisplacementFieldTransform

GRID = ImageGrid((20, 16, 12), (1.0, 1.5, 2.0), (5, -7, 9))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    inputs = write_cases(tmp_path_factory.mktemp("records"))
    out = inputs.parent / "out"
    generate_dataset(request(inputs, out))
    return out


def facts(pipeline, images=None, labels=None, backend="reference"):
    """Measure the first sample of a pipeline on arrays that lie on GRID."""
    case = Case(
        id="p1",
        images={name: ScalarImage(array, GRID) for name, array in (images or {}).items()},
        labels={name: LabelMap(array, GRID) for name, array in (labels or {}).items()},
    )
    recipe = next(draw(pipeline.replace(dimension=3), Random(), 1, "p1"))
    program = compile_recipe(recipe, case)
    result = run(program, case, backend)
    counts = {name: counted(one, backend) for name, one in case.labels.items()}
    return measured(program, counts, result, backend), result


def test_label_volumes_grids_and_ends_of_quantiles_are_those_of_the_files(finished):
    """Read by nibabel and counted by NumPy."""
    path = finished / "p2" / "p2__0001.json"
    sidecar = Sidecar.read(path)
    organs = nibabel.load(path.parent / "p2__0001_organs.nii.gz")
    told = sidecar.measured.labels["organs"]
    values, counts = np.unique(np.asarray(organs.dataobj), return_counts=True)
    assert told.voxels_after == dict(zip(map(str, values), counts.tolist(), strict=True))
    source = np.asarray(nibabel.load(finished.parent / "in" / "p2_organs.nii.gz").dataobj)
    values, counts = np.unique(source, return_counts=True)
    assert told.voxels_before == dict(zip(map(str, values), counts.tolist(), strict=True))
    assert told.voxel_mm3_after == pytest.approx(np.prod(organs.header.get_zooms()))
    kept = np.count_nonzero(np.asarray(organs.dataobj)) / np.count_nonzero(source)
    assert told.kept_share == pytest.approx(kept, abs=1e-4)
    ct = nibabel.load(path.parent / "p2__0001_ct.nii.gz")
    image = sidecar.measured.images["ct"]
    lps = np.diag([-1, -1, 1, 1]) @ ct.affine
    assert np.allclose(np.reshape(image.grid.affine, (4, 4)), lps)
    assert image.grid.shape == ct.shape[::-1]
    assert image.dtype == str(ct.get_data_dtype())
    assert (image.quantiles[0], image.quantiles[-1]) == (ct.get_fdata().min(), ct.get_fdata().max())
    assert (image.resamples, image.interpolation, told.interpolation) == (1, "linear", "nearest")


def test_quantiles_are_near_those_of_all_voxels():
    """A flat step that met only some columns would be far off: levels depend on the column."""
    grid = ImageGrid((128, 64, 64))
    column = np.tile(np.arange(128, dtype=np.int16), (64, 64, 1))
    case = Case(id="p1", images={"ct": ScalarImage(column, grid)})
    program = compile_recipe(next(draw(Pipeline(), Random(), 1, "p1")), case)
    found = measured(program, {}, case, "reference").images["ct"].quantiles
    wanted = np.quantile(column, (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1))
    assert np.abs(np.array(found) - wanted).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_labels_of_every_type_are_counted(dtype, backend):
    dice = np.random.default_rng(4)
    low = 0 if dtype.startswith("u") else -3
    array = dice.integers(low, 60, GRID.shape).astype(dtype)
    if np.dtype(dtype).itemsize > 2:
        array[0, 0, :4] = 2**31 - 1
    values, counts = np.unique(array, return_counts=True)
    found = counted(LabelMap(array, GRID), backend)
    assert found.voxels == dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_the_map_of_a_scaling_has_its_determinant_and_displacement():
    """Pulled: a scale of 1.25 has the determinant 1.25^-3; the outermost boxes move most."""
    found, _ = facts(Pipeline(spatial=(Affine(scale=1.25),)), {"ct": np.ones(GRID.shape)})
    assert found.map.jacobian_min == pytest.approx(1.25**-3, abs=1e-3)
    assert found.map.jacobian_max == pytest.approx(1.25**-3, abs=1e-3)
    half = np.array([20 * 1.0, 16 * 1.5, 12 * 2.0]) / 2 * 5 / 6
    assert found.map.largest_displacement_mm == pytest.approx(np.linalg.norm(half) * 0.2, abs=1e-3)
    assert found.map.jacobian_negative_share == 0


def test_a_map_that_folds_is_told():
    """A field of -1.5 times the distance along x has the determinant -0.5 everywhere."""
    field = np.zeros((3, *GRID.shape))
    field[0] = -1.5 * (np.indices(GRID.shape)[2] - 9.5)
    pull = DisplacementFieldTransform(GRID, field)
    case = Case(id="p1", images={"ct": ScalarImage(np.ones(GRID.shape), GRID)})
    program = compile_recipe(next(draw(Pipeline(spatial=(Affine(scale=1.1),)), case="p1")), case)
    folding = replace(
        program, stages=tuple(replace(one, source_from_target=pull) for one in program.stages)
    )
    found = measured(folding, {}, case, "reference").map
    assert found.jacobian_min == pytest.approx(-0.5, abs=1e-3)
    assert found.jacobian_negative_share == 1


def test_copies_and_painted_images_are_told():
    labels = {"organs": (np.indices(GRID.shape).sum(axis=0) % 3).astype(np.uint8)}
    pipeline = Pipeline(spatial=(Flip(axis="i", label_pairs=()),))
    found, _ = facts(pipeline, {"ct": np.ones(GRID.shape)}, labels)
    ways = [found.images["ct"], found.labels["organs"]]
    assert {(one.resamples, one.interpolation) for one in ways} == {(0, "exact copy")}
    painted = Pipeline(intensity=(LabelsToImage(labels="organs", image="mr"),))
    found, _ = facts(painted, labels=labels)
    assert (found.images["mr"].resamples, found.images["mr"].interpolation) == (0, "painted")


def test_both_backends_measure_the_same_map_and_labels():
    labels = {"organs": (np.indices(GRID.shape).sum(axis=0) % 3).astype(np.uint8)}
    pipeline = Pipeline(spatial=(Elastic(control_spacing_mm=9, magnitude_mm=1.5),))
    one, other = (facts(pipeline, labels=labels, backend=name)[0] for name in ("cpu", "reference"))
    assert one == other


def test_a_sidecar_speaks_bids_and_refuses_what_contradicts_it(finished, tmp_path):
    path = finished / "p1" / "p1__0002.json"
    content = json.loads(path.read_text())
    assert content["Description"] == "Augmented sample 2 of case p1"
    assert content["Sources"][0] == "bids:raw:p1_ct.nii.gz"
    assert content["GeneratedBy"][0]["Name"] == "millimorph"
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(content | {"Sources": ["bids:raw:other.nii.gz"]}))
    with pytest.raises(FileError, match="Sources"):
        Sidecar.read(changed)


def test_the_table_says_what_the_sidecars_say(finished):
    table = pq.read_table(finished / "manifest.parquet").to_pylist()
    order = [(row["case_id"], row["sample_index"]) for row in table]
    assert order == sorted(order)
    assert len(table) == 9
    for row in table:
        sidecar = Sidecar.read(finished / row["sidecar_path"])
        outputs = {one["role"]: one for one in row["outputs"]}
        for role, one in sidecar.outputs.items():
            assert outputs[role]["sha256"] == one.sha256
            assert (finished / outputs[role]["path"]).stat().st_size == outputs[role]["bytes"]
        for one in row["sources"]:
            assert (finished / one["path"]).stat().st_size == one["bytes"]
        assert row["jacobian_min"] == sidecar.measured.map.jacobian_min
        assert outputs["ct"]["quantiles"] == list(sidecar.measured.images["ct"].quantiles)
        told = sidecar.measured.labels["organs"]
        assert {str(one["label"]): one["mm3_after"] for one in outputs["organs"]["labels"]} == {
            label: count * told.voxel_mm3_after for label, count in told.voxels_after.items()
        }


def test_without_pyarrow_a_run_says_so_and_leaves_no_table(tmp_path, monkeypatch):
    """A table of an earlier run would contradict the manifest."""
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    assert generate_dataset(request(inputs, out, count=1)).has_table
    with monkeypatch.context() as without:
        without.setattr(tabular, "find_spec", lambda _: None)
        report = generate_dataset(request(inputs, out, count=2))
        assert not report.has_table
        assert not (out / "manifest.parquet").exists()
        assert verify(out).intact
    report = generate_dataset(request(inputs, out, count=2))
    assert (report.made, report.has_table) == (0, True)
    assert pq.read_table(out / "manifest.parquet").num_rows == 2
    assert verify(out).intact


@pytest.mark.parametrize("name", ["README.md", "croissant.json", "manifest.parquet", "SHA256SUMS"])
def test_a_record_that_is_damaged_is_written_again(finished, tmp_path, name):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    generate_dataset(request(inputs, out))
    before = tree(out)
    (out / name).write_bytes(before[name][:-3] + b"xyz")
    assert [one.path for one in verify(out).findings] == [name]
    assert generate_dataset(request(inputs, out)).made == 0
    assert tree(out) == before == tree(finished)


def test_checksums_are_those_of_the_files(finished):
    rows = (finished / "SHA256SUMS").read_text().splitlines()
    assert rows[0].startswith("#")
    found = dict(reversed(row.split("  ")) for row in rows[1:])
    assert found == {
        name: hashlib.sha256((finished / name).read_bytes()).hexdigest()
        for name in ("README.md", "croissant.json", "manifest.jsonl", "manifest.parquet")
    }


def test_the_card_for_machines_is_valid_croissant_and_yields_the_samples(finished):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant

        found = mlcroissant.Dataset(jsonld=finished / "croissant.json")
        records = list(found.records("samples"))
    assert found.metadata.ctx.issues.errors == set()
    told = {record["samples/sample"].decode() for record in records}
    assert told == {path.stem for path in finished.glob("*/*.json")}
    content = json.loads((finished / "croissant.json").read_text())
    assert content["conformsTo"].endswith("croissant/1.1")
    for name in ("prov:wasDerivedFrom", "prov:wasGeneratedBy"):
        assert content[name]["prov:label"]
    files = {one["@id"]: one for one in content["distribution"]}
    digest = hashlib.sha256((finished / "manifest.parquet").read_bytes()).hexdigest()
    assert files["manifest.parquet"]["sha256"] == digest
    for one in files.values():
        if one["@type"] == "cr:FileSet":
            assert len(list(finished.glob(one["includes"]))) == 9


def test_the_card_for_people_counts_right(finished):
    text = (finished / "README.md").read_text()
    assert "9 samples of 3 cases" in text
    assert "9 source files" in text
    assert "affine, gaussian_noise" in text
    assert (finished / "p1" / "p1__0000.json").exists()
    assert "replay p1/p1__0000.json" in text


def test_a_finished_job_is_resumed_without_opening_a_sidecar(finished, monkeypatch):
    """This is what makes resuming quick; files are still looked for."""
    before = tree(finished)

    def refuse(*_):
        raise AssertionError("a sidecar was opened")

    monkeypatch.setattr(Sidecar, "read", refuse)
    inputs = finished.parent / "in"
    report = generate_dataset(request(inputs, finished))
    assert (report.made, report.kept) == (0, 9)
    assert tree(finished) == before


def test_seconds_are_kept_apart(finished):
    rows = [opened(row) for row in (finished / "timings.jsonl").read_bytes().splitlines(True)]
    assert len(rows) == 9
    assert all(row["seconds"] > 0 for row in rows)
    assert b"seconds" not in (finished / "manifest.jsonl").read_bytes()


@pytest.mark.parametrize("role", ["measured", "check"])
def test_a_role_may_have_the_name_of_a_key(tmp_path, role):
    """Rows are cut at such a key when they are read in part."""
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    asked = {"labels": {role: "{case}_organs.nii.gz"}, "landmarks": {}, "count": 1}
    generate_dataset(request(inputs, out, pipeline=PIPELINE, **asked))
    assert generate_dataset(request(inputs, out, pipeline=PIPELINE, **asked)).kept == 1
    assert verify(out).intact


def test_rows_that_were_changed_anywhere_are_known():
    row = sealed({"sample": "p1__0000", "text": 'a "check": "0", ü'})
    assert opened(row) == {"sample": "p1__0000", "text": 'a "check": "0", ü'}
    for place in range(len(row)):
        assert opened(row[:place] + bytes([row[place] ^ 4]) + row[place + 1 :]) is None
        assert opened(row[:place]) is None


def test_groups_are_on_record_and_samples_of_another_group_are_made_again(tmp_path):
    inputs, out = write_cases(tmp_path, "p1 p2"), tmp_path / "out"
    table = inputs / "cases.csv"
    rows = "".join(f"{p},{{}},{p}_ct.nii.gz,{p}_organs.nii.gz\n" for p in ("p1", "p2"))
    table.write_text("id,group,image,label\n" + rows.format("anna", "anna"))
    asked = {"images": {}, "labels": {}, "landmarks": {}, "layout": "table", "count": 2}
    generate_dataset(request(inputs, out, **asked))
    assert Sidecar.read(out / "p2" / "p2__0000.json").group == "anna"
    assert set(pq.read_table(out / "manifest.parquet")["group_id"].to_pylist()) == {"anna"}
    assert "of 1 patient" in (out / "README.md").read_text()
    table.write_text("id,group,image,label\n" + rows.format("anna", "bert"))
    report = generate_dataset(request(inputs, out, **asked))
    assert (report.made, report.kept) == (2, 2)
    assert Sidecar.read(out / "p2" / "p2__0000.json").group == "bert"


def test_a_sidecar_tells_the_version_of_every_compressor(tmp_path):
    """Their bytes may differ from one version to the next; replay then compares content."""
    asked = request(write_cases(tmp_path, "p1"), tmp_path / "out", count=1, suffix=".b2nd")
    first = generate_dataset(asked).first_sidecar
    versions = Sidecar.read(first).versions
    for library in ("isal", "blosc2"):
        assert versions[library] == metadata.version(library)
