"""Writing that is complete or not there: a temporary file beside the target, synced, renamed."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from millimorph.errors import OutputError

TEMPORARY_PREFIX = ".millimorph-"


@contextmanager
def replacing(path: Path, extension: str | None = None) -> Iterator[Path]:
    """Yield a path to write to; when the block ends well, that file takes the place of `path`.

    The temporary file lies in the same folder, ends in `extension` (default: the path's last
    suffix) and starts with TEMPORARY_PREFIX. It is flushed to the disk before it is renamed, and
    its folder after. If the block raises, it is removed and nothing changes under `path`.

    Raises OutputError for every failure of the system: no folder, no permission, a full disk.
    """
    target = Path(path)
    ending = target.suffix if extension is None else extension
    temporary = target.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}{ending}"
    try:
        _check_target(target)
        yield temporary
        _sync(temporary)
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file atomically; OutputError if that fails."""
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file atomically, as UTF-8 with the line ends of the text."""
    write_bytes(path, text.encode("utf-8"))


def is_temporary(path: Path) -> bool:
    """Tell whether a file is one of `replacing`, left behind by a process that was killed."""
    return path.name.startswith(TEMPORARY_PREFIX)


def _check_target(target: Path) -> None:
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {target}: the folder {target.parent} does not exist")
    if target.is_dir():
        raise OutputError(f"cannot write {target}: a folder has that name")


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
