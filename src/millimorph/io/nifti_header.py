"""The NIfTI-1 and NIfTI-2 header: what is checked before voxels are read, and where they lie.

Geometry rule, in this order: the sform if sform_code > 0; else the qform if qform_code > 0; else
pixdim alone, along the patient's axes with origin 0 (as ITK does). A warning says so when sform
and qform are both set, or the sform's spacing and pixdim, and a corner of the image differs by more
than 0.1 mm. NIfTI coordinates are RAS; they become LPS here and nowhere else. Units of metres and
micrometres are honoured. Source: https://nifti.nimh.nih.gov (nifti1.h, nifti2.h).
"""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import FileError, MillimorphWarning
from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis
from millimorph.io import orientation
from millimorph.io.limits import voxel_bytes

NIFTI1_BYTES, NIFTI2_BYTES = 348, 540
DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
COLOURS = {128: 3, 2304: 4}
DISPLACEMENT, VECTOR = 1006, 1007
CHANNELS_2D, CHANNELS_3D = b"channels 2D", b"channels"

_UNREAD = {1: "1-bit", 32: "complex64", 1536: "float128", 1792: "complex128", 2048: "complex256"}
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}
_SECONDS_PER_UNIT = {16: 1e-3, 24: 1e-6}
_LPS_FROM_RAS = np.array([-1.0, -1.0, 1.0, 1.0])
_MOST_AXES = 7
_ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")


@dataclass(frozen=True)
class NiftiHeader:
    """The fields that matter, checked for being legal on their own.

    `sizes` holds x, y, z, time and vector lengths; `dimension` is 2 or 3; `dtype` has the file's
    byte order; `colours` is 3 or 4 for RGB and RGBA voxels, else 0.
    """

    fields: NDArray[Any]
    sizes: tuple[int, int, int, int, int]
    dimension: int
    dtype: np.dtype[Any]
    colours: int
    offset: int
    where: str

    @property
    def voxel_bytes(self) -> int:
        """Length of the voxels in the file."""
        return int(np.prod(self.sizes, dtype=object)) * self.dtype.itemsize * max(1, self.colours)

    @property
    def intent(self) -> int:
        """The intent code."""
        return int(self.fields["intent_code"])

    @property
    def grid(self) -> ImageGrid:
        """The grid, by the rule of this module."""
        with np.errstate(all="ignore"):
            return _grid(self)

    @property
    def frames(self) -> FrameAxis:
        """The time axis; spacing 1 s where the header has none."""
        unit = _SECONDS_PER_UNIT.get(int(self.fields["xyzt_units"]) & 56, 1.0)
        spacing, origin = float(self.fields["pixdim"][4]), float(self.fields["toffset"])
        known = np.isfinite(spacing) and spacing > 0
        return FrameAxis(spacing * unit if known else 1.0, origin * unit if known else 0.0)

    @property
    def scaling(self) -> tuple[float, float]:
        """Slope and intercept of the voxels; (1, 0) if they are stored as they are."""
        slope, intercept = float(self.fields["scl_slope"]), float(self.fields["scl_inter"])
        if slope == 0 or np.isnan(slope):
            return 1.0, 0.0
        if not (np.isfinite(slope) and np.isfinite(intercept)):
            raise FileError(
                f"{self.where}: scl_slope {slope} and scl_inter {intercept} are illegal"
            )
        return slope, intercept


def parse_header(head: bytes, path: Path) -> NiftiHeader:
    """Return the checked header at the start of an uncompressed file; FileError if it is none."""
    fields, single, order = _fields(head, path)
    count = int(fields["dim"][0])
    if not 1 <= count <= _MOST_AXES:
        raise FileError(f"{path}: the header gives {count} axes, legal are 1 to {_MOST_AXES}")
    lengths = [int(n) for n in fields["dim"][1 : count + 1]]
    code = int(fields["datatype"])
    colours = COLOURS.get(code, 0)
    if code not in DTYPES and not colours:
        kind = _UNREAD.get(code, f"type code {code}")
        raise FileError(f"{path}: {kind} voxels are not supported; convert them to real numbers")
    dtype = np.dtype("u1" if colours else DTYPES[code]).newbyteorder(order)
    voxel_bytes(lengths, dtype.itemsize, path)
    lengths += [1] * (_MOST_AXES - count)
    if count == 1 or lengths[5] > 1 or lengths[6] > 1:
        raise FileError(
            f"{path}: an image of size {tuple(lengths[:count])} is not supported; expected 2 or 3 "
            f"spatial axes, then time or channels"
        )
    offset = float(fields["vox_offset"])
    if not (np.isfinite(offset) and offset >= single and offset == np.floor(offset)):
        raise FileError(f"{path}: the voxels cannot start at byte {offset}")
    sizes = (lengths[0], lengths[1], lengths[2], lengths[3], lengths[4])
    dimension = 2 if count == 2 or _is_flat_vector(fields, sizes) else 3
    return NiftiHeader(fields, sizes, dimension, dtype, colours, int(offset), str(path))


def rotation_of_quaternion(b: float, c: float, d: float, path: str) -> NDArray[np.float64]:
    """Return the rotation of a NIfTI quaternion; FileError if it is far from a unit quaternion."""
    squares = b * b + c * c + d * d
    if not squares <= 1.0 + 1e-3:
        raise FileError(f"{path}: the qform's quaternion ({b}, {c}, {d}) is no rotation")
    if squares > 1.0:
        scale = 1.0 / np.sqrt(squares)
        b, c, d, squares = b * scale, c * scale, d * scale, 1.0
    a = np.sqrt(1.0 - squares)
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _fields(head: bytes, path: Path) -> tuple[NDArray[Any], int, Literal["<", ">"]]:
    """Return the raw fields, the first byte where voxels may start, and the byte order."""
    from nibabel import nifti1, nifti2

    for dtype, length, magics in (
        (nifti1.header_dtype, NIFTI1_BYTES, (b"n+1", b"ni1")),
        (nifti2.header_dtype, NIFTI2_BYTES, (b"n+2", b"ni2")),
    ):
        for order in _ORDERS:
            if len(head) >= length and head[:4] == struct.pack(f"{order}i", length):
                fields = np.frombuffer(head[:length], dtype=dtype.newbyteorder(order))[0]
                magic = bytes(fields["magic"])[:3]
                if magic == magics[1]:
                    raise FileError(
                        f"{path}: this is the header of an .hdr/.img pair; convert the pair to .nii"
                    )
                if magic == magics[0]:
                    return fields, length, order
    raise FileError(f"{path}: not a NIfTI file (its first bytes are no NIfTI-1 or NIfTI-2 header)")


def _is_flat_vector(fields: NDArray[Any], sizes: tuple[int, ...]) -> bool:
    """Tell whether (x, y, 1, 1, c) is a 2D image, as ITK writes them."""
    flat = sizes[2] == 1 and sizes[3] == 1 and int(fields["intent_code"]) == VECTOR
    return flat and bytes(fields["intent_name"]).rstrip(b"\0") != CHANNELS_3D


def _grid(header: NiftiHeader) -> ImageGrid:
    fields = header.fields
    unit = _MM_PER_UNIT.get(int(fields["xyzt_units"]) & 7, 1.0)
    lengths = np.abs(fields["pixdim"][1:4].astype(np.float64))
    size = header.sizes[:3]
    if int(fields["sform_code"]) > 0:
        affine = _sform(fields)
        if int(fields["qform_code"]) > 0:
            _warn_if_apart(header, affine, lengths, unit)
        _warn_of_pixdim(header, affine, lengths, unit)
    elif int(fields["qform_code"]) > 0:
        affine, _ = _qform(header, lengths)
    else:
        affine = np.eye(4)
        affine[:3, :3] *= lengths
        affine[:2] *= -1.0
    affine = affine * _LPS_FROM_RAS[:, np.newaxis]
    affine[:3] *= unit
    if header.dimension == 3:
        return orientation.grid_from_affine(size, affine, header.where)
    return _flat_grid(header, affine)


def _sform(fields: NDArray[Any]) -> NDArray[np.float64]:
    affine = np.eye(4)
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        affine[row] = fields[name].astype(np.float64)
    return affine


def _qform(header: NiftiHeader, lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return the qform's affine and how far rounding to float32 may turn it, in mm per mm."""
    fields = header.fields
    b, c, d = (float(fields[f"quatern_{letter}"]) for letter in "bcd")
    rotation = rotation_of_quaternion(b, c, d, header.where)
    handed = np.array([1.0, 1.0, -1.0 if float(fields["pixdim"][0]) < 0 else 1.0])
    affine = np.eye(4)
    affine[:3, :3] = rotation * (handed * lengths)
    affine[:3, 3] = [float(fields[f"qoffset_{letter}"]) for letter in "xyz"]
    scalar = np.sqrt(max(1.0 - b * b - c * c - d * d, 0.0))
    return affine, 2.0 * min(4e-4, 2e-7 / max(float(scalar), 1e-9))


def _warn_if_apart(
    header: NiftiHeader, sform: NDArray[np.float64], lengths: NDArray[np.float64], unit: float
) -> None:
    qform, slack = _qform(header, lengths)
    size = header.sizes[:3]
    apart = unit * orientation.largest_distance(
        orientation.corners(size, sform), orientation.corners(size, qform)
    )
    reach = unit * float(np.max(lengths * np.array(size)))
    if not apart <= orientation.NOTICEABLE_MM + slack * reach:
        _warn(
            f"{header.where}: sform and qform place the image up to {apart:.2f} mm apart; the "
            f"sform is used"
        )


def _warn_of_pixdim(
    header: NiftiHeader, sform: NDArray[np.float64], lengths: NDArray[np.float64], unit: float
) -> None:
    spacing = orientation.column_lengths(sform[:3, :3])
    count = 2 if header.dimension == 2 else 3
    off = unit * np.abs(spacing - lengths)[:count] * np.array(header.sizes[:count])
    if not float(np.max(off)) <= orientation.NOTICEABLE_MM:
        _warn(
            f"{header.where}: the sform's spacing {tuple((spacing * unit).tolist())} mm differs "
            f"from pixdim {tuple((lengths * unit).tolist())} mm; the sform is used"
        )


def _flat_grid(header: NiftiHeader, affine: NDArray[np.float64]) -> ImageGrid:
    """Return the 2D grid: the upper left block, or the identity if that is not orthonormal."""
    size = header.sizes[:2]
    spacing = orientation.column_lengths(affine[:3, :2])
    flat = np.eye(3)
    flat[:2, :2] = affine[:2, :2]
    flat[:2, 2] = affine[:2, 3]
    direction = flat[:2, :2] / spacing
    if not orientation.deviation(direction) <= orientation.NEARLY_ORTHONORMAL:
        _warn(
            f"{header.where}: this 2D image does not lie in the patient's axial plane; its "
            f"directions are taken as the axes"
        )
        flat[:2, :2] = np.eye(2) * spacing
    return orientation.grid_from_affine(size, flat, header.where)


def _warn(message: str) -> None:
    warnings.warn(message, MillimorphWarning, stacklevel=2)
