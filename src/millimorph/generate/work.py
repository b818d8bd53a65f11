"""What one process does: make the samples of a case, one after the other, and commit each.

A failure is a value: the case or the sample that failed, and why. Only a failure to write comes out
as an exception, since it concerns every sample.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from millimorph.compiler import compile as compile_recipe
from millimorph.designs import Design
from millimorph.errors import FileError, MillimorphError, OutputError
from millimorph.generate.child import Step
from millimorph.generate.inputs import CaseInput, relative_text
from millimorph.generate.limits import Limits
from millimorph.generate.lines import ManifestLine, manifest_content, sealed
from millimorph.generate.manifest import Failure
from millimorph.generate.measuring import LabelCounts, counted, measured
from millimorph.generate.pseudonyms import without
from millimorph.generate.sample import (
    Sample,
    Sources,
    collected,
    file_names,
    find_sources,
    is_complete,
    read_case,
    write_sample,
)
from millimorph.generate.sidecar import Sidecar, sample_name
from millimorph.images import Case
from millimorph.recipe import Pipeline, Recipe, draw
from millimorph.runner import Backend, run


@dataclass(frozen=True)
class Job:
    """What every task of a run shares.

    `pipelines` holds, for each dimension of the cases, the pipeline with its dimension and the
    extent of its reference set, so that recipes need no other case.
    """

    folder: Path
    out: Path
    pipelines: Mapping[int, Pipeline]
    design: Design
    seed: int
    suffix: str
    backend: Backend
    threads: int
    limits: Limits | None = None


@dataclass(frozen=True)
class Task:
    """Samples `start` to `stop` (excluded) of one case."""

    case: CaseInput
    start: int
    stop: int


@dataclass(frozen=True)
class Finished:
    """A finished sample with its row for the manifest; `kept` if an earlier run had made it.

    `seconds` is how long it took, None of one that was kept.
    """

    line: ManifestLine
    row: bytes
    kept: bool
    warnings: tuple[str, ...]
    seconds: float | None


Outcome = Finished | Failure


@dataclass
class _Opened:
    """A case whose sources are digested, and decoded once a sample has to be made.

    `counts` are those of the labels in its label maps.
    """

    sources: Sources
    case: Case | None = None
    counts: dict[str, LabelCounts] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class SampleMaker:
    """Makes the samples of tasks; holds one case, so tasks of a case in a row decode it once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._opened: _Opened | None = None
        self._secret: tuple[str, ...] = ()

    def outcomes(self, task: Task) -> Iterator[Outcome]:
        """Yield the outcome of every sample of a task; of a case that cannot be read, only one.

        Raises OutputError when a file cannot be written.
        """
        return (one for one in self.steps(task) if not isinstance(one, Step))

    def steps(self, task: Task) -> Iterator[Step | Outcome]:
        """Yield the outcomes, and before each piece of work what it is and how long it may take.

        A step without an index is to read files of the case.
        """
        limits = self._job.limits or Limits()
        self._secret = task.case.secret
        reading = Step(None, limits.seconds_for(path for _, _, path in task.case.files))
        try:
            yield reading
            opened = self._open(task.case)
            for recipe in self._recipes(task):
                kept = _kept(recipe, opened.sources, self._case_folder(recipe.case))
                if kept is not None:
                    yield replace(_finished(*kept, None), kept=True)
                    continue
                if opened.case is None:
                    yield reading
                    opened.case = self._read(opened)
                    opened.counts = {
                        name: counted(labels, self._job.backend)
                        for name, labels in opened.case.labels.items()
                    }
                yield Step(recipe.index, limits.sample_seconds)
                yield self._outcome(recipe, opened, opened.case)
        except OutputError:
            raise
        except Exception as error:  # noqa: BLE001 - one bad case must not end the job
            yield Failure(task.case.id, None, self._reason(error))

    def _recipes(self, task: Task) -> Iterator[Recipe]:
        job = self._job
        pipeline = job.pipelines[task.case.dimension]
        return draw(pipeline, job.design, job.seed, task.case.id, task.start, task.stop)

    def _open(self, case: CaseInput) -> _Opened:
        if self._opened is None or self._opened.sources.case != case.id:
            self._opened = None
            files = {role: (kind, path) for role, kind, path in case.files}
            if self._job.limits is not None:
                self._job.limits.check_sizes(path for _, path in files.values())
            own = (files, case.fourth_axis, case.group)
            sources = find_sources(case.id, self._job.folder, *own)
            self._opened = _Opened(replace(sources, is_hidden=bool(case.secret)))
        return self._opened

    def _read(self, opened: _Opened) -> Case:
        limits = self._job.limits
        with collected(opened.warnings), nullcontext() if limits is None else limits.on_memory():
            try:
                return read_case(opened.sources)
            except MemoryError:
                if limits is None:
                    raise
                raise FileError(limits.memory_reason()) from None

    def _outcome(self, recipe: Recipe, opened: _Opened, case: Case) -> Outcome:
        folder = self._case_folder(recipe.case)
        begin = time.monotonic()
        try:
            sample = self._sample(recipe, opened, case)
        except Exception as error:  # noqa: BLE001 - one bad case must not end the job
            return Failure(recipe.case, recipe.index, self._reason(error))
        try:
            folder.mkdir(exist_ok=True)
            names = file_names(sample.result, recipe.index, self._job.suffix)
            sidecar, text = write_sample(sample, folder, names)
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
        except MillimorphError as error:
            if isinstance(error.__cause__, OSError):
                raise
            return Failure(recipe.case, recipe.index, self._reason(error))
        return _finished(sidecar, text, time.monotonic() - begin)

    def _sample(self, recipe: Recipe, opened: _Opened, case: Case) -> Sample:
        said = list(opened.warnings)
        with collected(said):
            program = compile_recipe(recipe, case)
            result = run(program, case, self._job.backend, threads=self._job.threads)
        told = tuple(dict.fromkeys(self._discreet(text) for text in said))
        backend = self._job.backend
        facts = measured(program, opened.counts, result, backend)
        return Sample(recipe.digest, backend, program, result, opened.sources, facts, told)

    def _case_folder(self, case: str) -> Path:
        folder = self._job.out / case
        if folder.resolve().parent != self._job.out.resolve():
            raise OutputError(f"{folder} leads out of the output folder; remove that link")
        return folder

    def _reason(self, error: Exception) -> str:
        match error:
            case MillimorphError():
                return self._discreet(str(error))
            case MemoryError():
                return "not enough memory for this case; try fewer --workers"
            case _:
                last = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(last.filename).name}:{last.lineno}"
                text = self._discreet(f"{type(error).__name__}: {error}")
                return f"internal error, please report it: {text} ({place})"

    def _discreet(self, text: str) -> str:
        return without(relative_text(text, self._job.folder), self._secret)


def _kept(recipe: Recipe, sources: Sources, folder: Path) -> tuple[Sidecar, bytes] | None:
    """Return the sidecar, and its text, of this very sample if an earlier run finished it."""
    path = folder / f"{sample_name(recipe.case, recipe.index)}.json"
    if not path.exists():
        return None
    try:
        sidecar, text = Sidecar.read(path), path.read_bytes()
    except (FileError, OSError):
        return None
    same = sidecar.drawn == recipe.digest and sidecar.group == sources.group
    same = same and sidecar.has_sources(sources.digests)
    return (sidecar, text) if same and is_complete(sidecar, folder) else None


def _finished(sidecar: Sidecar, text: bytes, seconds: float | None) -> Finished:
    """Return the outcome of a sample whose sidecar is `text`."""
    content = manifest_content(sidecar, str(sidecar.recipe["case"]), text)
    line = ManifestLine.of(content)
    return Finished(line, sealed(content), kept=False, warnings=sidecar.warnings, seconds=seconds)


def start(job: Job) -> Callable[[Task], Iterator[Step | Outcome]]:
    """Prepare a worker process."""
    return SampleMaker(job).steps
