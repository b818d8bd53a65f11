"""What the noise ops accept, how they compile and print, and the words their kernels draw."""

import numpy as np
import pytest
from scipy import stats

import millimorph as mm
from millimorph.kernels import noise, pointwise
from millimorph.kernels.philox import blocks, stream_key

KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
GRID = mm.ImageGrid((6, 5, 4))


def compiled(op, dtype="int16"):
    image = mm.ScalarImage(np.arange(120).reshape(GRID.shape).astype(dtype), GRID)
    case = mm.Case(id="p01", images={"ct": image})
    (recipe,) = mm.draw(mm.Pipeline(intensity=(op,)), seed=1, case="p01", stop=1)
    return mm.compile(recipe, case)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_the_kernels_philox_gives_the_known_answers_of_random123(counter, key, answer):
    block = np.uint64(counter[0] | counter[1] << 32)
    words = pointwise.philox(block, np.array(counter[2:], np.uint32), np.array(key, np.uint32))
    assert " ".join(f"{word:08x}" for word in words) == answer


@pytest.mark.parametrize("first", [0, 1, 6, 1021, 2**34 - 3])
def test_words_of_voxels_are_those_of_the_slow_generator(first):
    stream = stream_key("noise", 7)
    words = np.empty(80, np.uint32)
    key, high = np.array(stream, np.uint32)
    offset = noise.random_words(np.uint64(first), 50, key, high, words)
    expected = blocks(stream, 14, first // 4).reshape(-1)[first % 4 :][:50]
    np.testing.assert_array_equal(words[offset : offset + 50], expected)


def test_the_normal_quantile_is_within_two_millionths():
    words = np.random.default_rng(2).integers(0, 2**32, 2000, dtype=np.uint32)
    words[:6] = 0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1
    found = np.array([noise.normal_quantile32(word) for word in words])
    exact = stats.norm.ppf((words.astype(np.float64) + 0.5) / 2**32)
    # At the ends 1 - p has no digits left in SciPy's argument, but p has.
    exact[words > 2**31] = -stats.norm.ppf((2.0**32 - 0.5 - words[words > 2**31]) / 2**32)
    assert np.abs(found - exact).max() < 2e-6


def test_one_spelling_of_an_amplitude_is_enough_and_two_are_refused():
    assert mm.RicianNoise(std=3.0).std_fraction is None
    assert mm.ShotNoise(scale=0.5).counts is None
    with pytest.raises(mm.PipelineError, match="exactly one of scale and counts"):
        mm.ShotNoise(scale=1.0, counts=50.0)
    with pytest.raises(mm.PipelineError, match="exactly one of std and std_fraction"):
        mm.RicianNoise(std=1.0, std_fraction=0.1)


@pytest.mark.parametrize(
    ("op", "field", "value"),
    [
        (mm.SaltAndPepper, "density", 1.5),
        (mm.SaltAndPepper, "limits", "range"),
        (mm.ShotNoise, "scale", 0.0),
        (mm.Speckle, "relative_std", -0.1),
        (mm.RicianNoise, "std", -1.0),
    ],
)
def test_numbers_out_of_range_are_refused(op, field, value):
    with pytest.raises(mm.PipelineError, match=f"{field}.* must be"):
        op(**{field: value})


def test_the_limits_of_a_type_are_asked_of_integers_only():
    step = compiled(mm.SaltAndPepper(limits="type")).stages[0].samples[0].pointwise[0].step
    assert (step.pepper, step.salt) == (-32768.0, 32767.0)
    with pytest.raises(mm.CompileError, match=r"limits of the type of \"ct\", which is float32"):
        compiled(mm.SaltAndPepper(limits="type"), "float32")
    compiled(mm.SaltAndPepper(limits="type", pepper=0, salt=9), "float32")


@pytest.mark.parametrize(
    "op",
    [
        mm.RicianNoise(std=0.0),
        mm.RicianNoise(std_fraction=0.0),
        mm.SaltAndPepper(density=0.0),
        mm.Speckle(relative_std=0.0),
    ],
)
def test_no_noise_is_no_step(op):
    assert compiled(op).stages[0].samples[0].pointwise == ()


def test_noises_ride_on_the_copy_and_print():
    ops = (
        (mm.RicianNoise(std=4.0), "Rician noise 4"),
        (mm.SaltAndPepper(density=0.01), "salt and pepper in 0.01 of the voxels"),
        (mm.ShotNoise(scale=0.5), "shot noise, 0.5 counts for a level of 1"),
        (mm.ShotNoise(counts=300), "300 counts for a level of 1 of the robust range"),
        (mm.Speckle(relative_std=0.2), "speckle 0.2"),
    )
    for op, text in ops:
        program = compiled(op)
        assert len(program.stages) == 1
        assert text in str(program)
