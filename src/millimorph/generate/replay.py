"""`replay`: a sample made again from its sidecar and its source files alone, and compared."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from millimorph.compiler import compile as compile_recipe
from millimorph.errors import FileError, MillimorphError, OutputError
from millimorph.generate.measuring import counted, measured
from millimorph.generate.pseudonyms import Pseudonyms
from millimorph.generate.sample import (
    Sample,
    Sources,
    collected,
    find_sources,
    read_case,
    read_output,
    write_sample,
)
from millimorph.generate.sidecar import Kind, OutputFile, Sidecar, file_digest, sample_name
from millimorph.images import LabelMap, Landmarks, ScalarImage
from millimorph.io import is_series_choice
from millimorph.recipe import ENGINE, Recipe
from millimorph.runner import run

Content = ScalarImage | LabelMap | Landmarks


@dataclass(frozen=True)
class RoleReplay:
    """How a file made again compares with the one that was made, and how that one is today."""

    role: str
    remade: Literal["same bytes", "same content", "different"]
    on_disk: Literal["intact", "changed", "missing"]


@dataclass(frozen=True)
class ReplayReport:
    """The outcome of a replay; `written` is the folder of the new files, if they were kept."""

    sample: str
    roles: tuple[RoleReplay, ...]
    written: Path | None

    @property
    def reproduced(self) -> bool:
        """Whether every file came out as it was."""
        return all(role.remade != "different" for role in self.roles)

    @property
    def intact(self) -> bool:
        """Whether every file beside the sidecar is still what was written."""
        return all(role.on_disk == "intact" for role in self.roles)


def replay(
    sidecar: str | Path,
    out: str | Path | None = None,
    source_root: str | Path | None = None,
    pseudonyms: str | Path | None = None,
) -> ReplayReport:
    """Make the sample of a sidecar again and compare it with what was made.

    Without `out` nothing is kept; with it the files are written there, over nothing. `source_root`
    is where the input folder is now, if it is no longer where it was. `pseudonyms` is the key file
    of a sample that was made with one; it tells where the sources are. Bytes may differ where
    another zlib compressed them; then the decoded content decides.

    Raises FileError for a malformed sidecar, one of another engine version, and for a source that
    is missing or has changed; OutputError for an `out` that has such files already.
    """
    path = Path(sidecar)
    found = Sidecar.read(path)
    recipe = _checked_recipe(path, found)
    given = None if source_root is None else Path(source_root)
    recorded = found.input_folder(path.parent)
    if recorded is None:
        key = None if pseudonyms is None else Path(pseudonyms)
        root, files = _named_by_key(path, found, given, key)
    else:
        root, files = _named_by_sidecar(path, found, recorded, given)
    sources = _checked_sources(path, found, root, files)
    said: list[str] = []
    with collected(said):
        case = read_case(sources)
        program = compile_recipe(recipe, case)
        result = run(program, case, found.backend)
    roles = {*result.images, *result.labels, *result.landmarks}
    if roles != found.outputs.keys():
        raise FileError(f"{path}: its outputs are not the parts of its sources")
    counts = {name: counted(one, found.backend) for name, one in case.labels.items()}
    facts = measured(program, counts, result, found.backend)
    sample = Sample(found.drawn, found.backend, program, result, sources, facts, found.warnings)
    names = {role: output.file for role, output in found.outputs.items()}
    written: Path | None = None
    if out is None:
        with TemporaryDirectory(prefix="millimorph-") as folder:
            remade, _ = write_sample(sample, Path(folder), names)
            compared = _compared(found, path.parent, remade.outputs, Path(folder))
    else:
        written = Path(out)
        _make_room(written, [*names.values(), _sidecar_name(recipe)])
        remade, _ = write_sample(sample, written, names)
        compared = _compared(found, path.parent, remade.outputs, written)
    return ReplayReport(sample_name(recipe.case, recipe.index), compared, written)


def _checked_recipe(path: Path, sidecar: Sidecar) -> Recipe:
    try:
        recipe = sidecar.parsed_recipe()
    except MillimorphError as error:
        raise FileError(f"{path}: {error}") from None
    if recipe.engine != ENGINE:
        raise FileError(
            f"{path}: made by {recipe.engine}, this is {ENGINE}; voxels may differ between "
            f"versions, install that version to make the sample again"
        )
    return recipe


_Files = dict[str, tuple[Kind, Path]]


def _named_by_sidecar(
    path: Path, sidecar: Sidecar, recorded_root: Path, source_root: Path | None
) -> tuple[Path, _Files]:
    """Return the input folder and the sources, which must lie in it."""
    here = path.parent.resolve()
    root = recorded_root if source_root is None else source_root
    files: _Files = {}
    for role, source in sidecar.sources.items():
        recorded = Path(os.path.normpath(here / source.path))
        if not recorded.is_relative_to(recorded_root):
            raise FileError(f"{path}: the source {role} lies outside of the input folder")
        files[role] = (source.kind, root / recorded.relative_to(recorded_root))
    return root, files


def _named_by_key(
    path: Path, sidecar: Sidecar, source_root: Path | None, key: Path | None
) -> tuple[Path, _Files]:
    """Return the input folder and the sources of a sample that tells neither."""
    if key is None:
        raise FileError(
            f"{path}: was made with pseudonyms and does not tell its sources; give the key file "
            f"with --pseudonyms"
        )
    known = Pseudonyms.read(key)
    root = known.source_folder() if source_root is None else source_root
    files: _Files = {}
    for role, source in sidecar.sources.items():
        name = known.source(source.path)
        if root is None or name is None:
            raise FileError(
                f"{key}: does not tell the source {role} of {path}; is it its key file?"
            )
        if name.is_absolute() or ".." in name.parts:
            raise FileError(f"{key}: the source {role} lies outside of the input folder")
        files[role] = (source.kind, root / name)
    return root or Path(), files


def _checked_sources(path: Path, sidecar: Sidecar, root: Path, files: _Files) -> Sources:
    """Digest the source files, which must be what they were."""
    for role, (_, file) in files.items():
        if not file.exists() and not is_series_choice(file):
            raise FileError(
                f"{file}: the source {role} is missing; if the input folder was moved, say where "
                f"it is with --source-root"
            )
    meanings = {source.fourth_axis for source in sidecar.sources.values()}
    if len(meanings) > 1:
        raise FileError(f"{path}: its sources must agree on what their fourth axis is")
    first = next(iter(sidecar.sources.values()), None)
    meaning = "frames" if first is None else first.fourth_axis
    case = str(sidecar.recipe["case"])
    found = find_sources(case, root, files, meaning, sidecar.group)
    sources = replace(found, is_hidden=sidecar.source_folder is None)
    for role, source in sidecar.sources.items():
        if sources.digests[role] != (source.sha256, source.bytes):
            raise FileError(
                f"{files[role][1]}: the source {role} has changed since the sample was made "
                f"(SHA-256 {sources.digests[role][0][:12]}, was {source.sha256[:12]}); the sample "
                f"cannot be made again from it"
            )
    return sources


def _make_room(out: Path, names: list[str]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be made: {error.strerror or error}") from None
    for name in names:
        if (out / name).exists() or (out / name).is_symlink():
            raise OutputError(f"{out / name} exists; choose another --out folder")


def _sidecar_name(recipe: Recipe) -> str:
    return f"{sample_name(recipe.case, recipe.index)}.json"


def _compared(
    made: Sidecar, folder: Path, remade: Mapping[str, OutputFile], remade_folder: Path
) -> tuple[RoleReplay, ...]:
    return tuple(
        _compared_role(role, folder / output.file, output, remade_folder, remade.get(role))
        for role, output in made.outputs.items()
    )


def _compared_role(
    role: str, file: Path, made: OutputFile, remade_folder: Path, remade: OutputFile | None
) -> RoleReplay:
    on_disk = _state(file, made)
    if remade is not None and remade.sha256 == made.sha256:
        return RoleReplay(role, "same bytes", on_disk)
    if remade is not None and on_disk == "intact":
        old = read_output(made.kind, file)
        new = read_output(remade.kind, remade_folder / remade.file)
        if _same(old, new):
            return RoleReplay(role, "same content", on_disk)
    return RoleReplay(role, "different", on_disk)


def _state(file: Path, made: OutputFile) -> Literal["intact", "changed", "missing"]:
    if not file.is_file():
        return "missing"
    return "intact" if file_digest(file) == (made.sha256, made.bytes) else "changed"


def _same(one: Content, other: Content) -> bool:
    if isinstance(one, Landmarks) or isinstance(other, Landmarks):
        return (
            isinstance(one, Landmarks)
            and isinstance(other, Landmarks)
            and one.names == other.names
            and np.array_equal(one.points_mm, other.points_mm)
        )
    return (
        one.array.dtype == other.array.dtype
        and one.grid == other.grid
        and one.frames == other.frames
        and np.array_equal(one.array, other.array)
    )
