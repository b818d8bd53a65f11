"""The job script of a SLURM array whose jobs make one shard each."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from millimorph.errors import PipelineError

_MEMORY = re.compile(r"[0-9]+[KMGT]?")
_TIME = re.compile(r"([0-9]+-)?[0-9]+(:[0-9]{2}){0,2}")


@dataclass(frozen=True)
class ArrayJob:
    """What to generate, in how many shards, and what each job is given."""

    folder: Path
    pipeline: str
    out: Path
    options: tuple[str, ...]
    shards: int
    cpus: int
    memory: str
    time: str

    def __post_init__(self) -> None:
        if self.shards < 1 or self.cpus < 1:
            raise PipelineError(
                f"--shards and --cpus must be at least 1, got {self.shards} and {self.cpus}"
            )
        if not _MEMORY.fullmatch(self.memory):
            raise PipelineError(f"--memory is a number with K, M, G or T, got {self.memory!r}")
        if not _TIME.fullmatch(self.time):
            raise PipelineError(f"--time is hours:minutes:seconds, got {self.time!r}")


def slurm_script(job: ArrayJob) -> str:
    """The text of the script; every path and option in it is quoted for the shell."""
    words = ["millimorph", "generate", str(job.folder), "--pipeline", job.pipeline]
    words += ["--out", str(job.out), "--workers", str(job.cpus)]
    for option in job.options:
        words += shlex.split(option)
    command = " ".join(shlex.quote(word) for word in words)
    return f"""#!/bin/bash
#SBATCH --job-name=millimorph
#SBATCH --array=1-{job.shards}
#SBATCH --cpus-per-task={job.cpus}
#SBATCH --mem={job.memory}
#SBATCH --time={job.time}
#SBATCH --output=millimorph-%A_%a.log

# A job that was stopped goes on where it was when it is submitted again.
{command} --shard "$SLURM_ARRAY_TASK_ID/{job.shards}"
"""
