"""Reading one DICOM series from a folder, only if its slices make a regular box.

Slices are ordered by the projection of ImagePositionPatient on the normal of
ImageOrientationPatient, never by name or number. GDCM applies each file's own rescaling. A slice
more than 0.1 mm (or a quarter of the spacing, if that is less) from its place in a regular box is
an error, as are doubled positions, gaps, gantry tilt, and mixed orientations or sizes. MONOCHROME1
(larger is darker) is turned round by GDCM, so larger is brighter; in CT and PET, whose values have
units, it is an error.
Source: DICOM PS3.3 C.7.6.2 and C.7.6.3.1.2.
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import FileError, GeometryError, MillimorphWarning
from millimorph.images import ScalarImage
from millimorph.io import dicom_series, limits, orientation
from millimorph.io.dicom_series import SERIES, element, has_element, header_reader, is_dicom
from millimorph.io.lazy import simpleitk
from millimorph.io.orientation import NOTICEABLE_MM, mended_grid
from millimorph.io.rasters import reason
from millimorph.io.sitk import image_from_sitk

_POSITION, _ORIENTATION = "0020|0032", "0020|0037"
_FRAMES, _PHOTOMETRIC = "0028|0008", "0028|0004"
_MODALITY, _WITH_UNITS = "0008|0060", ("CT", "PT")
_SLICE_DISTANCES = ("0018|0088", "0018|0050")
_SAME_PLACE_MM = 0.01
_SAME_ORIENTATION = 1e-4
_GAP = 1.5
_SHOWN = 5
_UID_END = 12


@dataclass(frozen=True, eq=False)
class _Slice:
    """What one file says of its place; `across` are the directions of a row and a column."""

    path: Path
    series: str
    size: tuple[int, int]
    spacing: tuple[float, float]
    position: NDArray[np.float64]
    across: NDArray[np.float64]
    thickness: float | None


def read_dicom_series(folder: str | Path, series_uid: str | None = None) -> ScalarImage:
    """Read the series in a folder as a 3D image; CT in HU.

    Integers stay integers (int16 where that holds them), other rescaled values become float32. If
    the folder has several series, `series_uid` names one, by its whole UID or the end of it.

    Raises FileError with the files and places that do not fit.
    """
    folder = Path(folder)
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and is_dicom(path))
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if not paths:
        raise FileError(f"{folder}: no DICOM files in this folder")
    slices = _chosen(folder, [_header(path) for path in paths], series_uid)
    return _stacked(str(folder), slices)


def read_chosen_series(choice: Path) -> ScalarImage:
    """Read the series that a path of `dicom_series` names; FileError as `read_dicom_series`."""
    files = dicom_series.files_of_choice(choice)
    return _stacked(str(choice), [_header(path) for path in files])


def read_dicom_file(path: Path) -> ScalarImage:
    """Read one DICOM file: 3D with one slice if it has a place in the patient, else 2D.

    Raises FileError, also for several frames in one file.
    """
    limits.check_present(path)
    if not is_dicom(path):
        raise FileError(f"{path}: not a DICOM file")
    reader = header_reader(path)
    if reader.HasMetaDataKey(_POSITION) and reader.HasMetaDataKey(_ORIENTATION):
        return _stacked(str(path), [_header(path)])
    _check_single(path, reader)
    return image_from_sitk(_pixels(path)[:, :, 0], str(path))


def _pixels(path: Path) -> Any:
    reader = header_reader(path)
    limits.check_announced(path, int(np.prod(reader.GetSize(), dtype=object)) * 8)
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise FileError(f"{path}: its pixels cannot be read: {reason(error)}") from error


def _header(path: Path) -> _Slice:
    reader = header_reader(path)
    _check_single(path, reader)
    position = _numbers(path, reader, _POSITION, 3)
    across = np.array(_numbers(path, reader, _ORIENTATION, 6)).reshape(2, 3)
    thickness = [
        _numbers(path, reader, k, 1)[0] for k in _SLICE_DISTANCES if has_element(reader, k)
    ]
    size, spacing = reader.GetSize(), reader.GetSpacing()
    return _Slice(
        path=path,
        series=element(reader, SERIES),
        size=(int(size[0]), int(size[1])),
        spacing=(float(spacing[0]), float(spacing[1])),
        position=np.array(position),
        across=across,
        thickness=next((step for step in thickness if step > 0), None),
    )


def _check_single(path: Path, reader: Any) -> None:
    frames = int(_numbers(path, reader, _FRAMES, 1)[0]) if has_element(reader, _FRAMES) else 1
    if frames > 1 or (len(reader.GetSize()) > 2 and reader.GetSize()[2] > 1):
        raise FileError(
            f"{path}: {frames} frames in one DICOM file (enhanced or cine) are not supported; "
            f"convert it to NIfTI first, for example with dcm2niix"
        )
    modality = element(reader, _MODALITY)
    if element(reader, _PHOTOMETRIC) == "MONOCHROME1" and modality in _WITH_UNITS:
        raise FileError(
            f"{path}: MONOCHROME1 in {modality}, so it is not clear whether its values are turned "
            f"round; convert it with a program that knows its maker"
        )


def _numbers(path: Path, reader: Any, key: str, count: int) -> list[float]:
    if not has_element(reader, key):
        raise FileError(
            f"{path}: the DICOM element ({key.replace('|', ',')}) is missing; without it the slice "
            f"has no place in the patient"
        )
    text = element(reader, key)
    try:
        values = [float(word) for word in text.split("\\")]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise FileError(f"{path}: the DICOM element ({key.replace('|', ',')}) is {text!r}")
    return values


def _chosen(folder: Path, slices: list[_Slice], series_uid: str | None) -> list[_Slice]:
    counts: dict[str, int] = {}
    for one in slices:
        counts[one.series] = counts.get(one.series, 0) + 1
    known = ", ".join(
        f"…{uid[-_UID_END:]} ({n} files, {dicom_series.choice_name(uid)})"
        for uid, n in sorted(counts.items())
    )
    if series_uid is None:
        if len(counts) > 1:
            raise FileError(
                f"{folder}: {len(counts)} DICOM series in one folder: {known}; choose one with "
                f"series_uid=, its UID or the end of it, or by a path, such as "
                f"{folder.name}/{dicom_series.choice_name(min(counts))}"
            )
        return slices
    fitting = [uid for uid in counts if uid.endswith(series_uid)]
    if len(fitting) != 1:
        state = "no" if not fitting else "more than one"
        raise FileError(f"{folder}: {state} DICOM series ends in {series_uid!r}; it has {known}")
    return [one for one in slices if one.series == fitting[0]]


def _stacked(where: str, slices: list[_Slice]) -> ScalarImage:
    """Check that the slices make a box, and read them in their order along its normal."""
    _check_alike(where, slices)
    first = slices[0]
    row, column = first.across
    normal = np.cross(row, column)
    ordered = sorted(slices, key=lambda one: (_along(one, normal), one.path.name))
    step = _checked_step(where, ordered, normal)
    direction = np.stack([row, column, normal], axis=1)
    place = (np.array([*first.spacing, step]), ordered[0].position, direction)
    try:
        grid = mended_grid((*first.size, len(ordered)), place, where)
    except GeometryError as error:
        raise FileError(str(error)) from error
    return ScalarImage(_voxels(ordered), grid)


def _check_alike(where: str, slices: list[_Slice]) -> None:
    first = slices[0]
    for one in slices[1:]:
        if one.size != first.size or not np.allclose(one.spacing, first.spacing, 1e-4, 0):
            raise FileError(
                f"{where}: slices of different size: {first.path.name} has {first.size} pixels of "
                f"{first.spacing} mm, {one.path.name} has {one.size} of {one.spacing} mm"
            )
        if float(np.abs(one.across - first.across).max()) > _SAME_ORIENTATION:
            raise FileError(
                f"{where}: slices of different orientation: {first.path.name} has "
                f"{first.across.ravel().tolist()}, {one.path.name} {one.across.ravel().tolist()}; "
                f"is a localiser among them?"
            )


def _along(one: _Slice, normal: NDArray[np.float64]) -> float:
    x, y, z = one.position * normal
    return float(x + y + z)


def _checked_step(where: str, ordered: list[_Slice], normal: NDArray[np.float64]) -> float:
    """Return the distance of neighbouring slices; FileError if they are not evenly stacked."""
    if len(ordered) == 1:
        return _lone_step(where, ordered[0])
    places = [_along(one, normal) for one in ordered]
    steps = [after - before for before, after in pairwise(places)]
    doubled = [k for k, step in enumerate(steps) if step < _SAME_PLACE_MM]
    if doubled:
        shown = "; ".join(_pair(ordered, places, k) for k in doubled[:_SHOWN])
        raise FileError(
            f"{where}: {len(doubled)} slices lie where another one lies: {shown}; split the "
            f"acquisitions or time points"
        )
    usual = sorted(steps)[len(steps) // 2]
    gaps = [k for k, step in enumerate(steps) if step > _GAP * usual]
    if gaps:
        shown = "; ".join(_pair(ordered, places, k) for k in gaps[:_SHOWN])
        raise FileError(
            f"{where}: slices are missing, the usual distance is {usual:.4g} mm; {len(gaps)} gaps: "
            f"{shown}"
        )
    step = (places[-1] - places[0]) / (len(ordered) - 1)
    _check_box(where, ordered, normal * step)
    return step


def _check_box(where: str, ordered: list[_Slice], step: NDArray[np.float64]) -> None:
    """Raise FileError, naming the slices, if some are not where a regular box has them."""
    off = np.array([one.position - ordered[0].position - k * step for k, one in enumerate(ordered)])
    away = orientation.column_lengths(off.T)
    tolerance = min(NOTICEABLE_MM, float(orientation.column_lengths(step[:, np.newaxis])[0]) / 4)
    wrong = [k for k, distance in enumerate(away.tolist()) if distance > tolerance]
    if wrong:
        shown = "; ".join(
            f"{ordered[k].path.name} at {ordered[k].position.tolist()} mm, {away[k]:.3g} mm off"
            for k in wrong[:_SHOWN]
        )
        raise FileError(
            f"{where}: {len(wrong)} slices are not where a regular box has them, because of gantry "
            f"tilt or uneven spacing: {shown}; convert it with dcm2niix first"
        )


def _lone_step(where: str, only: _Slice) -> float:
    if only.thickness is not None:
        return only.thickness
    warnings.warn(
        f"{where}: one slice without a thickness; 1 mm is taken", MillimorphWarning, stacklevel=2
    )
    return 1.0


def _pair(ordered: list[_Slice], places: list[float], k: int) -> str:
    return (
        f"{ordered[k].path.name} at {places[k]:.4g} mm and {ordered[k + 1].path.name} at "
        f"{places[k + 1]:.4g} mm"
    )


def _voxels(ordered: list[_Slice]) -> NDArray[Any]:
    planes = []
    for one in ordered:
        image = _pixels(one.path)
        if image.GetNumberOfComponentsPerPixel() > 1:
            raise FileError(f"{one.path}: colour slices are not supported")
        planes.append(simpleitk().GetArrayFromImage(image)[0])
    kind = np.result_type(*[plane.dtype for plane in planes])
    volume = np.stack([plane.astype(kind, copy=False) for plane in planes])
    if kind.kind == "f":
        return volume.astype(np.float32)
    limit = np.iinfo(np.int16)
    if kind.itemsize > 2 and limit.min <= volume.min() and volume.max() <= limit.max:
        return volume.astype(np.int16)
    return volume
