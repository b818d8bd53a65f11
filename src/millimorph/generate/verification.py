"""Whether an output folder is as it was written: every byte of every file, nothing lost or added.

Each file is held against the digest in its sidecar, each sidecar against the manifest, and the
manifest against the sidecars; job.json and quarantine.jsonl carry digests of their own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from millimorph.errors import FileError, OutputError, PipelineError
from millimorph.generate.manifest import (
    JOB_FILE,
    MANIFEST_FILE,
    QUARANTINE_FILE,
    ManifestLine,
    manifest_text,
    read_job,
    read_manifest,
    read_quarantine,
)
from millimorph.generate.sidecar import Sidecar, file_digest
from millimorph.io.atomic import is_temporary

Show = Callable[[int, int], None]


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
    lines = read_manifest(out)
    findings = [*_records(out, lines)]
    if any(one.path == MANIFEST_FILE for one in findings):
        lines = _lines_of_sidecars(out) | lines
    expected = {JOB_FILE, MANIFEST_FILE, QUARANTINE_FILE}
    files = 0
    for number, line in enumerate(lines.values()):
        if show is not None:
            show(number, len(lines))
        for path, finding in _sample(out, line):
            expected.add(path)
            files += 1
            if finding is not None:
                findings.append(finding)
    findings += _extra(out, expected)
    if show is not None:
        show(len(lines), len(lines))
    ordered = tuple(sorted(findings, key=lambda one: (one.path, one.state)))
    return Verification(out, len(lines), files, ordered)


def _records(out: Path, lines: dict[str, ManifestLine]) -> Iterator[Finding]:
    try:
        read_job(out)
    except OutputError as error:
        yield Finding(JOB_FILE, "damaged", str(error))
    try:
        read_quarantine(out)
    except OutputError as error:
        yield Finding(QUARANTINE_FILE, "damaged", str(error))
    path = out / MANIFEST_FILE
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        yield Finding(MANIFEST_FILE, "missing", "there is no manifest; generate makes it again")
        return
    if found != manifest_text(lines.values()).encode():
        reason = "lines are damaged, doubled or out of order; generate makes it again"
        yield Finding(MANIFEST_FILE, "damaged", reason)


def _lines_of_sidecars(out: Path) -> dict[str, ManifestLine]:
    """What the manifest would say, from the sidecars alone: for samples whose line is damaged."""
    lines = {}
    for path in sorted(out.glob("*/*.json")):
        try:
            sidecar = Sidecar.read(path)
            recipe = sidecar.parsed_recipe()
        except (FileError, PipelineError):
            continue
        folder = path.parent.name
        files = {role: f"{folder}/{output.file}" for role, output in sidecar.outputs.items()}
        sha256, _ = file_digest(path)
        line = ManifestLine(
            recipe.case, recipe.index, sidecar.drawn, f"{folder}/{path.name}", sha256, files
        )
        lines[line.sample] = line
    return lines


def _sample(out: Path, line: ManifestLine) -> Iterator[tuple[str, Finding | None]]:
    """Every file of a sample, with what is wrong with it."""
    yield line.sidecar, _against(out, line.sidecar, line.sha256, "the manifest")
    try:
        sidecar = Sidecar.read(out / line.sidecar)
    except FileError:
        for path in line.files.values():
            there = (out / path).is_file()
            state: Literal["damaged", "missing"] = "damaged" if there else "missing"
            reason = "cannot be told, its sidecar is damaged" if there else "is not there"
            yield path, Finding(path, state, reason)
        return
    folder = Path(line.sidecar).parent.as_posix()
    for output in sidecar.outputs.values():
        path = f"{folder}/{output.file}"
        yield path, _against(out, path, output.sha256, "its sidecar")
    told = (sidecar.drawn, sidecar.recipe.get("case"), sidecar.recipe.get("index"))
    files = {role: f"{folder}/{output.file}" for role, output in sidecar.outputs.items()}
    if told != (line.recipe, line.case, line.index) or files != line.files:
        reason = f"the line of {line.sample} differs from its sidecar"
        yield line.sidecar, Finding(MANIFEST_FILE, "damaged", reason)


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
            reason = "left by a run that was stopped" if left else "is not in the manifest"
            yield Finding(name, "extra", reason)
