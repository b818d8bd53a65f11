"""Writing NIfTI files: one affine as sform and qform, integers kept, the same bytes each time.

Little-endian NIfTI-1, codes 1 (scanner), units mm and s, no scaling, no text; gzip at level 1
without a time or a name. Where NIfTI-1 cannot hold the image (more than 32767 voxels on an axis, or
float32 moves a corner by more than 1e-3 voxel) NIfTI-2 is written, with a warning. The decoded
content is the promise; compressed bytes are equal only with the same compressor.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import FileError, GeometryError, MillimorphWarning, OutputError
from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import nifti_header, orientation
from millimorph.io.atomic import Written, write_pieces
from millimorph.io.pieces import Piece, array_pieces, gzipped
from millimorph.kernels import smallmatrix

CORNER_VOXELS = 1e-3

_CODES = {np.dtype(name).name: code for code, name in nifti_header.DTYPES.items()}
_NIFTI1_MAX = 32767
_MM_AND_SECONDS, _MM = 10, 2
_SCANNER = 1


@dataclass(frozen=True)
class _Layout:
    """What the header says: the type, the place, the axes' lengths and meaning, the time axis."""

    dtype: str
    grid: ImageGrid
    sizes: tuple[int, ...]
    intent: int = 0
    intent_name: bytes = b""
    frames: FrameAxis | None = None


def write_nifti(image: ScalarImage | LabelMap, path: Path) -> Written:
    """Write an image or label map to .nii or .nii.gz, atomically; type, channels and frames stay.

    Raises OutputError if it cannot be written, or would not come back in its place.
    """
    flat = image.dimension == 2
    size = image.grid.size
    kind, grid = image.dtype.name, image.grid
    solid = (*size, *(1,) * (3 - image.dimension))
    if image.frames is not None and flat:
        raise OutputError(
            f"cannot write {path}: NIfTI has no 2D time series; write the frames as single images"
        )
    if image.frames is not None:
        layout = _Layout(kind, grid, (*size, image.channels), frames=image.frames)
    elif image.array.ndim > image.dimension:
        name = nifti_header.CHANNELS_2D if flat else nifti_header.CHANNELS_3D
        sizes = (*solid, 1, image.channels)
        layout = _Layout(kind, grid, sizes, nifti_header.VECTOR, name)
    else:
        layout = _Layout(kind, grid, size)
    return _write(_header_for(layout, path), image.array, path)


def write_nifti_vectors(field: NDArray[np.float64], grid: ImageGrid, path: Path) -> None:
    """Write a displacement field (d, z, y, x) in LPS mm with intent 1007, as ITK and ANTs do.

    Raises OutputError.
    """
    d = grid.dimension
    sizes = (*grid.size, *(1,) * (3 - d), 1, d)
    layout = _Layout(field.dtype.name, grid, sizes, nifti_header.VECTOR)
    _write(_header_for(layout, path), field, path)


def _header_for(layout: _Layout, path: Path) -> bytes:
    """Return a NIfTI-1 header that places the image exactly enough, else a NIfTI-2 one."""
    if max(layout.sizes) <= _NIFTI1_MAX:
        header, moved = _header(layout, version=1)
        if moved <= CORNER_VOXELS:
            return header
        reason = f"float32 would move a corner by {moved:.2g} voxel"
    else:
        reason = f"an axis has more than {_NIFTI1_MAX} voxels"
    header, moved = _header(layout, version=2)
    if moved > CORNER_VOXELS:
        raise OutputError(
            f"cannot write {path}: NIfTI would move a corner of the image by {moved:.2g} voxel; "
            f"write .mha instead"
        )
    warnings.warn(
        f"{path}: written as NIfTI-2, because in NIfTI-1 {reason}; programs built on ITK do not "
        f"read it, write .mha for them",
        MillimorphWarning,
        stacklevel=2,
    )
    return header


@lru_cache(maxsize=64)  # the samples of a job share their headers
def _header(layout: _Layout, version: int) -> tuple[bytes, float]:
    """Return a header, and how far it moves a corner when it is read back, in voxels."""
    from nibabel import nifti1, nifti2

    dtype = nifti1.header_dtype if version == 1 else nifti2.header_dtype
    header: NDArray[Any] = np.zeros((), dtype=dtype.newbyteorder("<"))
    header["sizeof_hdr"] = dtype.itemsize
    if version == 1:
        header["regular"] = b"r"
        header["magic"] = b"n+1"
    else:
        header["magic"] = b"n+2"
        header["eol_check"] = (13, 10, 26, 10)
    header["dim"] = [len(layout.sizes), *layout.sizes, *[1] * (7 - len(layout.sizes))]
    header["intent_code"] = layout.intent
    header["intent_name"] = layout.intent_name
    header["datatype"] = _CODES[layout.dtype]
    header["bitpix"] = 8 * np.dtype(layout.dtype).itemsize
    header["vox_offset"] = dtype.itemsize + 4
    header["scl_slope"] = 1
    header["xyzt_units"] = _MM
    _place(header, layout.grid)
    if layout.frames is not None:
        header["pixdim"][4] = layout.frames.spacing_s
        header["toffset"] = layout.frames.origin_s
        header["xyzt_units"] = _MM_AND_SECONDS
    content = header.tobytes()
    return content, _corner_error(content, layout.grid)


def _place(header: NDArray[Any], grid: ImageGrid) -> None:
    """Write the grid as sform, and as the qform of the nearest rotation, both with code 1."""
    d = grid.dimension
    affine = np.eye(4)
    affine[:d, :d] = grid.direction * np.array(grid.spacing_mm)
    affine[:d, 3] = grid.origin_mm
    affine[:2] *= -1.0
    affine += 0.0  # no negative zeros in files
    spacing = np.ones(3)
    spacing[:d] = grid.spacing_mm
    rotation = smallmatrix.polar_rotation(affine[:3, :3] / spacing)
    handed = 1.0 if float(smallmatrix.determinant(rotation)) > 0 else -1.0
    rotation[:, 2] *= handed
    header["pixdim"] = [handed, *spacing, 1.0, 1.0, 1.0, 1.0]
    header["qform_code"] = header["sform_code"] = _SCANNER
    for letter, value in zip("bcd", _quaternion(rotation), strict=True):
        header[f"quatern_{letter}"] = value
    for letter, row in zip("xyz", affine, strict=False):
        header[f"qoffset_{letter}"] = row[3]
        header[f"srow_{letter}"] = row


def _quaternion(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return b, c, d of a rotation's unit quaternion with a >= 0, from its largest component."""
    r = rotation
    squares = np.array(
        [
            1.0 + r[0, 0] + r[1, 1] + r[2, 2],
            1.0 + r[0, 0] - r[1, 1] - r[2, 2],
            1.0 - r[0, 0] + r[1, 1] - r[2, 2],
            1.0 - r[0, 0] - r[1, 1] + r[2, 2],
        ]
    )
    rows = np.array(
        [
            [squares[0], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], squares[1], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], squares[2], r[1, 2] + r[2, 1]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], squares[3]],
        ]
    )
    largest = int(np.argmax(squares))
    quaternion = rows[largest] / (2.0 * np.sqrt(squares[largest]))
    if quaternion[0] < 0:
        quaternion = -quaternion
    return float(quaternion[1]), float(quaternion[2]), float(quaternion[3])


def _corner_error(header: bytes, grid: ImageGrid) -> float:
    """Return how far the header as it is read back moves a corner, in voxels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MillimorphWarning)
        try:
            back = nifti_header.parse_header(header, Path("header")).grid
        except (FileError, GeometryError):
            return math.inf
    return orientation.largest_distance(
        grid.indices(back.corner_points_mm), grid.indices(grid.corner_points_mm)
    )


def _write(header: bytes, array: NDArray[Any], path: Path) -> Written:
    pieces = _pieces(header, array)
    if path.name.lower().endswith(".gz"):
        return write_pieces(path, gzipped(pieces), ".nii.gz")
    return write_pieces(path, pieces, ".nii")


def _pieces(header: bytes, array: NDArray[Any]) -> Iterator[Piece]:
    yield header + b"\0" * 4
    yield from array_pieces(array)
