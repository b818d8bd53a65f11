"""Disk space: what a sample takes, and whether those that are to be made fit.

What headers tell is enough to see that there is plenty. Otherwise one sample is made in a temporary
folder: how well voxels compress is not in a header.
"""

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from millimorph.errors import OutputError
from millimorph.generate.child import Work
from millimorph.generate.limits import bytes_of
from millimorph.generate.manifest import Failure
from millimorph.generate.pool import Crew
from millimorph.generate.supervision import supervised
from millimorph.generate.work import Finished, Job, SampleMaker, Task, start

# Float64 and sixteen times the voxels: channels, one-hot labels, padding.
_PLENTY_BYTES = 128
# Deflate makes at most so many bytes of one; other compressors are near it.
_MOST_DEFLATED = 1032
# Cases differ; only what is clearly too much is refused.
_CLEARLY = 0.8


@dataclass(frozen=True)
class OneSample:
    """What one sample took."""

    bytes: int
    seconds: float


def one_sample(job: Job, task: Task, crew: Crew) -> OneSample | Failure:
    """Make the first sample of a task in a temporary folder, and measure it."""
    first = replace(task, stop=task.start + 1)
    with tempfile.TemporaryDirectory(prefix="millimorph-plan-") as folder:
        elsewhere = replace(job, out=Path(folder))
        begin = time.monotonic()
        if job.limits is None:
            (outcome,) = SampleMaker(elsewhere).outcomes(first)
        else:
            (settled,) = supervised(crew, Work(start, elsewhere), [first])
            outcome = settled.outcome
        seconds = time.monotonic() - begin
        if not isinstance(outcome, Finished):
            return outcome
        paths = Path(folder).rglob("*")
        return OneSample(sum(one.stat().st_size for one in paths if one.is_file()), seconds)


def bytes_text(count: int) -> str:
    """Return `1.5 GB`."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def free_bytes(out: Path) -> int:
    """The free bytes where the output folder is or will be."""
    for folder in (out.absolute(), *out.absolute().parents):
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    raise OutputError(f"{out}: lies in no folder")


def check_space(job: Job, tasks: Sequence[Task], crew: Crew) -> None:
    """Refuse what clearly does not fit on the disk: OutputError with what is needed and free.

    What else is wrong, such as a case that cannot be read, is for the run to tell.
    """
    free = free_bytes(job.out)
    if _plenty(job, tasks) <= free:
        return
    try:
        found = one_sample(job, tasks[0], crew)
    except OutputError:
        return
    if isinstance(found, Failure):
        return
    voxels = _voxels(job, tasks[0])
    share = sum((task.stop - task.start) * _voxels(job, task) for task in tasks) / voxels
    needed = found.bytes * share
    if _CLEARLY * needed > free:
        count = sum(task.stop - task.start for task in tasks)
        raise OutputError(
            f"{job.out}: about {bytes_text(round(needed))} are needed for {count} samples, "
            f"{bytes_text(free)} are free on that disk; free some, lower --count, or choose a "
            f"smaller --format or another --out"
        )


def _plenty(job: Job, tasks: Sequence[Task]) -> float:
    """Bytes that samples surely do not pass; infinite where headers do not tell their voxels."""
    total = 0.0
    for task in tasks:
        reference = job.pipelines[task.case.dimension].reference
        if reference is not None:
            return float("inf")
        files = len(task.case.files)
        total += (task.stop - task.start) * files * _PLENTY_BYTES * _voxels(job, task)
    return total


def _voxels(job: Job, task: Task) -> int:
    """How large a case's samples are, beside those of other cases; all alike with a reference.

    A header that announces more than its file can hold is not believed.
    """
    if job.pipelines[task.case.dimension].reference is not None:
        return 1
    held = sum(bytes_of(path) for _, _, path in task.case.files)
    return max(1, min(max(grid.voxel_count for grid in task.case.grids), _MOST_DEFLATED * held))
