"""`export`: a finished output folder and its originals as one nnU-Net v2 raw data set.

Files are copied and held against the sidecars. Splits are by patient: the original cases of a
patient validate, and neither they nor a copy of them train in that fold; a copy never validates.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from millimorph.errors import FileError, OutputError
from millimorph.generate.manifest import read_manifest
from millimorph.generate.sidecar import Sidecar, file_digest
from millimorph.io import DataSet, find_data_set, read_image, read_labels
from millimorph.io.atomic import TEMPORARY_PREFIX
from millimorph.io.data_set import read_description
from millimorph.io.extensions import extension_of
from millimorph.io.layouts import check_distinct, natural_key
from millimorph.io.nnunet import DESCRIPTION, is_nnunet

SPLITS_FILE = "splits_final.json"

_FOLDS = 5
_NAME = re.compile(r"Dataset[0-9]{3}_[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Export:
    """What was written; `patients_known` tells whether the layout of the originals names them."""

    dest: Path
    originals: int
    copies: int
    patients: int
    patients_known: bool


@dataclass(frozen=True)
class _File:
    path: Path
    sha256: str


@dataclass(frozen=True)
class _Member:
    """A case of the new data set; its images in the order of the channels."""

    id: str
    group: str
    is_copy: bool
    images: tuple[_File, ...]
    label: _File


@dataclass(frozen=True)
class _Job:
    """An output folder: its sidecars, the input folder, and the roles that all samples have.

    `data_set` is the input folder's, if its layout is known; the samples may be of other files.
    """

    sidecars: Mapping[Path, Sidecar]
    root: Path
    images: tuple[str, ...]
    label: str
    data_set: DataSet | None

    def names_of(self, label: _File) -> Mapping[str, str]:
        """Names of label values, if the data set gives them for this file."""
        if self.data_set is None:
            return {}
        cases = self.data_set.cases
        files = {path.resolve() for case in cases for path in case.labels.values()}
        return self.data_set.label_names if label.path.resolve() in files else {}


def export_nnunet(out: str | Path, dest: str | Path) -> Export:
    """Write the samples of a job and their originals as a new nnU-Net v2 raw data set.

    `dest` is the new folder, named as nnU-Net demands, such as Dataset101_LiverAugmented. It is
    there only once it is complete. Without a layout that names patients every case is one.

    Raises FileError for files that are missing or have changed; OutputError for a `dest` that is
    there already, for parts that nnU-Net cannot take, and with fewer than two patients.
    """
    out, dest = Path(out), Path(dest)
    job = _job(out)
    _check_dest(dest, (out, job.root))
    members = _members(job)
    ending = _ending(members)
    description = _description(job, members, ending)
    groups = sorted({member.group for member in members}, key=natural_key)
    if len(groups) < 2:
        raise OutputError(f"{out}: has one patient; a split by patient needs two or more")
    _write(dest, members, ending, {DESCRIPTION: description, SPLITS_FILE: _splits(members)})
    copies = sum(member.is_copy for member in members)
    known = any(one.group is not None for one in job.sidecars.values())
    return Export(dest, len(members) - copies, copies, len(groups), known)


def _job(out: Path) -> _Job:
    lines = sorted(read_manifest(out).values(), key=lambda line: natural_key(line.sample))
    if not lines:
        raise FileError(f"{out}: no finished samples here; name a folder that generate wrote to")
    sidecars = {}
    for line in lines:
        path = out / line.sidecar
        sidecars[path] = Sidecar.read(path)
        if file_digest(path)[0] != line.sha256:
            raise FileError(f"{path}: has changed since it was made; see millimorph verify {out}")
    path, first = next(iter(sidecars.items()))
    images = tuple(role for role, source in first.sources.items() if source.kind == "image")
    labels = [role for role, source in first.sources.items() if source.kind == "labels"]
    if not images or len(labels) != 1:
        raise OutputError(
            f"{out}: nnU-Net wants images and one label map for each case, got "
            f"{len(images)} images and {len(labels)} label maps; generate with those only"
        )
    root = Path(os.path.normpath(path.parent.resolve() / first.source_folder))
    data_set = None
    with suppress(FileError):
        data_set = find_data_set(root)
    return _Job(sidecars, root, images, labels[0], data_set)


def _members(job: _Job) -> list[_Member]:
    """All originals once, and all samples."""
    groups = {path: one.group for path, one in job.sidecars.items() if one.group is not None}
    originals: dict[str, _Member] = {}
    copies = []
    for path, sidecar in job.sidecars.items():
        recipe = sidecar.parsed_recipe()
        case = str(recipe.case)
        sources = _sources(job, path, sidecar)
        group = groups.get(path, case)
        if groups and path not in groups:
            raise FileError(
                f"{path}: does not say whose it is, but other sidecars do; name the patient in the "
                f"data set {job.root} and generate again"
            )
        originals.setdefault(case, _Member(case, group, False, *_roles(job, sources)))
        made = {
            role: _File(path.parent / one.file, one.sha256) for role, one in _made(job, sidecar)
        }
        name = f"{case}__aug{recipe.index:04d}"
        copies.append(_Member(name, group, True, *_roles(job, made)))
    members = [*originals.values(), *copies]
    check_distinct({member.id for member in members}, job.root)
    if len({member.id for member in members}) < len(members):
        raise OutputError(f"{job.root}: a case is named like a copy of another; rename it")
    return members


def _made(job: _Job, sidecar: Sidecar) -> list[tuple[str, Any]]:
    images = {role for role, one in sidecar.outputs.items() if one.kind == "image"}
    if images != set(job.images) or job.label not in sidecar.outputs:
        raise OutputError(
            f"the samples have the images {', '.join(sorted(images))}, the originals "
            f"{', '.join(job.images)}; nnU-Net wants the same channels in all cases"
        )
    return list(sidecar.outputs.items())


def _sources(job: _Job, path: Path, sidecar: Sidecar) -> dict[str, _File]:
    """Find the originals, which must lie in the input folder."""
    files = {}
    for role, source in sidecar.sources.items():
        file = Path(os.path.normpath(path.parent.resolve() / source.path))
        if not file.is_relative_to(job.root):
            raise FileError(f"{path}: the source {role} lies outside of the input folder")
        _check_there(file)
        files[role] = _File(file, source.sha256)
    if not {*job.images, job.label} <= files.keys():
        raise OutputError(f"{path}: the case lacks an image or the label map that others have")
    return files


def _roles(job: _Job, files: Mapping[str, _File]) -> tuple[tuple[_File, ...], _File]:
    """Return the images by channel, and the label map."""
    return tuple(files[role] for role in job.images), files[job.label]


def _ending(members: Sequence[_Member]) -> str:
    endings = {extension_of(one.path) for m in members for one in (*m.images, m.label)}
    if len(endings) > 1:
        raise OutputError(
            f"nnU-Net wants one file type for all files, got {', '.join(sorted(endings))}; "
            f"generate with --format set to that of the originals"
        )
    return endings.pop()


def _description(job: _Job, members: Sequence[_Member], ending: str) -> dict[str, Any]:
    """Return dataset.json; of an nnU-Net data set, names and labels stay verbatim."""
    for file in members[0].images:
        if read_image(file.path).channels > 1:
            raise OutputError(
                f"{file.path}: has several channels; nnU-Net wants a file for each, so split the "
                f"originals first"
            )
    known = job.root / DESCRIPTION
    described = known.is_file() and bool(job.names_of(members[0].label))
    found = read_description(known) if described else {}
    names: Sequence[str] = job.images
    kept: dict[str, Any] = {}
    if is_nnunet(found) and len(found["channel_names"]) == len(names):
        names = [found["channel_names"][str(k)] for k in range(len(names))]
        optional = ("regions_class_order", "overwrite_image_reader_writer")
        kept = {key: found[key] for key in ("labels", *optional) if key in found}
    return {
        "channel_names": {str(k): name for k, name in enumerate(names)},
        "labels": _labels(job, members),
        **kept,
        "numTraining": len(members),
        "file_ending": ending,
    }


def _labels(job: _Job, members: Sequence[_Member]) -> dict[str, int]:
    """Return names and values, told by the data set or else found in the originals."""
    told = job.names_of(members[0].label)
    if told:
        zero = next((name for name, value in told.items() if value == "0"), None)
        values = {name: int(value) for name, value in told.items() if value.isdecimal()}
        values.pop(zero or "", None)
        return {"background": 0} | values
    found = {0}
    for member in members:
        if not member.is_copy:
            found |= {int(value) for value in np.unique(read_labels(member.label.path).array)}
    if found != set(range(len(found))):
        raise OutputError(
            f"nnU-Net wants the label values 0, 1, 2, … without a gap, got {sorted(found)}; "
            f"renumber the labels of the originals"
        )
    return {"background": 0} | {f"label_{value}": value for value in sorted(found - {0})}


def _splits(members: Sequence[_Member]) -> list[dict[str, list[str]]]:
    """Return at least five folds: nnU-Net splits at random, copies and all, beyond the last."""
    groups = sorted({member.group for member in members}, key=_shuffled)
    count = min(_FOLDS, len(groups))
    splits = []
    for fold in range(_FOLDS):
        held_out = set(groups[fold % count :: count])
        train = [one.id for one in members if one.group not in held_out]
        val = [one.id for one in members if one.group in held_out and not one.is_copy]
        splits.append({"train": train, "val": val})
    return splits


def _shuffled(group: str) -> bytes:
    """Return an order without meaning that is the same everywhere."""
    return hashlib.blake2b(group.encode("utf-8", errors="surrogateescape")).digest()


def _check_dest(dest: Path, taken: Sequence[Path]) -> None:
    if _NAME.fullmatch(dest.name) is None:
        raise OutputError(
            f"{dest}: nnU-Net wants a folder named DatasetNNN_Name, such as Dataset101_Liver"
        )
    if dest.exists() or dest.is_symlink():
        raise OutputError(f"{dest} exists; choose another name, or remove it")
    if any(dest.resolve().is_relative_to(one.resolve()) for one in taken):
        raise OutputError(f"{dest}: lies inside the input or output folder; choose another place")


def _write(
    dest: Path, members: Sequence[_Member], ending: str, tables: Mapping[str, object]
) -> None:
    """Copy everything into a folder beside `dest`, which takes its name when it is complete."""
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=dest.parent))
        try:
            for name in ("imagesTr", "labelsTr"):
                (place / name).mkdir()
            for one in members:
                for channel, file in enumerate(one.images):
                    _copy(file, place / f"imagesTr/{one.id}_{channel:04d}{ending}")
                _copy(one.label, place / f"labelsTr/{one.id}{ending}")
            for name, content in tables.items():
                text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
                (place / name).write_text(f"{text}\n", "utf-8")
            place.chmod(0o755)
            place.rename(dest)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {dest}: {error.strerror or error}") from error


def _copy(file: _File, target: Path) -> None:
    _check_there(file.path)
    shutil.copyfile(file.path, target)
    if file_digest(target)[0] != file.sha256:
        raise FileError(
            f"{file.path}: has changed since the samples were made; make them again with generate"
        )


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise FileError(f"{path}: is missing or no plain file; bring it back")
