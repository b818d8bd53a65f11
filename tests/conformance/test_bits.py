"""The same bits for any number of threads, any block size and any x86-64 processor."""

import json
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import bits_program
import pytest
from numpy._core import _multiarray_umath as numpy_core

from millimorph.backends import cpu
from millimorph.backends.cpu import blocks, strips

PROGRAM = Path(bits_program.__file__)
HASWELL = "+sse4.2,+popcnt,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe"
BASELINE = "+sse,+sse2"


@cache
def here() -> dict[str, str]:
    return bits_program.digests(threads=1)


def numpy_features_to_disable(*, keep: str) -> str:
    """Name the faster paths that this NumPy has and this processor can run, but for one."""
    found = numpy_core.__cpu_features__
    return " ".join(f for f in numpy_core.__cpu_dispatch__ if found.get(f) and f != keep)


def older_processor(name: str, features: str, keep: str, cache: Path) -> dict[str, str]:
    """Return the environment in which Numba and NumPy take the processor for an older one."""
    return os.environ | {
        "NUMBA_CPU_NAME": name,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(cache),
        "NPY_DISABLE_CPU_FEATURES": numpy_features_to_disable(keep=keep),
    }


def check_same(found: dict[str, str], what: str) -> None:
    """Raise with the names of all results that differ."""
    expected = here()
    differing = sorted(name for name in expected if found.get(name) != expected[name])
    assert found.keys() == expected.keys()
    assert not differing, f"{what}: other bits in {differing}"


@pytest.mark.parametrize("threads", [2, 7])
def test_the_same_bits_with_any_number_of_threads(threads):
    check_same(bits_program.digests(threads), f"{threads} threads")


@pytest.mark.parametrize("voxels", [1, 100, 1000, 10**9])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_bits_with_any_size_of_block(voxels, threads, monkeypatch):
    """A block is some whole rows; from one row to everything at once."""
    expected = here()
    for module in (cpu, blocks):
        monkeypatch.setattr(module, "BLOCK_VOXELS", voxels)
    monkeypatch.setattr(strips, "PART_VOXELS", 3 * voxels)
    monkeypatch.setattr(strips, "STRIP_VOXELS", voxels)
    check_same(bits_program.digests(threads), f"blocks of {voxels}")
    assert expected == here()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_bits_where_outputs_are_written_past_the_cache(threads, monkeypatch):
    """Only large outputs are, so that no other test meets it."""
    expected = here()
    monkeypatch.setattr(strips, "STREAMED_BYTES", 0)
    check_same(bits_program.digests(threads), "written past the cache")
    assert expected == here()


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="promised for x86-64")
@pytest.mark.parametrize(
    ("name", "features", "keep"),
    [("haswell", HASWELL, "X86_V3"), ("x86-64", BASELINE, "")],
)
def test_the_same_bits_on_an_older_processor(name, features, keep, tmp_path):
    """Haswell has AVX2 and FMA but no AVX-512; the x86-64 baseline has neither.

    Numba compiles for them afresh in another process, and NumPy leaves its faster paths alone.
    """
    finished = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(PROGRAM), "1"],
        env=older_processor(name, features, keep, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    check_same(json.loads(finished.stdout), name)
