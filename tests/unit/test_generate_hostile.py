"""Files that crash, hang or bloat their reader: a case is left out by name, all else goes on.

The workers are made to behave so by a `sitecustomize` of their own, whatever reads a file; a real
decompression bomb is there too.
"""

import gzip
from dataclasses import replace

import pytest
from data_sets import request, tree, write_case, write_cases

from millimorph.errors import PipelineError
from millimorph.generate import Limits, generate_dataset, plan_dataset
from millimorph.generate.child import Step
from millimorph.generate.manifest import Failure, ManifestLine
from millimorph.generate.pool import Died
from millimorph.generate.supervision import supervised
from millimorph.generate.work import Finished, Task
from millimorph.report import inspect_path

HARM = """
import os, pathlib, signal, sys, time
if "generate.child" in sys.orig_argv[-1]:
    def harm(path, where):
        if f"{where}-crash" in path.name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if f"{where}-hang" in path.name:
            time.sleep(1000)
        if f"{where}-bomb" in path.name:
            bytearray(6 << 30)
    def harming(where, real):
        def read(path, *args, **options):
            harm(path, where)
            return real(path, *args, **options)
        return read
    pathlib.Path.open = harming("header", pathlib.Path.open)
    pathlib.Path.read_bytes = harming("voxels", pathlib.Path.read_bytes)
"""
KINDS = ("crash", "hang", "bomb")
QUICK = Limits(read_seconds=2.0)


@pytest.fixture
def harm(tmp_path, monkeypatch):
    folder = tmp_path / "harm"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HARM)
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.usefixtures("harm")
def test_what_a_file_does_to_its_reader_costs_its_case_only(tmp_path):
    hostile = [f"{where}-{kind}" for where in ("header", "voxels") for kind in KINDS]
    inputs = write_cases(tmp_path, " ".join(["p1", *hostile, "p2"]))
    out = tmp_path / "out"
    report = generate_dataset(request(inputs, out, workers=2, limits=QUICK))
    assert report.made == 6
    reasons = {one.case: one.reason for one in report.failures}
    assert reasons.keys() == set(hostile)
    for where in ("header", "voxels"):
        assert "SIGSEGV" in reasons[f"{where}-crash"]
        assert "more than 2 s" in reasons[f"{where}-hang"]
        assert "4 GB" in reasons[f"{where}-bomb"]
        assert "--read-gigabytes" in reasons[f"{where}-bomb"]
    alone = tmp_path / "alone"
    alone.mkdir()
    for path in inputs.glob("p?_*"):
        path.rename(alone / path.name)
    generate_dataset(request(alone, tmp_path / "wanted"))
    samples = {name: content for name, content in tree(out).items() if name.endswith(".gz")}
    wanted = {n: content for n, content in tree(tmp_path / "wanted").items() if n.endswith(".gz")}
    assert samples == wanted


@pytest.mark.usefixtures("harm")
def test_inspect_lists_what_crashes_or_hangs_and_reads_the_rest(tmp_path):
    inputs = write_cases(tmp_path, "p1 voxels-crash voxels-hang voxels-bomb")
    for path in (*inputs.glob("*.csv"), *inputs.glob("*_organs.*")):
        path.unlink()
    found = inspect_path(inputs, limits=QUICK)
    errors = {file.path: file.error for file in found.files if file.error is not None}
    assert set(errors) == {f"voxels-{kind}_ct.nii.gz" for kind in KINDS}
    assert "SIGSEGV" in errors["voxels-crash_ct.nii.gz"]
    assert "more than 2 s" in errors["voxels-hang_ct.nii.gz"]
    assert "4 GB" in errors["voxels-bomb_ct.nii.gz"]


@pytest.mark.usefixtures("harm")
def test_a_dry_run_survives_its_first_case_too(tmp_path):
    inputs = write_cases(tmp_path, "voxels-crash")
    plan = plan_dataset(request(inputs, tmp_path / "out", limits=QUICK))
    assert plan.bytes_each is None
    assert [one.case for one in plan.failures] == ["voxels-crash"]


def test_a_decompression_bomb_is_left_out_with_what_to_do(tmp_path):
    inputs, out = write_cases(tmp_path, "bomb p1"), tmp_path / "out"
    path = inputs / "bomb_ct.nii.gz"
    header = bytearray(gzip.decompress(path.read_bytes())[:352])
    header[42:48] = (700).to_bytes(2, "little") * 3
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(header)
        for _ in range(700):
            stream.write(bytes(700 * 700 * 2))
    assert path.stat().st_size < 4e6
    report = generate_dataset(request(inputs, out, limits=Limits(read_gigabytes=0.5)))
    assert report.made == 3
    (failure,) = report.failures
    assert failure.case == "bomb"
    assert "more than 0.5 GB to be read; allow more with --read-gigabytes" in failure.reason


def test_a_file_that_is_larger_than_the_memory_is_not_even_hashed(tmp_path):
    inputs, out = write_cases(tmp_path, "huge p1"), tmp_path / "out"
    with (inputs / "huge_organs.nii.gz").open("r+b") as stream:
        stream.truncate(1 << 40)
    report = generate_dataset(request(inputs, out, limits=Limits()))
    assert report.made == 3
    (failure,) = report.failures
    assert failure.reason.startswith("huge_organs.nii.gz: holds 1099.5 GB")


def test_a_job_without_limits_still_reads_here_and_the_same(tmp_path):
    inputs = write_cases(tmp_path, "p1")
    generate_dataset(request(inputs, tmp_path / "here"))
    generate_dataset(request(inputs, tmp_path / "limited", limits=Limits()))
    assert tree(tmp_path / "here") == tree(tmp_path / "limited")


@pytest.mark.parametrize("name", ["read_gigabytes", "read_seconds", "sample_seconds"])
def test_a_limit_that_nothing_can_keep_is_refused(name):
    with pytest.raises(PipelineError, match=f"{name} must be above 0"):
        Limits(**{name: 0.0})


class ScriptedCrew:
    """Workers that do as they are told: per call of `run`, the events of each task."""

    def __init__(self, deaths):
        self.deaths = list(deaths)
        self.rounds = []

    def run(self, _work, waiting, most=None):
        """Give the events of the tasks that wait."""
        self.rounds.append((most, []))
        while waiting:
            task = waiting.popleft()
            self.rounds[-1][1].append((task.start, task.stop))
            for index in range(task.start, task.stop):
                died = next((one for one in self.deaths if one.step.index in (index, None)), None)
                if died is not None:
                    self.deaths.remove(died)
                    yield task, died
                    break
                line = ManifestLine(task.case.id, index, "", "", "", {})
                yield task, Finished(line, b"", kept=False, warnings=(), seconds=None)


def _run(case, deaths):
    crew = ScriptedCrew(deaths)
    settled = list(supervised(crew, None, [Task(case, 0, 4), Task(case, 4, 6)], most=3))
    assert sum(one.samples for one in settled) == 6
    failures = [one.outcome for one in settled if isinstance(one.outcome, Failure)]
    return crew.rounds, [(one.index, one.reason) for one in failures]


@pytest.fixture
def case(tmp_path):
    from millimorph.generate.inputs import Patterns, read_inputs

    folder = tmp_path / "cases"
    folder.mkdir()
    write_case(folder, "p1", (4, 4, 4))
    (found,), _ = read_inputs(Patterns(folder, {"ct": "{case}_ct.nii.gz"}, {}, {}))
    return found


def killed(index, cause="was killed"):
    return Died(Step(index, 9.0), cause, -9)


def test_a_sample_that_kills_once_is_made_again_alone_at_the_end(case):
    rounds, failures = _run(case, [killed(2)])
    assert rounds == [(3, [(0, 4), (4, 6)]), (1, [(2, 4)])]
    assert failures == []


def test_a_sample_that_kills_twice_is_left_out_and_those_behind_it_are_made(case):
    rounds, failures = _run(case, [killed(2), killed(2)])
    assert rounds == [(3, [(0, 4), (4, 6)]), (1, [(2, 4), (3, 4)])]
    ((index, reason),) = failures
    assert index == 2
    assert "twice" in reason


def test_two_samples_that_kill_once_each_are_both_made(case):
    rounds, failures = _run(case, [killed(2), killed(3)])
    assert rounds[1:] == [(1, [(2, 4)]), (1, [(3, 4)])]
    assert failures == []


def test_a_sample_that_hangs_is_left_out_at_once(case):
    rounds, failures = _run(case, [killed(2, "took too long")])
    assert rounds == [(3, [(0, 4), (4, 6), (3, 4)])]
    ((index, reason),) = failures
    assert index == 2
    assert "more than 9 s; allow more with --sample-seconds" in reason


def test_a_case_that_kills_its_reader_twice_is_given_up_with_all_its_tasks(case):
    rounds, failures = _run(case, [killed(None), killed(None)])
    assert rounds == [(3, [(0, 4)]), (1, [(0, 4)])]
    assert [index for index, _ in failures] == [None, None]
    assert len({reason for _, reason in failures}) == 1


def test_other_cases_go_on_when_one_is_given_up(case):
    other = replace(case, id="p2")
    crew = ScriptedCrew([killed(None, "took too long")])
    settled = list(supervised(crew, None, [Task(case, 0, 2), Task(other, 0, 2), Task(case, 2, 4)]))
    assert crew.rounds == [(None, [(0, 2), (0, 2)])]
    made = [one.outcome.line.case for one in settled if isinstance(one.outcome, Finished)]
    assert made == ["p2", "p2"]
