"""Files of an export: copied byte by byte, or written anew where the format wants another file.

A new data set is made in a folder beside its place and takes its name once it is complete.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import FileError, OutputError
from millimorph.generate.exports.members import ExportFile, check_there, look_at
from millimorph.generate.sample import collected
from millimorph.generate.sidecar import file_digest
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import read_labels, write_image, write_labels
from millimorph.io.atomic import replacing_folder
from millimorph.io.extensions import extension_of
from millimorph.io.layouts import read_as

Placing = Literal["copied", "linked"]
"""Whether files are copied into a data set, or referred to where they are, through links."""

ORIGINALS_LINK, COPIES_LINK = "originals", "copies"

_SMALL_LABEL_TYPES = ("uint8", "uint16")


def check_place(dest: Path, taken: Sequence[Path]) -> None:
    """Refuse a folder that is there, or that lies in one of those."""
    if dest.exists() or dest.is_symlink():
        raise OutputError(f"{dest} exists; choose another name, or remove it")
    if any(dest.resolve().is_relative_to(one.resolve()) for one in taken):
        raise OutputError(f"{dest}: lies inside the input or output folder; choose another place")


@contextmanager
def writing(dest: Path, notes: list[str]) -> Iterator[Path]:
    """Yield an empty folder beside `dest` that takes its name when the block ends well.

    Warnings on the way are added to the notes.
    """
    said: list[str] = []
    with collected(said), replacing_folder(dest) as place:
        yield place
    notes += [text.replace(str(place), str(dest)) for text in said]


def put_json(path: Path, content: object) -> None:
    """Write JSON for people."""
    put_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def put_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, in a folder that is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="\n")


def put_copy(file: ExportFile, target: Path) -> None:
    """Copy a file; FileError unless it is what its sidecar says."""
    check_there(file.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.path, target)
    if file_digest(target)[0] != file.sha256:
        raise _changed(file)


def put_channel(file: ExportFile, channel: int | None, target: Path) -> None:
    """Write an image of one channel: a copy if the file has no other, and the target's type."""
    if channel is None and _is_of_type(file, target):
        put_copy(file, target)
        return
    image = _read(file)
    voxels = image.array if channel is None else image.array[channel]
    _make(ScalarImage(voxels, image.grid), target)


def put_stack(files: Sequence[ExportFile], target: Path) -> None:
    """Write all channels of images along the fourth axis of one NIfTI file, in a common type."""
    images = [_read(file) for file in files]
    voxels = np.concatenate([image.channel_arrays for image in images])
    _make(ScalarImage(voxels, images[0].grid, FrameAxis()), target)


def put_labels(file: ExportFile, target: Path, renumbered: Mapping[int, int]) -> None:
    """Write a label map with other values, as uint8 where these are below 255, else as uint16.

    It is a copy where nothing has to change: no value, and neither the type nor the format.
    """
    if not renumbered and _is_of_type(file, target) and look_at(file).dtype in _SMALL_LABEL_TYPES:
        put_copy(file, target)
        return
    labels = checked_labels(file)
    array = _renumbered(labels.array, renumbered)
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise OutputError(f"{file.path}: labels must lie from 0 to 65535, got {low} to {high}")
    small = array.astype(np.uint8 if high < np.iinfo(np.uint8).max else np.uint16)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_labels(LabelMap(small, labels.grid), target)


def checked_labels(file: ExportFile) -> LabelMap:
    """Read a label map; FileError unless it is what its sidecar says."""
    check_unchanged(file)
    return read_labels(file.path)


def link_folders(place: Path, dest: Path, originals: Path, copies: Path) -> None:
    """Make links in a new folder to the folders that its description refers to.

    They are relative to where the folder will be, so nothing in it names a machine's paths.
    """
    for name, folder in ((ORIGINALS_LINK, originals), (COPIES_LINK, copies)):
        text = os.path.relpath(folder.resolve(), dest.parent.resolve() / dest.name)
        try:
            (place / name).symlink_to(text, target_is_directory=True)
        except (OSError, NotImplementedError) as error:
            raise OutputError(
                f"{dest}: links cannot be made here ({error}); leave out --refer to copy the files"
            ) from None


def linked_path(file: ExportFile, originals: Path, copies: Path) -> str:
    """Return the path of a file through the links, as a description may hold it."""
    for name, folder in ((COPIES_LINK, copies), (ORIGINALS_LINK, originals)):
        path = file.path.parent.resolve() / file.path.name
        if path.is_relative_to(folder.resolve()):
            return f"{name}/{path.relative_to(folder.resolve()).as_posix()}"
        if file.path.is_relative_to(folder):
            return f"{name}/{file.path.relative_to(folder).as_posix()}"
    raise OutputError(
        f"{file.path}: lies neither in {originals} nor in {copies}; leave out --refer"
    )


def check_unchanged(file: ExportFile) -> None:
    """Raise FileError unless a file is what its sidecar says."""
    check_there(file.path)
    if file_digest(file.path)[0] != file.sha256:
        raise _changed(file)


def _read(file: ExportFile) -> ScalarImage:
    check_unchanged(file)
    return read_as(file.path, file.fourth_axis)


def _make(image: ScalarImage, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    write_image(image, target)


def _renumbered(array: NDArray[np.integer], values: Mapping[int, int]) -> NDArray[np.integer]:
    if not values:
        return array
    known = np.array(sorted(values))
    new = np.array([values[int(value)] for value in known])
    return new[np.searchsorted(known, array)]


def _is_of_type(file: ExportFile, target: Path) -> bool:
    return not file.path.is_dir() and extension_of(file.path) == extension_of(target)


def _changed(file: ExportFile) -> FileError:
    return FileError(
        f"{file.path}: has changed since the samples were made; make them again with generate"
    )
