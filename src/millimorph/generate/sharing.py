"""How runs of one job share its output folder: shards of a cluster, or the same command twice.

Samples are written whole or not at all and are the same whoever makes them, so runs need no turns
for them. Each run notes what it finished in a file of its own; at its end, one run after the other,
these become the manifest. The locks are the system's and go with the process; where there are none,
leftovers of killed runs are not cleared.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from millimorph.errors import OutputError
from millimorph.generate.manifest import JOB_FILE, is_notes
from millimorph.io.atomic import TEMPORARY_PREFIX


@contextmanager
def joined(out: Path) -> Iterator[None]:
    """Take part in a folder; clear what killed runs and workers left half written.

    That is done at the beginning and at the end, if no other run is at work. Notes of finished
    samples stay at the end, for a run that did not end well has not made them its manifest.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(out, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(_left_behind(out))
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path for path in _left_behind(out) if not is_notes(path))
    finally:
        os.close(descriptor)


@contextmanager
def alone_with_records(out: Path) -> Iterator[None]:
    """Wait until no other run writes the records of a folder, and keep others from it."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        descriptor = os.open(out / JOB_FILE, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"{out / JOB_FILE}: {error.strerror or error}") from None
    try:
        # On a file system without locks records are replaced whole, and the last run's stay.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _left_behind(out: Path) -> Iterator[Path]:
    for pattern in (f"{TEMPORARY_PREFIX}*", f"*/{TEMPORARY_PREFIX}*"):
        yield from out.glob(pattern)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
