"""Export to nnU-Net v2 raw: dataset.json, files by channel (or references), splits by patient."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millimorph.errors import OutputError
from millimorph.generate.exports import files, members
from millimorph.generate.exports.labels import LabelTable, label_table
from millimorph.generate.exports.members import FinishedJob, Member
from millimorph.generate.exports.report import Export, export_of
from millimorph.generate.exports.splits import FOLDS, SPLITS_FILE, fold_of_group, folds
from millimorph.io.data_set import read_description
from millimorph.io.extensions import extension_of
from millimorph.io.nnunet import (
    CASES_FILE,
    DESCRIPTION,
    ENDINGS,
    FOLDER_NAME,
    PICTURE_ENDINGS,
    is_nnunet,
)
from millimorph.ops import ImageOp
from millimorph.recipe import Recipe

TOOL = "nnU-Net"

_DEFAULT_ENDING = ".nii.gz"
_LOSSY_PICTURES = (".jpg", ".jpeg")
_PLANS = "nnUNetPlans"
_ROOTS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
_KEPT = ("labels", "regions_class_order")
_NOT_IN_HU = frozenset(
    ("window", "rescale", "z_score", "invert", "sigmoid", "histogram_equalization")
)


@dataclass(frozen=True)
class _Layout:
    """How the files of a case are laid out: their ending, and the channels of each image.

    With `whole_pictures` one file holds all channels, as colours.
    """

    ending: str
    whole_pictures: bool


def export_nnunet(
    out: str | Path,
    dest: str | Path,
    placing: files.Placing = "copied",
    source_root: str | Path | None = None,
) -> Export:
    """Write the samples of a job and their originals as a new nnU-Net v2 raw data set.

    `dest` is the new folder, named as nnU-Net demands, such as Dataset101_LiverAugmented. It is
    there only once it is complete. With "linked" nothing is copied: the key `dataset` refers to the
    files where they are, through two links in `dest`. Without a layout that names patients every
    case is one. `source_root` is where the input folder is now, if it or `out` was moved.

    Raises FileError for files that are missing or have changed; OutputError for a `dest` that is
    there already, for parts that nnU-Net cannot take, and with fewer than two patients.
    """
    out, dest = Path(out), Path(dest)
    _check_name(dest)
    job = members.read_finished(out, source_root)
    files.check_place(dest, (out, job.root))
    members.check_no_series(job, TOOL)
    members.check_label_map(job, TOOL)
    members.check_one_grid(job, TOOL)
    members.check_patients(job)
    _check_hounsfield(job)
    names = _ids(job)
    layout = _layout(job)
    notes: list[str] = []
    table = label_table(job, job.labels[0])
    renumbered = {} if _are_consecutive(table) else {v: k for k, v in enumerate(table.names)}
    if renumbered:
        notes.append(
            f"nnU-Net wants the labels 0, 1, 2, … without a gap: they were renumbered to 0 to "
            f"{len(renumbered) - 1}; dataset.json has the new values, {CASES_FILE} the old ones"
        )
    description = _description(job, layout, table)
    with files.writing(dest, notes) as place:
        if placing == "linked":
            _check_referable(job, layout, renumbered)
            files.link_folders(place, dest, job.root, job.out)
            description["dataset"] = _references(job, names)
        else:
            for member in job.members:
                _put(job, member, names[member.id], layout, place, renumbered)
        files.put_json(place / DESCRIPTION, description)
        files.put_json(place / SPLITS_FILE, _splits(job, names))
        files.put_json(place / CASES_FILE, _cases(job, names, renumbered))
    return export_of(job, dest, notes, _next_steps(job, dest))


def _check_name(dest: Path) -> None:
    """Refuse a name that nnU-Net does not take, and a number that another data set has."""
    if FOLDER_NAME.fullmatch(dest.name) is None:
        raise OutputError(
            f"{dest}: nnU-Net wants a folder named DatasetNNN_Name, such as Dataset101_Liver"
        )
    roots = {dest.parent, *(Path(os.environ[name]) for name in _ROOTS if name in os.environ)}
    number = dest.name.partition("_")[0]
    for root in sorted(roots):
        taken = sorted(root.glob(f"{number}*")) if root.is_dir() else []
        other = next((path for path in taken if path.name != dest.name), None)
        if other is not None:
            raise OutputError(
                f"{dest}: nnU-Net wants one name for each number, and {other} has {number}; choose "
                f"another number"
            )


def _check_hounsfield(job: FinishedJob) -> None:
    """Refuse copies of a CT that are no longer in HU beside originals that are.

    nnU-Net normalises a channel named CT by the intensities of all cases together.
    """
    for role in job.images:
        if "ct" not in {name.casefold() for name in job.channels[role]}:
            continue
        for member in job.members:
            found = [] if member.recipe is None else _ops_out_of_hu(member.recipe, role)
            if found:
                raise OutputError(
                    f"{member.id}: the op {found[0]} takes the channel CT out of HU, but nnU-Net "
                    f"normalises it as HU; leave the op out, or rename the channel of the originals"
                )


def _ops_out_of_hu(recipe: Recipe, role: str) -> list[str]:
    return [
        op.op
        for op in recipe.intensity
        if op.op in _NOT_IN_HU and isinstance(op, ImageOp) and role in (op.images or (role,))
    ]


def _ids(job: FinishedJob) -> dict[str, str]:
    """Return the case id of each member.

    One that ends like a channel number would be read wrongly by people, so it gets a hyphen; in an
    nnU-Net data set it stays.
    """
    if _of_originals(job):
        return {member.id: member.id for member in job.members}
    named = {
        member.id: _without_channel(member.source) + member.id.removeprefix(member.source)
        for member in job.members
    }
    if len(set(named.values())) < len(named):
        raise OutputError(f"{job.root}: case ids that differ only in _ and - before a number")
    return named


def _without_channel(case: str) -> str:
    head, sign, number = case.rpartition("_")
    ambiguous = sign and len(number) == 4 and number.isascii() and number.isdigit()
    return f"{head}-{number}" if ambiguous else case


def _layout(job: FinishedJob) -> _Layout:
    """Choose the one file type of all files: theirs if nnU-Net reads it, else .nii.gz or .png."""
    endings = {
        "" if file.path.is_dir() else extension_of(file.path)
        for member in job.members
        for file in member.files
    }
    flat = job.dimension == 2
    pictures = flat and endings <= {*PICTURE_ENDINGS, *_LOSSY_PICTURES}
    solid_pictures = not flat and endings <= set(PICTURE_ENDINGS)
    if len(endings) == 1 and endings <= set(ENDINGS) and not solid_pictures:
        ending = next(iter(endings))
    else:
        ending = ".png" if pictures else _DEFAULT_ENDING
    return _Layout(ending, whole_pictures=pictures and len(job.images) == 1)


def _are_consecutive(table: LabelTable) -> bool:
    return list(table.names) == list(range(len(table.names)))


def _description(job: FinishedJob, layout: _Layout, table: LabelTable) -> dict[str, Any]:
    """Return dataset.json; of an nnU-Net data set, labels and regions stay verbatim."""
    found = _of_originals(job)
    kept = {key: found[key] for key in _KEPT if key in found}
    if found.get("file_ending") == layout.ending and "overwrite_image_reader_writer" in found:
        kept["overwrite_image_reader_writer"] = found["overwrite_image_reader_writer"]
    return {
        "channel_names": {str(k): name for k, name in enumerate(job.channel_names)},
        "labels": {_plain_name(table, value): k for k, value in enumerate(table.names)},
        **kept,
        "numTraining": len(job.members),
        "file_ending": layout.ending,
    }


def _plain_name(table: LabelTable, value: int) -> str:
    """Return a label's name; nnU-Net wants 0 to be named background."""
    return "background" if value == 0 else table.names[value]


def _of_originals(job: FinishedJob) -> Mapping[str, Any]:
    """Return the originals' dataset.json if they are an nnU-Net data set."""
    path = None if job.data_set is None else job.data_set.description
    if path is None or path.name != DESCRIPTION:
        return {}
    found = read_description(path)
    return found if is_nnunet(found) else {}


def _put(
    job: FinishedJob,
    member: Member,
    name: str,
    layout: _Layout,
    place: Path,
    renumbered: Mapping[int, int],
) -> None:
    number = 0
    for role, file in member.images.items():
        count = len(job.channels[role])
        parts = [None] if count == 1 or layout.whole_pictures else list(range(count))
        for part in parts:
            target = place / f"imagesTr/{name}_{number:04d}{layout.ending}"
            files.put_channel(file, part, target)
            number += 1
    label = member.labels[job.labels[0]]
    files.put_labels(label, place / f"labelsTr/{name}{layout.ending}", renumbered)


def _check_referable(job: FinishedJob, layout: _Layout, renumbered: Mapping[int, int]) -> None:
    """Refuse to refer to files that nnU-Net could not read as they are."""
    why = "its labels are not 0, 1, 2, … without a gap" if renumbered else None
    for member in job.members:
        for file in member.files:
            if file.path.is_dir() or extension_of(file.path) != layout.ending:
                why = f"{file.path} is no {layout.ending} file as all must be"
            elif "$" in str(file.path):
                why = f"{file.path} has a $ in its path, which nnU-Net reads as a variable"
        for file in member.images.values():
            if job.looks[file.path].channels > 1 and not layout.whole_pictures:
                why = f"{file.path} has several channels"
    if why is not None:
        raise OutputError(f"{job.out}: cannot be referred to: {why}; leave out --refer to copy")


def _references(job: FinishedJob, names: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for member in job.members:
        for file in member.files:
            files.check_unchanged(file)
        found[names[member.id]] = {
            "images": [
                files.linked_path(file, job.root, job.out) for file in member.images.values()
            ],
            "label": files.linked_path(member.labels[job.labels[0]], job.root, job.out),
        }
    return found


def _splits(job: FinishedJob, names: Mapping[str, str]) -> list[dict[str, list[str]]]:
    """Return at least five folds: nnU-Net splits at random, copies and all, beyond the last."""
    found = folds(job.members)
    splits = [
        {
            "train": [names[one.id] for one in fold.train],
            "val": [names[one.id] for one in fold.val],
        }
        for fold in found
    ]
    return [splits[k % len(splits)] for k in range(FOLDS)]


def _cases(
    job: FinishedJob, names: Mapping[str, str], renumbered: Mapping[int, int]
) -> dict[str, dict[str, Any]]:
    """Return what nnU-Net has no place for: patients, and which sample each case is."""
    held_out = fold_of_group(job.members)
    cases: dict[str, dict[str, Any]] = {}
    for member in job.members:
        entry: dict[str, Any] = {
            "group": member.group,
            "source": member.source,
            "fold": held_out[member.group],
            "aug_id": member.copy_name,
            "recipe": None if member.recipe is None else member.recipe.digest,
        }
        if renumbered:
            entry["original_labels"] = {str(new): old for old, new in renumbered.items()}
        cases[names[member.id]] = entry
    return cases


def _next_steps(job: FinishedJob, dest: Path) -> tuple[str, ...]:
    """Return nnU-Net's commands; plans of the originals alone, where these are a data set."""
    number = int(dest.name[7:10])
    preprocessed = f"$nnUNet_preprocessed/{dest.name}"
    split_table = shlex.quote(str(dest / SPLITS_FILE))
    tables = f"{shlex.quote(str(dest / DESCRIPTION))} {split_table}"
    splits = f"without {SPLITS_FILE} nnU-Net validates on copies of cases that it trains on"
    if FOLDER_NAME.fullmatch(job.root.name) is None:
        return (
            f"nnUNetv2_plan_and_preprocess -d {number} --verify_dataset_integrity",
            f"cp {split_table} {preprocessed}/",
            f"nnUNetv2_train {number} 3d_fullres 0 -tr nnUNetTrainerNoDA",
            f"({splits};",
            " nnUNetTrainer instead of nnUNetTrainerNoDA augments the copies once more)",
        )
    source = int(job.root.name[7:10])
    plans = f"{_PLANS}_{source:03d}"
    return (
        f"nnUNetv2_plan_and_preprocess -d {source}",
        f"nnUNetv2_extract_fingerprint -d {number} --verify_dataset_integrity",
        f"nnUNetv2_move_plans_between_datasets -s {source} -t {number} -sp {_PLANS} -tp {plans}",
        f"cp {tables} {preprocessed}/",
        f"nnUNetv2_preprocess -d {number} -plans_name {plans}",
        f"nnUNetv2_train {number} 3d_fullres 0 -p {plans} -tr nnUNetTrainerNoDA",
        "(planned on the originals alone, so that copies do not change spacing and intensities;",
        f" {splits};",
        " nnUNetTrainer instead of nnUNetTrainerNoDA augments the copies once more)",
    )
