"""The bytes of a file in pieces: those of an array, and their gzip stream.

gzip is level 1 of ISA-L where it is installed, else of zlib, without a name or a time: one
environment gives the same bytes every time, and the two give different bytes of the same content.
ISA-L is several times faster at nearly the same size.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A piece fits a core's cache, so that its digest and its writing find it there.
_PIECE = 1 << 20
_LEVEL = 1
_GZIP = 31

Piece = bytes | memoryview


def array_pieces(array: NDArray[Any]) -> Iterator[Piece]:
    """Yield an array's bytes in C order, little-endian; copied only if they lie otherwise."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    whole = np.ascontiguousarray(little).reshape(-1).view(np.uint8)
    for start in range(0, len(whole), _PIECE):
        yield whole[start : start + _PIECE].data


def gzipped(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield one gzip stream of all the pieces."""
    stream = _compressor()
    for piece in pieces:
        yield stream.compress(piece)
    yield stream.flush()


def _compressor() -> Any:
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
