"""Transforms in files: ITK's .tfm, .txt, .h5, .hdf5 and .mat, and displacement fields as images.

A transform file maps target points to source points, in LPS mm, as our transforms do. What ITK
would accept although it is truncated (text and .mat files) is refused here.
"""

import struct
from pathlib import Path
from typing import Any, assert_never

import numpy as np

from millimorph.errors import FileError, GeometryError, OutputError, TransformError
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.io import limits, nifti, nifti_write, rasters, sitk, sitk_transforms
from millimorph.io.atomic import replacing
from millimorph.io.extensions import TRANSFORM_EXTENSIONS, extension_of
from millimorph.io.lazy import simpleitk
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    CompositeTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
    Transform,
)

_NIFTI = (".nii", ".nii.gz")
_FIELD_IMAGES = (*_NIFTI, ".mha", ".nrrd")
_FIELD_FILES = (*_FIELD_IMAGES, ".mhd", ".nhdr")
_MAT_HEADER = struct.Struct("<5i")
_MAT_BYTES = {0: 8, 10: 4, 20: 4, 30: 2, 40: 2, 50: 1}


def read_transform(path: str | Path) -> Transform:
    """Read a transform file, or a displacement field from an image file.

    Raises FileError for anything damaged, truncated or without a counterpart.
    """
    path = Path(path)
    limits.check_present(path)
    if extension_of(path) not in TRANSFORM_EXTENSIONS:
        return read_displacement_field(path)
    _check_transform_file(path)
    try:
        transform = simpleitk().ReadTransform(str(path))
    except RuntimeError as error:
        raise FileError(f"{path}: not a readable transform: {rasters.reason(error)}") from error
    try:
        return sitk_transforms.transform_from_sitk(transform)
    except (TransformError, GeometryError) as error:
        raise FileError(f"{path}: {error}") from error


def read_displacement_field(path: str | Path) -> DisplacementFieldTransform:
    """Read a displacement field in mm from an image with as many components as dimensions.

    The components are LPS (ITK, ANTs, intent 1007 in NIfTI), except in NIfTI with intent 1006,
    where they are RAS. Other formats: .mha, .mhd, .nrrd, .nhdr.

    Raises FileError.
    """
    path = Path(path)
    if extension_of(path) in _NIFTI:
        vectors, header = nifti.read_nifti_vectors(path)
        try:
            return DisplacementFieldTransform(header.grid, vectors)
        except (GeometryError, TransformError) as error:
            raise FileError(f"{path}: {error}") from error
    if extension_of(path) not in _FIELD_FILES:
        raise FileError(
            f"{path}: transforms are read from {', '.join(TRANSFORM_EXTENSIONS)}, displacement "
            f"fields from {', '.join(_FIELD_FILES)}"
        )
    image = rasters.read_raster(path)
    if image.frames is not None or image.array.shape[: -image.dimension] != (image.dimension,):
        raise FileError(
            f"{path}: not a displacement field; it has {image.channels} components, needed are "
            f"{image.dimension}"
        )
    try:
        return DisplacementFieldTransform(image.grid, image.array.astype(np.float64))
    except TransformError as error:
        raise FileError(f"{path}: {error}") from error


def write_transform(transform: Transform, path: str | Path) -> None:
    """Write a transform as .tfm, .txt, .h5, .hdf5 or .mat, or a displacement field as an image.

    Image formats for fields and velocity fields: .nii, .nii.gz (intent 1007), .mha, .nrrd, float64.
    The file is written beside its name, read back, compared number by number and then renamed.

    Raises OutputError, also for a radial distortion, which ITK has not.
    """
    path = Path(path)
    extension = extension_of(path)
    if isinstance(transform, StationaryVelocityField):
        transform = transform.displacement_field
    if isinstance(transform, DisplacementFieldTransform) and extension in _FIELD_IMAGES:
        _write_field(transform, path, extension)
        return
    if extension not in TRANSFORM_EXTENSIONS:
        raise OutputError(
            f"cannot write {path}: transforms are written as "
            f"{', '.join(TRANSFORM_EXTENSIONS)}; displacement fields also as "
            f"{', '.join(_FIELD_IMAGES)}"
        )
    try:
        packed: Any = sitk.to_sitk(transform)
    except TransformError as error:
        raise OutputError(f"cannot write {path}: {error}") from error
    with replacing(path) as temporary:
        try:
            simpleitk().WriteTransform(packed, str(temporary))
        except RuntimeError as error:
            raise OutputError(f"cannot write {path}: {rasters.reason(error)}") from error
        _compare(transform, temporary, path)


def _write_field(field: DisplacementFieldTransform, path: Path, extension: str) -> None:
    if extension in _NIFTI:
        nifti_write.write_nifti_vectors(field.displacements, field.grid, path)
        return
    rasters.write_raster(ScalarImage(field.displacements, field.grid), path, extension)


def _compare(transform: Transform, temporary: Path, path: Path) -> None:
    try:
        back = read_transform(temporary)
    except FileError as error:
        raise OutputError(
            f"cannot write {path}: it cannot be read back; is the disk full? ({error})"
        ) from error
    written, found = _numbers(transform), _numbers(back)
    if len(written) != len(found) or not all(map(_close, written, found)):
        raise OutputError(f"cannot write {path}: what was written reads back differently")


def _close(written: Any, found: Any) -> bool:
    return bool(np.shape(written) == np.shape(found) and np.allclose(written, found, 1e-12, 1e-9))


def _numbers(transform: Transform) -> list[Any]:
    """Return every number that makes a transform."""
    match transform:
        case AffineTransform():
            return [transform.matrix]
        case BSplineTransform():
            return [*_grid_numbers(transform.grid), transform.coefficients]
        case DisplacementFieldTransform():
            return [*_grid_numbers(transform.grid), transform.displacements]
        case StationaryVelocityField():
            return _numbers(transform.displacement_field)
        case CompositeTransform():
            return [number for part in transform.parts for number in _numbers(part)]
        case RadialDistortionTransform():
            return [transform.coefficients, transform.centre_mm, transform.unit_mm]
        case _:
            assert_never(transform)


def _grid_numbers(grid: ImageGrid) -> list[Any]:
    return [grid.size, grid.world_from_index]


def _check_transform_file(path: Path) -> None:
    extension = extension_of(path)
    content = limits.read_all(path)
    if extension in (".tfm", ".txt"):
        _check_text(path, content)
    elif extension == ".mat":
        _check_mat(path, content)


def _check_text(path: Path, content: bytes) -> None:
    """Refuse a text file whose last transform is cut off; ITK would fill it with other numbers."""
    text = content.decode("utf-8", errors="replace")
    if not text.startswith("#Insight Transform File"):
        raise FileError(f"{path}: not an ITK transform file (its first line says so in those)")
    keys = [line.split(":")[0].strip() for line in text.splitlines() if ":" in line]
    kinds = [line for line in text.splitlines() if line.startswith("Transform:")]
    composites = sum("CompositeTransform" in kind for kind in kinds)
    wanted = len(kinds) - composites
    complete = keys.count("Parameters") >= wanted and keys.count("FixedParameters") >= wanted
    if not kinds or not complete or not text.endswith("\n"):
        raise FileError(f"{path}: the transform file is truncated")


def _check_mat(path: Path, content: bytes) -> None:
    """Refuse a MATLAB level 4 file whose matrices do not fill it exactly."""
    position = 0
    while position < len(content):
        if position + _MAT_HEADER.size > len(content):
            break
        kind, rows, columns, _, name = _MAT_HEADER.unpack_from(content, position)
        if kind not in _MAT_BYTES or min(rows, columns, name) < 0:
            break
        position += _MAT_HEADER.size + name + rows * columns * _MAT_BYTES[kind]
    if position != len(content):
        raise FileError(
            f"{path}: not a whole MATLAB level 4 file; it is truncated or of another kind"
        )
