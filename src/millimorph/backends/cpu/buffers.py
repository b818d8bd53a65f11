"""Output arrays whose memory is used again once nobody holds them.

Fresh memory costs the operating system a pass of zeroes over every page, which for large outputs is
as dear as writing them. Large buffers are therefore kept, a few, when their last array is gone.
"""

import mmap
from math import prod
from threading import RLock
from typing import Any
from weakref import finalize

import numpy as np
import numpy.typing as npt

LEAST_BYTES = 4_000_000  # the C library itself keeps smaller ones
MOST_KEPT = 4

_kept: list[mmap.mmap] = []
_lock = RLock()  # giving back may happen while the same thread takes


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array with any content, as `numpy.empty` gives it."""
    kind = np.dtype(dtype)
    count = prod(shape) * kind.itemsize
    if count < LEAST_BYTES:
        return np.empty(shape, kind)
    memory = _take(count) or _fresh(count)
    whole: npt.NDArray[Any] = np.frombuffer(memory, np.uint8)
    finalize(whole, _give_back, memory).atexit = False
    return whole.view(kind).reshape(shape)


def _fresh(count: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return mmap.mmap(-1, count)
    # Private, so that a forked process writes to pages of its own.
    memory = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _take(count: int) -> mmap.mmap | None:
    """A kept buffer of exactly this size."""
    with _lock:
        for place, memory in enumerate(_kept):
            if len(memory) == count:
                return _kept.pop(place)
    return None


def _give_back(memory: mmap.mmap) -> None:
    """Keep a buffer; the oldest goes when there are too many."""
    with _lock:
        _kept.append(memory)
        del _kept[:-MOST_KEPT]
