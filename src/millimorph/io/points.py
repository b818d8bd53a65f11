"""Landmarks and boxes as CSV tables in LPS mm; numbers are written with all their digits.

Landmarks have the columns name, x, y, z; boxes name, x_min, y_min, z_min, x_max, y_max, z_max. In
2D the columns of z are left out, and the column name may be missing. UTF-8, one header line.
"""

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import FileError, ImageError, OutputError
from millimorph.images import Boxes, Landmarks
from millimorph.io import limits
from millimorph.io.atomic import Written, write_text

_AXES = ("x", "y", "z")
_NAME = "name"


def read_landmarks(path: str | Path) -> Landmarks:
    """Read a table of points; FileError with the line that is wrong."""
    path = Path(path)
    numbers, names = _read(path, {d: _AXES[:d] for d in (2, 3)})
    try:
        return Landmarks(numbers, names)
    except ImageError as error:
        raise FileError(f"{path}: {error}") from error


def read_boxes(path: str | Path) -> Boxes:
    """Read a table of boxes; FileError with the line that is wrong."""
    path = Path(path)
    numbers, names = _read(path, {d: _box_columns(d) for d in (2, 3)})
    dimension = numbers.shape[1] // 2
    try:
        return Boxes(numbers[:, :dimension], numbers[:, dimension:], names)
    except ImageError as error:
        raise FileError(f"{path}: {error}") from error


def write_landmarks(landmarks: Landmarks, path: str | Path) -> None:
    """Write a table of points, atomically; the numbers read back exactly. Raises OutputError."""
    write_landmarks_digested(landmarks, Path(path))


def write_landmarks_digested(landmarks: Landmarks, path: Path) -> Written:
    """Write as `write_landmarks` does, and return digest and length of the file."""
    return _write(path, _AXES[: landmarks.dimension], landmarks.points_mm, landmarks.names)


def write_boxes(boxes: Boxes, path: str | Path) -> None:
    """Write a table of boxes, atomically; the numbers read back exactly. Raises OutputError."""
    numbers = np.concatenate([boxes.lower_mm, boxes.upper_mm], axis=1)
    _write(Path(path), _box_columns(boxes.dimension), numbers, boxes.names)


def _box_columns(dimension: int) -> tuple[str, ...]:
    return tuple(f"{axis}_{end}" for end in ("min", "max") for axis in _AXES[:dimension])


def _read(
    path: Path, columns: dict[int, tuple[str, ...]]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the numbers (n, columns) in the order of the columns, and the names, if any."""
    limits.check_present(path)
    try:
        text = limits.read_all(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a text table in UTF-8") from error
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        order = next((c for c in columns.values() if set(header) - {_NAME} == set(c)), None)
        if order is None or len(set(header)) != len(header):
            expected = " or ".join(",".join((_NAME, *names)) for names in columns.values())
            raise FileError(f"{path}: line 1 must name the columns {expected}, got {header}")
        rows, names = [], []
        for fields in lines:
            if not fields:
                continue
            row = _row(path, lines.line_num, header, fields)
            rows.append([_number(path, lines.line_num, column, row[column]) for column in order])
            names.append(row.get(_NAME, "").strip())
    except csv.Error as error:
        raise FileError(f"{path}: line {lines.line_num} is not CSV ({error})") from error
    numbers = np.array(rows, dtype=np.float64).reshape(len(rows), len(order))
    return numbers, tuple(names) if any(names) else ()


def _row(path: Path, line: int, header: list[str], fields: list[str]) -> dict[str, str]:
    if len(fields) != len(header):
        raise FileError(
            f"{path}: line {line} has {len(fields)} fields, the header has {len(header)}"
        )
    return dict(zip(header, fields, strict=True))


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise FileError(
            f"{path}: line {line}, column {column}: {text!r} is not a finite number (in mm)"
        )
    return number


def _write(
    path: Path, columns: tuple[str, ...], numbers: NDArray[np.float64], names: tuple[str, ...]
) -> Written:
    if path.suffix.lower() != ".csv":
        raise OutputError(f"cannot write {path}: tables are written as .csv")
    table = io.StringIO(newline="")
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow((_NAME, *columns))
    for k, row in enumerate(numbers.tolist()):
        lines.writerow((names[k] if names else "", *(repr(number) for number in row)))
    return write_text(path, table.getvalue())
