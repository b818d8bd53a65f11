"""Writing .mha files: MetaImage with its voxels uncompressed, as fast as the disk.

Geometry is written with all digits of float64. Raw voxels have no checksum of their own: a flipped
byte in them is found by the digest in a sample's sidecar, not by a reader.
Source: MetaIO's documentation of MetaImage; its matrix lists the axes' directions one by one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from millimorph.errors import OutputError
from millimorph.images import LabelMap, ScalarImage
from millimorph.io.atomic import Written, write_pieces
from millimorph.io.pieces import Piece, array_pieces

_TYPES = {
    "uint8": "MET_UCHAR",
    "int8": "MET_CHAR",
    "uint16": "MET_USHORT",
    "int16": "MET_SHORT",
    "uint32": "MET_UINT",
    "int32": "MET_INT",
    "uint64": "MET_ULONG_LONG",
    "int64": "MET_LONG_LONG",
    "float32": "MET_FLOAT",
    "float64": "MET_DOUBLE",
}


def write_metaimage(image: ScalarImage | LabelMap, path: Path) -> Written:
    """Write an image or label map to .mha, atomically; type, channels and frames stay.

    Raises OutputError if it cannot be written, and for frames of a 2D image.
    """
    if image.frames is not None and image.dimension == 2:
        raise OutputError(
            f"cannot write {path}: ITK reads no 2D time series; write the frames as single images"
        )
    return write_pieces(path, _pieces(image), ".mha")


def _pieces(image: ScalarImage | LabelMap) -> Iterator[Piece]:
    yield _header(image).encode("ascii")
    vectors = image.frames is None and image.array.ndim > image.dimension
    yield from array_pieces(np.moveaxis(image.array, 0, -1) if vectors else image.array)


def _header(image: ScalarImage | LabelMap) -> str:
    grid, frames = image.grid, image.frames
    size, spacing, origin = [*grid.size], [*grid.spacing_mm], [*grid.origin_mm]
    axes = np.eye(grid.dimension if frames is None else grid.dimension + 1)
    axes[: grid.dimension, : grid.dimension] = grid.direction.T
    if frames is not None:
        size.append(image.channels)
        spacing.append(frames.spacing_s)
        origin.append(frames.origin_s)
    fields = {
        "ObjectType": "Image",
        "NDims": str(len(size)),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": _listed(axes.ravel().tolist()),
        "Offset": _listed(origin),
        "CenterOfRotation": _listed([0] * len(size)),
        "ElementSpacing": _listed(spacing),
        "DimSize": _listed(size),
    }
    if frames is None and image.array.ndim > image.dimension:
        fields["ElementNumberOfChannels"] = str(image.channels)
    fields |= {"ElementType": _TYPES[image.dtype.name], "ElementDataFile": "LOCAL"}
    return "".join(f"{key} = {value}\n" for key, value in fields.items())


def _listed(numbers: Iterable[float]) -> str:
    return " ".join(repr(number) for number in numbers)
