"""`verify` names every file that is damaged, missing or extra; `job_status` counts."""

import json
import random
import shutil

import pytest
from data_sets import request, write_cases

from millimorph.errors import OutputError
from millimorph.generate import generate_dataset, job_status, verify

RECORDS = {
    "job.json",
    "manifest.jsonl",
    "manifest.parquet",
    "quarantine.jsonl",
    "timings.jsonl",
    "README.md",
    "croissant.json",
    "SHA256SUMS",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    inputs = write_cases(tmp_path_factory.mktemp("verify"))
    (inputs / "broken_ct.nii.gz").write_bytes(b"no image")
    out = inputs.parent / "out"
    only = {"landmarks": {}, "labels": {}, "count": 2}
    generate_dataset(request(inputs, out, **only))
    return out


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "out")


def test_a_finished_job_is_intact(finished):
    found = verify(finished)
    assert found.intact
    assert found.samples > 0
    assert found.files == 2 * found.samples


def test_every_flipped_byte_is_found_in_the_file_that_it_is_in(copy):
    """A hundred random bytes over all files, each flipped in one random bit."""
    dice = random.Random(3)  # noqa: S311 - places to damage
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    assert {path.name for path in files if path.parent == copy} == RECORDS
    for path in [*files, *dice.choices(files, k=100 - len(files))]:
        content = path.read_bytes()
        place, bit = dice.randrange(len(content)), 1 << dice.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        found = verify(copy)
        told = {one.path for one in found.findings}
        assert path.relative_to(copy).as_posix() in told, f"{path.name} at {place}, bit {bit}"
        path.write_bytes(content)
    assert verify(copy).intact


def test_lost_exchanged_and_foreign_files_are_named(copy):
    first, second = sorted(copy.glob("*/*_ct.nii.gz"))[:2]
    lost = first.read_bytes()
    first.unlink()
    assert [(one.path, one.state) for one in verify(copy).findings] == [
        (first.relative_to(copy).as_posix(), "missing")
    ]
    first.write_bytes(second.read_bytes())
    assert [(one.path, one.state) for one in verify(copy).findings] == [
        (first.relative_to(copy).as_posix(), "damaged")
    ]
    first.write_bytes(lost)
    (copy / "notes.txt").write_text("mine")
    assert [(one.path, one.state) for one in verify(copy).findings] == [("notes.txt", "extra")]


def test_a_line_that_is_gone_or_says_something_else_is_found(copy):
    manifest = copy / "manifest.jsonl"
    rows = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(rows[1:]))
    assert {one.path for one in verify(copy).findings} == {"manifest.jsonl"}
    lost = json.loads(rows[0])
    manifest.write_text(rows[0].replace(lost["recipe"], "0" * 64) + "".join(rows[1:]))
    assert {one.path for one in verify(copy).findings} == {"manifest.jsonl"}


def test_the_status_counts_samples_and_names_what_was_left_out(finished):
    found = job_status(finished)
    assert set(found.samples.values()) == {2}
    assert [failure.case for failure in found.failures] == ["broken"]
    assert found.running in {False, None}


def test_a_folder_that_is_no_job_is_refused(tmp_path):
    for ask in (verify, job_status):
        with pytest.raises(OutputError, match=r"job\.json"):
            ask(tmp_path)
