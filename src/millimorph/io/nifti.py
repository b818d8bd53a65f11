"""Reading NIfTI files (.nii, .nii.gz) strictly: nothing truncated, damaged or guessed is accepted.

The whole stream is decompressed and its CRC and size are checked, the length must be exactly what
the header announces, and the geometry follows the rule of nifti_header. The fourth axis is time;
the fifth holds channels, except for displacement fields, which `read_displacement_field` reads.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import FileError, GeometryError
from millimorph.images import FrameAxis, ScalarImage
from millimorph.io import limits, nifti_header
from millimorph.io.inflate import GZIP, inflate
from millimorph.io.nifti_header import DISPLACEMENT, NIFTI2_BYTES, VECTOR, NiftiHeader

_GZIP_MAGIC = b"\x1f\x8b"
_HEAD_BYTES = 1 << 16
_SMALL_TYPES = ("u1", "i1", "u2", "i2", "f4")


def read_nifti(path: Path) -> ScalarImage:
    """Read an image; time becomes frames, other fifth axes and colours become channels.

    Stored integers stay integers if scl_slope is 0 or 1 and scl_inter is 0; else the result is
    float32, or float64 where float32 does not hold the stored type. ITK writes images with several
    channels like vectors: such a file is an image unless it has floats and as many channels as
    dimensions.

    Raises FileError.
    """
    header, voxels = _read(path)
    sizes = header.sizes
    if sizes[4] > 1 and _is_displacement(header):
        raise FileError(
            f"{path}: this is a field of vectors, not an image; read it with "
            f"read_displacement_field"
        )
    if sizes[3] > 1 and (sizes[4] > 1 or header.colours):
        raise FileError(
            f"{path}: an image with both {sizes[3]} frames and channels is not supported"
        )
    array = _scaled(header, _arranged(header, voxels))
    frames: FrameAxis | None = header.frames if sizes[3] > 1 else None
    return ScalarImage(array, _grid(header), frames)


def read_nifti_vectors(path: Path) -> tuple[NDArray[np.float64], NiftiHeader]:
    """Read a field of vectors as (d, z, y, x) float64 in LPS, components x, y, z.

    Intent 1006 (displacement) means RAS vectors, intent 1007 (vector) LPS ones, as in ITK and ANTs.

    Raises FileError if the file holds something else.
    """
    header, voxels = _read(path)
    sizes = header.sizes
    if sizes[3] > 1 or sizes[4] != header.dimension or header.intent not in (DISPLACEMENT, VECTOR):
        raise FileError(
            f"{path}: not a displacement field; that needs {header.dimension} components on the "
            f"fifth axis and the intent {DISPLACEMENT} or {VECTOR}, got the size {sizes} and the "
            f"intent {header.intent}"
        )
    field = _scaled(header, _arranged(header, voxels)).astype(np.float64)
    if header.intent == DISPLACEMENT:
        field[:2] *= -1.0
    return field, header


def read_head(path: Path) -> NiftiHeader:
    """Read only the header of a file, without its voxels; FileError if it is none."""
    limits.check_present(path)
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD_BYTES)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if start[:2] == _GZIP_MAGIC:
        try:
            start = zlib.decompressobj(GZIP).decompress(start, NIFTI2_BYTES)
        except zlib.error as error:
            raise FileError(f"{path}: the compressed data are damaged ({error})") from error
    return nifti_header.parse_header(start[:NIFTI2_BYTES], path)


def _read(path: Path) -> tuple[NiftiHeader, NDArray[Any]]:
    limits.check_present(path)
    content: bytes | bytearray = limits.read_all(path)
    compressed = path.name.lower().endswith(".gz")
    if compressed != (content[:2] == _GZIP_MAGIC):
        found = "is" if not compressed else "is not"
        raise FileError(f"{path}: the file {found} gzip data, which its name does not say")

    def length(head: bytes) -> int:
        header = nifti_header.parse_header(head, path)
        limits.check_announced(path, header.voxel_bytes)
        return header.offset + header.voxel_bytes

    if compressed:
        content = inflate(path, bytes(content), NIFTI2_BYTES, length)
    elif (announced := length(bytes(content[:NIFTI2_BYTES]))) != len(content):
        raise FileError(
            f"{path}: holds {len(content)} bytes, its header announces {announced}; the file is "
            f"{'truncated' if len(content) < announced else 'too long'}"
        )
    header = nifti_header.parse_header(bytes(content[:NIFTI2_BYTES]), path)
    return header, np.frombuffer(content, dtype=header.dtype, offset=header.offset)


def _arranged(header: NiftiHeader, voxels: NDArray[Any]) -> NDArray[Any]:
    """Return the voxels as (z, y, x) or (y, x), below an axis of channels or frames if any."""
    x, y, z, t, c = header.sizes
    spatial = (z, y, x) if header.dimension == 3 else (y, x)
    if header.colours:
        return np.moveaxis(voxels.reshape(*spatial, header.colours), -1, 0)
    if header.dimension == 2:
        return voxels.reshape(c, y, x) if c > 1 else voxels.reshape(y, x)
    leading = (t * c,) if t > 1 or c > 1 else ()
    return voxels.reshape(*leading, *spatial)


def _scaled(header: NiftiHeader, stored: NDArray[Any]) -> NDArray[Any]:
    slope, intercept = header.scaling
    if (slope, intercept) == (1.0, 0.0) or header.colours:
        return stored
    small = header.dtype.str[1:] in _SMALL_TYPES
    scaled = np.empty(stored.shape, np.float32 if small else np.float64)
    for plane in range(len(stored)):
        scaled[plane] = stored[plane].astype(np.float64) * slope + intercept
    return scaled


def _is_displacement(header: NiftiHeader) -> bool:
    if header.intent == DISPLACEMENT:
        return True
    named = bytes(header.fields["intent_name"]).startswith(nifti_header.CHANNELS_3D)
    plain = header.dtype.kind == "f" and header.sizes[4] == header.dimension
    return header.intent == VECTOR and plain and not named


def _grid(header: NiftiHeader) -> Any:
    try:
        return header.grid
    except GeometryError as error:
        raise FileError(str(error)) from error
