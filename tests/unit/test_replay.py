"""Replay: a sample from its sidecar and sources alone, and what is refused."""

import gzip
import hashlib
import json
import shutil

import pytest
from data_sets import request, tree, write_cases

from millimorph.errors import FileError, OutputError
from millimorph.generate import generate_dataset, replay


@pytest.fixture
def made(tmp_path):
    """A data set of one case with one sample; the folder and the path of the sidecar."""
    inputs = write_cases(tmp_path, "p1")
    generate_dataset(request(inputs, tmp_path / "out", count=1))
    return tmp_path, tmp_path / "out" / "p1" / "p1__0000.json"


def changed(sidecar, change):
    """Rewrite a sidecar with something changed."""
    content = json.loads(sidecar.read_text())
    change(content)
    sidecar.write_text(json.dumps(content))


def test_a_sample_is_made_again_to_the_byte_and_nothing_is_left(made):
    folder, sidecar = made
    before = tree(folder)
    report = replay(sidecar)
    assert {role.role: role.remade for role in report.roles} == dict.fromkeys(
        ("ct", "organs", "points"), "same bytes"
    )
    assert report.reproduced
    assert report.intact
    assert tree(folder) == before


def test_the_sidecar_and_the_sources_alone_are_enough(made):
    """No manifest, no job file, no other output, another place, other time stamps."""
    folder, sidecar = made
    elsewhere = folder / "elsewhere"
    (elsewhere / "out" / "p1").mkdir(parents=True)
    alone = shutil.copy(sidecar, elsewhere / "out" / "p1")
    shutil.copytree(folder / "in", elsewhere / "in", copy_function=shutil.copyfile)
    shutil.rmtree(folder / "in")
    report = replay(alone, elsewhere / "again")
    assert report.reproduced
    again = tree(elsewhere / "again")
    once = tree(sidecar.parent)
    for name in set(once) - {"p1__0000.json"}:
        assert again[name] == once[name]


def test_a_moved_input_folder_is_found_where_it_is_said_to_be(made):
    folder, sidecar = made
    (folder / "in").rename(folder / "moved")
    with pytest.raises(FileError, match=r"missing.*--source-root"):
        replay(sidecar)
    assert replay(sidecar, source_root=folder / "moved").reproduced


@pytest.mark.parametrize("name", ["p1_ct.nii.gz", "p1_organs.nii.gz", "p1_points.csv"])
def test_a_changed_source_is_refused(made, name):
    folder, sidecar = made
    path = folder / "in" / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(FileError, match=rf"{name}.*changed"):
        replay(sidecar)


def test_another_engine_version_is_refused(made):
    _, sidecar = made
    changed(sidecar, lambda content: content["recipe"].update(engine="millimorph 0.0.7"))
    with pytest.raises(FileError, match=r"made by millimorph 0\.0\.7"):
        replay(sidecar)


def test_a_damaged_file_beside_the_sidecar_is_told(made):
    _, sidecar = made
    (sidecar.parent / "p1__0000_ct.nii.gz").write_bytes(b"damaged")
    (sidecar.parent / "p1__0000_points.csv").unlink()
    report = replay(sidecar)
    assert report.reproduced
    assert {role.role: role.on_disk for role in report.roles} == {
        "ct": "changed",
        "organs": "intact",
        "points": "missing",
    }


def test_other_voxels_than_the_recipe_gives_are_told(made):
    """A recipe that was tampered with makes another image."""
    _, sidecar = made
    changed(
        sidecar,
        lambda content: content["recipe"]["spatial"][0].update(rotation_deg=[1.0, 2.0, 3.0]),
    )
    report = replay(sidecar)
    assert not report.reproduced
    assert "different" in {role.remade for role in report.roles}


def test_the_same_voxels_in_another_compression_are_the_same(made):
    """Builds of zlib differ in the bytes they write."""
    _, sidecar = made
    path = sidecar.parent / "p1__0000_ct.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9, mtime=0))
    entry = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
    }
    changed(sidecar, lambda content: content["outputs"]["ct"].update(entry))
    remade = {role.role: role.remade for role in replay(sidecar).roles}
    assert remade == {"ct": "same content", "organs": "same bytes", "points": "same bytes"}


def test_nothing_is_written_over(made):
    _, sidecar = made
    before = tree(sidecar.parent)
    with pytest.raises(OutputError, match="exists"):
        replay(sidecar, sidecar.parent)
    assert tree(sidecar.parent) == before


def _source_outside(content):
    content["sources"]["ct"]["path"] = "../../secret.nii.gz"


def _absolute_source(content):
    content["sources"]["ct"]["path"] = "/etc/passwd"


def _output_outside(content):
    content["outputs"]["ct"]["file"] = "../../../ct.nii.gz"


def _absolute_folder(content):
    content["source_folder"] = "/"


def _one_file_twice(content):
    content["outputs"]["organs"]["file"] = content["outputs"]["ct"]["file"].upper()


def _case_outside(content):
    content["recipe"]["case"] = "../../p1"


def _missing_part(content):
    del content["outputs"]["ct"]


def _newer(content):
    content["schema_version"] = 2


def _unknown_key(content):
    content["command"] = "rm"


def _unknown_op(content):
    content["recipe"]["spatial"][0]["op"] = "os.system"


@pytest.mark.parametrize(
    "change",
    [
        _source_outside,
        _absolute_source,
        _output_outside,
        _absolute_folder,
        _one_file_twice,
        _case_outside,
        _missing_part,
        _newer,
        _unknown_key,
        _unknown_op,
    ],
)
def test_a_hostile_or_malformed_sidecar_is_refused(made, change):
    folder, sidecar = made
    changed(sidecar, change)
    before = tree(folder)
    with pytest.raises(FileError):
        replay(sidecar, folder / "again")
    after = tree(folder)
    assert after == before


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"bytes": ', '"bytes": 1e400, "was": ', "out of range"),
        ('"bytes": ', '"bytes": NaN, "was": ', "no number of JSON"),
        ('"bytes": ', '"bytes": 1, "bytes": ', "there twice"),
    ],
)
def test_json_beyond_the_standard_is_refused(made, old, new, reason):
    _, sidecar = made
    sidecar.write_text(sidecar.read_text().replace(old, new, 1))
    with pytest.raises(FileError, match=reason):
        replay(sidecar)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"[" * 100_000, b'{"recipe": NaN}', b"\xff\xfe"]
)
def test_what_is_no_sidecar_is_refused(tmp_path, content):
    path = tmp_path / "p1__0000.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"p1__0000\.json"):
        replay(path)
