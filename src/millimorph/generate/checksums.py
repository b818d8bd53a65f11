"""SHA256SUMS: the digests of the records beside the samples, as `sha256sum -c` reads them.

Its first line, a comment there, is the digest of the others. Samples are not in it: their digests
are in the sidecars, and those of the sidecars in the manifest.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from millimorph.errors import FileError, OutputError
from millimorph.generate.manifest import CHECKSUMS_FILE
from millimorph.generate.sidecar import file_digest
from millimorph.io.atomic import write_bytes

_HEAD = "# SHA-256 of the lines below: "


def write_checksums(out: Path, names: Iterable[str]) -> None:
    """Write the digests of these files of the folder."""
    rows = "".join(f"{file_digest(out / name)[0]}  {name}\n" for name in sorted(names))
    write_bytes(out / CHECKSUMS_FILE, _sealed(rows).encode())


def read_checksums(out: Path) -> dict[str, str]:
    """Return the digests by file name; none where there is no such file.

    Raises OutputError for one that is not as it was written.
    """
    path = out / CHECKSUMS_FILE
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{path}: cannot be read: {error}") from None
    rows = text.partition("\n")[2]
    if text != _sealed(rows):
        raise OutputError(f"{path}: is not as it was written")
    return {name: digest for digest, _, name in (row.partition("  ") for row in rows.splitlines())}


def are_intact(out: Path, names: Iterable[str]) -> bool:
    """Tell whether the records are these files, each as it was written."""
    try:
        found = read_checksums(out)
        return found.keys() == set(names) and all(
            file_digest(out / name)[0] == digest for name, digest in found.items()
        )
    except (FileError, OutputError):
        return False


def _sealed(rows: str) -> str:
    return f"{_HEAD}{hashlib.sha256(rows.encode()).hexdigest()}\n{rows}"
