"""The application that commands register with, their exit codes and how they speak."""

import sys

from cyclopts import App, Parameter

from millimorph._version import __version__

DONE, FAILED, DONE_IN_PART = 0, 1, 3

app = App(
    name="millimorph",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative=()),
)


def say(text: str) -> None:
    """Print a line on standard output."""
    sys.stdout.write(f"{text}\n")
