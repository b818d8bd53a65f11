"""Starts peers in the interpreter that has them and asks them for one timed round at a time."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.inputs import Job

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
HOW_TO_INSTALL = (
    "peers that are not installed here: python -m venv PEERS && "
    "PEERS/bin/pip install -r benchmarks/peers.txt, then --peers-python PEERS/bin/python"
)


class PeerError(Exception):
    """A peer is missing or failed; the message is what its row prints."""


@dataclass(frozen=True)
class Peer:
    """A warmed-up peer process, its versions, and the share of its output that is not fill."""

    process: subprocess.Popen[str]
    versions: dict[str, str]
    inside: float

    def one_round(self) -> float:
        """Return the best seconds of one round."""
        print("round", file=self.process.stdin, flush=True)
        return float(_answer(self.process)["seconds"])


def interpreter_with(package: str, peers_python: Path | None) -> Path:
    """Return this interpreter where it has the package, else the peers' one."""
    if importlib.util.find_spec(package) is not None:
        return Path(sys.executable)
    if peers_python is None:
        raise PeerError("not installed")
    return peers_python


@contextlib.contextmanager
def started(job: Job, python: Path) -> Iterator[Peer]:
    """Start a peer, wait until it is warm, and end it afterwards."""
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(  # noqa: S603 - the user named the interpreter
            [python, "-m", "benchmarks.peer_worker", json.dumps(asdict(job))],
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        try:
            hello = _answer(process)
        except EOFError:
            process.wait()
            raise PeerError(_reason(complaints)) from None
        try:
            yield Peer(process, hello["versions"], hello["inside"])
        finally:
            process.kill()
            process.communicate()


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise EOFError("the peer's process ended")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _reason(complaints: IO[str]) -> str:
    complaints.seek(0)
    last = next((line for line in reversed(complaints.readlines()) if line.strip()), "no message")
    return "not installed" if last.startswith("ModuleNotFoundError") else f"failed: {last.strip()}"
