"""Tasks in worker processes, supervised: what happens to a worker costs its own task, no other.

Workers are programs of their own (`child`), not forks: ITK's threads do not survive a fork, and the
script that calls us need not be importable. Each has one task at a time and says before every step
how long it may take, so that a worker that died, hangs or was stopped is known, and what it did.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Literal, Self, assert_never

from millimorph.errors import EngineError
from millimorph.generate.child import Made, Message, Raised, Ready, Step, Work

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
_PROGRAM = """
import os, pickle, sys
try:
    sys.path[:] = pickle.load(sys.stdin.buffer)
except EOFError:
    os._exit(1)
from millimorph.generate.child import main
main({idle_s})
"""
_SECONDS_TO_START = 120.0
_SECONDS_TO_END = 5.0
_SECONDS_BETWEEN_LOOKS = 2.0
_LOOKS_WHILE_STOPPED = 3
_MOST_FALSE_STARTS = 5

Cause = Literal["was killed", "took too long", "was stopped"]


@dataclass(frozen=True)
class Died:
    """A worker ended in the middle of a task: at which step, why, and its exit code if it had one.

    `step` is None if the task had not announced any.
    """

    step: Step | None
    cause: Cause
    exit_code: int | None

    def reason(self) -> str:
        """What befell the worker, as the end of a sentence about it."""
        match self.cause:
            case "took too long":
                seconds = self.step.seconds if self.step is not None else _SECONDS_TO_START
                return f"took more than {seconds:.0f} s"
            case "was stopped":
                return "was stopped by a signal and did not go on"
            case "was killed":
                return f"ended with {_exit_text(self.exit_code)}"
            case _:
                assert_never(self.cause)


@dataclass(eq=False)
class _Worker:
    """A process, what it was told to do and what it last said."""

    process: "subprocess.Popen[bytes]"
    deadline: float
    ear: threading.Thread | None = None
    ready: bool = False
    work: Work | None = None
    task: Any = None
    busy: bool = False
    step: Step | None = None
    looks_while_stopped: int = 0


@dataclass
class Crew:
    """Up to `count` workers, begun when there is work for them and kept until the block ends.

    With `idle_s` a worker ends by itself when it has waited that long. BLAS and ITK get one thread
    in each; ours are an argument of `run`.
    """

    count: int
    idle_s: float | None = None
    _workers: list[_Worker] = field(default_factory=list, init=False)
    _news: "queue.SimpleQueue[tuple[_Worker, Message | None]]" = field(
        default_factory=queue.SimpleQueue, init=False
    )
    _false_starts: int = field(default=0, init=False)
    _looked: float = field(default=0.0, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers: those that wait by themselves, others at once."""
        for worker in self._workers:
            if worker.busy or not worker.ready:
                worker.process.kill()
            with suppress(OSError):
                _input(worker).close()
        for worker in self._workers:
            _wait_for(worker)
        self._workers.clear()

    def run(
        self, work: Work, waiting: deque[Any], most: int | None = None
    ) -> Iterator[tuple[Any, Any | Died]]:
        """Yield each result with its task as it comes, and `Died` for a task whose worker died.

        The caller may add to `waiting` at any time. At most `most` workers take part. What a task
        raises comes out here and ends the run.
        """
        count = self.count if most is None else min(most, self.count)
        self._looked = time.monotonic()
        try:
            while waiting or any(worker.busy for worker in self._workers):
                self._hand_out(work, waiting, count)
                yield from self._heard(waiting)
        finally:
            for worker in [worker for worker in self._workers if worker.busy]:
                self._drop(worker)

    def each(
        self, work: Work, tasks: Iterable[Any], most: int | None = None
    ) -> Iterator[tuple[Any, Any | Died]]:
        """Yield one result for each task; one whose worker was killed is tried once more."""
        waiting, again = deque(tasks), list[Any]()
        for task, result in self.run(work, waiting, most):
            killed = isinstance(result, Died) and result.cause != "took too long"
            if killed and not any(one is task for one in again):
                again.append(task)
                waiting.append(task)
            else:
                yield task, result

    def _hand_out(self, work: Work, waiting: deque[Any], count: int) -> None:
        for worker in self._workers:
            if waiting and worker.ready and not worker.busy:
                self._order(worker, work, waiting.popleft())
        coming = sum(1 for worker in self._workers if not worker.ready)
        while len(self._workers) < count and coming < len(waiting):
            self._workers.append(self._begun())
            coming += 1

    def _order(self, worker: _Worker, work: Work, task: Any) -> None:
        worker.task, worker.busy, worker.step = task, True, None
        worker.deadline = time.monotonic() + _SECONDS_TO_START
        orders = [task] if worker.work is work else [work, task]
        with suppress(OSError):  # if it is dead, that is heard of in a moment
            _tell(worker, *orders)
        worker.work = work

    def _begun(self) -> _Worker:
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
        command = [sys.executable, "-P", "-c", _PROGRAM.format(idle_s=self.idle_s)]
        with _signals_held():
            process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
        worker = _Worker(process, time.monotonic() + _SECONDS_TO_START)
        with suppress(OSError):
            _tell(worker, sys.path)
        worker.ear = threading.Thread(target=self._listen, args=(worker,), daemon=True)
        worker.ear.start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Hand on what a worker says; None when it has ended."""
        with _output(worker) as stream:
            while True:
                try:
                    message = pickle.load(stream)  # noqa: S301 - from a process that we began
                except Exception:  # noqa: BLE001 - it ended, perhaps in the middle of a word
                    break
                self._news.put((worker, message))
        self._news.put((worker, None))

    def _heard(self, waiting: deque[Any]) -> Iterator[tuple[Any, Any | Died]]:
        """Take in one message, or look whether all workers are alive if there is none."""
        try:
            worker, message = self._news.get(timeout=_SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            yield from self._overdue(waiting)
            return
        if worker not in self._workers:
            return
        match message:
            case Ready():
                worker.ready, worker.busy = True, False
            case Step():
                worker.step, self._false_starts = message, 0
                worker.deadline = time.monotonic() + message.seconds
            case Made(result=result):
                if worker.step is not None:
                    worker.deadline = time.monotonic() + worker.step.seconds
                yield worker.task, result
            case Raised(error=error):
                raise error
            case None:
                yield from self._lost(worker, "was killed", waiting)
        if time.monotonic() - self._looked > _SECONDS_BETWEEN_LOOKS:
            yield from self._overdue(waiting)

    def _overdue(self, waiting: deque[Any]) -> Iterator[tuple[Any, Any | Died]]:
        """End the workers that hang or are stopped. Time in which nobody looked does not count."""
        now = time.monotonic()
        unseen = max(0.0, now - self._looked - 2 * _SECONDS_BETWEEN_LOOKS)
        self._looked = now
        for worker in list(self._workers):
            if worker.ready and not worker.busy:
                continue
            worker.deadline += unseen
            stopped = _is_stopped(worker)
            worker.looks_while_stopped = worker.looks_while_stopped + 1 if stopped else 0
            if worker.looks_while_stopped >= _LOOKS_WHILE_STOPPED:
                yield from self._lost(worker, "was stopped", waiting)
            elif now > worker.deadline:
                yield from self._lost(worker, "took too long", waiting)

    def _lost(
        self, worker: _Worker, cause: Cause, waiting: deque[Any]
    ) -> Iterator[tuple[Any, Any | Died]]:
        """Part with a worker; a task that it had not begun is nobody's fault and waits again."""
        self._drop(worker)
        if worker.busy and worker.step is not None:
            yield worker.task, Died(worker.step, cause, worker.process.poll())
            return
        if worker.busy:
            waiting.appendleft(worker.task)
        if worker.busy or not worker.ready:
            self._false_starts += 1
        if self._false_starts >= _MOST_FALSE_STARTS:
            raise EngineError(
                f"no worker process could be started with {sys.executable}; the last one "
                f"{Died(None, cause, worker.process.poll()).reason()}"
            )

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.process.kill()
        with suppress(OSError):
            _input(worker).close()
        _wait_for(worker)


def _tell(worker: _Worker, *orders: Any) -> None:
    stream = _input(worker)
    for order in orders:
        stream.write(pickle.dumps(order))
    stream.flush()


def _input(worker: _Worker) -> IO[bytes]:
    if worker.process.stdin is None:
        raise OSError("the worker has no input")
    return worker.process.stdin


def _output(worker: _Worker) -> IO[bytes]:
    if worker.process.stdout is None:
        raise OSError("the worker has no output")
    return worker.process.stdout


def _wait_for(worker: _Worker) -> None:
    """Wait for the end; a process that the kernel cannot end yet will not run again either."""
    try:
        worker.process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        worker.process.kill()
    if worker.ear is not None:
        worker.ear.join(_SECONDS_TO_END)


def _is_stopped(worker: _Worker) -> bool:
    """Whether a signal has stopped the process; False where the system does not tell."""
    if not (hasattr(os, "waitid") and hasattr(os, "WSTOPPED")):
        return False
    try:
        state = os.waitid(
            os.P_PID, worker.process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT | os.WEXITED
        )
    except ChildProcessError:
        return False
    return state is not None and state.si_code == os.CLD_STOPPED


@contextmanager
def _signals_held() -> Iterator[None]:
    """Begin a process that holds interrupts back until it ignores them.

    A Ctrl-C goes to the whole group, and a process that is still importing would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit_text(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
