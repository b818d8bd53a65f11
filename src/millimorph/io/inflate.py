"""Strict decompression: the whole stream, its checksum and its exact length, in bounded memory."""

import bz2
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from millimorph.errors import FileError

GZIP = 31
ZLIB_OR_GZIP = 47

Compressed = bytes | memoryview

_GZIP_MAGIC = b"\x1f\x8b"
_FEED = 1 << 20


def inflate(
    path: Path, compressed: Compressed, head: int, length: Callable[[bytes], int]
) -> bytearray:
    """Return the content of a gzip stream whose length its own first bytes announce.

    The first `head` bytes are passed to `length`, which returns the whole length (and may raise).
    Concatenated members are one stream. CRC and size of every member are checked.

    Raises FileError if the stream is damaged, ends early, is longer or shorter than announced, or
    is followed by something else.
    """
    start = bytearray()
    for piece in _pieces(path, compressed, GZIP, head):
        start += piece
        if len(start) >= head:
            break
    total = length(bytes(start[:head]))
    content = bytearray(total)
    filled = 0
    for piece in _pieces(path, compressed, GZIP, total + 1):
        end = filled + len(piece)
        if end > total:
            raise FileError(f"{path}: holds more than the {total} bytes that its header announces")
        content[filled:end] = piece
        filled = end
    if filled < total:
        raise FileError(
            f"{path}: holds {filled} bytes, its header announces {total}; the file is truncated"
        )
    return content


def check_deflated(path: Path, compressed: Compressed, expected: int) -> None:
    """Raise FileError unless a zlib or gzip stream is whole and holds exactly `expected` bytes."""
    filled = 0
    for piece in _pieces(path, compressed, ZLIB_OR_GZIP, expected + 1):
        filled += len(piece)
        if filled > expected:
            break
    if filled != expected:
        raise FileError(_wrong_length(path, filled, expected))


def check_bzip2(path: Path, compressed: Compressed, expected: int) -> None:
    """Raise FileError unless a bzip2 stream is whole and holds exactly `expected` bytes."""
    stream = bz2.BZ2Decompressor()
    filled = 0
    try:
        for start in range(0, len(compressed), _FEED):
            feed: Compressed = compressed[start : start + _FEED]
            while not stream.eof and filled <= expected:
                filled += len(stream.decompress(feed, _FEED))
                feed = b""
                if stream.needs_input:
                    break
    except OSError as error:
        raise FileError(f"{path}: the compressed data are damaged ({error})") from error
    if not stream.eof or stream.unused_data or filled != expected:
        raise FileError(_wrong_length(path, filled, expected))


def _pieces(path: Path, compressed: Compressed, wbits: int, most: int) -> Iterator[bytes]:
    """Yield the decompressed stream in pieces of bounded size, and refuse any damage."""
    stream = zlib.decompressobj(wbits)
    position = 0
    pending: Compressed = b""
    while True:
        if not pending:
            pending = compressed[position : position + _FEED]
            position += len(pending)
            if not pending:
                raise FileError(f"{path}: the compressed data end early; the file is truncated")
        try:
            piece = stream.decompress(pending, min(most, 4 * _FEED))
        except zlib.error as error:
            raise FileError(f"{path}: the compressed data are damaged ({error})") from error
        if piece:
            yield piece
        pending = stream.unconsumed_tail
        if stream.eof:
            pending = stream.unused_data
            if not pending and position == len(compressed):
                return
            rest = pending[:2] or compressed[position : position + 2]
            if wbits != GZIP or rest != _GZIP_MAGIC:
                raise FileError(f"{path}: something else follows the compressed data")
            stream = zlib.decompressobj(wbits)


def _wrong_length(path: Path, found: int, expected: int) -> str:
    state = "more than" if found > expected else f"{found} bytes instead of"
    return f"{path}: the voxels take {state} the {expected} bytes that the header announces"
