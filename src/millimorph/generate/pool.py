"""Tasks in worker processes, supervised: a killed worker costs its task a retry, not the job.

Processes are spawned, never forked (ITK's threads do not survive a fork). A worker that dies
breaks the whole `ProcessPoolExecutor`, and nothing tells whose fault it was; so every task then in
flight is tried again alone, and only a task that dies alone is given up.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")
Task = TypeVar("Task")
Result = TypeVar("Result")

Start = Callable[[Job], Callable[[Task], Result]]

_TRIES_ALONE = 2
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


class Died:
    """Stands for the result of a task whose worker died every time."""


@dataclass(frozen=True)
class Workers(Generic[Job, Task, Result]):
    """How many processes, and what each does: `start(job)` once, then its result per task.

    `start` is a function of a module, since it travels by name. BLAS and ITK get one thread in
    each process; ours are an argument of `run`.
    """

    count: int
    start: Start[Job, Task, Result]
    job: Job


def run_tasks(
    workers: Workers[Job, Task, Result], tasks: Iterable[Task]
) -> Iterator[tuple[Task, Result | Died]]:
    """Yield every task with its result, as they finish.

    An exception that a task raises ends the run and comes out here. At most two tasks per process
    are handed out at a time.
    """
    waiting = deque(tasks)
    with _one_thread():
        while waiting:
            suspects = yield from _until_one_dies(workers, waiting)
            for task in suspects:
                result: Result | Died = _alone(workers, task)
                yield task, result


def _until_one_dies(
    workers: Workers[Job, Task, Result], waiting: deque[Task]
) -> Generator[tuple[Task, Result | Died], None, list[Task]]:
    """Work until nothing waits or a worker dies; return the tasks that were in flight then."""
    flying: dict[Future[Result], Task] = {}
    with _pool(workers, workers.count) as pool:
        try:
            while waiting or flying:
                while waiting and len(flying) < 2 * workers.count:
                    flying[_submit(pool, waiting[0])] = waiting[0]
                    waiting.popleft()
                finished, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in finished:
                    result = future.result()
                    yield flying.pop(future), result
        except BrokenProcessPool:
            return list(flying.values())
    return []


def _alone(workers: Workers[Job, Task, Result], task: Task) -> Result | Died:
    """Try a task in a process of its own."""
    for _ in range(_TRIES_ALONE):
        with _pool(workers, 1) as pool:
            try:
                result: Result = _submit(pool, task).result()
            except BrokenProcessPool:
                continue
            return result
    return Died()


@contextmanager
def _pool(workers: Workers[Job, Task, Result], count: int) -> Iterator[ProcessPoolExecutor]:
    """Hold a pool. Left by an error it drops what has not begun, by an interrupt it stops at once.

    Each worker listens to a pipe whose other end only this process has: when it closes, be it that
    this process was killed, the worker ends.
    """
    context = get_context("spawn")
    ear, mouth = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        count, context, initializer=_begin, initargs=(ear, workers.start, workers.job)
    )
    try:
        yield pool
    except Exception:
        raise
    except BaseException:
        mouth.close()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        mouth.close()
        ear.close()


def _submit(pool: ProcessPoolExecutor, task: Any) -> Future[Any]:
    """Hand out a task; processes begun here hold interrupts back until they can ignore them.

    A Ctrl-C goes to the whole group, and a process that is still importing would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return pool.submit(_work, task)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_work, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Set the variables that bound a child's threads; libraries read them when they load."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_task_function: Callable[[Any], Any] | None = None


def _begin(
    ear: connection.Connection, start: Callable[[Any], Callable[[Any], Any]], job: object
) -> None:
    """Prepare a worker: an interrupt is the parent's business, and no parent means no work."""
    global _task_function  # noqa: PLW0603 - a process serves one job
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, args=(ear,), daemon=True).start()
    _task_function = start(job)


def _end_with_parent(ear: connection.Connection) -> None:
    connection.wait([ear])
    os._exit(1)


def _work(task: Any) -> Any:
    if _task_function is None:
        raise RuntimeError("the worker was not prepared")
    return _task_function(task)
