"""`generate_dataset`: a folder of images and a pipeline in, a folder of augmented samples out.

To do = recipes − samples that are there. Everything that can be wrong with the request is found
before anything is written; what is wrong with one case is told, and the other cases go on.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from millimorph.backends.cpus import available_cpus
from millimorph.designs import Design, Random, with_count
from millimorph.errors import EngineError, OutputError
from millimorph.generate.child import Work
from millimorph.generate.inputs import (
    CaseInput,
    Patterns,
    Readers,
    pipelines_by_dimension,
    read_inputs,
    recognised,
)
from millimorph.generate.manifest import (
    Failure,
    JobRecord,
    RunNotes,
    claim_output,
    first_sidecar,
    merge_manifest,
    read_quarantine,
    write_quarantine,
)
from millimorph.generate.pool import Crew
from millimorph.generate.pseudonyms import (
    Pseudonyms,
    check_key_file,
    ensured,
    names_below,
    nothing_told,
    save,
)
from millimorph.generate.records import write_records
from millimorph.generate.request import DatasetRequest, Shard, check_names, check_request
from millimorph.generate.resuming import ToDo, to_do
from millimorph.generate.sharing import alone_with_records, joined
from millimorph.generate.space import check_space
from millimorph.generate.supervision import Settled, supervised
from millimorph.generate.tabular import has_parquet
from millimorph.generate.timings import write_timings
from millimorph.generate.work import Finished, Job, SampleMaker, Task, start
from millimorph.recipe import ENGINE, draw, sample_count
from millimorph.values import plain

DEFAULT_COUNT = 10
_LARGEST_CHUNK = 16
_WORKERS_OF_A_CLUSTER = 32


@dataclass(frozen=True)
class Progress:
    """How far a run is, in samples; `kept` and `failed` are part of `done`."""

    done: int
    total: int
    kept: int
    failed: int
    seconds: float


Show = Callable[[Progress], None]


@dataclass(frozen=True)
class DatasetReport:
    """What a run did; `warnings` are texts with the number of samples that raised them.

    `first_sidecar` is that of some finished sample; `has_table` tells whether the manifest was also
    written as Parquet, which needs pyarrow.
    """

    out: Path
    cases: int
    made: int
    kept: int
    failures: tuple[Failure, ...]
    warnings: Mapping[str, int]
    seconds: float
    first_sidecar: Path | None
    has_table: bool


def generate_dataset(request: DatasetRequest, show: Show | None = None) -> DatasetReport:
    """Make all samples of a request that are not there yet.

    The files do not depend on `workers`, on the order of work or on how often the run was stopped
    and begun again. `show` is called with the progress, in this process.

    Raises PipelineError for a pipeline or design that cannot be drawn from, FileError for a folder
    without a matching file, OutputError for an output folder that is not this job's or cannot be
    written to or has clearly not enough space, EngineError for workers that cannot be had; then
    what is finished is complete, and the same request goes on from there.
    """
    begin = time.monotonic()
    if request.pseudonyms is not None:
        check_key_file(request.pseudonyms, (request.folder, request.out))
        ensured(request.pseudonyms)
    with Crew(request.workers) as crew:
        work = prepared(request, crew)
        if request.pseudonyms is not None and work.pseudonyms is not None:
            save(request.pseudonyms, work.pseudonyms)
        tally = _Tally(work.samples, work.failures, begin, show)
        if work.tasks:
            claim_output(request.out, request.folder, _record(request, work))
            with joined(request.out), crew:
                _run(work.job, work.tasks, _Hands(request, crew), tally)
    return DatasetReport(
        out=request.out,
        cases=len({case.id for case in work.cases} | {one.case for one in work.failures}),
        made=tally.made,
        kept=tally.kept,
        failures=tally.failures,
        warnings=dict(tally.warnings),
        seconds=time.monotonic() - begin,
        first_sidecar=first_sidecar(request.out),
        has_table=has_parquet(),
    )


@dataclass(frozen=True)
class Prepared:
    """The work of a request, settled from headers: nothing is written yet.

    `pseudonyms` say under which names the cases are known, if not their own.
    """

    pseudonyms: Pseudonyms | None
    job: Job
    cases: tuple[CaseInput, ...]
    tasks: tuple[Task, ...]
    failures: tuple[Failure, ...]

    @property
    def samples(self) -> int:
        """How many samples the tasks are for, those that are there already included."""
        return sum(task.stop - task.start for task in self.tasks)


def prepared(request: DatasetRequest, crew: Crew) -> Prepared:
    """Find everything that can be wrong with a request, and what there is to do.

    The crew reads the headers, if the request has limits.
    """
    check_request(request)
    names = _pseudonyms(request)
    with nullcontext() if names is None else nothing_told(request.folder):
        patterns = Patterns(request.folder, request.images, request.labels, request.landmarks)
        data_set = recognised(patterns, request.layout)
        check_names(request, data_set)
        readers = None if request.limits is None else Readers(crew, request.limits)
        cases, unreadable = read_inputs(patterns, data_set, readers)
    if names is not None:
        names = names.with_cases(cases, unreadable, request.folder)
        secret = names_below(request.folder) if unreadable else ()
        cases = tuple(names.hidden(case, request.folder) for case in cases)
        unreadable = tuple(names.hidden_failure(one, secret) for one in unreadable)
    job, unfit = _job(request, cases)
    counts = {dimension: sample_count(one, job.design) for dimension, one in job.pipelines.items()}
    fitting = [case for case in cases if case.dimension in counts]
    shard = request.shard
    tasks = _tasks(fitting, counts, shard)
    failures = (*unreadable, *unfit) if shard.number == 1 else ()
    return Prepared(names, job, tuple(cases), tuple(tasks), failures)


def _pseudonyms(request: DatasetRequest) -> Pseudonyms | None:
    """Return the key of a request; one that is not there yet is made, but not written."""
    path = request.pseudonyms
    if path is None:
        return None
    check_key_file(path, (request.folder, request.out))
    return Pseudonyms.read(path) if path.exists() else Pseudonyms.new()


class _Tally:
    """Counts outcomes and shows the progress."""

    def __init__(
        self, total: int, failures: Sequence[Failure], begin: float, show: Show | None
    ) -> None:
        self.made = self.kept = 0
        self.warnings: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self._failures = dict.fromkeys(failures)
        self._total, self._begin, self._show = total, begin, show
        self._done = self._failed = 0
        self._tell()

    @property
    def failures(self) -> tuple[Failure, ...]:
        return tuple(self._failures)

    def keep(self, found: ToDo) -> None:
        """Count what the manifest says is finished."""
        self.kept += found.kept
        self._done += found.kept
        self.warnings.update(found.warnings)
        if found.kept:
            self._tell()

    def add(self, settled: Settled) -> None:
        """Count one outcome."""
        self._done += settled.samples
        match settled.outcome:
            case Finished(line=line, kept=kept, warnings=warnings, seconds=seconds):
                if seconds is not None:
                    self.seconds[line.sample] = seconds
                self.kept += kept
                self.made += not kept
                self.warnings.update(text.replace(line.sample, "<sample>") for text in warnings)
            case Failure():
                self._failures[settled.outcome] = None
                self._failed += settled.samples
        self._tell()

    def _tell(self) -> None:
        if self._show is not None:
            seconds = time.monotonic() - self._begin
            self._show(Progress(self._done, self._total, self.kept, self._failed, seconds))


def _job(request: DatasetRequest, cases: Sequence[CaseInput]) -> tuple[Job, tuple[Failure, ...]]:
    """Settle everything that is shared; each pipeline draws its first recipe, to fail early."""
    design = _design(request.pipeline.design, request.count)
    seed = request.pipeline.seed if request.seed is None else request.seed
    pipelines, unfit = pipelines_by_dimension(request.pipeline.replace(design=None, seed=0), cases)
    job = Job(
        folder=request.folder,
        out=request.out,
        pipelines=pipelines,
        design=design,
        seed=seed,
        suffix=request.suffix,
        backend=request.backend,
        threads=max(1, available_cpus() // request.workers) if request.scheduler is None else 1,
        limits=request.limits,
    )
    for pipeline in job.pipelines.values():
        next(draw(pipeline, design, job.seed), None)
    return job, unfit


def _design(design: Design | None, count: int | None) -> Design:
    """Return the design with its count settled."""
    chosen = Random() if design is None else design
    if count is not None:
        return with_count(chosen, count)
    return with_count(chosen, DEFAULT_COUNT) if chosen == Random() else chosen


def _tasks(cases: Sequence[CaseInput], counts: Mapping[int, int], shard: Shard) -> list[Task]:
    """The part of a shard: whole cases where there are enough of them, else stretches of samples.

    It depends on nothing else, so that shards may differ in their workers.
    """
    parts = -(-shard.count // max(1, len(cases)))
    everything = []
    for case in cases:
        count = counts[case.dimension]
        everything += _cut(Task(case, 0, count), -(-count // parts))
    return everything[shard.number - 1 :: shard.count]


def _for_workers(tasks: Sequence[Task], workers: int) -> list[Task]:
    """Cut tasks for several workers; a case at a time if there are many, to decode it once."""
    if workers == 1:
        return list(tasks)
    parts = max(1, -(-2 * workers // max(1, len(tasks))))
    cut = []
    for task in tasks:
        cut += _cut(task, min(-(-(task.stop - task.start) // parts), _LARGEST_CHUNK))
    return cut


def _cut(task: Task, size: int) -> list[Task]:
    starts = range(task.start, task.stop, max(1, size))
    return [Task(task.case, start, min(start + size, task.stop)) for start in starts]


def _record(request: DatasetRequest, work: Prepared) -> JobRecord:
    job = work.job
    return JobRecord(
        engine=ENGINE,
        pipeline=plain(request.pipeline.replace(design=None, seed=0)),
        resolved={f"{dimension}D": plain(one) for dimension, one in job.pipelines.items()},
        design=plain(job.design),
        seed=job.seed,
        format=job.suffix,
        backend=job.backend,
        pseudonyms=None if work.pseudonyms is None else work.pseudonyms.key_id,
    )


@dataclass(frozen=True)
class _Hands:
    """Who makes the samples of a request."""

    request: DatasetRequest
    crew: Crew

    def settled(self, job: Job, whole: Sequence[Task]) -> Iterator[Settled]:
        """Make the samples, here, in the crew or on a cluster."""
        request = self.request
        if request.scheduler is not None:
            from millimorph.generate.dask import on_cluster

            return on_cluster(request.scheduler, job, _for_workers(whole, _WORKERS_OF_A_CLUSTER))
        tasks = _for_workers(whole, request.workers)
        if job.limits is None and (self.crew.count == 1 or len(tasks) <= 1):
            return _here(job, tasks)
        return supervised(self.crew, Work(start, job), tasks)


def _here(job: Job, tasks: Sequence[Task]) -> Iterator[Settled]:
    maker = SampleMaker(job)
    for task in tasks:
        left = task.stop - task.start
        for outcome in maker.outcomes(task):
            ends = isinstance(outcome, Failure) and outcome.index is None
            yield Settled(outcome, left if ends else 1)
            left -= 1


def _run(job: Job, tasks: Sequence[Task], hands: _Hands, tally: _Tally) -> None:
    """Do the tasks and keep the records; whatever ends the run, what is finished stays."""
    found = to_do(job, tasks, available_cpus())
    tally.keep(found)
    if found.tasks:
        check_space(job, found.tasks, hands.crew)
    notes = _done(job, found.tasks, hands, tally) if found.tasks else None
    with alone_with_records(job.out):
        if notes is not None or not found.is_whole:
            merge_manifest(job.out, None if notes is None else notes.path)
        write_records(job.out)
        write_timings(job.out, tally.seconds)
        others = _of_other_shards(job.out, tasks) if hands.request.shard.count > 1 else ()
        write_quarantine(job.out, {*others, *tally.failures})
        if notes is not None:
            notes.remove()


def _done(job: Job, tasks: Sequence[Task], hands: _Hands, tally: _Tally) -> RunNotes:
    """Do the tasks; return the notes of what came out."""
    try:
        with RunNotes(job.out) as notes:
            for settled in hands.settled(job, tasks):
                if isinstance(settled.outcome, Finished):
                    notes.append(settled.outcome.row)
                tally.add(settled)
    except (OutputError, EngineError) as error:
        raise type(error)(
            f"{error}; {tally.made + tally.kept} samples are finished and complete, run the same "
            f"command again to go on"
        ) from None
    return notes


def _of_other_shards(out: Path, tasks: Sequence[Task]) -> list[Failure]:
    """What is on record of samples that are not this run's; a damaged record is forgotten."""
    try:
        found = read_quarantine(out)
    except OutputError:
        return []
    return [
        one
        for one in found
        if not any(
            task.case.id == one.case and (one.index is None or task.start <= one.index < task.stop)
            for task in tasks
        )
    ]
