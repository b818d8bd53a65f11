"""Disks that are full, bounded or read-only, at every kind of file: an error, and nothing lost."""

import hashlib
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from data_sets import request, tree, write_cases

from millimorph.cli import run_command
from millimorph.errors import OutputError
from millimorph.generate import Limits, Sidecar, generate_dataset
from millimorph.generate.manifest import read_job, read_manifest
from millimorph.recipe import dump_pipeline

resource = pytest.importorskip("resource")
COUNT = 4
PAGE = 4096
FULL = "File too large|No space left"
RECORDS = {"job.json", "manifest.jsonl", "quarantine.jsonl"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two good cases and one that goes to the quarantine, so that its file is written too."""
    inputs = write_cases(tmp_path_factory.mktemp("full"), "bad p1 p2")
    (inputs / "bad_organs.nii.gz").write_bytes(b"no image")
    return inputs


@pytest.fixture(scope="module")
def wanted(inputs):
    out = inputs.parent / "wanted"
    generate_dataset(request(inputs, out, count=COUNT))
    found = tree(out)
    assert found.keys() > RECORDS
    return found


@contextmanager
def small_disk(folder, size):
    """Mount a disk of so many bytes, if this process may; yield what changes its options."""

    def mount(*words):
        command = [shutil.which("mount") or "mount", "-t", "tmpfs", *words, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603

    folder.mkdir()
    if mount("-o", f"size={size}") != 0:
        pytest.skip("this user may not mount a disk")
    try:
        yield lambda options: mount("-o", f"remount,{options}")
    finally:
        subprocess.run([shutil.which("umount") or "umount", str(folder)], check=True)  # noqa: S603


def pages(found):
    return sum(1 + len(content) // PAGE for content in found.values())


def check_what_is_there(out, wanted):
    """No file under a final name is cut off, and no sidecar stands without its files."""
    for name, content in tree(out).items():
        if not Path(name).name.startswith(".") and name not in RECORDS:
            assert content == wanted[name], name
        elif name == "job.json":
            read_job(out)
    for path in out.glob("*/*__*.json"):
        for output in Sidecar.read(path).outputs.values():
            content = (path.parent / output.file).read_bytes()
            assert hashlib.sha256(content).hexdigest() == output.sha256


def test_a_disk_that_fills_up_anywhere_loses_nothing(inputs, wanted):
    """From a disk that holds not even the job's record to one that lacks a page for the last."""
    most = pages(wanted) + 8
    stopped_at = set()
    for number in range(2, most, 3):
        out = inputs.parent / f"disk-{number}"
        with small_disk(out, number * PAGE) as change:
            try:
                generate_dataset(request(inputs, out, count=COUNT))
            except OutputError as error:
                assert "No space left" in str(error)  # noqa: PT017 - the last may succeed
                told = re.search(r"(\d+) samples are finished", str(error))
                noted = len(read_manifest(out))
                assert told is None or noted >= int(told[1])
                stopped_at.add(str(error).split(":")[0].rsplit(".", 1)[-1])
            else:
                assert number > most - 12
            check_what_is_there(out, wanted)
            kept = {path: path.stat().st_ino for path in out.glob("*/*__*.json")}
            assert change(f"size={2 * most * PAGE}") == 0
            generate_dataset(request(inputs, out, count=COUNT))
            assert tree(out) == wanted
            assert {path: path.stat().st_ino for path in kept} == kept
    assert len(stopped_at) >= 4, stopped_at


def begin(inputs, out):
    """Leave a job as one that was stopped behind its first case."""
    generate_dataset(request(inputs, out, count=COUNT))
    shutil.rmtree(out / "p2")


@contextmanager
def files_up_to(size):
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize(
    ("begun", "kinds"),
    [(False, ("job.json", "manifest")), (True, ("_ct.nii.gz", "__0000.json"))],
)
def test_a_limit_on_the_size_of_files_loses_nothing(inputs, wanted, begun, kinds):
    """Each bound stops another kind of file: the record, tables, images, sidecars, the manifest."""
    stopped = []
    sizes = sorted({len(content) for content in wanted.values()})
    for size in sizes[:-1:4] if begun else (*sizes[:-1:8], sizes[-1]):
        out = inputs.parent / f"limit-{size}-{begun}"
        if begun:
            begin(inputs, out)
        with files_up_to(size - 1), pytest.raises(OutputError, match=FULL) as caught:
            generate_dataset(request(inputs, out, count=COUNT))
        stopped.append(str(caught.value))
        check_what_is_there(out, wanted)
        generate_dataset(request(inputs, out, count=COUNT))
        assert tree(out) == wanted
    for kind in kinds:
        assert any(kind in text for text in stopped), kind


def test_a_worker_that_cannot_write_ends_the_run_too(inputs, wanted):
    out = inputs.parent / "limit-worker"
    begin(inputs, out)
    with files_up_to(500), pytest.raises(OutputError, match=FULL):
        generate_dataset(request(inputs, out, count=COUNT, limits=Limits()))
    check_what_is_there(out, wanted)


def test_a_read_only_disk_is_told_of_and_what_is_there_stays(inputs, wanted, tmp_path, capsys):
    pipeline = tmp_path / "pipeline.yaml"
    out = inputs.parent / "read-only"
    with small_disk(out, 2 * pages(wanted) * PAGE) as change:
        asked = request(inputs, out, count=1)
        pipeline.write_text(dump_pipeline(asked.pipeline))
        generate_dataset(asked)
        before = tree(out)
        assert change("ro") == 0
        for folder in (out, out / "p1" / "new"):
            with pytest.raises(OutputError, match="Read-only file system"):
                generate_dataset(request(inputs, folder, count=2))
        command = ["generate", str(inputs), "--out", str(out), "--pipeline", str(pipeline)]
        command += ["--image", "ct={case}_ct.nii.gz", "--label", "organs={case}_organs.nii.gz"]
        command += ["--landmarks", "points={case}_points.csv", "--backend", "reference"]
        assert run_command([*command, "--count", "2"]) == 1
        assert "Read-only file system" in capsys.readouterr().err
        assert tree(out) == before
        assert change("rw") == 0
        generate_dataset(request(inputs, out, count=COUNT))
        assert tree(out) == wanted


def test_a_file_in_the_way_of_the_folder_is_an_error(inputs, tmp_path):
    (tmp_path / "thesis").write_text("mine")
    with pytest.raises(OutputError, match="Not a directory"):
        generate_dataset(request(inputs, tmp_path / "thesis" / "out"))
    assert (tmp_path / "thesis").read_text() == "mine"
