"""Image files that ITK reads and writes for us, with its silent failures caught.

Before ITK sees a file, its voxels are known to be whole (`payload`, `raster_payload`). What ITK
wrote is read back and compared, voxel by voxel and corner by corner, before it gets its name.
"""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import (
    FileError,
    GeometryError,
    ImageError,
    MillimorphWarning,
    OutputError,
)
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import limits, orientation, payload, raster_payload
from millimorph.io.atomic import Written, digested, replacing
from millimorph.io.extensions import extension_of
from millimorph.io.lazy import simpleitk
from millimorph.io.sitk import image_from_sitk, to_sitk

_READERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    ".mha": ("MetaImageIO", payload.check_metaimage),
    ".mhd": ("MetaImageIO", payload.check_metaimage),
    ".nrrd": ("NrrdImageIO", payload.check_nrrd),
    ".nhdr": ("NrrdImageIO", payload.check_nrrd),
    ".png": ("PNGImageIO", raster_payload.check_png),
    ".jpg": ("JPEGImageIO", raster_payload.check_jpeg),
    ".jpeg": ("JPEGImageIO", raster_payload.check_jpeg),
    ".tif": ("TIFFImageIO", raster_payload.check_tiff),
    ".tiff": ("TIFFImageIO", raster_payload.check_tiff),
    ".bmp": ("BMPImageIO", raster_payload.check_bmp),
    ".gipl": ("GiplImageIO", raster_payload.check_gipl),
}
_KEEPS_PLACE = ".nrrd"
_TYPES = {
    ".png": ("uint8", "uint16"),
    ".tif": ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"),
    ".tiff": ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"),
}
_CORNER_VOXELS = 1e-3
_FASTEST = 1
_LONGEST_REASON = 200


def read_raster(path: Path) -> ScalarImage:
    """Read an image of one of ITK's formats; FileError if it is damaged, foreign or unsupported."""
    limits.check_present(path)
    reader, check = _READERS[extension_of(path)]
    check(path)
    try:
        return image_from_sitk(simpleitk().ReadImage(str(path), imageIO=reader), str(path))
    except RuntimeError as error:
        raise FileError(f"{path}: not a readable image: {reason(error)}") from error
    except (ImageError, GeometryError) as error:
        raise FileError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def write_raster(image: ScalarImage | LabelMap, path: Path, extension: str) -> Written:
    """Write an image through ITK, atomically and checked; .nrrd compressed at level 1.

    Formats for pictures (.png, .tif) do not hold the place of an image; a warning says so
    unless origin, spacing and direction are the default ones.

    Raises OutputError for a type or shape that the format would change, and if writing fails.
    """
    kinds = _TYPES.get(extension)
    if kinds and image.dtype.name not in kinds:
        raise OutputError(
            f"cannot write {path}: {extension} holds {', '.join(kinds)}, the image is "
            f"{image.dtype.name}; write .nii.gz, .mha or .nrrd, or convert it first"
        )
    try:
        packed = to_sitk(image)
    except ImageError as error:
        raise OutputError(f"cannot write {path}: {error}") from error
    with replacing(path, extension) as temporary:
        try:
            compressed = extension == _KEEPS_PLACE
            simpleitk().WriteImage(packed, str(temporary), compressed, _FASTEST)
        except RuntimeError as error:
            raise OutputError(f"cannot write {path}: {reason(error)}") from error
        _compare(image, temporary, path, extension)
        return digested(limits.read_all(temporary))


def reason(error: Exception) -> str:
    """Return what an ITK exception says, in one line without places in its sources."""
    text = re.sub(r"\S+\.(cxx|hxx|h|txx):\d+:", " ", str(error))
    text = re.sub(r"Exception thrown in SimpleITK \w+:", " ", text)
    text = re.sub(r"\w+\(0x[0-9a-f]+\):", " ", text)
    words = " ".join(text.replace("sitk::ERROR:", " ").replace("ITK ERROR:", " ").split())
    return words if len(words) <= _LONGEST_REASON else words[:_LONGEST_REASON] + "…"


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


def _compare(image: ScalarImage | LabelMap, temporary: Path, path: Path, extension: str) -> None:
    try:
        back = read_raster(temporary)
    except FileError as error:
        raise OutputError(
            f"cannot write {path}: it cannot be read back; is the disk full? ({error})"
        ) from error
    same_shape = back.grid.size == image.grid.size and back.channels == image.channels
    if back.dtype != image.dtype or not same_shape:
        raise OutputError(
            f"cannot write {path}: {extension} does not keep this image, it comes back as {back}; "
            f"write .nii.gz, .mha or .nrrd"
        )
    if not np.array_equal(_bytes(image.array), _bytes(back.array)):
        raise OutputError(f"cannot write {path}: other voxels come back; is the disk full?")
    moved = orientation.largest_distance(
        image.grid.indices(back.grid.corner_points_mm),
        image.grid.indices(image.grid.corner_points_mm),
    )
    frames_kept = extension != _KEEPS_PLACE or back.frames == image.frames
    if moved <= _CORNER_VOXELS and frames_kept:
        return
    if extension == _KEEPS_PLACE:
        raise OutputError(f"cannot write {path}: a corner would move by {moved:.2g} voxel")
    warnings.warn(
        f"{path}: {extension} files do not hold origin, spacing and direction; they are lost",
        MillimorphWarning,
        stacklevel=2,
    )
