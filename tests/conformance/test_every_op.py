"""What holds for every op on voxels as it comes: it acts, on both backends alike, harmlessly."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import every_op
import numpy as np
import oracles
import pytest
from every_op import KINDS, ON_COLOURS, PLANE, VOLUME, case_of, made, op_of, type_for
from scipy import fft
from test_bits import BASELINE, older_processor

import millimorph as mm
from millimorph.ops.selection import ImageOp


@pytest.mark.parametrize("grid", [VOLUME, PLANE], ids=["volume", "plane"])
@pytest.mark.parametrize("name", KINDS)
def test_it_changes_something_and_the_backends_agree(name, grid):
    case = case_of(name, grid, type_for(name))
    fast, slow = made(name, case), made(name, case, backend="reference")
    before = {"image": case.images["image"].array, "organs": case.labels["organs"].array}
    assert fast.keys() == slow.keys()
    changed = [role for role in fast if not np.array_equal(fast[role], before.get(role))]
    may_do_nothing = name in {"keep_largest", "erode", "dilate"}
    assert changed or may_do_nothing, f"{name} does nothing at its defaults"
    for role, array in fast.items():
        assert np.isfinite(array).all()
        assert array.dtype == slow[role].dtype
        limit = 5e-3 * float(before["image"].std()) + (1.0 if array.dtype.kind != "f" else 0.0)
        oracles.check_close(array, slow[role], limit if role != "organs" else 0.0, f"{name} {role}")


@pytest.mark.parametrize("name", KINDS)
def test_a_second_thread_changes_no_bit(name):
    case = case_of(name, VOLUME, type_for(name))
    one, two = made(name, case), made(name, case, threads=3)
    for role, array in one.items():
        np.testing.assert_array_equal(array, two[role], f"{name} {role}")


@pytest.mark.parametrize("name", KINDS)
def test_without_a_part_it_changes_no_bit(name):
    case = case_of(name, VOLUME, type_for(name))
    same = made(name, case, probability=0.0)
    np.testing.assert_array_equal(same["image"], case.images["image"].array)
    np.testing.assert_array_equal(same["organs"], case.labels["organs"].array)


@pytest.mark.parametrize("level", [0.0, 7.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 1, 1), (5, 4, 1), (6, 5, 4)])
@pytest.mark.parametrize("name", [n for n, kind in KINDS.items() if issubclass(kind, ImageOp)])
def test_flat_and_tiny_images_give_numbers_or_a_clear_error(name, size, level):
    """No NaN and no division warning; an error says what is missing."""
    grid = mm.ImageGrid(size)
    channels = (3,) if name in ON_COLOURS else ()
    flat = np.full((*channels, *grid.shape), level, type_for(name))
    case = mm.Case(id="p01", images={"image": mm.ScalarImage(flat, grid)})
    try:
        result = made(name, case)
    except mm.MillimorphError as error:
        assert len(str(error)) > 20  # noqa: PT017 - either is right
        return
    assert np.isfinite(result["image"]).all()


@pytest.mark.parametrize("name", KINDS)
def test_an_op_that_calls_an_fft_says_so(name, monkeypatch):
    """Its bits across processors are not promised; `print(program)` is where a user sees it."""
    calls = []
    for called in [one for one in fft.__all__ if one.endswith(("fft", "fft2", "fftn", "dctn"))]:
        kept = getattr(fft, called)
        monkeypatch.setattr(fft, called, lambda *a, k=kept, **o: calls.append(k) or k(*a, **o))
    case = case_of(name, VOLUME, type_for(name))
    pipeline = mm.Pipeline(intensity=(op_of(name),), seed=4)
    program = mm.compile(next(mm.draw(pipeline, case=case.id)), case)
    mm.run(program, case)
    assert bool(calls) == ("SciPy FFT" in str(program))


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="promised for x86-64")
def test_every_op_gives_the_same_bits_on_an_older_processor(tmp_path):
    """Compiled for the x86-64 baseline, without NumPy's faster paths."""
    finished = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, str(Path(every_op.__file__))],
        env=older_processor("x86-64", BASELINE, keep="", cache=tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found, expected = json.loads(finished.stdout), every_op.digests()
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
