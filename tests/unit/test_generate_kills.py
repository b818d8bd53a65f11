"""A dozen kills of a running job, two of each kind; `tests/stress/kills.py` does hundreds."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stress"))

pytest.importorskip("fcntl")

from kills import WAYS, stress


def test_a_dozen_kills_lose_nothing_and_rewrite_nothing(tmp_path):
    harness = stress(tmp_path, 2 * len(WAYS), seed=4)
    assert {way: harness.done[way] for way in WAYS} == dict.fromkeys(WAYS, 2)
    assert harness.done["let through"] >= 1
