"""Samples made by the workers of a Dask scheduler; ids and paths travel, volumes never do.

The workers share the input and the output folder with this machine. Each makes its samples in a
process of its own under the same supervision as here, so a file that crashes its reader costs no
Dask worker. Dask runs a task again when its worker is lost, and now and then twice: a sample is
written whole or not at all, and is the same whoever makes it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from millimorph.errors import EngineError, MillimorphError
from millimorph.generate.child import Work
from millimorph.generate.inputs import CaseInput
from millimorph.generate.manifest import JOB_FILE, Failure
from millimorph.generate.pool import Crew
from millimorph.generate.supervision import Settled, supervised
from millimorph.generate.work import Job, Task, start
from millimorph.recipe import ENGINE

_SECONDS_TO_CONNECT = 30
_SECONDS_WITHOUT_WORKERS = 60.0
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_BETWEEN_COUNTS = 5.0
_TASKS_PER_THREAD = 3
_IDLE_SECONDS = 60.0


def on_cluster(address: str, job: Job, tasks: Sequence[Task]) -> Iterator[Settled]:
    """Make the samples of tasks on the workers of the scheduler at an address.

    Raises EngineError without Dask, scheduler or workers, and when the scheduler is lost;
    OutputError when a worker cannot write a file.
    """
    seen = replace(job, folder=job.folder.absolute(), out=job.out.absolute())
    waiting = deque(replace(task, case=_absolute(task.case)) for task in tasks)
    with _client(address) as client:
        threads = _Threads(client, address)
        flying: dict[Any, Task] = {}
        while waiting or flying:
            room = _TASKS_PER_THREAD * threads.count()
            while waiting and len(flying) < room:
                task = waiting.popleft()
                future = client.submit(make_samples, ENGINE, seen, task, pure=False)
                flying[future] = task
            finished = [future for future in flying if future.done()]
            for future in finished:
                task = flying.pop(future)
                settled = _settled(future, task, address)
                if settled is None:
                    flying[future] = task
                else:
                    yield from settled
            if not finished:
                time.sleep(_SECONDS_BETWEEN_LOOKS)


def make_samples(engine: str, job: Job, task: Task) -> list[Settled]:
    """Make the samples of a task; this is what a Dask worker runs."""
    if engine != ENGINE:
        raise EngineError(
            f"a Dask worker has {ENGINE}, this command {engine}; install the same version on both"
        )
    if not (job.out / JOB_FILE).is_file():
        raise EngineError(
            f"a Dask worker does not see {job.out}; the input and the output folder must lie on a "
            f"file system that all workers share, under the same path"
        )
    if getattr(_HERE, "work", None) is None or _HERE.work.job != job:
        _HERE.work = Work(start, job)
        _HERE.crew = Crew(1, _IDLE_SECONDS)
    return list(supervised(_HERE.crew, _HERE.work, [task]))


_HERE = threading.local()


def _absolute(case: CaseInput) -> CaseInput:
    return replace(case, files=tuple((role, kind, p.absolute()) for role, kind, p in case.files))


def _settled(future: Any, task: Task, address: str) -> Sequence[Settled] | None:
    """Take in a future that is done; what befell the cluster is told from what befell the task.

    None if its result was lost with a worker and is not there again yet.
    """
    from distributed import KilledWorker

    if future.status not in {"finished", "error"}:
        raise EngineError(f"the Dask scheduler at {address} was lost")
    try:
        settled: Sequence[Settled] = future.result(timeout=_SECONDS_BETWEEN_COUNTS)
    except TimeoutError:
        return None
    except (OSError, CancelledError):
        raise EngineError(f"the Dask scheduler at {address} was lost") from None
    except KilledWorker:
        reason = (
            f"every Dask worker that made samples {task.start} to {task.stop - 1} was lost (out of "
            f"memory?)"
        )
        return [Settled(Failure(task.case.id, None, reason), task.stop - task.start)]
    except MillimorphError:
        raise
    except Exception as error:
        raise EngineError(
            f"the Dask workers cannot make samples: {type(error).__name__}: {error}; they need the "
            f"same millimorph as this machine"
        ) from error
    return settled


class _Threads:
    """How many threads the workers have, asked for now and then."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._asked = self._had_some = time.monotonic()
        self._count = self._ask()

    def count(self) -> int:
        """Return the number, at least 1; EngineError when there was none for a while."""
        now = time.monotonic()
        if now - self._asked > _SECONDS_BETWEEN_COUNTS:
            self._asked, self._count = now, self._ask()
        if self._count:
            self._had_some = now
        elif now - self._had_some > _SECONDS_WITHOUT_WORKERS:
            raise EngineError(
                f"the Dask scheduler at {self._address} has had no workers for "
                f"{_SECONDS_WITHOUT_WORKERS:.0f} s; start some with: dask worker {self._address}"
            )
        return max(1, self._count)

    def _ask(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except Exception:  # noqa: BLE001 - whatever a lost scheduler raises here
            raise EngineError(f"the Dask scheduler at {self._address} was lost") from None


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect; a lost scheduler is told of here once, and not by Dask's log as well."""
    try:
        from distributed import Client
    except ImportError:
        raise EngineError(
            "--engine dask needs Dask; install it with: python -m pip install 'millimorph[dask]'"
        ) from None
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        connect: Any = Client
        client = connect(
            address, timeout=_SECONDS_TO_CONNECT, set_as_default=False, name="millimorph"
        )
    except (OSError, ValueError) as error:
        raise EngineError(
            f"no Dask scheduler answers at {address}: {error}; start one with: dask scheduler"
        ) from None
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=2)
        log.setLevel(level)
