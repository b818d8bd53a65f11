"""The median of a small window as a list of exchanges, the same whatever its voxels.

An exchange (i, j) leaves the lesser of two numbers at i and the greater at j. A column of the
window is sorted once for all windows it lies in; sorted columns are merged by Batcher's odd-even
merge (Knuth, The Art of Computer Programming 5.3.4), and of the last merge only the middle is
found. What the median does not depend on is left out.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BOTH, LESSER, GREATER = 0, 1, 2
"""What is kept of an exchange."""

Exchanges = list[tuple[int, int]]
Places = list[int]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MedianNetwork:
    """Rows (i, j, what is kept) for one column, then for all; at last the median is at `place`.

    Number k of column c is at place c * depth + k.
    """

    column: Rows
    window: Rows
    place: int


@functools.lru_cache
def median_network(depth: int, width: int) -> MedianNetwork:
    """The network of a window of `width` columns of `depth` numbers, both odd."""
    column: Exchanges = []
    order = _sorted(list(range(depth)), column)
    runs = [[c * depth + place for place in order] for c in range(width)]
    if width == 1:
        place = order[depth // 2]
        return MedianNetwork(_needed(column, {place}), _needed([], set()), place)
    middle = depth * width // 2
    window: Exchanges = []
    while len(runs) > 2:
        runs.sort(key=len)
        runs = [*runs[2:], _trimmed(_merged(runs[0], runs[1], window), middle)]
    place = _middle(runs[0], runs[1], window)
    return MedianNetwork(_needed(column, set(order)), _needed(window, {place}), place)


def _sorted(places: Places, exchanges: Exchanges) -> Places:
    """Add what sorts the numbers at some places; the places from the least to the greatest."""
    if len(places) == 1:
        return places
    half = len(places) // 2
    low, high = _sorted(places[:half], exchanges), _sorted(places[half:], exchanges)
    return _merged(low, high, exchanges)


def _merged(first: Places, second: Places, exchanges: Exchanges) -> Places:
    """Add what merges two sorted runs; the places from the least to the greatest."""
    if not first or not second:
        return first or second
    if len(first) == len(second) == 1:
        exchanges.append((first[0], second[0]))
        return [first[0], second[0]]
    odd = _merged(first[0::2], second[0::2], exchanges)
    even = _merged(first[1::2], second[1::2], exchanges)
    order = [odd[0]]
    for lesser, greater in zip(even, odd[1:], strict=False):
        exchanges.append((lesser, greater))
        order += [lesser, greater]
    paired = min(len(even), len(odd) - 1)
    return order + even[paired:] + odd[paired + 1 :]


def _trimmed(run: Places, middle: int) -> Places:
    """A sorted run without the ends that have more than `middle` numbers of it above or below."""
    ends = max(0, len(run) - 1 - middle)
    return run[ends : len(run) - ends]


def _middle(first: Places, second: Places, exchanges: Exchanges) -> int:
    """Add what finds the median of two sorted runs, an odd number together; its place.

    Of all ways to take half of the numbers, and one, from the starts of both, the median is the
    least greatest number taken.
    """
    taken = (len(first) + len(second)) // 2 + 1
    greatest = []
    for count in range(max(0, taken - len(second)), min(taken, len(first)) + 1):
        if count == 0:
            greatest.append(second[taken - 1])
        elif count == taken:
            greatest.append(first[taken - 1])
        else:
            exchanges.append((first[count - 1], second[taken - count - 1]))
            greatest.append(second[taken - count - 1])
    exchanges += [(greatest[0], other) for other in greatest[1:]]
    return greatest[0]


def _needed(exchanges: Exchanges, places: set[int]) -> Rows:
    """The exchanges that the numbers at some places depend on, with what is kept of each."""
    alive = set(places)
    rows = []
    for i, j in reversed(exchanges):
        if i in alive or j in alive:
            kept = BOTH if {i, j} <= alive else (LESSER if i in alive else GREATER)
            rows.append((i, j, kept))
            alive |= {i, j}
    return np.array(rows[::-1], np.int64).reshape(-1, 3)
