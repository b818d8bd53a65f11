"""Random damage to a finished job: `verify` finds each.

36 rounds, or more: MILLIMORPH_STRESS_ROUNDS=1000 python -m pytest tests/stress
"""

import os
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

import pytest
from data_sets import request, write_cases

from millimorph.errors import OutputError
from millimorph.generate import generate_dataset, verify

ROUNDS = int(os.environ.get("MILLIMORPH_STRESS_ROUNDS", "36"))


def flip(dice, files):
    """Flip a bit of a byte."""
    (path,) = dice.sample(files, 1)
    content = bytearray(path.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)
    return {path}


def delete(dice, files):
    """Delete a file; that there were failures is only known from their file, so it is left out."""
    (path,) = dice.sample([path for path in files if path.name != "quarantine.jsonl"], 1)
    path.unlink()
    return {path}


def swap(dice, files):
    """Exchange two files that differ."""
    while True:
        one, other = dice.sample(files, 2)
        first, second = one.read_bytes(), other.read_bytes()
        if first != second:
            one.write_bytes(second)
            other.write_bytes(first)
            return {one, other}


def test_verify_finds_every_flip_deletion_and_exchange(tmp_path):
    inputs = write_cases(tmp_path)
    (inputs / "broken_ct.nii.gz").write_bytes(b"no image")
    out = tmp_path / "out"
    generate_dataset(request(inputs, out, count=2))
    assert (out / "quarantine.jsonl").is_file()
    files = sorted(path for path in out.rglob("*") if path.is_file())
    needed = [path for path in files if path.name != "timings.jsonl"]  # a killed run leaves none
    whole = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    dice = random.Random(11)  # noqa: S311 - places to damage
    done = Counter()
    for number in range(ROUNDS):
        damage = (flip, delete, swap)[number % 3]
        at_risk = needed if damage is delete else files
        harmed = {path.relative_to(out).as_posix() for path in damage(dice, at_risk)}
        told = _told(out)
        assert told & harmed, f"round {number}, {damage.__name__}: {harmed}, told {told}"
        done[damage.__name__] += 1
        for name in harmed:
            (out / name).write_bytes(whole[name])
    assert verify(out).intact
    assert sum(done.values()) == ROUNDS


def _told(out):
    """Names of the files that are found; without job.json there is no job to verify."""
    if not (out / "job.json").is_file():
        with pytest.raises(OutputError, match=r"job\.json"):
            verify(out)
        return {"job.json"}
    return {one.path for one in verify(out).findings}
