"""Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011) and keys made from names.

A number depends on its key and its counter only, so it is the same in any order, thread, block or
machine. Counter words 0 and 1 hold a 64-bit element index, words 2 and 3 belong to the stream.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

UInt32Array = npt.NDArray[np.uint32]
FloatArray = npt.NDArray[np.float64]

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORD = 0xFFFFFFFF
_FEW = 8
_TWO_52 = 4503599627370496.0


class StreamKey(NamedTuple):
    """The key of one stream of random numbers: Philox's key and the counter's two high words."""

    key: tuple[int, int]
    counter_high: tuple[int, int]


def stream_key(*parts: str | int) -> StreamKey:
    """The key that belongs to a sequence of names and integers; different sequences, other keys.

    BLAKE2b of each part's kind, length and text, so ("a", "b") differs from ("ab",), and 1 from
    "1".
    """
    digest = hashlib.blake2b(digest_size=16, person=b"millimorph")
    for part in parts:
        text = str(part).encode()
        kind = b"s" if isinstance(part, str) else b"i"
        digest.update(kind + len(text).to_bytes(8, "little") + text)
    words = np.frombuffer(digest.digest(), dtype="<u4").tolist()
    return StreamKey((words[0], words[1]), (words[2], words[3]))


def philox4x32(counter: UInt32Array, key: UInt32Array | tuple[int, int]) -> UInt32Array:
    """Philox4x32-10 of counters (..., 4) under one key of two words; result (..., 4), uint32."""
    columns = [counter[..., k].astype(np.uint64) for k in range(4)]
    words = _rounds(columns[0], columns[1], (columns[2], columns[3]), (int(key[0]), int(key[1])))
    return np.stack(words, axis=-1).astype(np.uint32)


def _rounds(x0: Any, x1: Any, rest: tuple[Any, Any], key: tuple[int, int]) -> list[Any]:
    """The ten rounds on Python integers or on uint64 arrays."""
    x2, x3 = rest
    k0, k1 = key
    for _ in range(_ROUNDS):
        first = x0 * _MULTIPLIERS[0]
        second = x2 * _MULTIPLIERS[1]
        x0 = (second >> 32) ^ x1 ^ k0
        x2 = (first >> 32) ^ x3 ^ k1
        x1 = second & _WORD
        x3 = first & _WORD
        k0 = (k0 + _WEYL[0]) & _WORD
        k1 = (k1 + _WEYL[1]) & _WORD
    return [x0, x1, x2, x3]


def blocks(stream: StreamKey, count: int, start: int = 0) -> UInt32Array:
    """Random words (count, 4) of the elements start, start + 1, ... of a stream."""
    index = np.arange(start, start + count, dtype=np.uint64)
    counter = np.empty((count, 4), dtype=np.uint32)
    counter[:, 0] = index & np.uint64(_WORD)
    counter[:, 1] = index >> np.uint64(32)
    counter[:, 2:] = stream.counter_high
    return philox4x32(counter, stream.key)


def uniforms(stream: StreamKey, count: int, start: int = 0) -> FloatArray:
    """Uniform numbers of the elements start, start + 1, ...: float64, strictly inside (0, 1).

    Each is (b + 1/2) / 2**52 with b the 52 high bits of the element's words 1 and 0, which float64
    holds exactly; with 53 bits the largest would round to 1.
    """
    if count <= _FEW:
        return np.array([uniform(stream, start + k) for k in range(count)], dtype=np.float64)
    words = blocks(stream, count, start).astype(np.uint64)
    bits = (words[:, 1] << np.uint64(20)) | (words[:, 0] >> np.uint64(12))
    return (bits.astype(np.float64) + 0.5) / _TWO_52


def uniform(stream: StreamKey, index: int = 0) -> float:
    """The uniform number of one element of a stream, as in `uniforms`."""
    words = _rounds(index & _WORD, index >> 32, stream.counter_high, stream.key)
    bits: int = (words[1] << 20) | (words[0] >> 12)
    return (bits + 0.5) / _TWO_52
