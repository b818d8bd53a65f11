"""Writing that is complete or not there: a temporary file beside the target, synced, renamed."""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from millimorph.errors import OutputError

TEMPORARY_PREFIX = ".millimorph-"

_FOLDER_MODE = 0o755


@dataclass(frozen=True)
class Written:
    """What a file was given to hold: its SHA-256 and its length in bytes."""

    sha256: str
    bytes: int


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


@contextmanager
def replacing_folder(dest: Path) -> Iterator[Path]:
    """Yield a new folder beside `dest`; when the block ends well, it takes that name.

    If the block raises, the folder is removed and there is nothing under `dest`.

    Raises OutputError if `dest` is there already, and for every failure of the system.
    """
    if dest.exists() or dest.is_symlink():
        raise OutputError(f"{dest} exists; choose another name, or remove it")
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=dest.parent))
        try:
            yield place
            place.chmod(_FOLDER_MODE)
            place.rename(dest)
            _sync_folder(dest.parent)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {dest}: {error.strerror or error}") from error


def digested(content: bytes) -> Written:
    """Return digest and length of a file's content."""
    return Written(hashlib.sha256(content).hexdigest(), len(content))


def write_pieces(
    path: Path, pieces: Iterable[bytes | memoryview], extension: str | None = None
) -> Written:
    """Write a whole file atomically, digested on the way; `extension` is that of `replacing`.

    Raises OutputError, also if the disk holds another number of bytes than were written.
    """
    digest, written = hashlib.sha256(), 0
    with replacing(path, extension) as temporary:
        with temporary.open("xb") as file:
            for piece in pieces:
                written += file.write(piece)
                _begin_to_sync(file.fileno())
                digest.update(piece)
        held = temporary.stat().st_size
        if held != written:
            raise OutputError(f"cannot write {path}: {written} bytes written, {held} on the disk")
    return Written(digest.hexdigest(), written)


def write_bytes(path: Path, content: bytes) -> Written:
    """Write a whole file atomically; OutputError if that fails."""
    return write_pieces(path, (content,))


def write_text(path: Path, text: str) -> Written:
    """Write a whole text file atomically, as UTF-8 with the line ends of the text."""
    return write_bytes(path, text.encode("utf-8"))


def is_temporary(path: Path) -> bool:
    """Tell whether a file is one of `replacing`, left behind by a process that was killed."""
    return path.name.startswith(TEMPORARY_PREFIX)


def _check_target(target: Path) -> None:
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {target}: the folder {target.parent} does not exist")
    if target.is_dir():
        raise OutputError(f"cannot write {target}: a folder has that name")


def _begin_to_sync(descriptor: int) -> None:
    """Let the disk begin with what is written, so that the sync at the end waits less."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


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
