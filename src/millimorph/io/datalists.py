"""MONAI's data lists: datalist.json with the lists `training` and `validation`.

As `monai.data.load_decathlon_datalist` reads them: an item has an image (a path, or a list of paths
of one channel each) and mostly a label map; paths are relative to the file. A 4D image holds
channels. Of further keys `group` (the patient) and `id` are used, and the Decathlon's `modality`
and `labels` on top.
"""

from collections.abc import Mapping
from pathlib import Path
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
from millimorph.io.decathlon import group_of, named_labels, ordered_names
from millimorph.io.extensions import stem_of
from millimorph.io.layouts import DEFAULT_IMAGE, CaseFiles

LAYOUT = "MONAI data list"
DESCRIPTION = "datalist.json"
TRAINING, VALIDATION = "training", "validation"


def is_datalist(content: Mapping[str, Any]) -> bool:
    """Tell whether a JSON file is a data list of MONAI."""
    return isinstance(content.get(TRAINING), list)


def read_datalist(path: Path) -> DataSet:
    """Return the cases of training and validation; the label map is named "labels".

    Images are named by `modality` where it names as many, else "image", or "image_0", "image_1", …

    Raises FileError for a malformed list, a path that leads out, and without a complete case.
    """
    content = read_description(path)
    modalities = _modalities(path, content)
    whole: dict[str, CaseFiles] = {}
    lacking: list[Lacking] = []
    for key in (TRAINING, VALIDATION):
        for number, item in enumerate(_items(path, key, content.get(key, []))):
            case = _case(path, f"{path}: {key}, item {number}", item, modalities)
            missing = [
                one for one in (*case.images.values(), *case.labels.values()) if not one.is_file()
            ]
            if missing:
                shown = missing[0].relative_to(path.parent).as_posix()
                lacking.append(Lacking(case.id, f"has no {shown}"))
            elif case.id in whole:
                raise FileError(f"{path}: the case {case.id} is there twice; list every case once")
            else:
                whole[case.id] = case
    data_set = DataSet(
        LAYOUT,
        f"{path.name} has training",
        path,
        checked_cases(path.parent, whole.values()),
        tuple(lacking),
        named_labels(path, content.get("labels")),
        _channel_names(modalities, whole),
        shares_grid=bool(modalities),
        notes=("test has no labels and is not used",) if content.get("test") else (),
    )
    return require_cases(data_set, path.parent)


def _modalities(path: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    found = content.get("modality")
    return () if found is None else ordered_names(path, "modality", found)


def _items(path: Path, key: str, items: Any) -> list[Any]:
    if not isinstance(items, list):
        raise FileError(f"{path}: {key} must be a list, got {type(items).__name__}")
    return items


def _case(path: Path, place: str, item: Any, modalities: tuple[str, ...]) -> CaseFiles:
    if not isinstance(item, dict):
        raise FileError(f"{place}: must be an object with an image, got {item!r}")
    images = _paths(path.parent, place, item, "image")
    labels = _paths(path.parent, place, item, "label") if "label" in item else []
    if not images:
        raise FileError(f"{place}: names no image")
    given = item.get("id", stem_of(images[0]))
    if not isinstance(given, str):
        raise FileError(f"{place}: id must be a text, got {given!r}")
    names = _image_names(len(images), modalities)
    label_names = [LABELS] if len(labels) == 1 else [f"{LABELS}_{k}" for k in range(len(labels))]
    return CaseFiles(
        given,
        dict(zip(names, images, strict=True)),
        dict(zip(label_names, labels, strict=True)),
        group=group_of(place, item),
        fourth_axis="channels",
    )


def _paths(folder: Path, place: str, item: Mapping[str, Any], key: str) -> list[Path]:
    value = item.get(key)
    texts = value if isinstance(value, list) else [value]
    paths = [path_below(folder, text, place) for text in texts if isinstance(text, str)]
    if len(paths) < len(texts):
        raise FileError(f"{place}: {key} must be a path or a list of paths, got {value!r}")
    return paths


def _image_names(count: int, modalities: tuple[str, ...]) -> tuple[str, ...]:
    if count == len(modalities):
        return role_names(modalities)
    return (DEFAULT_IMAGE,) if count == 1 else tuple(f"{DEFAULT_IMAGE}_{k}" for k in range(count))


def _channel_names(
    modalities: tuple[str, ...], cases: Mapping[str, CaseFiles]
) -> dict[str, tuple[str, ...]]:
    """Return the channels of each image as the list spells them, if it does."""
    if not modalities:
        return {}
    if any(DEFAULT_IMAGE in case.images for case in cases.values()) and len(modalities) > 1:
        return {DEFAULT_IMAGE: modalities}
    return {name: (one,) for name, one in zip(role_names(modalities), modalities, strict=True)}
