"""timings.jsonl: how long each sample took, where it was made.

Times differ from run to run, so they lie apart from all that is the same each time. They are those
of runs that came to their end; a run that is killed leaves none.
"""

from collections.abc import Mapping
from pathlib import Path

from millimorph.generate.lines import rows_of, sealed
from millimorph.generate.manifest import TIMINGS_FILE
from millimorph.io.atomic import write_bytes


def write_timings(out: Path, seconds: Mapping[str, float]) -> None:
    """Add the times of samples, by name, to those that are there."""
    if not seconds:
        return
    known = {
        str(one["sample"]): float(one["seconds"])
        for _, one in rows_of(out / TIMINGS_FILE)
        if one is not None and {"sample", "seconds"} <= one.keys()
    }
    known |= {sample: round(time, 4) for sample, time in seconds.items()}
    rows = (sealed({"sample": name, "seconds": known[name]}) for name in sorted(known))
    write_bytes(out / TIMINGS_FILE, b"".join(rows))
