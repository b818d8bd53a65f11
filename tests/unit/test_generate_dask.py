"""Samples on a Dask cluster: a real scheduler and workers on this machine, some of them killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from data_sets import IMAGES, LABELS, PIPELINE, request, tree, write_case

from millimorph.errors import EngineError
from millimorph.generate import dask, generate_dataset
from millimorph.recipe import ENGINE, dump_pipeline

pytest.importorskip("distributed")
COUNT = 24


class Cluster:
    """A scheduler on a free port of the loopback, and its workers; ended with the block."""

    def __init__(self, folder):
        self.file = folder / "scheduler.json"
        self.folder = folder
        self.processes = ExitStack()
        self.scheduler = self.start_scheduler("0")

    def start_scheduler(self, port):
        """Start a scheduler and wait until its address is known."""
        self.file.unlink(missing_ok=True)
        process = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", port, "--scheduler-file", self.file
        )
        until(self.file.exists)
        self.address = json.loads(self.file.read_text())["address"]
        return process

    def worker(self):
        """Start a worker with one thread."""
        return self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"
        )

    def _start(self, kind, *words):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, words)]
        process = subprocess.Popen(  # noqa: S603 - our own words
            [*command, "--no-dashboard"], cwd=self.folder, stderr=subprocess.DEVNULL
        )
        self.processes.callback(process.wait)
        self.processes.callback(process.kill)
        return process


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def test_a_cluster_that_loses_workers_and_its_scheduler_makes_what_this_machine_makes(tmp_path):
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    write_case(inputs, "p1", (40, 36, 32))
    (inputs / "p1_points.csv").unlink()
    (inputs / "pipeline.yaml").write_text(dump_pipeline(PIPELINE))
    generate_dataset(request(inputs, tmp_path / "here", count=COUNT, landmarks={}))
    wanted = tree(tmp_path / "here")

    def made():
        return len(list(out.glob("p1/*.json")))

    def generate():
        command = [sys.executable, "-m", "millimorph", "generate", str(inputs), "--out", str(out)]
        command += ["--pipeline", str(inputs / "pipeline.yaml"), "--count", str(COUNT)]
        command += ["--image", f"ct={IMAGES['ct']}", "--label", f"organs={LABELS['organs']}"]
        command += ["--backend", "reference", "--engine", "dask", "--scheduler", cluster.address]
        return subprocess.Popen(  # noqa: S603 - our own words
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    cluster = Cluster(tmp_path)
    with cluster.processes:
        workers = [cluster.worker(), cluster.worker()]
        run = generate()
        until(lambda: made() >= 3)
        workers[0].send_signal(signal.SIGKILL)
        before = made()
        until(lambda: made() >= before + 4)
        cluster.scheduler.send_signal(signal.SIGKILL)
        _, told = run.communicate(timeout=60)
        assert run.returncode == 1
        assert f"the Dask scheduler at {cluster.address} was lost" in told
        assert "samples are finished and complete, run the same command again" in told
        assert "Traceback" not in told
        assert made() < COUNT
        workers[1].kill()
        workers[1].wait()
        finished = {path: path.stat().st_mtime_ns for path in out.glob("p1/p1__*")}
        cluster.start_scheduler(cluster.address.rsplit(":", 1)[1])
        cluster.worker()
        run = generate()
        said, told = run.communicate(timeout=60)
        assert run.returncode == 0, told
    assert "were there already" in said
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert tree(out) == wanted


def test_a_task_is_small_whatever_the_images_are(tmp_path):
    """Ids and paths travel; a volume through the scheduler would fill it."""
    import pickle

    from millimorph.generate.local import prepared
    from millimorph.generate.pool import Crew

    sizes = []
    for edge in (8, 64):
        inputs = tmp_path / str(edge)
        inputs.mkdir()
        write_case(inputs, "p1", (edge, edge, edge))
        with Crew(1) as crew:
            work = prepared(request(inputs, tmp_path / "out"), crew)
        sizes.append(len(pickle.dumps((work.job, work.tasks[0]))))
    assert max(sizes) < 8000
    assert abs(sizes[0] - sizes[1]) < 100


@pytest.mark.parametrize(
    ("engine", "told"), [("millimorph-0", "install the same version"), (ENGINE, "does not see")]
)
def test_a_worker_of_another_version_or_another_disk_refuses(tmp_path, engine, told):
    from millimorph.generate.local import prepared
    from millimorph.generate.pool import Crew

    inputs = tmp_path / "in"
    inputs.mkdir()
    write_case(inputs, "p1", (4, 4, 4))
    with Crew(1) as crew:
        work = prepared(request(inputs, tmp_path / "not here"), crew)
    with pytest.raises(EngineError, match=told):
        dask.make_samples(engine, work.job, work.tasks[0])


def test_without_a_scheduler_the_command_says_what_to_start(tmp_path, monkeypatch):
    inputs = tmp_path / "in"
    inputs.mkdir()
    write_case(inputs, "p1", (4, 4, 4))
    monkeypatch.setattr(dask, "_SECONDS_TO_CONNECT", 1)
    with pytest.raises(EngineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9: "):
        generate_dataset(request(inputs, tmp_path / "out", scheduler="tcp://127.0.0.1:9"))


def test_without_dask_the_command_says_what_to_install(tmp_path, monkeypatch):
    inputs = tmp_path / "in"
    inputs.mkdir()
    write_case(inputs, "p1", (4, 4, 4))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineError, match=r"pip install 'millimorph\[dask\]'"):
        generate_dataset(request(inputs, tmp_path / "out", scheduler="tcp://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--engine", "dask"], "needs --scheduler"),
        (["--scheduler", "tcp://a:1"], "is for --engine dask"),
        (["--engine", "dask", "--scheduler", "tcp://a:1", "--workers", "2"], "--workers is for"),
    ],
)
def test_options_that_would_be_ignored_are_refused(tmp_path, options, told, capsys):
    from millimorph.cli import run_command

    arguments = ["generate", str(tmp_path), "--pipeline", "ct", "--out", os.devnull, *options]
    assert run_command(arguments) == 2
    assert told in capsys.readouterr().err
