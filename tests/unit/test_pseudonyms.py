"""Pseudonyms: no name is in anything that is written or told, and the key file undoes it."""

import csv
import gzip
import os
import stat

import numpy as np
import pyarrow.parquet as pq
import pytest
from data_sets import PIPELINE, request, tree, write_case

from millimorph.cli import run_command
from millimorph.errors import FileError, OutputError
from millimorph.generate import Limits, Shard, Sidecar, generate_dataset, replay, verify
from millimorph.generate.inputs import CaseInput
from millimorph.generate.pseudonyms import Pseudonyms, ensured, save, without
from millimorph.generate.work import Task
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.io import write_image

NAMES = ("Meier_Anna", "li", "Åse Øby")


@pytest.fixture
def inputs(tmp_path):
    """Write three named cases, and two that are wrong in ways that are told with a path."""
    folder = tmp_path / "Clinic Sømmer"
    folder.mkdir()
    for k, name in enumerate(NAMES):
        write_case(folder, name, (12 + k, 10, 8))
    write_case(folder, "Cruz", (12, 10, 8))
    (folder / "Cruz_ct.nii.gz").write_bytes(b"no image")
    write_case(folder, "Zhou", (12, 10, 8))
    (folder / "Zhou_points.csv").unlink()
    write_case(folder, "Nanny", (12, 10, 8))
    grid = ImageGrid((12, 10, 8), (2, 2, 3))
    voxels = np.full(grid.shape, np.nan, np.float32)
    write_image(ScalarImage(voxels, grid), folder / "Nanny_ct.nii.gz")
    return folder


def assert_no_name(text, where):
    for name in (*NAMES, "Meier", "Anna", "Åse", "Øby", "Cruz", "Zhou", "Nanny", "Sømmer"):
        if name != "li":
            assert name.casefold() not in text.casefold(), where
    assert "li_ct" not in text, where
    assert '"li"' not in text, where


def test_no_name_is_in_any_file_its_name_or_the_report(inputs, tmp_path):
    out, key = tmp_path / "out", tmp_path / "keys" / "names.csv"
    report = generate_dataset(request(inputs, out, pseudonyms=key))
    assert report.made == 9
    assert len({one.case for one in report.failures}) == 3
    assert_no_name(repr(report).replace(str(tmp_path), ""), "the report")
    for name, content in tree(out).items():
        assert_no_name(name, name)
        assert_no_name(content.decode("utf-8", errors="replace"), name)
        if name.endswith(".gz"):
            assert_no_name(gzip.decompress(content).decode("latin-1"), name)
    assert_no_name(str(pq.read_table(out / "manifest.parquet").to_pylist()), "the table")
    assert verify(out).intact
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_what_the_command_says_has_no_name(inputs, tmp_path, capfd):
    arguments = ["generate", str(inputs), "--pipeline", "starter", "--out", str(tmp_path / "out")]
    arguments += ["--image", "ct={case}_ct.nii.gz", "--label", "organs={case}_organs.nii.gz"]
    arguments += ["--landmarks", "points={case}_points.csv", "--count", "1", "--workers", "1"]
    arguments += ["--backend", "reference", "--pseudonyms", str(tmp_path / "names.csv")]
    assert run_command(arguments) == 3
    told = "".join(capfd.readouterr()).replace(str(inputs), "")
    assert "left out" in told
    assert_no_name(told, "the terminal")
    assert f".json --pseudonyms {tmp_path / 'names.csv'}" in told
    assert ".json --pseudonyms KEYFILE" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_names_stay_hidden_when_files_are_read_in_other_processes(inputs, tmp_path):
    out, key = tmp_path / "out", tmp_path / "names.csv"
    asked = request(inputs, out, pseudonyms=key, limits=Limits(), workers=2, count=1)
    assert len(generate_dataset(asked).failures) == 3
    assert_no_name((out / "quarantine.jsonl").read_text("utf-8"), "quarantine")


def test_the_key_file_says_who_is_who_and_where_files_lie(inputs, tmp_path):
    out, key = tmp_path / "out", tmp_path / "names.csv"
    report = generate_dataset(request(inputs, out, pseudonyms=key))
    with key.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    cases = {row["name"]: row["pseudonym"] for row in rows if row["kind"] == "case"}
    assert cases.keys() == {*NAMES, "Cruz", "Zhou", "Nanny"}
    assert {path.name for path in out.iterdir() if path.is_dir()} == {cases[n] for n in NAMES}
    assert {one.case for one in report.failures} == {cases[n] for n in ("Cruz", "Zhou", "Nanny")}
    files = {row["pseudonym"]: row["name"] for row in rows if row["kind"] == "file"}
    assert files[f"{cases['li']}/ct"] == "li_ct.nii.gz"


def test_the_same_key_gives_the_same_files_and_goes_on(inputs, tmp_path):
    out, key = tmp_path / "out", tmp_path / "names.csv"
    generate_dataset(request(inputs, out, pseudonyms=key, count=1))
    report = generate_dataset(request(inputs, out, pseudonyms=key))
    assert (report.made, report.kept) == (6, 3)
    shards = tmp_path / "shards"
    for number in (1, 2):
        asked = request(inputs, shards, pseudonyms=key, shard=Shard(number, 2))
        generate_dataset(asked)
    assert tree(shards) == tree(out)


@pytest.mark.parametrize("other", [True, False])
def test_a_job_with_another_key_or_none_is_refused(inputs, tmp_path, other):
    out = tmp_path / "out"
    generate_dataset(request(inputs, out, pseudonyms=tmp_path / "names.csv", count=1))
    before = tree(out)
    key = tmp_path / "other.csv" if other else None
    with pytest.raises(OutputError, match="another job: its pseudonyms"):
        generate_dataset(request(inputs, out, pseudonyms=key, count=1))
    assert tree(out) == before


def test_replay_takes_the_key_and_is_refused_without(inputs, tmp_path):
    out, key = tmp_path / "out", tmp_path / "names.csv"
    generate_dataset(request(inputs, out, pseudonyms=key, count=1))
    sidecar = next(iter(sorted(out.glob("*/*.json"))))
    with pytest.raises(FileError, match="--pseudonyms"):
        replay(sidecar)
    again = tmp_path / "again"
    assert replay(sidecar, again, pseudonyms=key).reproduced
    assert (again / sidecar.name).read_bytes() == sidecar.read_bytes()
    moved = inputs.rename(tmp_path / "moved")
    assert replay(sidecar, source_root=moved, pseudonyms=key).reproduced
    generate_dataset(request(moved, tmp_path / "b", pseudonyms=tmp_path / "b.csv", count=1))
    with pytest.raises(FileError, match="is it its key file"):
        replay(sidecar, pseudonyms=tmp_path / "b.csv")


def test_a_key_file_that_leads_out_of_the_input_folder_is_refused(inputs, tmp_path):
    out, key = tmp_path / "out", tmp_path / "names.csv"
    generate_dataset(request(inputs, out, pseudonyms=key, count=1))
    key.write_text(key.read_text("utf-8").replace("li_ct.nii.gz", "../secret.nii.gz"), "utf-8")
    sidecars = [path for path in out.glob("*/*.json") if Sidecar.read(path).group is None]
    outside = 0
    for sidecar in sidecars:
        try:
            replay(sidecar, pseudonyms=key)
        except FileError as error:
            outside += "lies outside" in str(error)
    assert outside == 1


@pytest.mark.parametrize("place", ["Clinic Sømmer", "out"])
def test_a_key_file_among_the_data_is_refused(inputs, tmp_path, place):
    key = tmp_path / place / "names.csv"
    with pytest.raises(OutputError, match="key file"):
        generate_dataset(request(inputs, tmp_path / "out", pseudonyms=key))
    assert not key.exists()


@pytest.mark.parametrize("content", ["", "kind,name,pseudonym\n", "a,b\n1,2\n", "\0", "kind\n"])
def test_a_file_that_is_no_key_file_is_refused_and_left_alone(inputs, tmp_path, content):
    key = tmp_path / "names.csv"
    key.write_text(content, "utf-8")
    with pytest.raises(FileError, match=r"names\.csv"):
        generate_dataset(request(inputs, tmp_path / "out", pseudonyms=key))
    assert key.read_text("utf-8") == content


def test_a_broken_data_set_is_refused_without_a_name(tmp_path):
    """What breaks the rules of a layout is told with the file."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "cases.csv").write_text("id,image\nMeier,Meier_ct.nii.gz\nMeier,Meier_ct.nii.gz\n")
    write_case(folder, "Meier", (12, 10, 8))
    asked = {"images": {}, "labels": {}, "landmarks": {}, "layout": "table"}
    with pytest.raises(FileError, match="Meier"):
        generate_dataset(request(folder, tmp_path / "out", **asked))
    with pytest.raises(FileError, match="inspect") as caught:
        generate_dataset(
            request(folder, tmp_path / "out", pseudonyms=tmp_path / "names.csv", **asked)
        )
    assert "Meier" not in str(caught.value)


def test_patients_get_pseudonyms_of_their_own(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rows = ["id,group,image"]
    for name in ("Meier1", "Meier2", "Ruiz"):
        write_case(folder, name, (12, 10, 8))
        rows.append(f"{name},{name.rstrip('12')},{name}_ct.nii.gz")
    (folder / "cases.csv").write_text("\n".join(rows))
    out, key = tmp_path / "out", tmp_path / "names.csv"
    asked = {"images": {}, "labels": {}, "landmarks": {}, "layout": "table", "count": 1}
    generate_dataset(request(folder, out, pseudonyms=key, **asked))
    groups = [Sidecar.read(path).group for path in out.glob("*/*.json")]
    assert sorted(map(groups.count, groups)) == [1, 2, 2]
    assert all(group.startswith("patient-") for group in groups)


def test_runs_that_begin_at_once_share_one_key(tmp_path):
    """The second finds the file that the first one linked into place meanwhile."""
    path = tmp_path / "names.csv"
    first = ensured(path)
    assert ensured(path) == first
    save(path, Pseudonyms(first.key, frozenset({("case", "a,b\n", "case-1")})))
    assert Pseudonyms.read(path).rows == {("case", "a,b\n", "case-1")}
    assert [entry.name for entry in os.scandir(tmp_path)] == ["names.csv"]


def test_pseudonyms_of_different_names_and_keys_differ():
    one, other = Pseudonyms.new(), Pseudonyms.new()
    assert len({one.of("case", str(k)) for k in range(10_000)}) == 10_000
    assert one.of("case", "a") != other.of("case", "a")
    assert one.of("case", "a") != one.of("patient", "a")
    assert one.key_id not in one.key.hex()


def test_short_names_are_hidden_where_they_stand_alone():
    assert without("li: the line of li_ct is like 1.2.840.10008.1", ("li",)) == (
        "<hidden>: the line of <hidden>_ct is like <hidden>"
    )
    assert without("/d/MEIER.nii: Meier", ("meier",)) == "/d/<hidden>.nii: <hidden>"


def test_a_pipeline_is_the_same_job_whatever_the_order_of_cases(inputs, tmp_path):
    """The pseudonym of a case depends on nothing but its name and the key."""
    key = tmp_path / "names.csv"
    generate_dataset(request(inputs, tmp_path / "all", pseudonyms=key, pipeline=PIPELINE))
    for name in NAMES[:2]:
        for path in inputs.glob(f"{name}_*"):
            path.unlink()
    generate_dataset(request(inputs, tmp_path / "one", pseudonyms=key, pipeline=PIPELINE))
    one, everything = tree(tmp_path / "one"), tree(tmp_path / "all")
    same = {name for name in one if "/" in name}
    assert len(same) == 12
    assert {name: one[name] for name in same} == {name: everything[name] for name in same}


def test_what_is_logged_of_a_task_has_no_name(inputs):
    """Dask logs the arguments of a task that failed."""
    paths = (inputs / "Meier_Anna_ct.nii.gz", inputs / "Meier_Anna_organs.nii.gz")
    files = (("ct", "image", paths[0]), ("organs", "labels", paths[1]))
    grid = ImageGrid((12, 10, 8))
    case = CaseInput("Meier_Anna", files, (grid,), group="Meier")
    hidden = Pseudonyms.new().hidden(case, inputs)
    assert hidden.secret
    assert_no_name(repr(Task(hidden, 0, 1)), "the log")


def test_a_source_that_was_renamed_is_found_under_its_new_name(tmp_path):
    """Two paths for one source would leave it to chance which one replay takes."""
    inputs, key = tmp_path / "in", tmp_path / "names.csv"
    inputs.mkdir()
    write_case(inputs, "Meier", (12, 10, 8))
    generate_dataset(request(inputs, tmp_path / "out", pseudonyms=key, count=1))
    (inputs / "Meier_organs.nii.gz").rename(inputs / "Meier_seg.nii.gz")
    labels = {"organs": "{case}_seg.nii.gz"}
    asked = request(inputs, tmp_path / "out", pseudonyms=key, count=1, labels=labels)
    report = generate_dataset(asked)
    assert (report.made, report.kept) == (0, 1)
    named = [name for kind, name, _ in Pseudonyms.read(key).rows if kind == "file"]
    assert sorted(named) == ["Meier_ct.nii.gz", "Meier_points.csv", "Meier_seg.nii.gz"]
    assert replay(report.first_sidecar, pseudonyms=key).reproduced
