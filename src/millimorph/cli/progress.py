"""How far a run is: a bar on a terminal, a plain line every few seconds elsewhere (on stderr)."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from millimorph.generate import Progress

Shown = Callable[[Progress], None]

_SECONDS_BETWEEN_LINES = 5.0
_MINUTE, _HOUR = 60, 3600


@contextmanager
def shown_progress(stream: TextIO | None = None, noun: str = "samples") -> Iterator[Shown]:
    """Yield the function that a run calls with its progress."""
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield PlainLines(stream, noun).show
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(file=stream)) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                description=progress_text(progress, noun),
            )

        yield show


@contextmanager
def shown_counts(noun: str) -> Iterator[Callable[[int, int], None]]:
    """Yield the function that a count of things is told to."""
    begin = time.monotonic()
    with shown_progress(noun=noun) as show:
        yield lambda done, total: show(Progress(done, total, 0, 0, time.monotonic() - begin))


class PlainLines:
    """Prints a line at the start, every few seconds, and when all is done."""

    def __init__(self, stream: TextIO, noun: str) -> None:
        self._noun = noun
        self._stream = stream
        self._last_s: float | None = None

    def show(self, progress: Progress) -> None:
        """Print the progress if a line is due."""
        ended = progress.done == progress.total
        last = self._last_s
        if last is None or ended or progress.seconds - last >= _SECONDS_BETWEEN_LINES:
            self._last_s = progress.seconds
            self._stream.write(f"{progress_text(progress, self._noun)}\n")
            self._stream.flush()


def progress_text(progress: Progress, noun: str) -> str:
    """Return `12/40 samples, 3.1 per second, 9 s left, 1 failed`; only made ones tell the speed."""
    text = f"{progress.done}/{progress.total} {noun}"
    worked = progress.done - progress.kept - progress.failed
    left = progress.total - progress.done
    if worked > 0 and progress.seconds > 0:
        rate = worked / progress.seconds
        text += f", {rate:.1f} per second" if rate >= 1 else f", {1 / rate:.1f} s each"
        if left:
            text += f", {time_text(left / rate)} left"
    if progress.kept:
        text += f", {progress.kept} were there"
    if progress.failed:
        text += f", {progress.failed} failed"
    return text


def time_text(seconds: float) -> str:
    """Return `8 s`, `3 min` or `2.5 h`."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
