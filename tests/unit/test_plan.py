"""`plan_dataset` says what a run would do and take, and leaves everything as it is."""

import shutil

import pytest
from data_sets import PIPELINE, request, tree, write_cases

from millimorph.cli import run_command
from millimorph.errors import OutputError
from millimorph.generate import Shard, generate_dataset, plan_dataset, space
from millimorph.recipe import Reference


def test_a_plan_counts_samples_and_measures_one(tmp_path):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    plan = plan_dataset(request(inputs, out))
    assert not out.exists()
    assert (plan.samples, plan.there, plan.cases, plan.failures) == (9, 0, 3, ())
    generate_dataset(request(inputs, out, count=1))
    written = sum(path.stat().st_size for path in out.glob("p1/*"))
    assert plan.bytes_each is not None
    assert abs(plan.bytes_each - written) < 600, "sidecars differ by the paths in them"
    assert plan.bytes_needed == 9 * plan.bytes_each
    assert plan.seconds_needed is not None
    assert plan.seconds_needed > 0
    before = tree(out)
    again = plan_dataset(request(inputs, out))
    assert (again.samples, again.there, again.bytes_needed) == (9, 3, 6 * plan.bytes_each)
    assert tree(out) == before


def test_a_plan_of_a_shard_counts_its_own_samples_only(tmp_path):
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    generate_dataset(request(inputs, out, count=4, shard=Shard(1, 2)))
    there = [
        plan_dataset(request(inputs, out, count=4, shard=Shard(number, 2))).there
        for number in (1, 2)
    ]
    assert there == [2, 0]


def test_a_plan_tells_what_would_be_left_out(tmp_path):
    inputs = write_cases(tmp_path)
    (inputs / "p2_ct.nii.gz").write_bytes(b"no image")
    plan = plan_dataset(request(inputs, tmp_path / "out"))
    assert plan.samples == 6
    assert [failure.case for failure in plan.failures] == ["p2"]


def test_dry_run_writes_nothing_and_says_what_it_would_take(tmp_path, capsys):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    arguments = ["generate", str(inputs), "--pipeline", "starter", "--out", str(out)]
    arguments += ["--image", "ct={case}_ct.nii.gz", "--count", "4", "--backend", "reference"]
    assert run_command([*arguments, "--workers", "1", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "would make 12 samples of 3 cases" in told
    assert "disk:" in told
    assert "time:" in told
    assert not out.exists()


class Disk:
    """A disk with so many bytes free."""

    def __init__(self, free):
        self.free = free


@pytest.mark.parametrize("reference", [None, Reference(size=(12, 10, 8))])
def test_samples_that_clearly_do_not_fit_are_refused_before_one_is_made(
    tmp_path, monkeypatch, reference
):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    asked = request(inputs, out, pipeline=PIPELINE.replace(reference=reference))
    each = plan_dataset(asked).bytes_each
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(4 * each))
    with pytest.raises(OutputError, match=r"are needed for 9 samples.*are free.*--out"):
        generate_dataset(asked)
    assert {path.name for path in out.rglob("*")} == {"job.json"}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(12 * each))
    assert generate_dataset(asked).made == 9


def test_only_what_is_still_to_be_made_has_to_fit(tmp_path, monkeypatch):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    generate_dataset(request(inputs, out, count=2))
    each = plan_dataset(request(inputs, out)).bytes_each
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(4 * each))
    assert generate_dataset(request(inputs, out)).made == 3


def test_with_plenty_of_space_no_sample_is_made_to_measure_it(tmp_path, monkeypatch):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    asked = request(inputs, out)
    monkeypatch.setattr(space, "one_sample", None)
    assert generate_dataset(asked).made == 9
