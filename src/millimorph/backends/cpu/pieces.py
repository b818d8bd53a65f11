"""How a pass hands over its result: in pieces that are still in the cache, or as a whole.

`write(channel, first, values)` takes a contiguous run of float32 voxels of one channel, which it
may change: the pointwise steps behind the pass are applied to it and it is stored in its type.
Pieces may come in any order and from several threads; together they are the whole result.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Write = Callable[[int, int, Float32], None]
Item = TypeVar("Item")

PIECE_VOXELS = 65536


def write_all(volume: Float32, write: Write) -> None:
    """Hand over a whole result (c, z, y, x) that nothing else needs."""
    for number, channel in enumerate(volume):
        write_channel(number, channel, write)


def write_channel(number: int, channel: Float32, write: Write) -> None:
    """Hand over one channel (z, y, x) that nothing else needs."""
    flat = channel.reshape(-1)
    for first in range(0, len(flat), PIECE_VOXELS):
        write(number, first, flat[first : first + PIECE_VOXELS])


def in_threads(threads: int, items: Iterable[Item], work: Callable[[Item], None]) -> None:
    """Do the work for every item, in several threads if there are several."""
    listed = list(items)
    if threads == 1 or len(listed) < 2:
        for item in listed:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, listed))
