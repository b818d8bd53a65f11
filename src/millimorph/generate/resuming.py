"""To do = recipes − manifest: what a run finds finished, without opening a sidecar.

A row of the manifest was written after its sample was complete, and job.json holds the folder to
one job, so case and index say which recipe it is. What may have changed since is looked at: the
sources, by their digests, and whether every file is there with its size. Whether the bytes in them
are still the same is for `verify`. A sample without such a row is judged by its sidecar.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from millimorph.errors import FileError
from millimorph.generate.inputs import CaseInput
from millimorph.generate.lines import ManifestLine
from millimorph.generate.manifest import MANIFEST_FILE, manifest_rows
from millimorph.generate.sidecar import file_digest
from millimorph.generate.work import Job, Task

Digest = tuple[str, str, int]


@dataclass(frozen=True)
class ToDo:
    """What there is to do, and how many samples need nothing; `warnings` are those of these.

    `is_whole`: the manifest holds these samples and nothing else.
    """

    tasks: tuple[Task, ...]
    kept: int
    warnings: Mapping[str, int]
    is_whole: bool


@dataclass(frozen=True)
class _Known:
    """A case that was begun: its sources as they are now, and 1 for each sample still to do.

    Samples that are not asked for, such as those of other shards, have 0.
    """

    case: CaseInput
    digests: Mapping[str, Digest]
    left: bytearray


def to_do(job: Job, tasks: Sequence[Task], threads: int) -> ToDo:
    """Take out of tasks what is finished already; `threads` digest the sources."""
    known = _known(job, tasks, threads)
    kept, warnings = 0, Counter[str]()
    folder = _Folder(job.out)
    manifest, length = job.out / MANIFEST_FILE, 0
    for place, content in manifest_rows(job.out):
        one = known.get(content.get("case", ""))
        if one is None or not _is_current(content, one, folder):
            continue
        kept += 1
        one.left[content["index"]] = 0
        length += place.length if place.file == manifest else 0
        line = ManifestLine.of(content)
        warnings.update(text.replace(line.sample, "<sample>") for text in content["warnings"])
    rest = [part for task in tasks for part in _missing(task, known.get(task.case.id))]
    is_whole = manifest.is_file() and manifest.stat().st_size == length
    return ToDo(tuple(rest), kept, warnings, is_whole)


def _known(job: Job, tasks: Sequence[Task], threads: int) -> dict[str, _Known]:
    """Digest the sources of cases that have a folder; those that cannot be read are left out."""
    cases = {task.case.id: task.case for task in tasks}
    left = {case: bytearray() for case in cases}
    for task in tasks:
        asked = left[task.case.id]
        asked.extend(bytes(max(0, task.stop - len(asked))))
        asked[task.start : task.stop] = b"\1" * (task.stop - task.start)
    begun = [case for case in cases.values() if (job.out / case.id).is_dir()]
    with ThreadPoolExecutor(threads) as pool:
        found = zip(begun, pool.map(_digests, begun), strict=True)
        return {
            case.id: _Known(case, digests, left[case.id])
            for case, digests in found
            if digests is not None
        }


def _digests(case: CaseInput) -> dict[str, Digest] | None:
    try:
        return {role: (kind, *file_digest(path)) for role, kind, path in case.files}
    except FileError:
        return None


class _Folder:
    """The sizes of the files of one case; rows come case by case, so one is remembered."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._case: str | None = None
        self._sizes: dict[str, int] = {}

    def sizes(self, case: str) -> dict[str, int]:
        """Return the sizes of a case's files by name; nothing of a folder that is a link."""
        if case != self._case:
            self._case, self._sizes = case, {}
            with suppress(OSError):
                if not (self._out / case).is_symlink():
                    with os.scandir(self._out / case) as entries:
                        self._sizes = {e.name: e.stat().st_size for e in entries if e.is_file()}
        return self._sizes


def _is_current(content: Mapping[str, Any], known: _Known, folder: _Folder) -> bool:
    """Tell whether a row is of a sample still to do and all its files are there."""
    case = known.case
    try:
        index = content["index"]
        if not 0 <= index < len(known.left) or not known.left[index]:
            return False
        if content["group"] != case.group:
            return False
        made_of = {
            role: (one["kind"], one["sha256"], one["bytes"])
            for role, one in content["sources"].items()
        }
        wanted = {content["sidecar"]: content["bytes"]}
        wanted |= {
            path: content["outputs"][role]["bytes"] for role, path in content["files"].items()
        }
    except (KeyError, TypeError, AttributeError):
        return False
    sizes = folder.sizes(case.id)
    there = (sizes.get(path.removeprefix(f"{case.id}/")) == size for path, size in wanted.items())
    return made_of == known.digests and all(there)


def _missing(task: Task, known: _Known | None) -> Iterator[Task]:
    """Cut a task into the stretches that are not finished."""
    if known is None:
        yield task
        return
    start = task.start
    while start < task.stop:
        begin = known.left.find(1, start, task.stop)
        if begin < 0:
            return
        end = known.left.find(0, begin, task.stop)
        stop = task.stop if end < 0 else end
        yield replace(task, start=begin, stop=stop)
        start = stop
