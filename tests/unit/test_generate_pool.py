"""The supervised pool: what happens when a worker dies, and what a worker may use."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from millimorph.generate.pool import Died, Workers, run_tasks


def _double(job: str) -> Callable[[int], tuple[str, int]]:
    return lambda task: (job, 2 * task)


def _dies_at_3(job: str) -> Callable[[int], int]:
    """Task 3 kills its process each time; task 5 only once, as the mark in `job` tells."""

    def work(task: int) -> int:
        mark = Path(job) / str(task)
        with mark.open("a") as stream:
            stream.write("x")
        if task == 3 or (task == 5 and mark.stat().st_size == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * task

    return work


def _raises(job: str) -> Callable[[int], int]:
    def work(task: int) -> int:
        if task == 2:
            raise ValueError(job)
        return task

    return work


def _threads(job: str) -> Callable[[int], tuple[str | None, ...]]:
    names = ("OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
    return lambda task: (job * task, *(os.environ.get(name) for name in names))


def test_every_task_comes_back_once_with_its_result() -> None:
    workers = Workers(count=2, start=_double, job="a")
    results = list(run_tasks(workers, range(9)))
    assert sorted(results) == [(task, ("a", 2 * task)) for task in range(9)]


def test_a_task_that_kills_its_worker_is_given_up_and_no_other_one(tmp_path: Path) -> None:
    workers = Workers(count=2, start=_dies_at_3, job=str(tmp_path))
    results = dict(run_tasks(workers, range(8)))
    assert isinstance(results.pop(3), Died)
    assert results == {task: 2 * task for task in range(8) if task != 3}
    assert len((tmp_path / "3").read_text()) <= 3


def test_an_exception_of_a_task_ends_the_run_and_comes_out() -> None:
    workers = Workers(count=2, start=_raises, job="disk full")
    with pytest.raises(ValueError, match="disk full"):
        list(run_tasks(workers, range(50)))


def test_libraries_get_one_thread_in_workers_and_the_parent_keeps_its_own() -> None:
    before = dict(os.environ)
    workers = Workers(count=1, start=_threads, job="")
    assert list(run_tasks(workers, [0])) == [(0, ("", "1", "1"))]
    assert dict(os.environ) == before


def _waits(job: str) -> Callable[[int], int]:
    def work(task: int) -> int:
        (Path(job) / "pid").write_text(str(os.getpid()))
        time.sleep(60)
        return task

    return work


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """A worker left alone would hold memory, and write, for ever."""
    context = __import__("multiprocessing").get_context("spawn")
    parent = context.Process(target=_run_waiting, args=(str(tmp_path),))
    parent.start()
    mark = tmp_path / "pid"
    _until(lambda: mark.exists() and mark.read_text() != "")
    parent.kill()
    parent.join()
    pid = int(mark.read_text())
    _until(lambda: not _runs(pid))


def test_an_interrupt_stops_workers_at_once(tmp_path: Path) -> None:
    workers = Workers(count=1, start=_waits, job=str(tmp_path))
    results = run_tasks(workers, [0, 1])
    mark = tmp_path / "pid"

    def interrupt() -> None:
        _until(lambda: mark.exists() and mark.read_text() != "")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert time.monotonic() - begin < 30
    assert not _runs(int(mark.read_text()))


def _run_waiting(job: str) -> None:
    list(run_tasks(Workers(count=1, start=_waits, job=job), [0]))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _until(true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("not within 30 s")


def test_a_process_that_is_still_starting_says_nothing_of_an_interrupt(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group; only the parent answers it, whatever workers are doing."""
    script = tmp_path / "job.py"
    script.write_text(
        "import sys, time\n"
        "if __name__ != '__main__':\n"
        f"    open({str(tmp_path / 'importing')!r}, 'w').close()\n"
        "    time.sleep(3)\n"
        "from millimorph.generate.pool import Workers, run_tasks\n"
        "def start(job):\n"
        "    return lambda task: task\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        list(run_tasks(Workers(1, start, None), [0]))\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit(130)\n"
    )
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, str(script)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    _until((tmp_path / "importing").exists)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == ""
