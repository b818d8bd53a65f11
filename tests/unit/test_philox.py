"""Philox4x32-10 against published answers, and the keys and uniform numbers made from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millimorph.kernels.philox import philox4x32, stream_key, uniform, uniforms

KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip

PARTS = st.lists(st.one_of(st.text(max_size=4), st.integers(-(10**20), 10**20)), max_size=4)


def _words(text):
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint32)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers_of_random123(counter, key, answer):
    assert np.array_equal(philox4x32(_words(counter), _words(key)), _words(answer))


def test_counters_in_an_array_do_not_influence_each_other():
    counters = np.stack([_words(counter) for counter, _, _ in KNOWN_ANSWERS])
    together = philox4x32(counters.reshape(3, 1, 4), (1, 2))
    for row, counter in zip(together, counters, strict=True):
        assert np.array_equal(row[0], philox4x32(counter, (1, 2)))


@given(first=PARTS, second=PARTS)
def test_streams_are_equal_exactly_when_their_parts_are(first, second):
    same = [(type(p), p) for p in first] == [(type(p), p) for p in second]
    assert (stream_key(*first) == stream_key(*second)) == same


def test_parts_that_spell_the_same_text_have_different_streams():
    keys = {stream_key("ab", "c"), stream_key("a", "bc"), stream_key("abc"), stream_key("abc", "")}
    assert len(keys) == 4
    assert stream_key("as", "b") != stream_key("a", "sb")
    assert stream_key(1) != stream_key("1")


@given(start=st.integers(0, 2**64 - 200), offset=st.integers(0, 99))
def test_a_uniform_number_depends_on_its_index_only(start, offset):
    """The promise behind chunks and threads: any block gives what the element would give alone."""
    stream = stream_key("noise", 7)
    block = uniforms(stream, 100, start)
    assert uniforms(stream, 1, start + offset)[0] == block[offset]
    assert uniform(stream, start + offset) == block[offset]


def test_uniform_numbers_lie_strictly_inside_and_are_uniform():
    numbers = np.sort(uniforms(stream_key("law"), 100_000))
    assert numbers[0] > 0.0
    assert numbers[-1] < 1.0
    expected = (np.arange(100_000) + 0.5) / 100_000
    assert np.abs(numbers - expected).max() < 0.007  # Kolmogorov-Smirnov, p about 1e-4


def test_extreme_words_stay_strictly_inside():
    """With 53 bits and a half the largest number would round to 1."""
    largest = ((2**52 - 1) + 0.5) / 2**52
    assert largest < 1.0
    assert 0.5 / 2**52 > 0.0
    words = philox4x32(_words(KNOWN_ANSWERS[0][0]), (0, 0))
    bits = (int(words[1]) << 20) | (int(words[0]) >> 12)
    stream = type(stream_key())((0, 0), (0, 0))
    assert uniform(stream) == (bits + 0.5) / 2**52
