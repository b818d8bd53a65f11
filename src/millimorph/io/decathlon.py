"""Medical Segmentation Decathlon: dataset.json with `modality` and a list of training pairs.

As in the Decathlon's own archives and MONAI's reader of them: paths may begin with "./", files
whose names begin with "." or "_" are no images, and several modalities are one 4D file.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from millimorph.errors import FileError
from millimorph.io.data_set import (
    LABELS,
    DataSet,
    Lacking,
    checked_cases,
    path_below,
    read_description,
    require_cases,
    role_names,
)
from millimorph.io.extensions import extension_of, stem_of
from millimorph.io.layouts import DEFAULT_IMAGE, CaseFiles

LAYOUT = "Medical Segmentation Decathlon"
DESCRIPTION = "dataset.json"

_REASON = "dataset.json has modality and training"


def is_decathlon(content: Mapping[str, Any]) -> bool:
    """Tell whether a dataset.json is the Decathlon's."""
    return "modality" in content and "training" in content


def read_decathlon(folder: Path) -> DataSet:
    """Return the training cases; the label map is named "labels".

    The image is named by its modality; one of several modalities is a 4D file and named "image".

    Raises FileError for a malformed dataset.json, a path that leads out, and without a complete
    case.
    """
    path = folder / DESCRIPTION
    content = read_description(path)
    modalities = _ordered(path, "modality", content.get("modality"))
    image = role_names(modalities)[0] if len(modalities) == 1 else DEFAULT_IMAGE
    training = content.get("training")
    if not isinstance(training, list):
        raise FileError(f"{path}: training must be a list of images with labels")
    whole: list[CaseFiles] = []
    lacking: list[Lacking] = []
    for number, item in enumerate(training):
        place = f"{path}: training, item {number}"
        image_text, label_text = (_text(place, item, key) for key in ("image", "label"))
        if PurePosixPath(image_text).name.startswith((".", "_")):
            continue
        files = {image: path_below(folder, image_text, place)}
        labels = {LABELS: path_below(folder, label_text, place)}
        case = stem_of(files[image])
        missing = [one for one in (files[image], labels[LABELS]) if not one.is_file()]
        if missing:
            lacking.append(Lacking(case, _absence(folder, missing[0])))
        else:
            whole.append(CaseFiles(case, files, labels, group=_group(place, item)))
    data_set = DataSet(
        LAYOUT,
        _REASON,
        path,
        _distinct(path, whole),
        tuple(lacking),
        _label_names(path, content.get("labels")),
        shares_grid=True,
        notes=tuple(_notes(content, modalities, len(training))),
    )
    return require_cases(data_set, folder)


def _ordered(path: Path, key: str, names: Any) -> tuple[str, ...]:
    """Return the texts of a mapping "0", "1", … in order."""
    count = len(names) if isinstance(names, dict) else 0
    if not count or set(names) != {str(k) for k in range(count)}:
        raise FileError(f'{path}: {key} must have the keys "0", "1", …, got {names!r}')
    return tuple(str(names[str(k)]) for k in range(count))


def _label_names(path: Path, labels: Any) -> dict[str, str]:
    """Return the values by name: in the file it is the other way round."""
    if labels is None:
        return {}
    if not isinstance(labels, dict) or not all(value.isdecimal() for value in labels):
        raise FileError(f'{path}: labels must map values such as "1" to names, got {labels!r}')
    return {str(name): str(int(value)) for value, name in labels.items()}


def _text(place: str, item: Any, key: str) -> str:
    text = item.get(key) if isinstance(item, dict) else None
    if not isinstance(text, str):
        raise FileError(f"{place}: {key} must be the path of one file, got {text!r}")
    return text


def _group(place: str, item: Mapping[str, Any]) -> str | None:
    group = item.get("group")
    if group is not None and not isinstance(group, str | int):
        raise FileError(f"{place}: group must be the name of a patient, got {group!r}")
    return None if group is None else str(group)


def _absence(folder: Path, path: Path) -> str:
    shown = path.relative_to(folder).as_posix()
    numbered = path.with_name(f"{stem_of(path)}_0000{extension_of(path)}")
    if numbered.is_file():
        return (
            f"has no {shown}, but {numbered.name}: this is nnU-Net v1; convert it with "
            f"nnUNetv2_convert_old_nnUNet_dataset"
        )
    return f"has no {shown}"


def _distinct(path: Path, cases: list[CaseFiles]) -> tuple[CaseFiles, ...]:
    ids = [case.id for case in cases]
    doubled = next((case for case in ids if ids.count(case) > 1), None)
    if doubled is not None:
        raise FileError(f"{path}: training lists the image {doubled} twice; every case once")
    return checked_cases(path.parent, cases)


def _notes(content: Mapping[str, Any], modalities: tuple[str, ...], training: int) -> list[str]:
    notes = []
    if len(modalities) > 1:
        notes.append(f"each image holds {', '.join(modalities)} along its fourth axis")
    said = content.get("numTraining")
    if said is not None and said != training:
        notes.append(f"numTraining is {said}, training lists {training}")
    if content.get("test"):
        notes.append("test has no labels and is not used")
    return notes
