"""Refusals that every reader shares: files that are missing, empty or announce absurd sizes."""

import math
from pathlib import Path

from millimorph.errors import FileError

LARGEST_UNPROVEN_BYTES = 4 * 1024**3
LARGEST_RATIO = 200


def check_present(path: Path) -> None:
    """Raise FileError unless the path is a file that is not empty."""
    try:
        if not path.exists():
            raise FileError(f"{path}: no such file")
        if not path.is_file():
            raise FileError(f"{path}: not a file")
        if path.stat().st_size == 0:
            raise FileError(f"{path}: the file is empty")
    except OSError as error:
        raise FileError(f"{path}: cannot be opened: {error.strerror or error}") from error


def read_all(path: Path) -> bytes:
    """Return the content of a file; FileError with the system's reason if that fails."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error


def check_announced(path: Path, announced: int) -> None:
    """Raise FileError if a header announces far more bytes than its file can plausibly hold.

    Up to 4 GiB is believed; above, at most 200 times the size of the file.
    """
    held = path.stat().st_size
    if announced > LARGEST_UNPROVEN_BYTES and announced > LARGEST_RATIO * held:
        raise FileError(
            f"{path}: the header announces {announced} bytes of voxels, the file has only {held}; "
            f"it is corrupt"
        )


def voxel_bytes(sizes: list[int], bytes_per_voxel: int, path: Path) -> int:
    """Return the bytes of an array; FileError for a size below 1."""
    if not sizes or min(sizes) < 1:
        raise FileError(f"{path}: the header gives the size {tuple(sizes)}, it must be positive")
    return math.prod(sizes) * bytes_per_voxel
