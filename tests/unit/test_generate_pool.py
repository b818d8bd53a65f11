"""The supervised pool: what happens when a worker dies, hangs or stops, and what it may use."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millimorph.errors import EngineError
from millimorph.generate import pool
from millimorph.generate.child import Step, Work
from millimorph.generate.pool import Crew, Died

HERE = str(Path(__file__).parent)


def _double(job: str) -> Callable[[int], Iterator[tuple[str, int]]]:
    return lambda task: iter([(job, 2 * task)])


def _harms_itself(job: str) -> Callable[[int], Iterator[Step | int]]:
    """Task 3 kills its process each time, 5 only once, 6 hangs and 7 is stopped once."""

    def work(task: int) -> Iterator[Step | int]:
        yield Step(task, 2.0 if task == 6 else 60.0)
        mark = Path(job) / str(task)
        with mark.open("a") as stream:
            stream.write("x")
        first = mark.stat().st_size == 1
        if task == 3 or (task == 5 and first):
            os.kill(os.getpid(), signal.SIGKILL)
        if task == 6:
            time.sleep(60)
        if task == 7 and first:
            os.kill(os.getpid(), signal.SIGSTOP)
        yield 2 * task

    return work


def _raises(job: str) -> Callable[[int], Iterator[int]]:
    def work(task: int) -> Iterator[int]:
        if task == 2:
            raise ValueError(job)
        yield task

    return work


def _cannot_start(_: str) -> Callable[[int], Iterator[int]]:
    os._exit(7)


def _threads(job: str) -> Callable[[int], Iterator[tuple[str | None, ...]]]:
    names = ("OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
    return lambda task: iter([(job * task, *(os.environ.get(name) for name in names))])


def _waits(job: str) -> Callable[[int], Iterator[Step | int]]:
    def work(task: int) -> Iterator[Step | int]:
        yield Step(task, 600.0)
        (Path(job) / "pid").write_text(str(os.getpid()))
        time.sleep(60)
        yield task

    return work


def _pid(_: str) -> Callable[[int], Iterator[int]]:
    def work(_: int) -> Iterator[int]:
        yield os.getpid()

    return work


def test_every_task_comes_back_once_with_its_result() -> None:
    with Crew(2) as crew:
        results = list(crew.run(Work(_double, "a"), deque(range(9))))
        assert sorted(results) == [(task, ("a", 2 * task)) for task in range(9)]
        assert list(crew.run(Work(_double, "b"), deque([4]))) == [(4, ("b", 8))]


def test_a_task_that_kills_hangs_or_stops_its_worker_costs_no_other_one(tmp_path: Path) -> None:
    with Crew(2) as crew:
        begin = time.monotonic()
        results = dict(crew.each(Work(_harms_itself, str(tmp_path)), range(8)))
    assert time.monotonic() - begin < 45
    killed, hung = results.pop(3), results.pop(6)
    assert (killed.step, killed.cause) == (Step(3, 60.0), "was killed")
    assert killed.reason() == "ended with signal SIGKILL"
    assert hung.reason() == "took more than 2 s"
    assert results == {task: 2 * task for task in (0, 1, 2, 4, 5, 7)}
    tries = {path.name: len(path.read_text()) for path in tmp_path.iterdir()}
    assert tries == dict.fromkeys("0124", 1) | dict.fromkeys("357", 2) | {"6": 1}


def test_a_dead_worker_is_noticed_at_once(tmp_path: Path) -> None:
    """Guaranteed are ten seconds."""
    (tmp_path / "3").write_text("x")
    with Crew(1) as crew:
        ((task, result),) = crew.run(Work(_harms_itself, str(tmp_path)), deque([3]))
    waited = time.time() - (tmp_path / "3").stat().st_mtime
    assert (task, result.cause) == (3, "was killed")
    assert waited < 5


def test_a_worker_killed_while_it_waits_is_replaced() -> None:
    with Crew(1) as crew:
        ((_, pid),) = crew.run(Work(_pid, ""), deque([0]))
        os.kill(pid, signal.SIGKILL)
        ((_, other),) = crew.run(Work(_pid, ""), deque([0]))
    assert not isinstance(other, Died)
    assert other != pid


def test_a_worker_ends_by_itself_when_nothing_comes() -> None:
    with Crew(1, idle_s=0.5) as crew:
        ((_, pid),) = crew.run(Work(_pid, ""), deque([0]))
        _until(lambda: not _runs(pid))
        ((_, other),) = crew.run(Work(_pid, ""), deque([0]))
    assert other != pid


def test_workers_that_cannot_begin_end_the_run_and_blame_no_task() -> None:
    with Crew(2) as crew, pytest.raises(EngineError, match=r"could be started.*exit code 7"):
        list(crew.run(Work(_cannot_start, ""), deque(range(3))))


def test_an_exception_of_a_task_ends_the_run_and_comes_out() -> None:
    with Crew(2) as crew, pytest.raises(ValueError, match="disk full"):
        list(crew.run(Work(_raises, "disk full"), deque(range(50))))


def test_libraries_get_one_thread_in_workers_and_the_parent_keeps_its_own() -> None:
    before = dict(os.environ)
    with Crew(1) as crew:
        assert list(crew.run(Work(_threads, ""), deque([0]))) == [(0, ("", "1", "1"))]
    assert dict(os.environ) == before


def test_time_in_which_nobody_looked_does_not_count(tmp_path: Path, monkeypatch) -> None:
    """After Ctrl-Z and fg, or behind a slow disk, workers are not ended for news not yet read."""
    monkeypatch.setattr(pool, "_SECONDS_BETWEEN_LOOKS", 0.2)
    with Crew(1) as crew:
        results = crew.run(Work(_slow, str(tmp_path)), deque([0]))
        assert next(results) == (0, "first")
        time.sleep(2.5)
        assert list(results) == [(0, "second")]


def _slow(_: str) -> Callable[[int], Iterator[Step | str]]:
    def work(task: int) -> Iterator[Step | str]:
        yield Step(task, 1.5)
        yield "first"
        time.sleep(0.5)
        yield Step(task, 1.5)
        time.sleep(1.0)
        yield "second"

    return work


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """A worker left alone would hold memory, and write, for ever."""
    program = (
        f"import sys; sys.path.insert(0, {HERE!r})\n"
        "from collections import deque\n"
        "from test_generate_pool import Crew, Work, _waits\n"
        f"list(Crew(1).run(Work(_waits, {str(tmp_path)!r}), deque([0])))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])  # noqa: S603 - our own program
    mark = tmp_path / "pid"
    _until(lambda: mark.exists() and mark.read_text() != "")
    parent.kill()
    parent.wait()
    pid = int(mark.read_text())
    _until(lambda: not _runs(pid))


def test_an_interrupt_stops_workers_at_once(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    def interrupt() -> None:
        _until(lambda: mark.exists() and mark.read_text() != "")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Crew(1) as crew:
        next(crew.run(Work(_waits, str(tmp_path)), deque([0, 1])))
    assert time.monotonic() - begin < 30
    assert not _runs(int(mark.read_text()))


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
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, time\n"
        "if 'generate.child' in sys.orig_argv[-1]:\n"
        f"    open({str(tmp_path / 'starting')!r}, 'w').close()\n"
        "    time.sleep(3)\n"
    )
    script = tmp_path / "job.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {HERE!r})\n"
        "from collections import deque\n"
        "from test_generate_pool import Crew, Work, _double\n"
        "try:\n"
        "    with Crew(1) as crew:\n"
        "        list(crew.run(Work(_double, ''), deque([0])))\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, str(script)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    _until((tmp_path / "starting").exists)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == ""
