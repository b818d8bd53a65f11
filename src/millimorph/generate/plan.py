"""What a job would take: a sample of the first case is made in a temporary folder and measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millimorph.generate.local import Prepared, prepared
from millimorph.generate.manifest import Failure, read_manifest
from millimorph.generate.pool import Crew
from millimorph.generate.request import DatasetRequest
from millimorph.generate.space import OneSample, free_bytes, one_sample
from millimorph.generate.work import Task


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
    return DatasetPlan(
        samples=work.samples,
        there=_there(request.out, work.tasks),
        cases=len(work.cases),
        failures=(*work.failures, *([sample] if isinstance(sample, Failure) else [])),
        bytes_each=sample.bytes if isinstance(sample, OneSample) else None,
        seconds_each=sample.seconds if isinstance(sample, OneSample) else None,
        free_bytes=free_bytes(request.out),
        workers=request.workers,
    )


def _there(out: Path, tasks: Sequence[Task]) -> int:
    """Count the finished samples of these tasks; others are of other shards, or not asked for."""
    asked: dict[str, list[range]] = {}
    for task in tasks:
        asked.setdefault(task.case.id, []).append(range(task.start, task.stop))
    return sum(
        any(line.index in part for part in asked.get(line.case, ()))
        for line in read_manifest(out).values()
    )


def _measured(work: Prepared, crew: Crew) -> OneSample | Failure:
    """Measure a sample; it is made twice, for the first may compile kernels."""
    first = one_sample(work.job, work.tasks[0], crew)
    return first if isinstance(first, Failure) else one_sample(work.job, work.tasks[0], crew)
