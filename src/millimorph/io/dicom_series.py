"""Which DICOM series a folder holds, and a path for each where it holds several.

A folder with one series is its path. Of several, each has a path that does not exist, below the
folder: "#series-" and eight digits of a hash of its UID, since a UID is an identifier that must not
get into records. Names for cases are made of the series' numbers.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millimorph.errors import FileError
from millimorph.io.lazy import simpleitk
from millimorph.io.rasters import reason

SERIES = "0020|000e"

_NUMBER = "0020|0011"
_PREAMBLE, _MAGIC = 128, b"DICM"
_INDEX_FILE = "DICOMDIR"
_PROBED_FILES = 50
_CHOICE = re.compile(r"#series-[0-9a-f]{8}")


@dataclass(frozen=True)
class SeriesChoice:
    """One series of a folder: the path to read it by, and what its name ends in ("" if alone)."""

    path: Path
    suffix: str


def is_dicom_folder(folder: str | Path) -> bool:
    """Tell whether one of the first files of a folder is a DICOM file; False if it is no folder."""
    if not Path(folder).is_dir():
        return False
    names = sorted(path for path in Path(folder).iterdir() if path.is_file())
    return any(is_dicom(path) for path in names[:_PROBED_FILES])


def is_series_choice(path: Path) -> bool:
    """Tell whether a path names one of several series of a folder."""
    return _CHOICE.fullmatch(path.name) is not None and path.parent.is_dir() and not path.exists()


def choice_name(uid: str) -> str:
    """Return the last part of a series' path."""
    return f"#series-{hashlib.blake2b(uid.encode(), digest_size=4).hexdigest()}"


def series_choices(folder: Path) -> tuple[SeriesChoice, ...]:
    """Return the series of a folder, in the order of their numbers.

    A folder with one series is that series itself, and so is one with a file that cannot be read:
    reading it says which.
    """
    try:
        found = _series(folder)
    except FileError:
        found = {}
    if len(found) <= 1:
        return (SeriesChoice(folder, ""),)
    numbers = [number for number, _ in found.values()]
    ordered = sorted(found.items(), key=lambda item: (len(item[1][0]), item[1][0], item[0]))
    return tuple(
        SeriesChoice(
            folder / name,
            f"_series{number}" if numbers.count(number) == 1 and number else name.replace("#", "_"),
        )
        for name, (number, _) in ordered
    )


def files_of_choice(choice: Path) -> tuple[Path, ...]:
    """Return the files of the series that a path names; FileError if there is none such."""
    found = _series(choice.parent).get(choice.name)
    if found is None:
        raise FileError(f"{choice}: the folder has no such DICOM series any more")
    return found[1]


def is_dicom(path: Path) -> bool:
    """Tell whether a file starts as a DICOM file; index files and hidden ones do not count."""
    if path.name.startswith(".") or path.name.upper() == _INDEX_FILE:
        return False
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except OSError:
        return False


def header_reader(path: Path) -> Any:
    """Return ITK's reader with the header read; FileError if it cannot be."""
    reader = simpleitk().ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise FileError(f"{path}: not a readable DICOM image: {reason(error)}") from error
    return reader


def has_element(reader: Any, key: str) -> bool:
    """Tell whether an element is there and not empty."""
    return bool(element(reader, key))


def element(reader: Any, key: str) -> str:
    """Return the text of an element, without padding; empty if it is missing."""
    return str(reader.GetMetaData(key)).strip("\0 ") if reader.HasMetaDataKey(key) else ""


def _series(folder: Path) -> dict[str, tuple[str, tuple[Path, ...]]]:
    """Return number and files of each series of a folder, by the last part of its path."""
    found: dict[str, tuple[str, tuple[Path, ...]]] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and is_dicom(path))
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from error
    for path in paths:
        reader = header_reader(path)
        name = choice_name(element(reader, SERIES))
        number = element(reader, _NUMBER)
        number = number if number.isascii() and number.isdigit() else ""
        _, files = found.get(name, ("", ()))
        found[name] = (number, (*files, path))
    return found
