"""What an export tells: what was written, what to know of it, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millimorph.generate.exports.members import FinishedJob, Member


@dataclass(frozen=True)
class Export:
    """What was written; `patients_known` tells whether the layout of the originals names them.

    `notes` are what is different from what one might expect, `next_steps` lines for people.
    """

    dest: Path
    originals: int
    copies: int
    patients: int
    patients_known: bool
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]


def export_of(
    job: FinishedJob,
    dest: Path,
    notes: Sequence[str],
    next_steps: tuple[str, ...],
    written: Sequence[Member] | None = None,
) -> Export:
    """Return the report of an export of all members of a job, or of those that were written."""
    there = job.members if written is None else written
    told = list(dict.fromkeys(notes))
    if job.has_landmarks:
        told.append("landmarks are not part of it; they lie in the output folder")
    originals = sum(not member.is_copy for member in there)
    return Export(
        dest,
        originals,
        len(there) - originals,
        len(job.groups),
        job.patients_known,
        tuple(told),
        next_steps,
    )
