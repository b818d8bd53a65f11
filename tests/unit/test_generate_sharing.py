"""Runs and cases that share an output folder: counts, records after one another, names."""

from contextlib import contextmanager

from data_sets import request, write_cases

from millimorph.generate import Shard, generate_dataset, local
from millimorph.generate.sharing import alone_with_records
from millimorph.io.atomic import TEMPORARY_PREFIX


def test_a_shard_counts_only_its_own_samples_as_kept(tmp_path):
    """The shards share a case here, so rows of the others name it too."""
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    shards = [request(inputs, out, count=4, shard=Shard(number, 2)) for number in (1, 2, 2)]
    seen = []
    reports = [generate_dataset(one, seen.append) for one in shards]
    assert [(one.made, one.kept) for one in reports] == [(2, 0), (2, 0), (0, 2)]
    assert all(progress.done <= progress.total == 2 for progress in seen)


def test_notes_of_a_run_go_before_another_run_may_read_them(tmp_path, monkeypatch):
    """Else the other run makes its manifest of rows in a file that is gone by then."""
    left = []

    @contextmanager
    def watched(folder):
        with alone_with_records(folder):
            yield
            left.extend(folder.glob(f"{TEMPORARY_PREFIX}*"))

    monkeypatch.setattr(local, "alone_with_records", watched)
    generate_dataset(request(write_cases(tmp_path, "p1"), tmp_path / "out"))
    assert left == []


def test_no_case_takes_the_name_of_a_record_whatever_its_case(tmp_path):
    """On a disk that ignores case the folder would be in the record's place."""
    inputs = write_cases(tmp_path, "p1 readme.md sha256sums Job.json")
    report = generate_dataset(request(inputs, tmp_path / "out", count=1))
    assert report.made == 1
    assert {one.case for one in report.failures} == {"readme.md", "sha256sums", "Job.json"}
    assert all("cannot be named" in one.reason for one in report.failures)
