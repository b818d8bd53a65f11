"""Rows of records: one JSON text each, with a short digest of itself at its end.

A row that was cut off or changed is known by that and left out. The row of a finished sample holds
everything that its sidecar says in numbers, so that the manifest alone answers what was made.
"""

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from millimorph.generate.sidecar import Sidecar, sample_name

_CHECK = b', "check": "'
_END = b'"}'
_MEASURED = b', "measured": '


Reader = Callable[[bytes], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """A finished sample; paths are relative to the output folder, with forward slashes.

    `sha256` is that of the sidecar, which holds those of the files. `group` is the patient, if the
    input folder tells.
    """

    case: str
    index: int
    recipe: str
    sidecar: str
    sha256: str
    files: dict[str, str]
    group: str | None = None

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Take it from a row; TypeError, KeyError or AttributeError for one of something else."""
        files = {str(role): str(path) for role, path in content["files"].items()}
        case, index, group = content["case"], content["index"], content["group"]
        return cls(
            case, index, content["recipe"], content["sidecar"], content["sha256"], files, group
        )

    @property
    def sample(self) -> str:
        """The name that the sample's files begin with."""
        return sample_name(self.case, self.index)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row lies."""

    file: Path
    offset: int
    length: int


def sealed(content: Mapping[str, Any]) -> bytes:
    """Return the row of a JSON object, with its line end."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    return text[:-1] + _CHECK + _digest(text) + _END + b"\n"


def opened(row: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a row; None if it is not as `sealed` made it."""
    text = _checked(row)
    return None if text is None else _parsed(text)


def opened_in_part(row: bytes) -> dict[str, Any] | None:
    """Return the row of a sample without what was measured, which is most of it."""
    text = _checked(row)
    if text is None:
        return None
    part, sign, _ = text.partition(_MEASURED)
    return (_parsed(part + b"}") if sign else None) or _parsed(text)


def _checked(row: bytes) -> bytes | None:
    text, sign, check = row.rpartition(_CHECK)
    text += b"}"
    return text if sign and check == _digest(text) + _END + b"\n" else None


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def rows_of(file: Path, read: Reader = opened) -> Iterator[tuple[Place, dict[str, Any] | None]]:
    """Yield the rows of a file, one at a time; None for a damaged one; nothing if it is absent."""
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return
    with stream:
        offset = 0
        for row in stream:
            yield Place(file, offset, len(row)), read(row)
            offset += len(row)


def row_at(place: Place) -> dict[str, Any] | None:
    """Return the JSON object of one row; None for a damaged one."""
    with place.file.open("rb") as stream:
        stream.seek(place.offset)
        return opened(stream.read(place.length))


def manifest_content(sidecar: Sidecar, folder: str, text: bytes) -> dict[str, Any]:
    """Return the row of a sample from its sidecar, which is `text`, in a folder of that name."""
    recipe = sidecar.recipe
    case, index = str(recipe["case"]), int(recipe["index"])
    name = sample_name(case, index)
    content = sidecar.model_dump(mode="json", include={"sources", "outputs", "measured"})
    sources = {
        role: {**one, "path": _from_out(one["path"], folder, sidecar)}
        for role, one in content["sources"].items()
    }
    files = {role: f"{folder}/{one.pop('file')}" for role, one in content["outputs"].items()}
    return {
        "sample": name,
        "case": case,
        "index": index,
        "group": sidecar.group,
        "seed": recipe["seed"],
        "pipeline": recipe["pipeline"],
        "recipe": sidecar.drawn,
        "sidecar": f"{folder}/{name}.json",
        "sha256": hashlib.sha256(text).hexdigest(),
        "bytes": len(text),
        "files": files,
        "outputs": content["outputs"],
        "sources": sources,
        "backend": sidecar.backend,
        "millimorph": sidecar.millimorph,
        "warnings": list(sidecar.warnings),
        "measured": content["measured"],
    }


def _from_out(path: str, folder: str, sidecar: Sidecar) -> str:
    """The path of a source as seen from the output folder; a name of the key file as it is."""
    if sidecar.source_folder is None:
        return path
    return posixpath.normpath(posixpath.join(folder, path))


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=8).hexdigest().encode()
