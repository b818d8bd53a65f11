"""How far a job is, from its output folder alone."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from millimorph.generate.manifest import Failure, manifest_rows, read_job, read_quarantine


@dataclass(frozen=True)
class JobStatus:
    """What an output folder holds; `running` is None where the system cannot tell.

    `samples` counts the finished samples of each case, `failures` what the last run left out.
    """

    out: Path
    engine: str
    seed: int
    samples: dict[str, int]
    failures: tuple[Failure, ...]
    running: bool | None


def job_status(out: Path | str) -> JobStatus:
    """Read how far the job of an output folder is.

    Raises OutputError for a folder that is not of a millimorph job or whose records are damaged.
    """
    out = Path(out)
    job = read_job(out)
    finished = {(content["case"], content["index"]) for _, content in manifest_rows(out)}
    samples = dict(sorted(Counter(case for case, _ in finished).items()))
    return JobStatus(out, job.engine, job.seed, samples, read_quarantine(out), _is_running(out))


def _is_running(out: Path) -> bool | None:
    """Whether a run holds the folder."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False
