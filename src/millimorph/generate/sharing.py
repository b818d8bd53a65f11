"""How runs of one job share its output folder: shards of a cluster, or the same command twice.

Samples are written whole or not at all and are the same whoever makes them, so runs need no turns
for them. Each run notes what it finished in a file of its own; at its end, one run after the other,
these become the manifest. The locks are the system's and go with the process; where there are none,
leftovers of killed runs are not cleared.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from millimorph.errors import OutputError
from millimorph.generate.manifest import JOB_FILE
from millimorph.io.atomic import TEMPORARY_PREFIX


@contextmanager
def joined(out: Path) -> Iterator[None]:
    """Take part in a folder; clear what killed runs left half written, if none is at work.

    A run that does not end well clears up too, for its workers were stopped.
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
            _clear(out)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            yield
        except BaseException:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _clear(out)
            raise
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


def _clear(out: Path) -> None:
    for pattern in (f"{TEMPORARY_PREFIX}*", f"*/{TEMPORARY_PREFIX}*"):
        for path in out.glob(pattern):
            path.unlink(missing_ok=True)
