"""Prints the bytes that one resample needs above its source and target; for a fresh process."""

import re
import sys
from pathlib import Path

from benchmarks.ours import AFFINE, ELASTIC, image_case, prepare

SPATIAL = {"affine": AFFINE, "elastic": ELASTIC}
WARM_UP_SIZE = 24


def resident_bytes(field: str) -> int:
    """Return VmRSS (now) or VmHWM (peak) of this process; Linux."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status has no {field}")
    return int(found[1]) * 1024


def bytes_above_source_and_target(spatial: str, size: int) -> int:
    """Run once small, so that kernels are loaded, then return the peak of one run at the size."""
    prepare(image_case(WARM_UP_SIZE), SPATIAL[spatial], "linear").run()
    work = prepare(image_case(size), SPATIAL[spatial], "linear")
    # 5 resets the peak to what is resident now.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = resident_bytes("VmRSS")
    target = work.run()
    return resident_bytes("VmHWM") - before - target.nbytes


if __name__ == "__main__":
    print(bytes_above_source_and_target(sys.argv[1], int(sys.argv[2])))
