"""What a worker holds; `tests/stress/memory.py` measures ten thousand samples and large ones."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stress"))

if not Path("/proc/self/statm").exists():
    pytest.skip("this system does not tell what a process holds", allow_module_level=True)

import memory


def test_many_samples_do_not_add_up(tmp_path):
    """Were a sample's voxels kept, a thousand would be 8 MB; the first ones warm things up."""
    every = 40
    held = list(memory.held_after(tmp_path, every, 12))
    assert memory.growth_per_1000(held[4:], every) < memory.MOST_GROWTH_PER_1000


def test_a_large_sample_stays_within_its_bound(tmp_path):
    size = memory.write_large_case(tmp_path, 160)
    peak = memory.peak_of_worker(tmp_path)
    assert peak < memory.MOST_PER_SAMPLE * size + memory.MOST_BESIDES
