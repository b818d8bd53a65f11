"""Blosc2 arrays (.b2nd) for training: patches are read fast, and the image's place goes with them.

An array of Blosc2 in one frame, Zstandard level 1 after a byte shuffle, in chunks of 64 voxels an
axis (512 in 2D), one channel or frame each. `vlmeta["millimorph"]` holds the geometry (LPS mm), the
time axis and the role; only files with it are read. Blosc2 has no checksum, so the metalayer
"millimorph" holds the SHA-256 of the whole frame, taken with zeros in its own place; a frame that
differs is refused before the library sees it. Needs the extra "blosc2".
Source: the frame format of C-Blosc2, README_CFRAME_FORMAT.rst.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from millimorph.errors import FileError, GeometryError, ImageError, OutputError
from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import limits
from millimorph.io.atomic import Written, write_bytes
from millimorph.io.extensions import BLOSC2_EXTENSIONS

_NAME = "millimorph"
_MISSING = 'needs the library blosc2; install it with: pip install "millimorph[blosc2]"'
_CHUNK = {2: 512, 3: 64}
_BLOCK = {2: 128, 3: 32}
_MAGIC = b"b2frame\0"
_MAGIC_AT = slice(2, 10)
_HEADER_LENGTH_AT, _FRAME_LENGTH_AT = slice(11, 15), slice(16, 24)
_MARK = b"millimorph SHA-256 "
_DIGEST_BYTES = 32


class _Place(BaseModel):
    """What vlmeta holds: lengths in (x, y[, z]), mm, the direction row by row, seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    role: Literal["image", "labels"]
    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    origin_mm: tuple[float, ...]
    direction: tuple[tuple[float, ...], ...]
    channels: int | None
    frame_spacing_s: float | None = None
    frame_origin_s: float | None = None

    @classmethod
    def of(cls, image: ScalarImage | LabelMap) -> "_Place":
        grid, frames = image.grid, image.frames
        return cls(
            role="labels" if isinstance(image, LabelMap) else "image",
            size=grid.size,
            spacing_mm=grid.spacing_mm,
            origin_mm=grid.origin_mm,
            direction=tuple(map(tuple, grid.direction.tolist())),
            channels=image.channels if image.array.ndim > grid.dimension else None,
            frame_spacing_s=None if frames is None else frames.spacing_s,
            frame_origin_s=None if frames is None else frames.origin_s,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        leading = () if self.channels is None else (self.channels,)
        return (*leading, *reversed(self.size))

    @property
    def grid(self) -> ImageGrid:
        return ImageGrid(self.size, self.spacing_mm, self.origin_mm, np.array(self.direction))

    @property
    def frames(self) -> FrameAxis | None:
        if self.frame_spacing_s is None or self.frame_origin_s is None:
            return None
        return FrameAxis(self.frame_spacing_s, self.frame_origin_s)


def check_available() -> None:
    """Raise OutputError, saying what to install, unless the library is there."""
    _library(OutputError, f"the format {BLOSC2_EXTENSIONS[0]}")


def write_b2nd(image: ScalarImage | LabelMap, path: Path) -> Written:
    """Write an image or label map, atomically; type, place, channels and frames stay exactly.

    Raises OutputError if it cannot be written, and without the library.
    """
    blosc2 = _library(OutputError, f"cannot write {path}: it")
    leading = (1,) * (image.array.ndim - image.dimension)
    sides = image.grid.shape
    chunk, block = _CHUNK[image.dimension], _BLOCK[image.dimension]
    stored = blosc2.asarray(
        image.array,
        chunks=(*leading, *(min(n, chunk) for n in sides)),
        blocks=(*leading, *(min(n, block) for n in sides)),
        cparams=blosc2.CParams(
            codec=blosc2.Codec.ZSTD,
            clevel=1,
            filters=[blosc2.Filter.SHUFFLE],
            typesize=image.dtype.itemsize,
            nthreads=1,
        ),
        dparams=blosc2.DParams(nthreads=1),  # the frame records it
        contiguous=True,
        meta={_NAME: _MARK + bytes(_DIGEST_BYTES)},
    )
    stored.schunk.vlmeta[_NAME] = _Place.of(image).model_dump(mode="json")
    frame = bytearray(stored.to_cframe())
    frame[_digest_at(path, frame)] = hashlib.sha256(frame).digest()
    return write_bytes(path, bytes(frame))


def read_b2nd(path: Path) -> ScalarImage:
    """Read an image that `write_b2nd` wrote.

    Raises FileError for damage anywhere, for arrays of other programs, and without the library.
    """
    blosc2 = _library(FileError, f"{path}:")
    limits.check_present(path)
    frame = limits.read_all(path)
    _check_whole(path, frame)
    try:
        stored = blosc2.ndarray_from_cframe(frame)
        held = stored.schunk.vlmeta[_NAME]
        place = _Place.model_validate(held if isinstance(held, Mapping) else {})
    except (RuntimeError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise FileError(f"{path}: not an image of millimorph ({type(error).__name__})") from error
    limits.check_announced(path, int(np.prod(stored.shape, dtype=object)) * stored.dtype.itemsize)
    if tuple(stored.shape) != place.shape:
        raise FileError(f"{path}: holds {stored.shape} voxels, its geometry says {place.shape}")
    try:
        return ScalarImage(np.asarray(stored[:]).reshape(place.shape), place.grid, place.frames)
    except (ImageError, GeometryError, RuntimeError) as error:
        raise FileError(f"{path}: {error}") from error


def _check_whole(path: Path, frame: bytes) -> None:
    """Raise FileError unless the file is a frame with its digest, and nothing else."""
    if frame[_MAGIC_AT] != _MAGIC or len(frame) < _FRAME_LENGTH_AT.stop:
        raise FileError(f"{path}: not a Blosc2 array (its first bytes are no frame's)")
    announced = int.from_bytes(frame[_FRAME_LENGTH_AT], "big")
    if len(frame) != announced:
        state = "truncated" if len(frame) < announced else "too long"
        raise FileError(
            f"{path}: holds {len(frame)} bytes, its header announces {announced}; the file is "
            f"{state}"
        )
    place = _digest_at(path, frame)
    digest = hashlib.sha256(frame[: place.start])
    digest.update(bytes(_DIGEST_BYTES))
    digest.update(memoryview(frame)[place.stop :])
    if digest.digest() != frame[place]:
        raise FileError(f"{path}: the file is damaged (its SHA-256 differs)")


def _digest_at(path: Path, frame: bytes | bytearray) -> slice:
    """Find the place of the digest in the frame's header."""
    header = int.from_bytes(frame[_HEADER_LENGTH_AT], "big")
    found = frame.find(_MARK, 0, header)
    if found < 0:
        raise FileError(
            f"{path}: a Blosc2 array without a place in the patient; only arrays that millimorph "
            f"wrote are read, so convert the original image instead"
        )
    start = found + len(_MARK)
    return slice(start, start + _DIGEST_BYTES)


def _library(error: type[FileError] | type[OutputError], subject: str) -> Any:
    try:
        import blosc2
    except ImportError:
        raise error(f"{subject} {_MISSING}") from None
    return blosc2
