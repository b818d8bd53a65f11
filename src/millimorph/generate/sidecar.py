"""The sidecar: one JSON file per sample that is enough, with the source files, to make it again.

It is written after every other file of its sample, so a sample counts as made once its sidecar
is there. Paths are relative and in POSIX form; nothing in it names a person, a machine or a time.
The keys Description, Sources and GeneratedBy are those of BIDS and follow from the others.
"""

import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import to_json

from millimorph.errors import FileError
from millimorph.generate.measured import Measured
from millimorph.io.dicom_series import files_of_choice, is_series_choice
from millimorph.io.layouts import FourthAxis
from millimorph.io.strict_json import strict_json
from millimorph.recipe import Recipe

SCHEMA_VERSION = 1
_LIBRARIES = ("numpy", "scipy", "numba", "SimpleITK", "nibabel", "isal", "blosc2")
_BLOCK = 1 << 20
_LARGEST_SIDECAR = 1 << 28
_BIDS_KEYS = ("Description", "Sources", "GeneratedBy")

Kind = Literal["image", "labels", "landmarks"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Bytes = Annotated[int, Field(ge=0)]


class SourceFile(BaseModel):
    """An input of a sample: its kind, where it is (seen from the sidecar) and what it held.

    `fourth_axis` is what the fourth axis of an image meant in the layout that it came from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    path: str
    sha256: Sha256
    bytes: Bytes
    fourth_axis: FourthAxis = "frames"

    @field_validator("path")
    @classmethod
    def _is_relative(cls, path: str) -> str:
        return _relative(path)


class OutputFile(BaseModel):
    """A file of a sample, beside its sidecar."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    file: str
    sha256: Sha256
    bytes: Bytes

    @field_validator("file")
    @classmethod
    def _is_name(cls, file: str) -> str:
        if not file or file in {".", ".."} or any(sign in file for sign in "/\\\0"):
            raise ValueError(f"must be a plain file name, got {file!r}")
        return file


class Sidecar(BaseModel):
    """What was made, from what, how and with which versions.

    `recipe` also records what the case decided, such as the shrinking of a field that would fold;
    `drawn` is the digest of the recipe as it was drawn. `source_folder` is the input folder as seen
    from the sidecar; every source lies inside it. `program` is for readers: the stages as text.
    `group` is the patient, if the input folder tells. With pseudonyms `source_folder` is None, and
    paths of sources are names for the key file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    millimorph: str
    group: str | None
    recipe: dict[str, Any]
    drawn: Sha256
    backend: Literal["cpu", "reference"]
    source_folder: str | None
    sources: dict[str, SourceFile]
    outputs: dict[str, OutputFile]
    measured: Measured
    program: tuple[str, ...]
    versions: dict[str, str]
    warnings: tuple[str, ...] = ()

    @field_validator("source_folder")
    @classmethod
    def _is_relative_folder(cls, path: str | None) -> str | None:
        return None if path is None else _relative(path)

    @field_validator("outputs")
    @classmethod
    def _are_different(cls, outputs: dict[str, OutputFile]) -> dict[str, OutputFile]:
        files = [one.file.casefold() for one in outputs.values()]
        if len(set(files)) < len(files):
            raise ValueError("must name a file of its own for every role")
        return outputs

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a sidecar; FileError if it is missing, not JSON, of a newer schema or malformed."""
        content = _checked_json(path)
        version = content.get("schema_version")
        if version != SCHEMA_VERSION:
            raise FileError(
                f"{path}: a sidecar of schema_version {version!r}; this version of millimorph "
                f"reads {SCHEMA_VERSION}"
            )
        told = {key: content.pop(key, None) for key in _BIDS_KEYS}
        try:
            found = cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise FileError(f"{path}: no sidecar of millimorph: {place}: {first['msg']}") from None
        if told != found.bids_keys():
            raise FileError(
                f"{path}: no sidecar of millimorph: {', '.join(_BIDS_KEYS)} contradict other keys"
            )
        return found

    def bids_keys(self) -> dict[str, Any]:
        """Return what the sidecar says in the words of BIDS; `bids:raw:` is the input folder."""
        case, index = self.recipe.get("case"), self.recipe.get("index")
        root = "" if self.source_folder is None else f"{self.source_folder}/"
        sources = [one.path.removeprefix(root) for one in self.sources.values()]
        return {
            "Description": f"Augmented sample {index} of case {case}",
            "Sources": [f"bids:raw:{path}" for path in sources],
            "GeneratedBy": [{"Name": "millimorph", "Version": self.millimorph}],
        }

    def input_folder(self, folder: Path) -> Path | None:
        """Return the input folder, of a sidecar that lies in `folder`; None with pseudonyms."""
        if self.source_folder is None:
            return None
        return Path(os.path.normpath(folder.resolve() / self.source_folder))

    def text(self) -> str:
        """Return the JSON text of the file."""
        content = self.bids_keys() | self.model_dump(mode="json")
        return to_json(content, indent=1).decode() + "\n"

    def parsed_recipe(self) -> Recipe:
        """Return the recipe; PipelineError if it is malformed."""
        return Recipe.from_data(self.recipe)

    def has_sources(self, digests: Mapping[str, tuple[str, int]]) -> bool:
        """Tell whether these are its source files, by SHA-256 and size under each role."""
        return digests == {role: (one.sha256, one.bytes) for role, one in self.sources.items()}


def _relative(path: str) -> str:
    if not path or "\\" in path or "\0" in path or PurePosixPath(path).is_absolute():
        raise ValueError(f"must be a relative path with forward slashes, got {path!r}")
    return path


def source_name(case: str, role: str) -> str:
    """Return what a sidecar calls a source whose path it must not tell."""
    return f"{case}/{role}"


def sample_name(case: str, index: int) -> str:
    """Return the name that the files of a sample begin with: `<case>__<index>`."""
    return f"{case}__{index:04d}"


def file_digest(path: Path) -> tuple[str, int]:
    """Return SHA-256 and size of a file; of a folder: of its files' names and digests, in order.

    One of several DICOM series in a folder is like a folder of its files.

    Raises FileError if something cannot be read or is neither a plain file nor a folder.
    """
    try:
        if path.is_dir():
            return _folder_digest(path, [one for one in path.rglob("*") if one.is_file()])
        if is_series_choice(path):
            return _folder_digest(path.parent, files_of_choice(path))
        if not path.is_file():
            raise FileError(f"{path}: neither a plain file nor a folder")
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
    return digest.hexdigest(), size


def relative_path(path: Path, start: Path) -> str:
    """Return the path as seen from a folder, with forward slashes."""
    return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()


@cache
def library_versions() -> Mapping[str, str]:
    """Return the versions that a voxel or a byte may depend on, Python's first."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def _checked_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_SIDECAR:
            raise FileError(f"{path}: larger than any sidecar of millimorph")
        content = strict_json(path.read_text("utf-8"))
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: not a JSON file: {error}") from None
    if not isinstance(content, dict) or "recipe" not in content:
        raise FileError(f"{path}: no sidecar of millimorph: the key recipe is missing")
    return content


def _folder_digest(folder: Path, files: Iterable[Path]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        one, length = file_digest(path)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{one}\n".encode())
        size += length
    return digest.hexdigest(), size
