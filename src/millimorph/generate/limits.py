"""What reading a file and making a sample may take, and how a process is held to it.

A small file can ask its reader for terabytes or for ever. Memory is bounded by the system, in the
process that reads; time by the process that supervises it (see `pool`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from millimorph.errors import FileError, PipelineError
from millimorph.io.dicom_series import files_of_choice, is_series_choice

_GIGABYTE = 1e9
_BYTES_PER_SECOND = 10e6


@dataclass(frozen=True)
class Limits:
    """What a worker process may take before it is ended and its case left out.

    `read_gigabytes` is the memory for reading the files of one case, `read_seconds` the time; for
    each 10 MB of files there is another second. `sample_seconds` is the time to make one sample.
    Where the system cannot bound the memory of a process (macOS, Windows) only the times hold.
    """

    read_gigabytes: float = 4.0
    read_seconds: float = 30.0
    sample_seconds: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("read_gigabytes", "read_seconds", "sample_seconds"):
            if not getattr(self, name) > 0:
                raise PipelineError(f"{name} must be above 0, got {getattr(self, name)}")

    def seconds_for(self, paths: Iterable[Path]) -> float:
        """How long reading these files may take."""
        return self.read_seconds + sum(map(bytes_of, paths)) / _BYTES_PER_SECOND

    def check_sizes(self, paths: Iterable[Path]) -> None:
        """Raise FileError for a file that cannot be read within the memory, before it is read."""
        for path in paths:
            held = bytes_of(path)
            if held > self.read_gigabytes * _GIGABYTE and is_series_choice(path):
                held = sum(map(bytes_of, files_of_choice(path)))
            if held > self.read_gigabytes * _GIGABYTE:
                raise FileError(
                    f"{path}: holds {held / _GIGABYTE:.1f} GB, reading may take "
                    f"{self.read_gigabytes:g} GB; allow more with --read-gigabytes if it is sound"
                )

    @contextmanager
    def on_memory(self) -> Iterator[None]:
        """Let this process allocate no more than this inside; then reading raises MemoryError."""
        bound = _address_space(self.read_gigabytes * _GIGABYTE)
        if bound is None:
            yield
            return
        import resource

        before = resource.getrlimit(resource.RLIMIT_AS)
        lowest = bound if before[0] == resource.RLIM_INFINITY else min(bound, before[0])
        resource.setrlimit(resource.RLIMIT_AS, (lowest, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    def memory_reason(self) -> str:
        """What is told of a case that needed more memory to be read."""
        return (
            f"needs more than {self.read_gigabytes:g} GB to be read; allow more with "
            f"--read-gigabytes if its files are sound"
        )


def _address_space(further_bytes: float) -> int | None:
    """The address space of this process, and so much more; None where it cannot be told.

    Compilers and threads reserve much that they never use, so only what comes on top counts.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        import resource
    except (OSError, ImportError):
        return None
    return pages * resource.getpagesize() + int(further_bytes)


def bytes_of(path: Path) -> int:
    """The size of a file, or of all files below a folder; 0 for what cannot be looked at.

    Of one of several DICOM series it is that of their folder, all of which is read to find it.
    """
    try:
        folder = path.parent if is_series_choice(path) else path
        if folder.is_dir():
            return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
        return path.stat().st_size
    except OSError:
        return 0
