"""nnU-Net v2 raw data sets: imagesTr/{case}_0000{ending}, labelsTr/{case}{ending}, dataset.json.

Rules as in nnU-Net 2.8: documentation/reference/dataset-format.md and what
`verify_dataset_integrity` refuses. Further, paths of the key `dataset` must lie below the folder.
nnU-Net has no place for patients; where millimorph wrote the data set, CASES_FILE names them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from millimorph.errors import FileError
from millimorph.io.data_set import (
    LABELS,
    DataSet,
    Lacking,
    checked_cases,
    names_in,
    path_below,
    read_description,
    require_cases,
    role_names,
)
from millimorph.io.layouts import DEFAULT_IMAGE, CaseFiles, check_id

LAYOUT = "nnU-Net v2 raw"
DESCRIPTION = "dataset.json"
CASES_FILE = "millimorph/cases.json"
FOLDER_NAME = re.compile(r"Dataset[0-9]{3}_[A-Za-z0-9_.+-]+")
PICTURE_ENDINGS = (".png", ".bmp", ".tif", ".tiff")
ENDINGS = (".nii.gz", ".nrrd", ".mha", ".gipl", ".nii", *PICTURE_ENDINGS)

_REASON = "dataset.json has channel_names"
_BACKGROUND, _IGNORE = "background", "ignore"


@dataclass(frozen=True)
class _Description:
    """What dataset.json says, checked; `path` is the file."""

    path: Path
    channels: tuple[str, ...]
    labels: Mapping[str, str]
    ending: str
    training: int
    references: Mapping[str, Any] | None

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def takes_pictures(self) -> bool:
        """Whether one file may hold all channels, as colours."""
        return self.ending.lower() in PICTURE_ENDINGS and len(self.channels) > 1


@dataclass(frozen=True)
class _Found:
    """The files of one case: its images by channel number, and its label map."""

    images: Mapping[int, Path]
    label: Path | None


def is_nnunet(content: Mapping[str, Any]) -> bool:
    """Tell whether a dataset.json is nnU-Net's."""
    return "channel_names" in content


def read_nnunet(folder: Path) -> DataSet:
    """Return the training cases; images are named by their channels, the label map "labels".

    A case that lacks a channel or its label map is listed as lacking.

    Raises FileError for a dataset.json that breaks a rule of nnU-Net, and without a complete case.
    """
    path = folder / DESCRIPTION
    described = _description(path, read_description(path))
    found = _referenced(described) if described.references is not None else _listed(described)
    listed = described.references is not None
    count = sum(listed or bool(files.images) for files in found.values())
    if count != described.training:
        raise FileError(
            f"{path}: numTraining is {described.training}, but there are {count} training cases; "
            f"bring the missing files or correct numTraining"
        )
    for case in found:
        check_id(path, case)
    problems = {case: _problem(described, files) for case, files in found.items()}
    names = role_names(described.channels)
    groups = _groups(folder)
    whole = [
        _case_files(case, files, names, groups.get(case))
        for case, files in found.items()
        if not problems[case]
    ]
    _refuse_spacing_files(described, whole)
    lacking = tuple(Lacking(case, text) for case, text in sorted(problems.items()) if text)
    data_set = DataSet(
        LAYOUT,
        _REASON,
        path,
        checked_cases(folder, whole),
        lacking,
        described.labels,
        _channel_names(described, names, whole),
        shares_grid=True,
        notes=tuple(_notes(folder)),
    )
    return require_cases(data_set, folder)


def _description(path: Path, content: Mapping[str, Any]) -> _Description:
    missing = [key for key in ("channel_names", "labels", "file_ending") if key not in content]
    if missing:
        raise FileError(f"{path}: the key {missing[0]} is missing; nnU-Net requires it")
    training = content.get("numTraining")
    if not isinstance(training, int) or isinstance(training, bool):
        raise FileError(f"{path}: numTraining must be the number of cases, got {training!r}")
    ending = content["file_ending"]
    if not isinstance(ending, str) or ending.lower() not in ENDINGS:
        raise FileError(
            f"{path}: file_ending must be one that nnU-Net reads without loss, "
            f"{', '.join(ENDINGS)}, got {ending!r}"
        )
    references = content.get("dataset")
    if references is not None and not isinstance(references, dict):
        raise FileError(f"{path}: dataset must map each case to its images and label")
    return _Description(
        path,
        _channels(path, content["channel_names"]),
        _labels(path, content),
        ending,
        training,
        references,
    )


def _channels(path: Path, names: Any) -> tuple[str, ...]:
    count = len(names) if isinstance(names, dict) else 0
    if not count or set(names) != {str(k) for k in range(count)}:
        raise FileError(
            f'{path}: channel_names must have the keys "0", "1", … without a gap, got '
            f"{list(names) if isinstance(names, dict) else names!r}"
        )
    channels = tuple(names[str(k)] for k in range(count))
    if not all(isinstance(name, str) for name in channels):
        raise FileError(f"{path}: channel_names must be texts, got {list(channels)}")
    return channels


def _labels(path: Path, content: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of each label as text; regions are several values."""
    labels = content["labels"]
    if not isinstance(labels, dict) or labels.get(_BACKGROUND) != 0:
        raise FileError(f'{path}: labels must be names with their values, and "background" with 0')
    values = {name: value if isinstance(value, list) else [value] for name, value in labels.items()}
    used = set(chain.from_iterable(values.values()))
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in used):
        raise FileError(f"{path}: the values of labels must be integers, or lists of them")
    if used != set(range(len(used))):
        raise FileError(f"{path}: the values of labels must be 0, 1, 2, … without a gap")
    if _IGNORE in labels and labels[_IGNORE] != max(used):
        raise FileError(f'{path}: the label "ignore" must have the highest value, {max(used)}')
    regions = any(len(value) > 1 for value in values.values())
    order = content.get("regions_class_order")
    expected = len(set(labels) - {_BACKGROUND, _IGNORE})
    listed = order if isinstance(order, list) else []
    whole = all(type(value) is int for value in listed)
    if regions and not (whole and len(listed) == expected):
        raise FileError(
            f"{path}: labels has regions, so regions_class_order must list {expected} integers, "
            f"got {order!r}"
        )
    return {name: "+".join(map(str, value)) for name, value in values.items()}


def _listed(described: _Description) -> dict[str, _Found]:
    """Find the cases of imagesTr by their channel suffixes, and those of labelsTr."""
    images: dict[str, dict[int, Path]] = {}
    folder = described.folder / "imagesTr"
    fitting = re.compile(rf"(.+)_([0-9]{{4}}){re.escape(described.ending)}", re.DOTALL)
    for name in names_in(folder):
        match = fitting.fullmatch(name)
        if match is not None:
            images.setdefault(match[1], {})[int(match[2])] = folder / name
        elif name.endswith(described.ending):
            raise FileError(
                f"{folder / name}: the name of an image must end in _0000{described.ending} (or "
                f"another channel number of four digits); rename it"
            )
    folder = described.folder / "labelsTr"
    labels = {
        name.removesuffix(described.ending): folder / name
        for name in names_in(folder)
        if name.endswith(described.ending)
    }
    return {
        case: _Found(images.get(case, {}), labels.get(case))
        for case in dict.fromkeys((*images, *labels))
    }


def _referenced(described: _Description) -> dict[str, _Found]:
    """Find the cases that the key `dataset` lists."""
    found = {}
    for case, entry in (described.references or {}).items():
        place = f"{described.path}: dataset, case {case!r}"
        images = entry.get("images") if isinstance(entry, dict) else None
        label = entry.get("label") if isinstance(entry, dict) else None
        texts = [*images, label] if isinstance(images, list) else []
        if not texts or not all(isinstance(text, str) for text in texts):
            raise FileError(f"{place}: must have images (a list of paths) and label (a path)")
        wrong = [text for text in texts if not text.endswith(described.ending)]
        if wrong:
            raise FileError(f"{place}: {wrong[0]!r} does not end in {described.ending}")
        paths = [path_below(described.folder, text, place) for text in texts]
        there = {k: path for k, path in enumerate(paths[:-1]) if path.is_file()}
        found[case] = _Found(there, paths[-1] if paths[-1].is_file() else None)
    return found


def _problem(described: _Description, files: _Found) -> str | None:
    """Say what a case lacks."""
    if not files.images:
        return "has a label map but no image"
    wanted = set(range(len(described.channels)))
    if described.takes_pictures and set(files.images) == {0}:
        wanted = {0}
    missing = sorted(wanted - set(files.images))
    if missing:
        listed = ", ".join(f"{k:04d} ({described.channels[k]})" for k in missing)
        return f"has no image of channel {listed}"
    beyond = sorted(set(files.images) - wanted)
    if beyond:
        return f"has an image of channel {beyond[0]:04d}, which channel_names does not name"
    return "has no label map" if files.label is None else None


def _case_files(case: str, files: _Found, names: tuple[str, ...], group: str | None) -> CaseFiles:
    images = {names[k]: path for k, path in sorted(files.images.items())}
    if len(images) < len(names):
        images = {DEFAULT_IMAGE: files.images[0]}
    labels = {} if files.label is None else {LABELS: files.label}
    return CaseFiles(case, images, labels, group=group)


def _channel_names(
    described: _Description, names: tuple[str, ...], whole: list[CaseFiles]
) -> dict[str, tuple[str, ...]]:
    """Return the channels of each image as dataset.json spells them."""
    if any(DEFAULT_IMAGE in case.images for case in whole) and DEFAULT_IMAGE not in names:
        return {DEFAULT_IMAGE: described.channels}
    return {name: (channel,) for name, channel in zip(names, described.channels, strict=True)}


def _groups(folder: Path) -> dict[str, str]:
    """Return the patients of the cases, where millimorph wrote the data set."""
    path = folder / CASES_FILE
    if not path.is_file():
        return {}
    groups = {}
    for case, entry in read_description(path).items():
        group = entry.get("group") if isinstance(entry, dict) else None
        if not isinstance(group, str):
            raise FileError(f"{path}: case {case!r} must have a group, the name of its patient")
        groups[case] = group
    return groups


def _refuse_spacing_files(described: _Description, whole: list[CaseFiles]) -> None:
    """Refuse 3D TIFF, whose voxel sizes nnU-Net keeps in a JSON file of each case."""
    if described.ending.lower() not in {".tif", ".tiff"}:
        return
    for case in whole:
        beside = described.folder / "labelsTr" / f"{case.id}.json"
        if beside.is_file():
            raise FileError(
                f"{beside}: the voxel sizes of 3D TIFF files lie in JSON files, which are not "
                f"read; convert the data set to .nii.gz"
            )


def _notes(folder: Path) -> Iterator[str]:
    if names_in(folder / "imagesTs"):
        yield "imagesTs has no labels and is not used"
    if FOLDER_NAME.fullmatch(folder.resolve().name) is None:
        yield "nnU-Net itself wants the folder to be named DatasetNNN_Name"
