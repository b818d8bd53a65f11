"""Are a MetaImage's or NRRD file's voxels all there and undamaged?

ITK reads both formats, but takes damaged compressed voxels for zeros or leftovers without an error.
So the header is parsed just far enough to find the voxels, and they are decompressed once here,
checksum included, before ITK sees the file. Voxel files named by a header must lie beside it.
Sources: MetaIO's documentation of MetaImage; the NRRD format, teem.sourceforge.net/nrrd.
"""

import math
import re
from pathlib import Path

from millimorph.errors import FileError
from millimorph.io import limits
from millimorph.io.inflate import check_bzip2, check_deflated

_META_BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG": 8,
    "MET_ULONG": 8,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}
_NRRD_TYPES = {
    1: ("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"),
    2: (
        *("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
        *("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    ),
    4: (
        *("int", "signed int", "int32", "int32_t", "float"),
        *("uint", "unsigned int", "uint32", "uint32_t"),
    ),
    8: (
        *("longlong", "long long", "long long int", "signed long long", "signed long long int"),
        *("ulonglong", "unsigned long long", "unsigned long long int", "double"),
        *("int64", "int64_t", "uint64", "uint64_t"),
    ),
}
_NRRD_BYTES = {name: length for length, names in _NRRD_TYPES.items() for name in names}
_META_PLACES = (
    *("offset", "position", "origin"),
    *("transformmatrix", "rotation", "orientation"),
    *("elementspacing", "elementsize"),
)
_HEADER_LIMIT = 1 << 20
_KEY_VALUE = re.compile(r"[^:]+:=")


def check_metaimage(path: Path) -> None:
    """Raise FileError unless a .mha or .mhd file and its voxels are whole."""
    content = limits.read_all(path)
    end = re.search(
        rb"^ElementDataFile *= *([^\r\n]*)\r?\n?", content[:_HEADER_LIMIT], re.MULTILINE
    )
    if not end:
        raise FileError(f"{path}: not a MetaImage file (it has no ElementDataFile)")
    header = _fields(content[: end.start()], "=", path)
    kind = header.get("elementtype", "")
    if kind not in _META_BYTES:
        raise FileError(f"{path}: voxels of type {kind!r} are not supported")
    sizes = _numbers(header, "dimsize", "", path)
    _check_places(header, path)
    channels = _numbers(header, "elementnumberofchannels", "1", path)
    expected = limits.voxel_bytes([*sizes, *channels], _META_BYTES[kind], path)
    limits.check_announced(path, expected)
    name = end.group(1).decode("utf-8", errors="replace").strip()
    local = name.upper() == "LOCAL"
    voxels = memoryview(content)[end.end() :] if local else _beside(path, name)
    if _true(header.get("compresseddata", "False")):
        check_deflated(path, voxels, expected)
    elif not _true(header.get("binarydata", "True")):
        _check_text(path, voxels, expected // _META_BYTES[kind])
    else:
        _check_raw(path, len(voxels), expected, _numbers(header, "headersize", "0", path)[0])


def check_nrrd(path: Path) -> None:
    """Raise FileError unless a .nrrd or .nhdr file and its voxels are whole."""
    content = limits.read_all(path)
    if not content.startswith(b"NRRD"):
        raise FileError(f"{path}: not an NRRD file (it does not start with NRRD)")
    end = re.search(rb"\r?\n\r?\n", content[:_HEADER_LIMIT])
    header = _fields(content[: end.start()] if end else content[:_HEADER_LIMIT], ":", path)
    kind = header.get("type", "")
    if kind not in _NRRD_BYTES:
        raise FileError(f"{path}: voxels of type {kind!r} are not supported")
    expected = limits.voxel_bytes(_numbers(header, "sizes", "", path), _NRRD_BYTES[kind], path)
    limits.check_announced(path, expected)
    if "datafile" in header:
        voxels = _beside(path, header["datafile"])
    elif end:
        voxels = memoryview(content)[end.end() :]
    else:
        raise FileError(f"{path}: the header does not end; the file is truncated")
    voxels = _after_lines(voxels, _numbers(header, "lineskip", "0", path)[0], path)
    skipped = _numbers(header, "byteskip", "0", path)[0]
    encoding = header.get("encoding", "").lower()
    if encoding == "raw":
        _check_raw(path, len(voxels), expected, skipped)
    elif encoding in ("gzip", "gz"):
        check_deflated(path, voxels[max(0, skipped) :], expected)
    elif encoding in ("bzip2", "bz2"):
        check_bzip2(path, voxels[max(0, skipped) :], expected)
    elif encoding in ("txt", "text", "ascii"):
        _check_text(path, voxels, expected // _NRRD_BYTES[kind])
    else:
        raise FileError(f"{path}: the encoding {encoding!r} is not supported")


def _fields(header: bytes, separator: str, path: Path) -> dict[str, str]:
    """Return the header's fields, keys in lower case without spaces; a key must not occur twice."""
    fields: dict[str, str] = {}
    for line in header.decode("utf-8", errors="replace").splitlines():
        if line.startswith(("#", "NRRD")) or separator not in line or _KEY_VALUE.match(line):
            continue
        key, _, value = line.partition(separator)
        key = key.strip().lower().replace(" ", "")
        if key in fields:
            raise FileError(f"{path}: the header has the field {key!r} twice")
        fields[key] = value.strip()
    return fields


def _numbers(header: dict[str, str], key: str, default: str, path: Path) -> list[int]:
    text = header.get(key, default)
    try:
        return [int(word) for word in text.split()]
    except ValueError as error:
        raise FileError(f"{path}: the header's {key} {text!r} is no list of integers") from error


def _check_places(header: dict[str, str], path: Path) -> None:
    """Raise FileError unless numbers of the image's place are finite; ITK takes others for none."""
    for key in _META_PLACES:
        for word in header.get(key, "").split():
            try:
                finite = math.isfinite(float(word))
            except ValueError:
                finite = False
            if not finite:
                raise FileError(f"{path}: the header's {key} has {word!r}, it must be finite")


def _beside(path: Path, name: str) -> memoryview:
    """Return the content of a single file in the same folder."""
    if not name or name.upper().startswith("LIST") or "%" in name:
        raise FileError(f"{path}: voxels in several files ({name!r}) are not supported")
    if Path(name).name != name or "\\" in name:
        raise FileError(f"{path}: its voxel file {name!r} must lie in the same folder")
    voxels = path.parent / name
    limits.check_present(voxels)
    return memoryview(limits.read_all(voxels))


def _after_lines(voxels: memoryview, lines: int, path: Path) -> memoryview:
    if lines <= 0:
        return voxels
    content, position = bytes(voxels), 0
    for _ in range(lines):
        position = content.find(b"\n", position) + 1
        if position == 0:
            raise FileError(f"{path}: holds fewer than the {lines} lines to skip; it is truncated")
    return voxels[position:]


def _check_raw(path: Path, held: int, expected: int, skipped: int) -> None:
    """Compare lengths; -1 skips whatever comes before the voxels."""
    wanted = expected + max(0, skipped)
    if held < wanted or (held > wanted and skipped != -1):
        state = "truncated" if held < wanted else "too long"
        raise FileError(
            f"{path}: holds {held} bytes of voxels, its header announces {wanted}; it is {state}"
        )


def _check_text(path: Path, voxels: memoryview, expected: int) -> None:
    found = len(bytes(voxels).split())
    if found != expected:
        raise FileError(f"{path}: holds {found} values, its header announces {expected}")


def _true(text: str) -> bool:
    return text[:1] in ("T", "t", "1")
