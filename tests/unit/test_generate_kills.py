"""A dozen kills of a running job, two of each kind; `tests/stress/kills.py` does hundreds."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stress"))

pytest.importorskip("fcntl")

from data_sets import request, tree, write_cases
from kills import WAYS, stress

from millimorph.generate import generate_dataset


def test_what_a_killed_worker_left_half_written_goes_with_the_run(tmp_path):
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    left = out / "p1" / ".millimorph-1234.nii.gz"

    def leave(progress):
        if progress.done == 1:
            left.write_bytes(b"half")

    generate_dataset(request(inputs, out, count=2), leave)
    assert tree(out).keys() > {"p1/p1__0001.json"}
    assert not left.exists()


def test_a_dozen_kills_lose_nothing_and_rewrite_nothing(tmp_path):
    harness = stress(tmp_path, 2 * len(WAYS), seed=4)
    assert {way: harness.done[way] for way in WAYS} == dict.fromkeys(WAYS, 2)
    assert harness.done["let through"] >= 1
