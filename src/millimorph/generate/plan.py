"""What a job would take: a sample of the first case is made in a temporary folder and measured."""

import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from millimorph.errors import OutputError
from millimorph.generate.child import Work
from millimorph.generate.local import Prepared, prepared
from millimorph.generate.manifest import Failure, read_manifest
from millimorph.generate.pool import Crew
from millimorph.generate.request import DatasetRequest
from millimorph.generate.supervision import supervised
from millimorph.generate.work import Finished, Task, start


@dataclass(frozen=True)
class DatasetPlan:
    """What there is to do, and estimates from one sample; the disk is that of the output folder.

    `samples` are all of the request, `there` those that are finished; `bytes_each` and
    `seconds_each` are None where no sample could be made, and `failures` then say why.
    """

    samples: int
    there: int
    cases: int
    failures: tuple[Failure, ...]
    bytes_each: int | None
    seconds_each: float | None
    free_bytes: int
    workers: int

    @property
    def bytes_needed(self) -> int | None:
        """About how much disk space the missing samples take."""
        return None if self.bytes_each is None else self.bytes_each * (self.samples - self.there)

    @property
    def seconds_needed(self) -> float | None:
        """About how long the missing samples take."""
        if self.seconds_each is None:
            return None
        return self.seconds_each * (self.samples - self.there) / self.workers


def plan_dataset(request: DatasetRequest) -> DatasetPlan:
    """Say what `generate_dataset` would do; the output folder is not touched.

    Raises what `generate_dataset` raises for the request itself.
    """
    with Crew(1) as crew:
        work = prepared(request, crew)
        sample = _measured(work, crew) if work.tasks else None
    there = len(read_manifest(request.out)) if request.out.is_dir() else 0
    measured = sample if isinstance(sample, tuple) else (None, None)
    return DatasetPlan(
        samples=work.samples,
        there=min(there, work.samples),
        cases=len(work.cases),
        failures=(*work.failures, *([sample] if isinstance(sample, Failure) else [])),
        bytes_each=measured[0],
        seconds_each=measured[1],
        free_bytes=_free(request.out),
        workers=request.workers,
    )


def _measured(work: Prepared, crew: Crew) -> tuple[int, float] | Failure:
    """Bytes and seconds of a sample; it is made twice, for the first may compile kernels."""
    case = work.tasks[0].case
    seconds = 0.0
    for _ in range(2):
        with tempfile.TemporaryDirectory(prefix="millimorph-plan-") as folder:
            job = replace(work.job, out=Path(folder))
            begin = time.monotonic()
            (settled,) = supervised(crew, Work(start, job), [Task(case, 0, 1)])
            seconds = time.monotonic() - begin
            if not isinstance(settled.outcome, Finished):
                return settled.outcome
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return size, seconds


def _free(out: Path) -> int:
    """The free bytes where the output folder is or will be."""
    for folder in (out.absolute(), *out.absolute().parents):
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    raise OutputError(f"{out}: lies in no folder")
