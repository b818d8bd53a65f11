"""The process at the other end of `pool`: takes tasks from its standard input, answers on output.

It ends when its input does, be it that the process that began it was killed. It dumps no core and
leaves interrupts and requests to terminate, which reach a whole group, to that process.
"""

import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn


@dataclass(frozen=True)
class Work:
    """What to do with tasks: `start(job)`, once in each process, gives the function for a task.

    That function yields results, and before each piece of work the `Step` that it begins. `start`
    is a function of a module that can be imported, since it travels by name.
    """

    start: Callable[[Any], Callable[[Any], Iterator[Any]]]
    job: Any


@dataclass(frozen=True)
class Step:
    """What a worker does next, and within how many seconds there must be news of it."""

    index: int | None
    seconds: float


@dataclass(frozen=True)
class Ready:
    """A worker waits for a task."""


@dataclass(frozen=True)
class Made:
    """A result of the task."""

    result: Any


@dataclass(frozen=True)
class Raised:
    """The task raised; nothing more of it comes."""

    error: BaseException


Message = Ready | Step | Made | Raised


def main(idle_s: float | None) -> NoReturn:
    """Serve until the other end is gone, or nothing came for `idle_s` seconds."""
    _be_quiet()
    with suppress(BrokenPipeError):
        _serve(idle_s)
    os._exit(0)


def _serve(idle_s: float | None) -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, orders), daemon=True).start()
    _send(answers, Ready())
    work: Callable[[Any], Iterator[Any]] | None = None
    while True:
        try:
            order = orders.get(timeout=idle_s)
        except queue.Empty:
            return
        if isinstance(order, BaseException):
            _send(answers, Raised(order))
        elif isinstance(order, Work):
            work = _started(order)
        elif work is not None:
            _do(work, order, answers)
            _send(answers, Ready())


def _started(work: Work) -> Callable[[Any], Iterator[Any]]:
    """Prepare; what goes wrong comes out with the first task."""
    try:
        return work.start(work.job)
    except Exception as error:  # noqa: BLE001 - told with the first task
        failure = error

    def fail(_: Any) -> Iterator[Any]:
        raise failure

    return fail


def _do(work: Callable[[Any], Iterator[Any]], task: Any, answers: BinaryIO) -> None:
    try:
        for result in work(task):
            _send(answers, result if isinstance(result, Step) else Made(result))
    except Exception as error:  # noqa: BLE001 - it is raised where the task came from
        _send(answers, Raised(_portable(error)))


def _portable(error: Exception) -> Exception:
    """The error itself if it can travel, else one with its text."""
    with suppress(Exception):
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")


def _send(answers: BinaryIO, message: Message) -> None:
    answers.write(pickle.dumps(message))
    answers.flush()


def _listen(stream: BinaryIO, orders: "queue.SimpleQueue[Any]") -> None:
    """Hand on what comes; without the other end there is nothing to live for."""
    while True:
        try:
            order = pickle.load(stream)  # noqa: S301 - from the process that began this one
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(1)
        except Exception as error:  # noqa: BLE001 - such as a module that is not found
            order = _portable(error)
        orders.put(order)


def _be_quiet() -> None:
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
