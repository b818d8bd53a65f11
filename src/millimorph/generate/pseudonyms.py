"""Pseudonyms: cases and patients under names that only the holder of a key file can undo.

A pseudonym is a keyed digest (HMAC-SHA256) of a name, so it is the same in every run and shard with
that key, and tells neither the name nor its place in an order. The key file is a table of its own,
which people can read: the key, what each name became, and where the sources of each case lie.
"""

import csv
import hashlib
import hmac
import io
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Self

from millimorph.errors import EngineError, FileError, MillimorphError, OutputError, PipelineError
from millimorph.generate.inputs import CaseInput
from millimorph.generate.manifest import Failure
from millimorph.generate.sidecar import source_name
from millimorph.io.atomic import TEMPORARY_PREFIX

HIDDEN = "<hidden>"
_HEADER = ("kind", "name", "pseudonym")
_KEY = re.compile(r"[0-9a-f]{64}")
_DIGITS = 12
_LONG = 4
_UID = re.compile(r"\b\d+(?:\.\d+){4,}\b")

Row = tuple[str, str, str]


@dataclass(frozen=True)
class Pseudonyms:
    """A key, and the rows of its file: kind, name and pseudonym of what was met so far."""

    key: bytes
    rows: frozenset[Row] = field(default_factory=frozenset)

    @classmethod
    def new(cls) -> Self:
        """Make a key."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a key file; FileError if it is not one."""
        try:
            rows = list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FileError(f"{path}: cannot be read: {error}") from None
        if not rows or tuple(rows[0]) != _HEADER or any(len(row) != len(_HEADER) for row in rows):
            raise FileError(f"{path}: no key file of pseudonyms: its header is not {_HEADER}")
        keys = [name for kind, name, _ in rows if kind == "key"]
        if len(keys) != 1 or _KEY.fullmatch(keys[0]) is None:
            raise FileError(f"{path}: no key file of pseudonyms: it has no row with the key")
        found = frozenset((kind, name, told) for kind, name, told in rows[1:] if kind != "key")
        return cls(bytes.fromhex(keys[0]), found)

    @property
    def key_id(self) -> str:
        """What tells keys apart and gives none away."""
        return hashlib.sha256(b"millimorph key\0" + self.key).hexdigest()[:16]

    def of(self, kind: str, name: str) -> str:
        """Return the pseudonym of a case or patient."""
        text = f"{kind}\0{name}".encode("utf-8", errors="surrogateescape")
        return f"{kind}-{hmac.new(self.key, text, hashlib.sha256).hexdigest()[:_DIGITS]}"

    def hidden(self, case: CaseInput, folder: Path) -> CaseInput:
        """Return a case under its pseudonym, with the texts that must not be told of it."""
        paths = [path.relative_to(folder) for _, _, path in case.files]
        names = [case.id, *([] if case.group is None else [case.group])]
        group = None if case.group is None else self.of("patient", case.group)
        secret = tuple(sorted({*names, *_names_in(paths)}, key=lambda one: (-len(one), one)))
        return replace(case, id=self.of("case", case.id), group=group, secret=secret)

    def hidden_failure(self, failure: Failure, secret: Iterable[str]) -> Failure:
        """Return a failure under a pseudonym, without the secret texts in its reason."""
        reason = without(failure.reason, sorted({failure.case, *secret}, key=len, reverse=True))
        return Failure(self.of("case", failure.case), failure.index, reason)

    def with_cases(
        self, cases: Iterable[CaseInput], failures: Iterable[Failure], folder: Path
    ) -> Self:
        """Return this with rows for cases and failures under their own names, and for files.

        A file that has another path than before has only its new one.
        """
        rows = {("folder", str(folder.resolve()), "")}
        rows |= {("case", one.case, self.of("case", one.case)) for one in failures}
        for case in cases:
            pseudonym = self.of("case", case.id)
            rows.add(("case", case.id, pseudonym))
            if case.group is not None:
                rows.add(("patient", case.group, self.of("patient", case.group)))
            for role, _, path in case.files:
                name = path.relative_to(folder).as_posix()
                rows.add(("file", name, source_name(pseudonym, role)))
        now = {(kind, told) for kind, _, told in rows if kind in {"file", "folder"}}
        kept = {row for row in self.rows if (row[0], row[2]) not in now}
        return replace(self, rows=frozenset(kept | rows))

    def source_folder(self) -> Path | None:
        """Return where the sources were last."""
        return next((Path(name) for kind, name, _ in self.rows if kind == "folder"), None)

    def source(self, name: str) -> PurePosixPath | None:
        """Return the path of a source in the input folder, from what sidecars call it."""
        for kind, path, told in self.rows:
            if (kind, told) == ("file", name):
                return PurePosixPath(path)
        return None

    def text(self) -> str:
        """Return the key file."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([_HEADER, ("key", self.key.hex(), ""), *sorted(self.rows)])
        return stream.getvalue()


def check_key_file(path: Path, folders: Sequence[Path]) -> None:
    """Refuse a key file in a folder that is handed on: OutputError."""
    for folder in folders:
        if path.resolve().is_relative_to(folder.resolve()):
            raise OutputError(
                f"{path}: the key file of pseudonyms lies in {folder}; keep it where only those "
                f"can read it who may know the names"
            )


def ensured(path: Path) -> Pseudonyms:
    """Return the key of a file, which is made if it is not there; runs at once get the same."""
    if not path.exists():
        temporary = _written(path, Pseudonyms.new())
        try:
            # A link, unlike a rename, leaves a file alone that another run has made meanwhile.
            with suppress(FileExistsError):
                os.link(temporary, path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be made: {error.strerror or error}") from None
        finally:
            temporary.unlink(missing_ok=True)
    return Pseudonyms.read(path)


def save(path: Path, pseudonyms: Pseudonyms) -> None:
    """Write a key file anew, for its owner alone; OutputError if that fails."""
    temporary = _written(path, pseudonyms)
    try:
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None


def without(text: str, secret: Iterable[str]) -> str:
    """Return a text without names: long ones anywhere, short ones where they stand alone."""
    text = _UID.sub(HIDDEN, text)
    for name in secret:
        if len(name) >= _LONG:
            text = re.sub(re.escape(name), HIDDEN, text, flags=re.IGNORECASE)
        elif name:
            alone = rf"(?<![^\W_]){re.escape(name)}(?![^\W_])"
            text = re.sub(alone, HIDDEN, text, flags=re.IGNORECASE)
    return text


def names_below(folder: Path) -> set[str]:
    """Return the names of everything in a folder: what a reason may tell of files of no case."""
    return _names_in(path.relative_to(folder) for path in folder.rglob("*"))


def _names_in(paths: Iterable[Path]) -> set[str]:
    """Paths, the names in them, and these without their endings."""
    found = set()
    for path in paths:
        found |= {path.as_posix(), str(path), *path.parts, path.name.partition(".")[0]}
    return found


def _written(path: Path, pseudonyms: Pseudonyms) -> Path:
    """Write a key file under a temporary name beside its own; mkstemp's are for the owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(pseudonyms.text())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return Path(name)


@contextmanager
def nothing_told(folder: Path) -> Iterator[None]:
    """Say of what is wrong with a folder as a whole only that something is.

    Raises FileError in place of errors that may name files or patients.
    """
    try:
        yield
    except (PipelineError, OutputError, EngineError):
        raise
    except MillimorphError:
        raise FileError(
            f"{folder}: cannot be used, and with pseudonyms it is not told why, for that could "
            f"name patients; where names may be seen, millimorph inspect {folder} tells"
        ) from None
