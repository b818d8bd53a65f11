"""The command line. `--help` answers from a table; only a command loads what it needs.

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, with inputs left out; 130 interrupted (Ctrl-C),
143 told to end (SIGTERM).
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TextIO

from millimorph._version import __version__
from millimorph.errors import MillimorphError, MillimorphWarning, PipelineError

FAILED, WRONG_USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143
_STOPPED = "stopped; what is finished is complete, and the same command goes on from there"

COMMANDS = {
    "demo": "Make phantoms, augment them and draw a contact sheet, with no data of yours.",
    "generate": "Write augmented samples of all cases in a folder, with labels and sidecars.",
    "inspect": "Say what a file or folder holds: size, spacing, orientation, type, range, labels.",
    "show": "Draw each op of a pipeline on your image, or print its recipes and programs.",
    "slurm": "Print a job script for SLURM that makes the data set as an array of shards.",
    "status": "Say how far a job is, from its output folder.",
    "verify": "Hash every file of an output folder again; name what is damaged, missing or extra.",
    "export": "Write a finished output folder and its originals as a data set for training.",
    "replay": "Make one sample again from its sidecar and its source files, and compare.",
    "pipelines": "List the ready pipelines, or print one as a file to begin with.",
    "schema": "Print the JSON Schema of pipeline files, for editors that complete and check.",
}


def main() -> None:
    """Run the command of this process's arguments and exit with its code."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors are told on stderr, without a traceback."""
    match list(arguments):
        case [] | ["--help" | "-h"]:
            sys.stdout.write(help_text())
            return 0
        case ["--version"]:
            sys.stdout.write(f"{__version__}\n")
            return 0
        case _:
            return _run(arguments)


def help_text() -> str:
    """Return what `millimorph --help` prints."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return f"""Usage: millimorph COMMAND

Medical image augmentation: every spatial change as one resample in physical space.

Commands:
{rows}

Options:
  --help, -h  Print this, or what a command takes: millimorph COMMAND --help
  --version   Print the version.

Begin with: millimorph demo
"""


def _run(arguments: Sequence[str]) -> int:
    from cyclopts import CycloptsError

    from millimorph.cli.commands import app

    with warnings.catch_warnings(), _ending_when_told():
        warnings.showwarning = _show_warning
        warnings.simplefilter("always", MillimorphWarning)
        try:
            code = app(
                list(arguments),
                exit_on_error=False,
                print_error=False,
                result_action="return_value",
            )
        except CycloptsError as error:
            return _complain(f"{error}\nTry: millimorph --help", WRONG_USAGE)
        except PipelineError as error:
            return _complain(str(error), WRONG_USAGE)
        except MillimorphError as error:
            return _complain(str(error), FAILED)
        except _Terminated:
            return _complain(_STOPPED, TERMINATED)
        except KeyboardInterrupt:
            return _complain(_STOPPED, INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
    return code if isinstance(code, int) else 0


class _Terminated(KeyboardInterrupt):
    """The system asks to end, as SLURM does before a job's time is over."""


@contextmanager
def _ending_when_told() -> Iterator[None]:
    """Treat SIGTERM like an interrupt, so that records and workers are left in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_signal: int, _frame: object) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"millimorph: {text}\n")
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del category, filename, lineno, line
    (file or sys.stderr).write(f"warning: {message}\n")
