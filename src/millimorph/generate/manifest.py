"""The output folder's own records: job.json says whose it is, manifest.jsonl what is finished.

Both can be lost and made again: the sidecars decide what is done. quarantine.jsonl names what
failed in the last run.
"""

import errno
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from millimorph.errors import OutputError
from millimorph.generate.lines import ManifestLine, Place, opened_in_part, rows_of, sealed
from millimorph.io.atomic import TEMPORARY_PREFIX, is_temporary, replacing, write_bytes

JOB_FILE = "job.json"
MANIFEST_FILE = "manifest.jsonl"
QUARANTINE_FILE = "quarantine.jsonl"
PARQUET_FILE = "manifest.parquet"
CARD_FILE = "README.md"
CROISSANT_FILE = "croissant.json"
CHECKSUMS_FILE = "SHA256SUMS"
TIMINGS_FILE = "timings.jsonl"
RESERVED_NAMES = (
    JOB_FILE,
    MANIFEST_FILE,
    QUARANTINE_FILE,
    PARQUET_FILE,
    CARD_FILE,
    CROISSANT_FILE,
    CHECKSUMS_FILE,
    TIMINGS_FILE,
)
_NOTES = f"{TEMPORARY_PREFIX}manifest-"


class JobRecord(BaseModel):
    """What makes two runs the same job; the count of a random design may differ.

    `pipeline` is the one that was asked for; `resolved` holds what became of it for the dimensions
    of the cases met so far, "2D" and "3D". `pseudonyms` tells their key from others. `digest` is
    that of all other fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    job: Literal["millimorph generate"] = "millimorph generate"
    engine: str
    pipeline: dict[str, Any]
    resolved: dict[str, dict[str, Any]]
    design: dict[str, Any]
    seed: int
    format: str
    backend: str
    pseudonyms: str | None = None
    digest: str = ""


@dataclass(frozen=True)
class Failure:
    """What was left out and why; an index of None means the whole case."""

    case: str
    index: int | None
    reason: str


def claim_output(out: Path, inputs: Path, job: JobRecord) -> None:
    """Make the output folder this job's, or raise OutputError and leave everything as it is.

    Refused: a folder that is, holds or lies in the input folder; a file; a folder with anything
    in it but this same job.
    """
    _check_apart(out, inputs)
    found = _job_of(out)
    if found is not None:
        shared = found.resolved.keys() & job.resolved.keys()
        one, other = _identity(found, shared), _identity(job, shared)
        if one != other:
            raise OutputError(
                f"{out} holds another job: {_difference(one, other)}; choose another --out folder, "
                f"or remove this one if it is no longer wanted"
            )
        job = job.model_copy(update={"resolved": found.resolved | job.resolved})
    job = job.model_copy(update={"digest": _job_digest(job)})
    try:
        out.mkdir(parents=True, exist_ok=True)
        if found != job:
            write_bytes(out / JOB_FILE, _pretty(job.model_dump(mode="json")))
    except OSError as error:
        raise OutputError(f"{out}: cannot be made: {error.strerror or error}") from None


def read_manifest(out: Path) -> dict[str, ManifestLine]:
    """Return the finished samples by name, also those of runs that still go on.

    A line that is cut off or damaged is left out.
    """
    lines = (ManifestLine.of(content) for _, content in manifest_rows(out))
    return {line.sample: line for line in lines}


def manifest_rows(out: Path) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the rows of finished samples one by one, also those of runs that still go on.

    They may lack what was measured. Damaged ones are left out. Of several rows of a sample the last
    one counts.
    """
    for file in (out / MANIFEST_FILE, *sorted(out.glob(f"{_NOTES}*"))):
        for place, content in rows_of(file, opened_in_part):
            if content is not None and "sidecar" in content:
                yield place, content


def first_sidecar(out: Path) -> Path | None:
    """Return the path of the first finished sample's sidecar, if there is one."""
    first = next(manifest_rows(out), None)
    return None if first is None else out / str(first[1]["sidecar"])


def merge_manifest(out: Path, notes: Path | None) -> None:
    """Write the manifest anew from all rows of samples that are there, sorted by case and index.

    Rows of `notes` win. Nothing is written if nothing would change; only where rows lie is held in
    memory.
    """
    places: dict[tuple[str, int], Place] = {}
    late: dict[tuple[str, int], Place] = {}
    for place, content in manifest_rows(out):
        if (out / content["sidecar"]).is_file():
            chosen = late if place.file == notes else places
            chosen[content["case"], content["index"]] = place
    places |= late
    path = out / MANIFEST_FILE
    ordered = [places[key] for key in sorted(places)]
    if path.exists() and _is_whole(path, ordered):
        return
    with replacing(path) as temporary, temporary.open("xb") as target, ExitStack() as stack:
        sources = {
            file: stack.enter_context(file.open("rb")) for file in {one.file for one in ordered}
        }
        for one in ordered:
            sources[one.file].seek(one.offset)
            target.write(sources[one.file].read(one.length))


def _is_whole(path: Path, places: Sequence[Place]) -> bool:
    """Tell whether rows, in this order, are the whole of one file."""
    end = 0
    for one in places:
        if one.file != path or one.offset != end:
            return False
        end += one.length
    return end == path.stat().st_size


def is_notes(path: Path) -> bool:
    """Tell whether a file holds what one run has finished."""
    return path.name.startswith(_NOTES)


def read_quarantine(out: Path) -> tuple[Failure, ...]:
    """Return what failed in the last run.

    Raises OutputError for a file that is not as it was written.
    """
    path = out / QUARANTINE_FILE
    try:
        found = [content for _, content in rows_of(path)]
        failures = tuple(
            Failure(one["case"], one["index"], one["reason"]) for one in found if one is not None
        )
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error}") from None
    except KeyError:
        failures = ()
    if len(failures) != len(found):
        raise OutputError(f"{path}: is not as it was written")
    return failures


def read_job(out: Path) -> JobRecord:
    """Return the job that a folder belongs to.

    Raises OutputError for a folder without one, or with one that is not as it was written.
    """
    path = out / JOB_FILE
    try:
        content = path.read_bytes()
        job = JobRecord.model_validate_json(content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{out}: no folder of a millimorph job: {JOB_FILE}: {reason}") from None
    except ValidationError:
        raise OutputError(f"{path}: is not as it was written") from None
    if job.digest != _job_digest(job) or content != _pretty(job.model_dump(mode="json")):
        raise OutputError(f"{path}: is not as it was written")
    return job


def _job_digest(job: JobRecord) -> str:
    text = json.dumps(job.model_dump(mode="json", exclude={"digest"}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_quarantine(out: Path, failures: Iterable[Failure]) -> None:
    """Write what failed in this run, sorted; no failures, no file."""
    ordered = sorted(failures, key=lambda one: (one.case, -1 if one.index is None else one.index))
    path = out / QUARANTINE_FILE
    if ordered:
        write_bytes(path, b"".join(sealed(asdict(one)) for one in ordered))
    else:
        path.unlink(missing_ok=True)


class RunNotes:
    """The finished samples of one run, in a file of its own.

    Rows are handed to the system at once; after a power failure sidecars tell what rows do not.
    Raises OutputError if the file cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.path = out / f"{_NOTES}{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        with _told(self.path):
            self._stream = self.path.open("xb", buffering=0)

    def append(self, row: bytes) -> None:
        """Write one row."""
        with _told(self.path):
            if self._stream.write(row) != len(row):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def remove(self) -> None:
        """Delete the file, once the manifest holds its rows."""
        with _told(self.path):
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def _check_apart(out: Path, inputs: Path) -> None:
    here, there = out.resolve(), inputs.resolve()
    if here == there or there in here.parents or here in there.parents:
        relation = "is" if here == there else ("lies in" if there in here.parents else "holds")
        raise OutputError(
            f"the output folder {out} {relation} the input folder {inputs}; choose an --out folder "
            f"apart from it"
        )


def _job_of(out: Path) -> JobRecord | None:
    """Return the job that the folder belongs to; None if it is absent or empty."""
    if not out.exists() and not out.is_symlink():
        return None
    if not out.is_dir():
        raise OutputError(f"the output folder {out} is a file; choose another --out folder")
    try:
        names = [path for path in out.iterdir() if not is_temporary(path)]
    except OSError as error:
        raise OutputError(f"{out}: cannot be read: {error.strerror or error}") from None
    if not names:
        return None
    try:
        return JobRecord.model_validate_json((out / JOB_FILE).read_bytes())
    except (OSError, ValidationError):
        raise OutputError(
            f"the output folder {out} holds files that are not of a millimorph job (such as "
            f'"{min(names).name}") and no {JOB_FILE}; nothing was touched, choose an empty or new '
            f"--out folder"
        ) from None


def _identity(job: JobRecord, dimensions: Collection[str]) -> dict[str, Any]:
    content = job.model_dump(mode="json", exclude={"schema_version", "job", "digest"})
    content["resolved"] = {name: content["resolved"][name] for name in sorted(dimensions)}
    random = content["design"].get("random")
    if isinstance(random, dict):
        content["design"] = {"random": {k: v for k, v in random.items() if k != "count"}}
    return content


def _difference(found: object, now: object, place: str = "") -> str:
    """Name the first place where two JSON values differ."""
    if isinstance(found, Mapping) and isinstance(now, Mapping):
        for key in sorted({*found, *now}):
            if found.get(key) != now.get(key):
                return _difference(found.get(key), now.get(key), f"{place}.{key}".strip("."))
    if isinstance(found, list) and isinstance(now, list) and len(found) == len(now):
        for position, (one, other) in enumerate(zip(found, now, strict=True)):
            if one != other:
                return _difference(one, other, f"{place}.{position}")
    return f"its {place} is {_short(found)}, asked is {_short(now)}"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _pretty(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
