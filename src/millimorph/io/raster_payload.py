"""Are the pixels of a PNG, JPEG, TIFF, BMP or GIPL file all there?

ITK fills what is missing in most of these with zeros or leftovers. Lengths and, in TIFF, deflated
strips are checked here; libpng checks PNG's own sums. JPEG, LZW and raw pixels have no checksum, so
a flipped byte inside them cannot be found. Sources: ISO 10918-1, TIFF 6.0 and BigTIFF, PNG 1.2.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from millimorph.errors import FileError
from millimorph.io import limits

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_GIPL_HEADER, _GIPL_MAGICS = 256, (719555000, 4026526128, 2968599727)
_GIPL_BYTES = {7: 1, 8: 1, 15: 2, 16: 2, 31: 4, 32: 4, 64: 4, 65: 8}
_TIFF_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_DEFLATED = (8, 32946)
_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES = 273, 279, 324, 325
_TAGS = (_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES)
_MOST_PAGES, _MOST_TAGS = 1 << 14, 1 << 10
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_JPEG_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))


def check_png(path: Path) -> None:
    """Raise FileError unless a PNG file starts and ends as one and announces a plausible size."""
    content = limits.read_all(path)
    if not content.startswith(_PNG_MAGIC) or content[12:16] != b"IHDR":
        raise FileError(f"{path}: not a PNG file")
    width, height, depth, colour = struct.unpack(">IIBB", content[16:26].ljust(10, b"\0"))
    samples = _PNG_SAMPLES.get(colour, 0)
    announced = limits.voxel_bytes([width, height, samples], (depth + 7) // 8, path)
    limits.check_announced(path, announced)
    if content[-8:-4] != b"IEND":
        raise FileError(f"{path}: the PNG file does not end; it is truncated")


def check_jpeg(path: Path) -> None:
    """Raise FileError unless a JPEG file starts as one and its last scan ends."""
    content = limits.read_all(path)
    if not content.startswith(_JPEG_START):
        raise FileError(f"{path}: not a JPEG file")
    position = 2
    while position + 9 < len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker in _JPEG_FRAMES:
            height, width, samples = struct.unpack_from(">HHB", content, position + 5)
            limits.check_announced(path, limits.voxel_bytes([width, height, samples], 1, path))
            break
        position += 2 + struct.unpack_from(">H", content, position + 2)[0]
    if content.rfind(_JPEG_END) <= content.rfind(_JPEG_SCAN):
        raise FileError(f"{path}: the JPEG file does not end; it is truncated")


def check_bmp(path: Path) -> None:
    """Raise FileError unless a BMP file is as long as it says."""
    content = limits.read_all(path)
    if not content.startswith(b"BM") or len(content) < 30:
        raise FileError(f"{path}: not a BMP file")
    start, _, width, height, _, depth = struct.unpack_from("<IIiiHH", content, 10)
    compression = struct.unpack_from("<I", content, 30)[0] if len(content) > 34 else 0
    rows = (width * depth + 31) // 32 * 4 * abs(height)
    length = int.from_bytes(content[2:6], "little")
    if len(content) < length or (compression == 0 and len(content) < start + rows):
        raise FileError(
            f"{path}: holds {len(content)} bytes, its header announces "
            f"{max(length, start + rows)}; it is truncated"
        )


def check_gipl(path: Path) -> None:
    """Raise FileError unless a GIPL file holds exactly the voxels that its header announces."""
    content = limits.read_all(path)
    magic = struct.unpack_from(">I", content, 252)[0] if len(content) >= _GIPL_HEADER else 0
    if magic not in _GIPL_MAGICS:
        raise FileError(f"{path}: not a GIPL file")
    sizes = [max(1, n) for n in struct.unpack_from(">4H", content)]
    kind = struct.unpack_from(">H", content, 8)[0]
    if kind not in _GIPL_BYTES:
        raise FileError(f"{path}: voxels of type {kind} are not supported")
    announced = _GIPL_HEADER + limits.voxel_bytes(sizes, _GIPL_BYTES[kind], path)
    if len(content) != announced:
        raise FileError(f"{path}: holds {len(content)} bytes, its header announces {announced}")


def check_tiff(path: Path) -> None:
    """Raise FileError unless all strips and tiles of all pages are there and inflate."""
    content = limits.read_all(path)
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    version = struct.unpack_from(f"{order}H", content, 2)[0] if order and len(content) > 16 else 0
    if order is None or version not in (42, 43):
        raise FileError(f"{path}: not a TIFF file")
    tiff = _Tiff(content, order, "Q" if version == 43 else "I")
    seen: set[int] = set()
    try:
        position = struct.unpack_from(f"{order}{tiff.word}", content, tiff.word_bytes)[0]
        while position:
            if position in seen or len(seen) == _MOST_PAGES:
                raise FileError(f"{path}: the pages of the TIFF file go round in a circle")
            seen.add(position)
            tags, position = _tiff_page(tiff, position)
            _check_page(path, content, tags)
    except (struct.error, IndexError, OverflowError) as error:
        raise FileError(
            f"{path}: a TIFF page lies beyond the file's end; it is truncated"
        ) from error


@dataclass(frozen=True)
class _Tiff:
    """A file's content, its byte order, and the code of its offsets: I, or Q in BigTIFF."""

    content: bytes
    order: str
    word: str

    @property
    def word_bytes(self) -> int:
        return struct.calcsize(f"<{self.word}")


def _tiff_page(tiff: _Tiff, position: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """Return the integer tags of a page, and where the next page is."""
    content, order, word = tiff.content, tiff.order, tiff.word
    count_code = "Q" if word == "Q" else "H"
    entry_bytes = 4 + 2 * tiff.word_bytes
    entries = struct.unpack_from(f"{order}{count_code}", content, position)[0]
    if entries > _MOST_TAGS:
        raise OverflowError
    position += struct.calcsize(f"<{count_code}")
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(entries):
        start = position + entry * entry_bytes
        tag, kind, count = struct.unpack_from(f"{order}HH{word}", content, start)
        where = start + 4 + tiff.word_bytes
        length = count * _TIFF_BYTES.get(kind, 0)
        if length > tiff.word_bytes:
            where = struct.unpack_from(f"{order}{word}", content, where)[0]
        if where + length > len(content):
            raise IndexError
        if tag in _TAGS and kind in _TIFF_INTEGERS and tag not in tags:
            code = f"{order}{count}{_TIFF_INTEGERS[kind]}"
            tags[tag] = struct.unpack_from(code, content, where)
    following = struct.unpack_from(f"{order}{word}", content, position + entries * entry_bytes)[0]
    return tags, following


def _check_page(path: Path, content: bytes, tags: dict[int, tuple[int, ...]]) -> None:
    width, height = tags.get(_WIDTH, (0,))[0], tags.get(_HEIGHT, (0,))[0]
    bits = sum(tags.get(_BITS, (1,)))
    limits.check_announced(path, limits.voxel_bytes([width, height], (bits + 7) // 8, path))
    offsets = tags.get(_STRIPS) or tags.get(_TILES) or ()
    lengths = tags.get(_STRIP_BYTES) or tags.get(_TILE_BYTES) or ()
    ends = [start + length for start, length in zip(offsets, lengths, strict=False)]
    if not offsets or len(offsets) != len(lengths) or max(ends) > len(content):
        raise FileError(f"{path}: pixels of a TIFF page are missing; the file is truncated")
    if tags.get(_COMPRESSION, (1,))[0] not in _DEFLATED:
        return
    for start, end in zip(offsets, ends, strict=True):
        try:
            stream = zlib.decompressobj()
            stream.decompress(content[start:end])
        except zlib.error as error:
            raise FileError(f"{path}: the compressed pixels are damaged ({error})") from error
        if not stream.eof:
            raise FileError(f"{path}: the compressed pixels end early")
