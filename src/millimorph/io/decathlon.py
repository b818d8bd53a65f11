"""Medical Segmentation Decathlon: dataset.json with `modality` and a list of training pairs.

As in the Decathlon's own archives and MONAI's reader of them: paths may begin with "./", files
whose names begin with "." or "_" are no images, and several modalities are the channels of one 4D
file. `test` is a list of paths or of objects with an image.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
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
from millimorph.io.extensions import IMAGE_EXTENSIONS, extension_of, stem_of
from millimorph.io.layouts import DEFAULT_IMAGE, CaseFiles, listed_files

LAYOUT = "Medical Segmentation Decathlon"
DESCRIPTION = "dataset.json"

_REASON = "dataset.json has modality and training"


def is_decathlon(content: Mapping[str, Any]) -> bool:
    """Tell whether a dataset.json is the Decathlon's."""
    return "modality" in content and "training" in content


def read_decathlon(folder: Path) -> DataSet:
    """Return the training cases; the label map is named "labels".

    The image is named by its modality; one of several modalities is named "image", and these are
    its channels.

    Raises FileError for a malformed dataset.json, a path that leads out, and without a complete
    case.
    """
    path = folder / DESCRIPTION
    content = read_description(path)
    modalities = ordered_names(path, "modality", content.get("modality"))
    image = role_names(modalities)[0] if len(modalities) == 1 else DEFAULT_IMAGE
    training = content.get("training")
    if not isinstance(training, list):
        raise FileError(f"{path}: training must be a list of images with labels")
    whole: list[CaseFiles] = []
    lacking: list[Lacking] = []
    for number, item in enumerate(training):
        place = f"{path}: training, item {number}"
        image_text, label_text = (_text(place, item, key) for key in ("image", "label"))
        if _is_no_image(image_text):
            continue
        files = {image: path_below(folder, image_text, place)}
        labels = {LABELS: path_below(folder, label_text, place)}
        case = stem_of(files[image])
        missing = [one for one in (files[image], labels[LABELS]) if not one.is_file()]
        if missing:
            lacking.append(Lacking(case, _absence(folder, missing[0])))
        else:
            group = group_of(place, item)
            whole.append(CaseFiles(case, files, labels, group=group, fourth_axis="channels"))
    data_set = DataSet(
        LAYOUT,
        _REASON,
        path,
        _distinct(path, whole),
        tuple(lacking),
        named_labels(path, content.get("labels")),
        {image: modalities},
        shares_grid=True,
        notes=tuple(_notes(path, content, modalities, whole)),
    )
    return require_cases(data_set, folder)


def ordered_names(path: Path, key: str, names: Any) -> tuple[str, ...]:
    """Return the texts of a mapping "0", "1", … in order."""
    count = len(names) if isinstance(names, dict) else 0
    if not count or set(names) != {str(k) for k in range(count)}:
        raise FileError(f'{path}: {key} must have the keys "0", "1", …, got {names!r}')
    return tuple(str(names[str(k)]) for k in range(count))


def named_labels(path: Path, labels: Any) -> dict[str, str]:
    """Return the values by name: in the file it is the other way round."""
    if labels is None:
        return {}
    if not isinstance(labels, dict) or not all(value.isdecimal() for value in labels):
        raise FileError(f'{path}: labels must map values such as "1" to names, got {labels!r}')
    named = {str(name): str(int(value)) for value, name in labels.items()}
    if len(named) < len(labels):
        raise FileError(f"{path}: labels gives two values the same name; every value has its own")
    return named


def _text(place: str, item: Any, key: str) -> str:
    text = item.get(key) if isinstance(item, dict) else None
    if not isinstance(text, str):
        raise FileError(f"{place}: {key} must be the path of one file, got {text!r}")
    return text


def group_of(place: str, item: Mapping[str, Any]) -> str | None:
    """Return the patient of an item of a list, if it names one."""
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


def _is_no_image(text: str) -> bool:
    """Tell whether a path is a file of the system that packed the archive, such as ._name."""
    return PurePosixPath(text).name.startswith((".", "_"))


def _notes(
    path: Path, content: Mapping[str, Any], modalities: tuple[str, ...], whole: list[CaseFiles]
) -> Iterator[str]:
    if len(modalities) > 1:
        yield f"each image holds {', '.join(modalities)} along its fourth axis"
    training = [_text("training", item, "image") for item in content["training"]]
    listed = [text for text in training if not _is_no_image(text)]
    said = content.get("numTraining")
    if said is not None and said not in {len(training), len(listed)}:
        yield f"numTraining is {said}, training lists {len(listed)}"
    for folder, files in (
        ("imagesTr", {one for case in whole for one in case.images.values()}),
        ("labelsTr", {one for case in whole for one in case.labels.values()}),
    ):
        there = [path.parent / folder / name for name in names_in(path.parent / folder)]
        images = [one for one in there if extension_of(one) in IMAGE_EXTENSIONS]
        alone = [one.name for one in images if one not in files and not _is_no_image(one.name)]
        if alone:
            yield f"in {folder}, but of no complete case of training: {listed_files(alone)}"
    tests = _tests(path, content.get("test"))
    if tests:
        yield f"test ({tests} images) has no labels and is not used"


def _tests(path: Path, test: Any) -> int:
    """Return how many test images are listed, as paths or as objects."""
    items = [] if test is None else test
    if not isinstance(items, list):
        raise FileError(f"{path}: test must be a list of images, got {type(test).__name__}")
    texts = [
        item if isinstance(item, str) else _text(f"{path}: test, item {number}", item, "image")
        for number, item in enumerate(items)
    ]
    return sum(not _is_no_image(text) for text in texts)
