"""Monotone cubics through equal steps, as many straight pieces."""

import functools

import numpy as np
import numpy.typing as npt

PIECES = 1024


@functools.lru_cache(maxsize=64)
def curve_pieces(heights: tuple[float, ...], low: float, high: float) -> npt.NDArray[np.float32]:
    """Height at 0 and slope (PIECES + 2, 2) of a curve from `low` to `high`.

    `heights` are the curve's values as fractions of the range. The first and the last piece are for
    what lies beyond and leave it as it is.
    """
    places = np.arange(PIECES + 1) / PIECES
    levels = low + (high - low) * places
    targets = low + (high - low) * monotone_cubic(heights, places)
    lines = np.zeros((PIECES + 2, 2))
    lines[1:-1, 1] = (targets[1:] - targets[:-1]) / (levels[1:] - levels[:-1])
    lines[1:-1, 0] = targets[:-1] - lines[1:-1, 1] * levels[:-1]
    lines[[0, -1], 1] = 1.0
    return lines.astype(np.float32)


def monotone_cubic(
    heights: tuple[float, ...], places: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The cubic through ascending heights at equal steps from 0 to 1, at places in [0, 1].

    The slope at a step is the harmonic mean of those beside it (Fritsch and Butland 1984); at the
    ends it is that of a parabola, if that rises.
    """
    y = np.array(heights)
    rises = y[1:] - y[:-1]
    slopes = np.empty(len(y))
    slopes[1:-1] = 2.0 * rises[1:] * rises[:-1] / (rises[1:] + rises[:-1])
    following = rises[min(1, len(rises) - 1)], rises[max(len(rises) - 2, 0)]
    slopes[0] = max(1.5 * rises[0] - 0.5 * following[0], 0.0)
    slopes[-1] = max(1.5 * rises[-1] - 0.5 * following[1], 0.0)
    at = places * len(rises)
    piece = np.minimum(at.astype(np.int64), len(rises) - 1)
    t = at - piece
    start, end, rise = slopes[piece], slopes[piece + 1], rises[piece]
    curved = 3.0 * rise - 2.0 * start - end + t * (start + end - 2.0 * rise)
    result: npt.NDArray[np.float64] = y[piece] + t * (start + t * curved)
    return result
