"""Whether an output folder is as it was written: every byte of every file, nothing lost or added.

Each file is held against the digest in its sidecar, each sidecar against the manifest, the manifest
against the sidecars, and the other records against SHA256SUMS; job.json, quarantine.jsonl,
timings.jsonl and SHA256SUMS carry digests of their own.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from millimorph.errors import FileError, OutputError
from millimorph.generate.checksums import read_checksums
from millimorph.generate.lines import Place, manifest_content, row_at, rows_of
from millimorph.generate.manifest import (
    CARD_FILE,
    CHECKSUMS_FILE,
    CROISSANT_FILE,
    JOB_FILE,
    MANIFEST_FILE,
    PARQUET_FILE,
    QUARANTINE_FILE,
    TIMINGS_FILE,
    read_job,
    read_quarantine,
)
from millimorph.generate.sidecar import Sidecar, file_digest
from millimorph.io.atomic import is_temporary

Show = Callable[[int, int], None]
_SUMMED = {MANIFEST_FILE, PARQUET_FILE, CARD_FILE, CROISSANT_FILE}
RECORDS = frozenset({*_SUMMED, JOB_FILE, QUARANTINE_FILE, CHECKSUMS_FILE, TIMINGS_FILE})
_AGAIN = "generate makes it again"


@dataclass(frozen=True)
class Finding:
    """A file that is not as it should be; the path is relative to the output folder."""

    path: str
    state: Literal["damaged", "missing", "extra"]
    reason: str


@dataclass(frozen=True)
class Verification:
    """What was looked at and what was found."""

    out: Path
    samples: int
    files: int
    findings: tuple[Finding, ...]

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings


def verify(out: Path | str, show: Show | None = None) -> Verification:
    """Hash every file of an output folder again, and name what is damaged, missing or extra.

    `show` is called with the number of samples that were looked at and of all samples.

    Raises OutputError for a folder that is not of a millimorph job.
    """
    out = Path(out)
    if not (out / JOB_FILE).exists():
        read_job(out)
    findings = [*_records(out), *_checked_sums(out)]
    samples: dict[str, Place | None] = {**dict(_samples_on_record(out))}
    if any(one.path == MANIFEST_FILE for one in findings):
        samples = dict.fromkeys(_sidecars(out)) | samples
    expected = {*RECORDS}
    for number, (sidecar, place) in enumerate(samples.items()):
        if show is not None:
            show(number, len(samples))
        for path, finding in _sample(out, sidecar, place):
            expected.add(path)
            if finding is not None:
                findings.append(finding)
    files = len(expected) - len(RECORDS)
    findings += _extra(out, expected)
    if show is not None:
        show(len(samples), len(samples))
    return Verification(out, len(samples), files, _ordered(findings))


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sort findings, and keep the first one for each file."""
    first: dict[str, Finding] = {}
    for one in findings:
        first.setdefault(one.path, one)
    return tuple(first[path] for path in sorted(first))


def _records(out: Path) -> Iterator[Finding]:
    """Look at the records that know themselves whether they are as they were written."""
    readers: tuple[tuple[str, Callable[[Path], object]], ...] = (
        (JOB_FILE, read_job),
        (QUARANTINE_FILE, read_quarantine),
        (CHECKSUMS_FILE, read_checksums),
    )
    for name, read in readers:
        try:
            read(out)
        except OutputError as error:
            yield Finding(name, "damaged", str(error))
    if any(content is None for _, content in rows_of(out / TIMINGS_FILE)):
        yield Finding(TIMINGS_FILE, "damaged", "has a damaged line; remove it")
    if not (out / MANIFEST_FILE).exists():
        yield Finding(MANIFEST_FILE, "missing", f"there is no manifest; {_AGAIN}")
    last: tuple[str, int] = ("", -1)
    for _, content in rows_of(out / MANIFEST_FILE):
        now = None if content is None else (str(content.get("case")), content.get("index", -1))
        if now is None or now <= last:
            reason = f"lines are damaged, doubled or out of order; {_AGAIN}"
            yield Finding(MANIFEST_FILE, "damaged", reason)
            return
        last = now


def _checked_sums(out: Path) -> Iterator[Finding]:
    """Hold the other records against SHA256SUMS."""
    try:
        sums = read_checksums(out)
    except OutputError:
        return
    if not sums:
        yield Finding(CHECKSUMS_FILE, "missing", f"is written when a run ends; {_AGAIN}")
    for name, sha256 in sums.items():
        finding = _against(out, name, sha256, CHECKSUMS_FILE)
        if finding is not None:
            yield replace(finding, reason=f"{finding.reason}; {_AGAIN}")
    for name in sorted(_SUMMED - sums.keys()):
        if sums and (out / name).exists():
            yield Finding(name, "extra", f"is not in {CHECKSUMS_FILE}")


def _samples_on_record(out: Path) -> Iterator[tuple[str, Place]]:
    for place, content in rows_of(out / MANIFEST_FILE):
        if content is not None and "sidecar" in content:
            yield str(content["sidecar"]), place


def _sidecars(out: Path) -> Iterator[str]:
    """Find the sidecars themselves: for samples whose line is damaged."""
    for path in sorted(out.glob("*/*.json")):
        with suppress(FileError):
            Sidecar.read(path)
            yield path.relative_to(out).as_posix()


def _sample(out: Path, path: str, place: Place | None) -> Iterator[tuple[str, Finding | None]]:
    """Every file of a sample, with what is wrong with it; the row at `place` is its line."""
    row = None if place is None else row_at(place)
    finding = None if row is None else _against(out, path, row["sha256"], "the manifest")
    yield path, finding
    try:
        sidecar = Sidecar.read(out / path)
        folder = PurePosixPath(path).parent.as_posix()
        told = manifest_content(sidecar, folder, (out / path).read_bytes())
    except (FileError, OSError, KeyError, TypeError, ValueError):
        for file in (row or {}).get("files", {}).values():
            there = (out / file).is_file()
            state: Literal["damaged", "missing"] = "damaged" if there else "missing"
            reason = "cannot be told, its sidecar is damaged" if there else "is not there"
            yield file, Finding(file, state, reason)
        return
    for role, file in told["files"].items():
        yield file, _against(out, file, told["outputs"][role]["sha256"], "its sidecar")
    if row is not None and finding is None and row != told:
        reason = f"the line of {told['sample']} differs from its sidecar"
        yield path, Finding(MANIFEST_FILE, "damaged", reason)


def _against(out: Path, path: str, sha256: str, record: str) -> Finding | None:
    """What is wrong with a file whose digest is on record."""
    if not (out / path).is_file():
        return Finding(path, "missing", "is not there")
    try:
        found, _ = file_digest(out / path)
    except FileError as error:
        return Finding(path, "damaged", str(error))
    return None if found == sha256 else Finding(path, "damaged", f"differs from {record}")


def _extra(out: Path, expected: set[str]) -> Iterator[Finding]:
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        if name not in expected:
            left = is_temporary(path)
            reason = "of a run that goes on or was stopped" if left else "is not in the manifest"
            yield Finding(name, "extra", reason)
