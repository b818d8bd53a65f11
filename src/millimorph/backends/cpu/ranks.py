"""The k-th smallest of many voxels, exactly, without sorting them all.

One pass counts voxels in equal bins from the least to the greatest; a second copies out those of
the bins in which a wanted rank lies, and only these are sorted. Of a bin whose voxels mostly share
one value (air, whole numbers) only the others are copied.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import in_threads

Float32 = npt.NDArray[np.float32]

CHUNK = 1 << 18
FEW = 1 << 14
SAMPLES = 4096


@dataclass(frozen=True)
class Bins:
    """Where the equal bins begin, and bins per grey level."""

    low: np.float32
    scale: np.float32

    def numbers(self, values: Float32) -> npt.NDArray[np.uint32]:
        """The bin of each value."""
        from millimorph.kernels import histograms

        numbers = np.empty(values.size, np.uint32)
        histograms.bin_numbers(sealed(values), self.low, self.scale, numbers)
        return numbers


def sealed(values: Float32) -> Float32:
    """The voxels as one run (n,) that cannot be written, the one type kernels are compiled for."""
    flat = np.ascontiguousarray(values).reshape(-1).view()
    flat.flags.writeable = False
    return flat


def ranked(values: Float32, ranks: Sequence[int], threads: int = 1) -> list[float]:
    """The values at these ranks, 0 the smallest, of finite voxels (n,)."""
    values = sealed(values)
    if values.size <= FEW:
        return _sorted_at(values, ranks)
    low, high = extremes(values, threads)
    with np.errstate(over="ignore", under="ignore"):
        bins = Bins(np.float32(low), np.float32(0.999 * _bin_count() / max(high - low, 1e-30)))
    if not np.isfinite(bins.scale) or bins.scale == 0.0:
        return _sorted_at(values, ranks)
    counts = _counted(values, bins, threads)
    ends = np.cumsum(counts)
    homes = [int(home) for home in np.searchsorted(ends, ranks, side="right")]
    common = _common_values(values, bins)
    rest = np.sort(_picked(values, bins, homes, common, threads))
    numbers = bins.numbers(rest)
    starts = np.searchsorted(numbers, np.array(homes, np.uint32))
    stops = np.searchsorted(numbers, np.array(homes, np.uint32), side="right")
    return [
        _ranked_in_bin(
            rank - int(ends[home] - counts[home]),
            int(counts[home]),
            common[home],
            rest[start:stop],
        )
        for rank, home, start, stop in zip(ranks, homes, starts, stops, strict=True)
    ]


def gathered(size: int, pick: Callable[[int, Float32], int], threads: int) -> Float32:
    """What is picked from `size` voxels, chunk by chunk, in their order.

    `pick(start, out)` writes what it takes of the chunk from `start` to `out`, which has room for
    one more than the chunk, and returns how many these are.
    """
    starts = range(0, size, CHUNK)
    pieces: list[Float32] = [np.empty(0, np.float32)] * len(starts)

    def work(start: int) -> None:
        out = np.empty(min(CHUNK, size - start) + 1, np.float32)
        pieces[start // CHUNK] = out[: pick(start, out)].copy()

    in_threads(threads, starts, work)
    return np.concatenate(pieces)


def extremes(values: Float32, threads: int = 1) -> tuple[float, float]:
    """Least and greatest of voxels (n,)."""
    starts = range(0, values.size, CHUNK)
    lows, highs = np.empty((2, len(starts)), np.float32)

    def measure(start: int) -> None:
        part = values[start : start + CHUNK]
        lows[start // CHUNK] = np.min(part)
        highs[start // CHUNK] = np.max(part)

    in_threads(threads, starts, measure)
    return float(np.min(lows)) + 0.0, float(np.max(highs)) + 0.0


def _sorted_at(values: Float32, ranks: Sequence[int]) -> list[float]:
    ordered = np.sort(values)
    return [float(ordered[rank]) + 0.0 for rank in ranks]


def _bin_count() -> int:
    from millimorph.kernels import histograms

    return histograms.BINS


def _counted(values: Float32, bins: Bins, threads: int) -> npt.NDArray[np.int64]:
    from millimorph.kernels import histograms

    starts = range(0, values.size, CHUNK)
    counts = np.empty((len(starts), histograms.BINS), np.int64)

    def count(start: int) -> None:
        part = values[start : start + CHUNK]
        histograms.count_bins(part, bins.low, bins.scale, counts[start // CHUNK])

    in_threads(threads, starts, count)
    total: npt.NDArray[np.int64] = counts.sum(axis=0)
    return total


def _common_values(values: Float32, bins: Bins) -> Float32:
    """For each bin the value that is most frequent among some voxels; NaN where none of them is."""
    some, frequency = np.unique(values[:: -(-values.size // SAMPLES)], return_counts=True)
    rising = some[np.argsort(frequency, kind="stable")]
    common = np.full(_bin_count(), np.nan, np.float32)
    common[bins.numbers(rising)] = rising
    return common


def _picked(
    values: Float32, bins: Bins, homes: Sequence[int], common: Float32, threads: int
) -> Float32:
    """The voxels of some bins that are not their bin's common value, in any order."""
    from millimorph.kernels import histograms

    wanted = np.zeros(histograms.BINS, np.uint64)
    wanted[list(homes)] = 1

    def pick(start: int, out: Float32) -> int:
        part = values[start : start + CHUNK]
        return int(histograms.pick_bins(part, bins.low, bins.scale, wanted, common, out))

    return gathered(values.size, pick, threads)


def _ranked_in_bin(rank: int, count: int, common: np.float32, rest: Float32) -> float:
    """The value at a rank within a bin: `rest`, sorted, and the common value for all others."""
    below = int(np.searchsorted(rest, common))
    repeated = count - rest.size
    if rank < below:
        return float(rest[rank]) + 0.0
    if rank < below + repeated:
        return float(common) + 0.0
    return float(rest[rank - repeated]) + 0.0
