"""Today's bits are those that were stored: on this machine, and of this version.

The file changes only together with the CHANGELOG, in a version that says that its outputs differ:
    python tests/golden/test_stored_bits.py > tests/golden/digests.json
"""

import json
import platform
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

import bits_program

STORED = Path(__file__).with_name("digests.json")


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="promised for x86-64")
def test_every_result_has_the_bits_that_were_stored():
    """Other tests compare processors and threads on one machine; this one machines and days."""
    stored, found = json.loads(STORED.read_text("utf-8")), bits_program.digests(threads=1)
    differing = sorted(name for name in stored | found if stored.get(name) != found.get(name))
    assert not differing, f"other bits than were stored: {differing}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(bits_program.digests(threads=1), indent=1) + "\n")
