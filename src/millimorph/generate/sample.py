"""One sample on the disk: its sources read and named, its files written, its sidecar last."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from millimorph._version import __version__
from millimorph.generate.measured import Measured
from millimorph.generate.sidecar import (
    Kind,
    OutputFile,
    Sidecar,
    SourceFile,
    file_digest,
    library_versions,
    relative_path,
    sample_name,
    source_name,
)
from millimorph.images import Case, LabelMap, Landmarks, ScalarImage
from millimorph.io import (
    CaseFiles,
    load_case,
    read_image,
    read_labels,
    read_landmarks,
)
from millimorph.io.atomic import write_bytes
from millimorph.io.files import write_digested
from millimorph.io.layouts import FourthAxis
from millimorph.io.points import write_landmarks_digested
from millimorph.program import Program
from millimorph.runner import Backend
from millimorph.values import plain

_TABLE = ".csv"


@dataclass(frozen=True)
class Sources:
    """The input files of a case: which they are and what they hold (SHA-256).

    `group` is the patient, if the data set's layout tells. Sidecars do not tell the paths of
    hidden ones.
    """

    case: str
    group: str | None
    folder: Path
    files: Mapping[str, tuple[Kind, Path]]
    digests: Mapping[str, tuple[str, int]]
    fourth_axis: FourthAxis = "frames"
    is_hidden: bool = False

    def folder_from(self, folder: Path) -> str | None:
        """Return where the input folder is, as a sidecar in that folder says it."""
        return None if self.is_hidden else relative_path(self.folder, folder)

    def seen_from(self, folder: Path) -> dict[str, SourceFile]:
        """Return what a sidecar in that folder says of them."""
        root = self.folder_from(folder)
        return {
            role: SourceFile(
                kind=kind,
                path=(
                    source_name(self.case, role)
                    if root is None
                    else f"{root}/{path.relative_to(self.folder).as_posix()}"
                ),
                sha256=self.digests[role][0],
                bytes=self.digests[role][1],
                fourth_axis=self.fourth_axis,
            )
            for role, (kind, path) in self.files.items()
        }


@dataclass(frozen=True)
class Sample:
    """A made sample, before it is written: what was run, what came out, what was said.

    `drawn` is the digest of the recipe before it was compiled.
    """

    drawn: str
    backend: Backend
    program: Program
    result: Case
    sources: Sources
    measured: Measured
    warnings: tuple[str, ...]


def find_sources(
    case: str,
    folder: Path,
    files: Mapping[str, tuple[Kind, Path]],
    fourth_axis: FourthAxis,
    group: str | None,
) -> Sources:
    """Digest the input files of a case; FileError if one cannot be read."""
    digests = {role: file_digest(path) for role, (_, path) in files.items()}
    return Sources(case, group, folder, files, digests, fourth_axis)


def read_case(sources: Sources) -> Case:
    """Read all input files of a case; FileError and the like say which one is wrong."""
    paths: dict[Kind, dict[str, Path]] = {"image": {}, "labels": {}, "landmarks": {}}
    for role, (kind, path) in sources.files.items():
        paths[kind][role] = path
    return load_case(
        CaseFiles(
            sources.case,
            paths["image"],
            paths["labels"],
            paths["landmarks"],
            fourth_axis=sources.fourth_axis,
        )
    )


def file_names(case: Case, index: int, suffix: str) -> dict[str, str]:
    """Return the file name for every role of a sample; `suffix` is for images and labels."""
    stem = sample_name(case.id, index)
    suffixes = {
        **dict.fromkeys((*case.images, *case.labels), suffix),
        **dict.fromkeys(case.landmarks, _TABLE),
    }
    return {role: f"{stem}_{role}{suffix}" for role, suffix in suffixes.items()}


def write_sample(sample: Sample, folder: Path, names: Mapping[str, str]) -> tuple[Sidecar, bytes]:
    """Write a sample's files into a folder, then its sidecar; return that and its text.

    A sidecar of an earlier sample of that name is removed first, so that none ever stands beside
    files that it does not describe. OutputError or OSError if something cannot be written.
    """
    recipe = sample.program.recipe
    sidecar_path = folder / f"{sample_name(recipe.case, recipe.index)}.json"
    sidecar_path.unlink(missing_ok=True)
    said = list(sample.warnings)
    with collected(said):
        outputs = {role: _written(sample.result, role, folder / one) for role, one in names.items()}
    sidecar, text = _recorded(sample, folder, outputs, said)
    write_bytes(sidecar_path, text)
    return sidecar, text


def read_output(kind: Kind, path: Path) -> ScalarImage | LabelMap | Landmarks:
    """Read a file that `write_sample` wrote."""
    match kind:
        case "image":
            return read_image(path)
        case "labels":
            return read_labels(path)
        case "landmarks":
            return read_landmarks(path)
        case _:
            assert_never(kind)


def is_complete(sidecar: Sidecar, folder: Path) -> bool:
    """Tell whether every file that a sidecar names is beside it with the recorded size."""
    for output in sidecar.outputs.values():
        try:
            if (folder / output.file).stat().st_size != output.bytes:
                return False
        except OSError:
            return False
    return True


@contextmanager
def collected(said: list[str]) -> Iterator[None]:
    """Append the warnings raised inside to a list instead of showing them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said.extend(str(warning.message) for warning in caught)


def _recorded(
    sample: Sample, folder: Path, outputs: dict[str, OutputFile], said: Sequence[str]
) -> tuple[Sidecar, bytes]:
    """Return the sidecar of a sample whose files are written, and its text."""
    sidecar = Sidecar(
        millimorph=__version__,
        group=sample.sources.group,
        recipe=plain(sample.program.recipe),
        drawn=sample.drawn,
        backend=sample.backend,
        source_folder=sample.sources.folder_from(folder),
        sources=sample.sources.seen_from(folder),
        outputs=outputs,
        measured=sample.measured,
        program=tuple(str(sample.program).splitlines()),
        versions=dict(library_versions()),
        warnings=tuple(text.replace(f"{folder}{os.sep}", "") for text in dict.fromkeys(said)),
    )
    return sidecar, sidecar.text().encode()


def _written(result: Case, role: str, path: Path) -> OutputFile:
    kind: Kind
    if role in result.images:
        kind = "image"
        written = write_digested(result.images[role], path)
    elif role in result.labels:
        kind = "labels"
        written = write_digested(result.labels[role], path)
    else:
        kind = "landmarks"
        written = write_landmarks_digested(result.landmarks[role], path)
    return OutputFile(kind=kind, file=path.name, sha256=written.sha256, bytes=written.bytes)
