"""The output folder's own records: job.json says whose it is, manifest.jsonl what is finished.

Both can be lost and made again: the sidecars decide what is done. quarantine.jsonl names what
failed in the last run.
"""

import errno
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from millimorph.errors import OutputError
from millimorph.generate.sidecar import sample_name
from millimorph.io.atomic import TEMPORARY_PREFIX, is_temporary, write_bytes

JOB_FILE = "job.json"
MANIFEST_FILE = "manifest.jsonl"
QUARANTINE_FILE = "quarantine.jsonl"
_NOTES = f"{TEMPORARY_PREFIX}manifest-"
RESERVED_NAMES = (JOB_FILE, MANIFEST_FILE, QUARANTINE_FILE)


class JobRecord(BaseModel):
    """What makes two runs the same job; the count of a random design may differ.

    `pipeline` is the one that was asked for; `resolved` holds what became of it for the dimensions
    of the cases met so far, "2D" and "3D". `digest` is that of all other fields.
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
    digest: str = ""


@dataclass(frozen=True)
class ManifestLine:
    """A finished sample; paths are relative to the output folder, with forward slashes.

    `sha256` is that of the sidecar, which holds those of the files.
    """

    case: str
    index: int
    recipe: str
    sidecar: str
    sha256: str
    files: dict[str, str]

    @property
    def sample(self) -> str:
        """The name that the sample's files begin with."""
        return sample_name(self.case, self.index)


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
    lines: dict[str, ManifestLine] = {}
    texts = []
    for path in (out / MANIFEST_FILE, *sorted(out.glob(f"{_NOTES}*"))):
        with suppress(FileNotFoundError):
            texts.append(path.read_text("utf-8", errors="replace"))
    for row in "\n".join(texts).split("\n"):
        try:
            content = json.loads(row)
            content.pop("sample")
            check = content.pop("check")
            line = ManifestLine(**content)
            if check != _check_of(_manifest_content(line)):
                continue
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        lines[line.sample] = line
    return lines


def write_manifest(out: Path, lines: Iterable[ManifestLine]) -> None:
    """Write the whole manifest at once, sorted by case and index."""
    content = manifest_text(lines).encode()
    path = out / MANIFEST_FILE
    if not path.exists() or path.read_bytes() != content:
        write_bytes(path, content)


def manifest_text(lines: Iterable[ManifestLine]) -> str:
    """The text of a finished manifest: one line per sample, sorted by case and index."""
    ordered = sorted(lines, key=lambda line: (line.case, line.index))
    return "".join(_manifest_row(line) for line in ordered)


def is_notes(path: Path) -> bool:
    """Tell whether a file holds what one run has finished."""
    return path.name.startswith(_NOTES)


def read_quarantine(out: Path) -> tuple[Failure, ...]:
    """Return what failed in the last run.

    Raises OutputError for a file that is not as it was written.
    """
    path = out / QUARANTINE_FILE
    try:
        rows = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{path}: cannot be read: {error}") from None
    try:
        found = [json.loads(row) for row in rows]
        failures = tuple(Failure(one["case"], one["index"], one["reason"]) for one in found)
    except (ValueError, TypeError, KeyError):
        failures = ()
    if _quarantine_text(failures) != "".join(f"{row}\n" for row in rows):
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
        write_bytes(path, _quarantine_text(ordered).encode())
    else:
        path.unlink(missing_ok=True)


def _quarantine_text(failures: Iterable[Failure]) -> str:
    """One line per failure, each with a short digest of itself."""
    rows = []
    for failure in failures:
        content = asdict(failure)
        rows.append(_row({**content, "check": _check_of(content)}))
    return "".join(rows)


def _check_of(content: Mapping[str, object]) -> str:
    """A short digest of a row, so that a damaged one is known."""
    return hashlib.blake2b(_row(content).encode(), digest_size=8).hexdigest()


class RunNotes:
    """The finished samples of one run, in a file of its own; a line is on the disk before the next.

    Raises OutputError if the file cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self._path = out / f"{_NOTES}{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        with _told(self._path):
            self._stream = self._path.open("xb", buffering=0)

    def append(self, line: ManifestLine) -> None:
        """Write one line and wait until it is on the disk."""
        with _told(self._path):
            row = _manifest_row(line).encode()
            if self._stream.write(row) != len(row):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._stream.fileno())

    def remove(self) -> None:
        """Delete the file, once the manifest holds its lines."""
        with _told(self._path):
            self._path.unlink(missing_ok=True)

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


def _manifest_row(line: ManifestLine) -> str:
    content = _manifest_content(line)
    return _row({**content, "check": _check_of(content)})


def _manifest_content(line: ManifestLine) -> dict[str, object]:
    return {"sample": line.sample, **asdict(line)}


def _row(content: Mapping[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def _pretty(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
