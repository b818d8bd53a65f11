"""What only a fresh process can show: peak memory, import time, the first augment."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.peers import ROOT
from benchmarks.plan import Plan
from benchmarks.table import Gate, Row

MEGABYTE = 1_000_000
CACHED = "first augment, kernels cached"
NOT_CACHED = "first augment, kernels not cached"


class ProcessError(Exception):
    """A process could not measure; the message is what its row prints."""


def memory_rows(plan: Plan) -> list[Row]:
    """Peak memory above source and target, for an affine map and with a B-spline field."""
    title = "peak memory above source and target"
    gate = Gate("at most", 64.0)
    return [
        _row(f"{title}, {spatial}, {plan.size}³", "MB", gate, partial(_peak_mb, spatial, plan.size))
        for spatial in ("affine", "elastic")
    ]


def start_up_rows(plan: Plan) -> list[Row]:
    """Seconds of the import as Python reports it, and of the help from start to end."""
    imported = partial(_best, _import_s, plan.process_runs)
    helped = partial(_best, _help_s, plan.process_runs)
    return [
        _row("import millimorph", "s", Gate("at most", 0.2), imported),
        _row("millimorph --help, whole process", "s", Gate("at most", 0.4), helped),
    ]


def first_augment_rows(plan: Plan) -> list[Row]:
    """Seconds of the first augment of a process: from an empty cache of kernels, and cached."""
    gate = Gate("at most", 2.0)
    if not plan.fresh_compile:
        return [_row(CACHED, "s", gate, partial(_best, _first_augment_s, runs=2))]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        try:
            seconds, message = _first_augment(environment)
        except ProcessError as error:
            return [Row(NOT_CACHED, None, "s", Gate("at most", 20.0), str(error))]
        said = f'says "{message}"' if message else "MISSED: says nothing while compiling"
        return [
            Row(NOT_CACHED, seconds, "s", Gate("at most", 20.0), said),
            _row(CACHED, "s", gate, lambda: _first_augment(environment)[0]),
        ]


def _row(work: str, unit: str, gate: Gate, measure: Callable[[], float]) -> Row:
    try:
        return Row(work, measure(), unit, gate)
    except ProcessError as error:
        return Row(work, None, unit, gate, str(error))


def _best(measure: Callable[[], float], runs: int) -> float:
    return min(measure() for _ in range(runs))


def _peak_mb(spatial: str, size: int) -> float:
    if not Path("/proc/self/clear_refs").exists():
        raise ProcessError("needs Linux")
    done = _finished([sys.executable, "-m", "benchmarks.memory_probe", spatial, str(size)])
    return int(done.stdout) / MEGABYTE


def _import_s() -> float:
    report = _finished([sys.executable, "-X", "importtime", "-c", "import millimorph"]).stderr
    total = next(line for line in report.splitlines() if line.endswith("| millimorph"))
    return int(total.split("|")[1]) * 1e-6


def _help_s() -> float:
    script = Path(sysconfig.get_path("scripts")) / "millimorph"
    start = perf_counter()
    _finished([script, "--help"])
    return perf_counter() - start


def _first_augment_s() -> float:
    return _first_augment()[0]


def _first_augment(environment: Mapping[str, str] = os.environ) -> tuple[float, str]:
    """Return the seconds and the first line of what was said."""
    done = _finished([sys.executable, "-m", "benchmarks.first_augment_probe"], environment)
    return float(done.stdout), next(iter(done.stderr.strip().splitlines()), "")


def _finished(
    command: Sequence[str | Path], environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - our own modules and script
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise ProcessError(f"failed: no {command[0]}") from None
    except subprocess.CalledProcessError as error:
        last = next(reversed(error.stderr.strip().splitlines()), f"status {error.returncode}")
        raise ProcessError(f"failed: {last}") from error
