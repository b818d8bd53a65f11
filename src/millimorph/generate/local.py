"""`generate_dataset`: a folder of images and a pipeline in, a folder of augmented samples out.

To do = recipes − samples that are there. Everything that can be wrong with the request is found
before anything is written; what is wrong with one case is told, and the other cases go on.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from millimorph.backends.cpus import available_cpus
from millimorph.designs import Design, Random, with_count
from millimorph.errors import ImageError, OutputError, PipelineError
from millimorph.generate.inputs import CaseInput, Patterns, pipelines_by_dimension, read_inputs
from millimorph.generate.manifest import (
    Failure,
    JobRecord,
    ManifestLine,
    ManifestLog,
    claim_output,
    read_manifest,
    write_manifest,
    write_quarantine,
)
from millimorph.generate.pool import Died, Workers, run_tasks
from millimorph.generate.work import Finished, Job, Outcome, SampleMaker, Task
from millimorph.images import check_name
from millimorph.io.atomic import TEMPORARY_PREFIX
from millimorph.io.extensions import WRITTEN_EXTENSIONS
from millimorph.io.layouts import DEFAULT_IMAGE
from millimorph.ops import LabelsToImage
from millimorph.recipe import ENGINE, Pipeline, draw, sample_count
from millimorph.runner import Backend
from millimorph.values import plain

DEFAULT_COUNT = 10
_LARGEST_CHUNK = 16


@dataclass(frozen=True)
class DatasetRequest:
    """What to generate.

    `images`, `labels` and `landmarks` map role names to patterns relative to `folder` with one
    `{case}`. `count` wins over the pipeline's design, whose default is Random with 10 samples per
    case; `seed` wins over the pipeline's. `suffix` is the file type of images and labels.
    """

    folder: Path
    pipeline: Pipeline
    out: Path
    images: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    landmarks: Mapping[str, str] = field(default_factory=dict)
    count: int | None = None
    seed: int | None = None
    suffix: str = ".nii.gz"
    workers: int = 1
    backend: Backend = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        object.__setattr__(self, "out", Path(self.out))


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
    """What a run did; `warnings` are texts with the number of samples that raised them."""

    out: Path
    cases: int
    made: int
    kept: int
    failures: tuple[Failure, ...]
    warnings: Mapping[str, int]
    seconds: float


def generate_dataset(request: DatasetRequest, show: Show | None = None) -> DatasetReport:
    """Make all samples of a request that are not there yet.

    The files do not depend on `workers`, on the order of work or on how often the run was stopped
    and begun again. `show` is called with the progress, in this process.

    Raises PipelineError for a pipeline or design that cannot be drawn from, FileError for a folder
    without a matching file, OutputError for an output folder that is not this job's or cannot be
    written to; then what is finished is complete, and the same request goes on from there.
    """
    begin = time.monotonic()
    _check(request)
    cases, unreadable = read_inputs(
        Patterns(request.folder, request.images, request.labels, request.landmarks)
    )
    job, unfit = _job(request, cases)
    counts = {dimension: sample_count(one, job.design) for dimension, one in job.pipelines.items()}
    fitting = [case for case in cases if case.dimension in counts]
    tasks = _tasks(fitting, counts, request.workers)
    failures = (*unreadable, *unfit)
    tally = _Tally(sum(task.stop - task.start for task in tasks), failures, begin, show)
    if tasks:
        claim_output(request.out, request.folder, _record(request, job))
        with _only_run(request.out):
            _run(job, tasks, request.workers, tally)
    return DatasetReport(
        out=request.out,
        cases=len({case.id for case in cases} | {failure.case for failure in failures}),
        made=tally.made,
        kept=tally.kept,
        failures=tally.failures,
        warnings=dict(tally.warnings),
        seconds=time.monotonic() - begin,
    )


class _Tally:
    """Counts outcomes and shows the progress."""

    def __init__(
        self, total: int, failures: Sequence[Failure], begin: float, show: Show | None
    ) -> None:
        self.made = self.kept = 0
        self.warnings: Counter[str] = Counter()
        self._failures = dict.fromkeys(failures)
        self._total, self._begin, self._show = total, begin, show
        self._done = self._failed = 0
        self._tell()

    @property
    def failures(self) -> tuple[Failure, ...]:
        return tuple(self._failures)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome; a failure of the whole case is counted by `end_task`."""
        match outcome:
            case Finished(line=line, kept=kept, warnings=warnings):
                self.kept += kept
                self.made += not kept
                self._done += 1
                self.warnings.update(text.replace(line.sample, "<sample>") for text in warnings)
            case Failure(index=index):
                self._failures[outcome] = None
                self._done += index is not None
                self._failed += index is not None
        self._tell()

    def end_task(self, missing: int) -> None:
        """Count the samples of a task that had no outcome of their own as failed."""
        if missing:
            self._done += missing
            self._failed += missing
            self._tell()

    def _tell(self) -> None:
        if self._show is not None:
            seconds = time.monotonic() - self._begin
            self._show(Progress(self._done, self._total, self.kept, self._failed, seconds))


def _check(request: DatasetRequest) -> None:
    """Refuse what is wrong with the request itself."""
    if request.workers < 1:
        raise PipelineError(f"workers must be at least 1, got {request.workers}")
    if request.suffix not in WRITTEN_EXTENSIONS:
        known = ", ".join(one.lstrip(".") for one in WRITTEN_EXTENSIONS)
        raise PipelineError(f"format {request.suffix.lstrip('.')!r} is not written; known: {known}")
    names = [*request.images, *request.labels, *request.landmarks]
    for name in names:
        try:
            check_name(name, "name")
        except ImageError as error:
            raise PipelineError(str(error)) from None
        if names.count(name) > 1:
            raise PipelineError(f'the name "{name}" is given to two patterns; names are unique')
    made = [op.image for op in request.pipeline.single_ops if isinstance(op, LabelsToImage)]
    taken = [name for name in made if name in names]
    if taken:
        raise PipelineError(
            f'the pipeline makes the image "{taken[0]}", but a pattern has that name already; name '
            "one of them otherwise"
        )
    sampled = [*request.images, *request.labels] or [DEFAULT_IMAGE]
    unknown = [name for name in request.pipeline.sampling if name not in sampled]
    if unknown:
        raise PipelineError(
            f"the pipeline gives sampling for {', '.join(unknown)}; the images and labels are "
            f"named {', '.join(sampled)}"
        )


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
        threads=max(1, available_cpus() // request.workers),
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


def _tasks(cases: Sequence[CaseInput], counts: Mapping[int, int], workers: int) -> list[Task]:
    """Cut the work: a case at a time if there are many, so that a source is decoded once."""
    tasks = []
    for case in cases:
        count = counts[case.dimension]
        parts = max(1, -(-2 * workers // len(cases))) if workers > 1 else 1
        size = max(1, min(-(-count // parts), _LARGEST_CHUNK if workers > 1 else count))
        tasks += [Task(case, start, min(start + size, count)) for start in range(0, count, size)]
    return tasks


def _record(request: DatasetRequest, job: Job) -> JobRecord:
    return JobRecord(
        engine=ENGINE,
        pipeline=plain(request.pipeline.replace(design=None, seed=0)),
        resolved={f"{dimension}D": plain(one) for dimension, one in job.pipelines.items()},
        design=plain(job.design),
        seed=job.seed,
        format=job.suffix,
        backend=job.backend,
    )


def _run(job: Job, tasks: Sequence[Task], workers: int, tally: _Tally) -> None:
    """Do the tasks and keep the manifest; whatever ends the run, the records are in order."""
    lines = {name: line for name, line in read_manifest(job.out).items() if _is_there(job, line)}
    write_quarantine(job.out, ())
    write_manifest(job.out, lines.values())
    try:
        with ManifestLog(job.out) as log:
            for task, outcomes in _outcomes(job, tasks, workers):
                missing = task.stop - task.start
                for outcome in outcomes:
                    if isinstance(outcome, Finished) and outcome.line != lines.get(
                        outcome.line.sample
                    ):
                        log.append(outcome.line)
                        lines[outcome.line.sample] = outcome.line
                    tally.add(outcome)
                    missing -= isinstance(outcome, Finished) or outcome.index is not None
                tally.end_task(missing)
    except OutputError as error:
        raise OutputError(
            f"{error}; {tally.made + tally.kept} samples are finished and complete, run the same "
            f"command again to go on"
        ) from None
    write_manifest(job.out, (line for line in lines.values() if _is_there(job, line)))
    write_quarantine(job.out, tally.failures)


def _outcomes(
    job: Job, tasks: Sequence[Task], workers: int
) -> Iterator[tuple[Task, Iterable[Outcome]]]:
    if workers == 1 or len(tasks) <= 1:
        maker = SampleMaker(job)
        for task in tasks:
            yield task, maker.outcomes(task)
        return
    crew = Workers(min(workers, len(tasks)), _start, job)
    for task, result in run_tasks(crew, tasks):
        yield task, SampleMaker(job).after_death(task) if isinstance(result, Died) else result


def _start(job: Job) -> Callable[[Task], list[Outcome]]:
    maker = SampleMaker(job)
    return lambda task: list(maker.outcomes(task))


def _is_there(job: Job, line: ManifestLine) -> bool:
    return (job.out / line.sidecar).is_file()


@contextmanager
def _only_run(out: Path) -> Iterator[None]:
    """Hold the output folder against a second run, and clear what a killed one left half written.

    The lock is the system's and goes with the process; where there is none, runs are not told
    apart, and only leftovers are not cleared.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"another run is writing to {out}; wait for it, or choose another --out folder"
            ) from None
        except OSError:
            pass
        else:
            for pattern in (f"{TEMPORARY_PREFIX}*", f"*/{TEMPORARY_PREFIX}*"):
                for path in out.glob(pattern):
                    path.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)
