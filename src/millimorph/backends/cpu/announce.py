"""Say once per process, on stderr, that kernels are being compiled, if that takes noticeably long.

Numba tells when it compiles and when it only loads what an earlier process left; a large image or a
busy machine must not be taken for compiling.
"""

import functools
import sys
import time
from threading import Timer

from numba.core import event

MESSAGE = "millimorph: compiling its kernels; this happens once per machine and takes seconds"
MESSAGE_AFTER_S = 1.5


class Announcer(event.Listener):
    """Adds up the time of compiling, nested compiling counted once, and tells when it is long."""

    def __init__(self, after_s: float = MESSAGE_AFTER_S) -> None:
        self._left_s = after_s
        self._told = False
        self._depth = 0
        self._began = 0.0
        self._timer: Timer | None = None

    def on_start(self, event: event.Event) -> None:
        """Begin to wait, unless another compilation is the reason for this one."""
        if self._told or not _is_ours(event):
            return
        self._depth += 1
        if self._depth == 1:
            self._began = time.monotonic()
            self._timer = Timer(self._left_s, self._tell)
            self._timer.daemon = True
            self._timer.start()

    def on_end(self, event: event.Event) -> None:
        """Stop waiting; what was waited is not waited again."""
        if self._told or not _is_ours(event):
            return
        self._depth -= 1
        if self._depth == 0 and self._timer is not None:
            self._timer.cancel()
            self._left_s = max(0.0, self._left_s - (time.monotonic() - self._began))

    def _tell(self) -> None:
        self._told = True
        print(MESSAGE, file=sys.stderr, flush=True)  # noqa: T201 - a message for people


@functools.cache
def tell_of_compiling() -> None:
    """From now on tell of it."""
    event.register("numba:compile", Announcer())  # type: ignore[no-untyped-call]


def _is_ours(event: event.Event) -> bool:
    """Whether a kernel of this package is compiled, and not a function of the user's."""
    return str(event.data["dispatcher"].py_func.__module__).startswith("millimorph.")
