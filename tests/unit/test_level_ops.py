"""What the ops on grey levels accept, and how exact the functions below them are."""

import itertools

import numba
import numpy as np
import pytest

import millimorph as mm
from millimorph.backends.reference.noise import normal_numbers
from millimorph.errors import PipelineError
from millimorph.kernels import pointwise
from millimorph.kernels.philox import StreamKey


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (mm.Clamp, "takes low, high or both"),
        (lambda: mm.Clamp(low=3, high=2), "low must not be above high, got up to 3 and from 2"),
        (lambda: mm.Clamp(low=mm.Uniform(0, 5), high=4), "must not be above high, got up to 5"),
        (lambda: mm.Brightness(shift=1, shift_fraction=1), "exactly one of shift and shift_frac"),
        (lambda: mm.Window(width=0), "must be a number above 0"),
        (lambda: mm.Window(level=1, level_fraction=1), "exactly one of level and level_fraction"),
        (lambda: mm.Sigmoid(alpha=-1), "must be a number above 0"),
        (lambda: mm.Sigmoid(alpha=None, alpha_fraction=None), "exactly one of alpha and alpha_f"),
        (lambda: mm.Contrast(factor=-0.5), "must be a number from 0 up"),
        (lambda: mm.Gamma(gamma=0), "must be a number above 0"),
        (lambda: mm.Gamma(invert=1), "invert"),
        (lambda: mm.IntensityCurve(control_points=0), "must be a whole number from 1 to 20"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(PipelineError, match=message):
        make()


def test_naming_one_spelling_switches_off_the_other():
    assert mm.Brightness(shift=5).shift_fraction is None
    window = mm.Window(level=40, width=400)
    assert window.level_fraction is None
    assert window.width_fraction is None
    assert mm.Window(level=40).width_fraction is not None
    assert mm.Sigmoid(alpha=5).alpha_fraction is None


@numba.njit(error_model="numpy")
def logs(x, out):
    for i in range(len(x)):
        out[i] = pointwise.log32(x[i])


@numba.njit(error_model="numpy")
def exponentials(x, out):
    for i in range(len(x)):
        out[i] = pointwise.exp32(x[i])


@pytest.mark.parametrize(
    ("ours", "theirs", "ends"), [(logs, np.log, (1e-7, 1)), (exponentials, np.exp, (-86, 87))]
)
def test_exp_and_log_are_exact_to_5e_7(ours, theirs, ends):
    """Relative to the result, next to 0 too."""
    x = np.random.default_rng(2).uniform(*ends, 50_000).astype(np.float32)
    out = np.empty_like(x)
    ours(x, out)
    expected = theirs(x.astype(np.float64))
    assert np.abs(out - expected).max() > 0.0
    assert (np.abs(out - expected) <= 5e-7 * np.abs(expected)).all()


def noise(first, count):
    values = np.zeros(count, np.float32)
    words = np.array([5, 6], np.uint32), np.array([7, 8], np.uint32)
    pointwise.gaussian_noise(values, np.uint64(first), np.float32(1), *words)
    return values


@pytest.mark.parametrize("first", [0, 1, 4094, 2**34 + 3])
def test_a_voxels_noise_is_that_of_its_index(first):
    """Whatever the block it is in: pieces of odd lengths give the bits of the whole."""
    whole = noise(first, 5000)
    expected = normal_numbers(StreamKey((5, 6), (7, 8)), first, 5000)
    assert np.abs(whole - expected).max() < 2e-6
    cuts = [0, 1, 4, 7, 1030, 1033, 3081, 5000]
    pieces = [noise(first + a, b - a) for a, b in itertools.pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
