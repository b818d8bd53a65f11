"""Exports in the Decathlon's JSON: the Medical Segmentation Decathlon, and data lists of MONAI."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millimorph.errors import OutputError
from millimorph.generate.exports import files, members
from millimorph.generate.exports.labels import LabelTable, label_table
from millimorph.generate.exports.members import ExportFile, FinishedJob, Member
from millimorph.generate.exports.report import Export, export_of
from millimorph.generate.exports.splits import SPLITS_FILE, fold_of_group, folds
from millimorph.io.datalists import DESCRIPTION as DATALIST
from millimorph.io.decathlon import DESCRIPTION
from millimorph.io.extensions import NIFTI_EXTENSIONS, extension_of
from millimorph.io.nnunet import PICTURE_ENDINGS

_TASK = re.compile(r"Task[0-9]{2,3}_[A-Za-z0-9.+-]+")
_NIFTI = ".nii.gz"
_PICTURES = (*PICTURE_ENDINGS, ".jpg", ".jpeg")


def export_decathlon(
    out: str | Path, dest: str | Path, source_root: str | Path | None = None
) -> Export:
    """Write the samples of a job and their originals in the Decathlon's layout.

    `dest` is the new folder, named like Task11_Liver. All channels of a case are one 4D NIfTI file;
    items of dataset.json also tell patient, fold and sample. splits_final.json has folds by
    patient in nnU-Net's form. `source_root` is where the input folder is now, if it or `out` was
    moved.

    Raises FileError for files that are missing or have changed; OutputError for a `dest` that is
    there already, for parts that the layout cannot take, and with fewer than two patients.
    """
    out, dest = Path(out), Path(dest)
    if _TASK.fullmatch(dest.name) is None:
        raise OutputError(
            f"{dest}: the Decathlon wants a folder named TaskNN_Name (no further _), such as "
            f"Task11_Liver"
        )
    job = _checked(out, dest, source_root, "the Decathlon")
    if job.dimension == 2:
        raise OutputError(f"{out}: its images are 2D; the Decathlon's are 3D, so use --to monai")
    table = label_table(job, job.labels[0])
    notes: list[str] = []
    with files.writing(dest, notes) as place:
        (place / "imagesTs").mkdir()
        for member in job.members:
            _put_volume(job, member, place / f"imagesTr/{member.id}{_NIFTI}")
            label = member.labels[job.labels[0]]
            files.put_labels(label, place / f"labelsTr/{member.id}{_NIFTI}", {})
        files.put_json(place / DESCRIPTION, _decathlon(job, dest, table))
        splits = [
            {"train": [one.id for one in fold.train], "val": [one.id for one in fold.val]}
            for fold in folds(job.members)
        ]
        files.put_json(place / SPLITS_FILE, splits)
    steps = (
        f"train by the folds of {dest / SPLITS_FILE}: train and val hold case names, and no copy",
        "of a patient who validates is trained on",
    )
    return export_of(job, dest, notes, steps)


def export_monai(
    out: str | Path,
    dest: str | Path,
    placing: files.Placing = "copied",
    source_root: str | Path | None = None,
) -> Export:
    """Write the samples of a job and their originals with data lists for MONAI.

    `dest` is the new folder. datalist.json holds the first patients out: `training` has originals
    and copies of the others, `validation` the originals of those; datalist_fold1.json and so on do
    the same for the other folds. Every item has fold, group, aug_id and source. With "linked"
    nothing is copied: the lists refer to the files where they are, through two links in `dest`.
    `source_root` is where the input folder is now, if it or `out` was moved.

    Raises as `export_decathlon`.
    """
    out, dest = Path(out), Path(dest)
    job = _checked(out, dest, source_root, "MONAI")
    table = label_table(job, job.labels[0])
    notes: list[str] = []
    items: dict[str, dict[str, Any]] = {}
    held_out = fold_of_group(job.members)
    with files.writing(dest, notes) as place:
        if placing == "linked":
            files.link_folders(place, dest, job.root, job.out)
            notes += _reader_notes(job)
        for member in job.members:
            linked = placing == "linked"
            paths = _linked(job, member) if linked else _put_files(job, member, place)
            items[member.id] = {"id": member.id, **paths, **_origin(member, held_out)}
        for number, fold in enumerate(folds(job.members)):
            name = DATALIST if number == 0 else f"datalist_fold{number}.json"
            content = {
                "name": dest.name,
                **_properties(job, table),
                "numTraining": len(fold.train),
                "training": [items[one.id] for one in fold.train],
                "validation": [items[one.id] for one in fold.val],
            }
            files.put_json(place / name, content)
    listed = str(dest / DATALIST)
    steps = (
        f"monai.data.load_decathlon_datalist({listed!r}, data_list_key='training')",
        f"monai.data.load_decathlon_datalist({listed!r}, data_list_key='validation')",
        "(fold 0 validates; datalist_fold1.json and so on hold out the other folds. No copy of a",
        " patient who validates is trained on)",
    )
    return export_of(job, dest, notes, steps)


def _checked(out: Path, dest: Path, source_root: str | Path | None, tool: str) -> FinishedJob:
    job = members.read_finished(out, source_root)
    files.check_place(dest, (out, job.root))
    members.check_no_series(job, tool)
    members.check_label_map(job, tool)
    members.check_one_grid(job, tool)
    members.check_patients(job)
    return job


def _put_volume(job: FinishedJob, member: Member, target: Path) -> None:
    """Write all images of a case as one file: 4D if they have several channels together."""
    if len(job.channel_names) == 1:
        files.put_channel(member.images[job.images[0]], None, target)
    else:
        files.put_stack(list(member.images.values()), target)


def _decathlon(job: FinishedJob, dest: Path, table: LabelTable) -> dict[str, Any]:
    held_out = fold_of_group(job.members)
    training = [
        {
            "image": f"./imagesTr/{member.id}{_NIFTI}",
            "label": f"./labelsTr/{member.id}{_NIFTI}",
            **_origin(member, held_out),
        }
        for member in job.members
    ]
    return {
        "name": dest.name.partition("_")[2],
        "description": "Originals and augmented copies, written by millimorph",
        "reference": "",
        "licence": "that of the originals",
        "release": "",
        **_properties(job, table),
        "numTraining": len(training),
        "numTest": 0,
        "training": training,
        "test": [],
    }


def _properties(job: FinishedJob, table: LabelTable) -> dict[str, Any]:
    return {
        "tensorImageSize": "4D" if len(job.channel_names) > 1 else f"{job.dimension}D",
        "modality": {str(k): name for k, name in enumerate(job.channel_names)},
        "labels": {str(value): name for value, name in table.names.items()},
    }


def _origin(member: Member, held_out: Mapping[str, int]) -> dict[str, Any]:
    """Return patient, fold, original and sample of an item, as texts and numbers.

    Collating a batch in MONAI takes no None, so an original is the sample "orig".
    """
    return {
        "fold": held_out[member.group],
        "group": member.group,
        "aug_id": member.copy_name,
        "source": member.source,
    }


def _put_files(job: FinishedJob, member: Member, place: Path) -> dict[str, Any]:
    """Write the files of a case and return their paths, as an item of a data list has them."""
    images = []
    for role, file in member.images.items():
        path = f"images/{member.id}_{role}{_image_ending(job, role, file)}"
        if len(job.channels[role]) == 1 or extension_of(file.path) in _PICTURES:
            files.put_channel(file, None, place / path)
        elif len(job.images) == 1 and job.dimension == 3:
            files.put_stack([file], place / path)
        else:
            raise OutputError(
                f"{file.path}: has several channels beside other images, or is 2D; MONAI's lists "
                f"want one file of all channels, or a file for each"
            )
        images.append(path)
    label = member.labels[job.labels[0]]
    path = f"labels/{member.id}{_read_ending(label)}"
    files.put_labels(label, place / path, {})
    return {"image": images[0] if len(images) == 1 else images, "label": path}


def _image_ending(job: FinishedJob, role: str, file: ExportFile) -> str:
    several = len(job.channels[role]) > 1 and extension_of(file.path) not in _PICTURES
    return _NIFTI if several else _read_ending(file)


def _read_ending(file: ExportFile) -> str:
    """Return the file's own ending if MONAI reads it with nibabel and Pillow alone."""
    ending = "" if file.path.is_dir() else extension_of(file.path)
    return ending if ending in {*NIFTI_EXTENSIONS, *_PICTURES} else _NIFTI


def _reader_notes(job: FinishedJob) -> list[str]:
    endings = {extension_of(file.path) for one in job.members for file in one.files}
    others = sorted(endings - {*NIFTI_EXTENSIONS, *_PICTURES})
    listed = ", ".join(others)
    return [f"MONAI reads {listed} files with the package itk or pynrrd only"] if others else []


def _linked(job: FinishedJob, member: Member) -> dict[str, Any]:
    """Return the paths of a case's files through the links."""
    for file in member.files:
        files.check_unchanged(file)
        if not file.path.is_file() or (
            job.looks[file.path].channels > 1 and extension_of(file.path) not in _PICTURES
        ):
            raise OutputError(
                f"{file.path}: has several channels, or is a DICOM series, and cannot be referred "
                f"to; leave out --refer to copy"
            )
    images = [files.linked_path(file, job.root, job.out) for file in member.images.values()]
    label = files.linked_path(member.labels[job.labels[0]], job.root, job.out)
    return {"image": images[0] if len(images) == 1 else images, "label": label}
