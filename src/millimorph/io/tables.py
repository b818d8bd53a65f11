"""Tables of cases: a .csv or .tsv file with a row for each case and a column for each file.

Columns: `id`; `image` or `image:NAME`; `label` or `label:NAME`; `points` or `points:NAME`; `group`
(the patient); `split`. Paths are relative to the table's folder and below it, also those that
`dicom_series` gives to several series of a folder; an empty cell means that the case has no such
file. UTF-8, one header line, tabs between the cells of a .tsv.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from millimorph.errors import FileError
from millimorph.io import limits
from millimorph.io.data_set import (
    LABELS,
    OTHERWISE,
    DataSet,
    Kind,
    Lacking,
    checked_cases,
    names_in,
    path_below,
    require_cases,
)
from millimorph.io.dicom_series import is_series_choice
from millimorph.io.layouts import DEFAULT_IMAGE, CaseFiles, check_id

LAYOUT = "table of cases"

_ENDINGS = {".csv": ",", ".tsv": "\t"}
_LONGEST_HEADER = 1 << 16
_ID, _GROUP, _SPLIT = "id", "group", "split"
_KINDS: dict[str, tuple[Kind, str]] = {
    "image": ("image", DEFAULT_IMAGE),
    "label": ("labels", LABELS),
    "points": ("landmarks", "points"),
}


def find_tables(folder: Path) -> list[Path]:
    """Return the tables of cases in a folder, told by their header lines."""
    paths = [folder / name for name in names_in(folder)]
    return [path for path in paths if path.suffix.lower() in _ENDINGS and _is_table(path)]


def read_table(path: Path) -> DataSet:
    """Return the cases of a table; one whose file is not there is listed as lacking.

    Raises FileError with the line for an id that is empty, unsafe or there twice and for a path
    that leads out; and without a complete case.
    """
    header, rows = _read(path)
    roles = _roles(path, header)
    whole: list[CaseFiles] = []
    lacking: list[Lacking] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        case = row[_ID]
        first = lines.setdefault(case, line)
        if not case or first != line:
            wrong = f"the id {case!r} is in line {first} already" if case else "the id is empty"
            raise FileError(f"{path}: line {line}: {wrong}; every case has an id of its own")
        check_id(Path(f"{path}: line {line}"), case)
        files = _files(path, line, roles, row)
        missing = [
            one
            for paths in files.values()
            for one in paths.values()
            if not (one.exists() or is_series_choice(one))
        ]
        if missing:
            shown = missing[0].relative_to(path.parent).as_posix()
            lacking.append(Lacking(case, f"has no {shown} (line {line} of {path.name})"))
        elif not files["image"] and not files["labels"]:
            lacking.append(Lacking(case, f"names no image and no label (line {line})"))
        else:
            group = row.get(_GROUP) or None
            whole.append(
                CaseFiles(case, files["image"], files["labels"], files["landmarks"], group)
            )
    unused = [name for name in header if name not in {_ID, _GROUP, *roles}]
    data_set = DataSet(
        LAYOUT,
        f"{path.name} has the columns {', '.join((_ID, *roles))}",
        path,
        checked_cases(path.parent, whole),
        tuple(lacking),
        notes=(f"columns that are not used: {', '.join(unused)}",) if unused else (),
    )
    return require_cases(data_set, path.parent)


def _is_table(path: Path) -> bool:
    """Tell whether a header has an id and a column of images or labels."""
    try:
        with path.open("rb") as file:
            start = file.read(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    names = [name.strip() for name in start.partition("\n")[0].split(_delimiter(path))]
    kinds = {name.partition(":")[0] for name in names}
    return _ID in names and bool(kinds & {"image", "label"})


def _delimiter(path: Path) -> str:
    return _ENDINGS[path.suffix.lower()]


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header, and each row with the number of its line."""
    limits.check_present(path)
    try:
        text = limits.read_all(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"{path}: not a text table in UTF-8; save it as such") from None
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path), strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        header = [name.strip() for name in next(lines, [])]
        for fields in lines:
            if not any(fields):
                continue
            if len(fields) != len(header):
                raise FileError(
                    f"{path}: line {lines.line_num} has {len(fields)} fields, the header has "
                    f"{len(header)}"
                )
            cells = [field.strip() for field in fields]
            rows.append((lines.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise FileError(f"{path}: line {lines.line_num} is not CSV ({error})") from None
    return header, rows


def _roles(path: Path, header: Sequence[str]) -> dict[str, tuple[Kind, str]]:
    """Return kind and name of each column of files."""
    roles: dict[str, tuple[Kind, str]] = {}
    for column in header:
        word, _, name = column.partition(":")
        if word in _KINDS:
            kind, default = _KINDS[word]
            roles[column] = (kind, name.strip() or default)
    names = [name for _, name in roles.values()]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None or len(set(header)) < len(header):
        raise FileError(f"{path}: line 1 gives the name {doubled or 'of a column'} twice; rename")
    if _ID not in header or not any(kind != "landmarks" for kind, _ in roles.values()):
        raise FileError(
            f"{path}: line 1 must name the columns id and image (or image:NAME, label, label:NAME),"
            f" got {', '.join(header)}; {OTHERWISE}"
        )
    for name in names:
        check_id(Path(f"{path}: line 1"), name)
    return roles


def _files(
    path: Path, line: int, roles: Mapping[str, tuple[Kind, str]], row: Mapping[str, str]
) -> dict[Kind, dict[str, Path]]:
    files: dict[Kind, dict[str, Path]] = {"image": {}, "labels": {}, "landmarks": {}}
    for column, (kind, name) in roles.items():
        if row[column]:
            place = f"{path}: line {line}, column {column}"
            files[kind][name] = path_below(path.parent, row[column], place)
    return files
