"""Counts of float32 voxels in bins, and the maps of grey levels that follow from them.

Counts are whole numbers, so they are the same in any order. Maps are computed in float64 and stored
as float32.
"""

import numpy as np

from millimorph.kernels._jit import kernel

BINS = 2048
RUN = 512


@kernel
def tally(numbers, tables):
    """Count numbers in four tables in turn, so that equal neighbours need not wait."""
    one = np.uint32(1)
    t0, t1, t2, t3 = tables[0], tables[1], tables[2], tables[3]
    fours = np.uint64(len(numbers) // 4 * 4)
    for i in range(np.uint64(0), fours, np.uint64(4)):
        t0[numbers[i]] += one
        t1[numbers[i + np.uint64(1)]] += one
        t2[numbers[i + np.uint64(2)]] += one
        t3[numbers[i + np.uint64(3)]] += one
    for i in range(fours, np.uint64(len(numbers))):
        t0[numbers[i]] += one


@kernel
def add_up(tables, counts):
    """The sum of four tables."""
    for b in range(len(counts)):
        total = np.int64(tables[0, b]) + np.int64(tables[1, b])
        counts[b] = total + np.int64(tables[2, b]) + np.int64(tables[3, b])


@kernel
def bin_numbers(values, low, scale, numbers):
    """The bin of each value: (value - low) * scale, of BINS bins the last for what lies beyond."""
    last = np.float32(BINS - 1)
    for i in range(len(values)):
        numbers[i] = np.uint32(np.int32(min((values[i] - low) * scale, last)))


@kernel
def count_bins(values, low, scale, counts):
    """Count values in BINS bins; `counts` (BINS,) int64 takes them."""
    tables = np.zeros((4, BINS), np.uint32)
    numbers = np.empty(RUN, np.uint32)
    for start in range(0, len(values), RUN):
        part = values[start : min(start + RUN, len(values))]
        bin_numbers(part, low, scale, numbers)
        tally(numbers[: len(part)], tables)
    add_up(tables, counts)


@kernel
def pick_bins(values, low, scale, wanted, common, out):
    """Copy the values of wanted bins, but for those that equal the bin's common value.

    `wanted` (BINS,) uint64 is 1 or 0, `common` (BINS,) float32; `out` has room for one more than
    all values. Returns how many were copied.
    """
    numbers = np.empty(RUN, np.uint32)
    copied = np.uint64(0)
    for start in range(0, len(values), RUN):
        part = values[start : min(start + RUN, len(values))]
        bin_numbers(part, low, scale, numbers)
        for i in range(np.uint64(len(part))):
            out[copied] = part[i]
            differs = np.uint64(part[i] != common[numbers[i]])
            copied += wanted[numbers[i]] & differs
    return copied


@kernel
def keep(values, inside, out):
    """Copy the values that lie inside; `out` has room for one more than all. Returns their number.

    `inside` (n,) bool.
    """
    copied = np.uint64(0)
    for i in range(np.uint64(len(values))):
        out[copied] = values[i]
        copied += np.uint64(inside[i])
    return copied


@kernel
def count_wide_bins(values, low, width, counts):
    """Count values in bins of equal width from `low`, in float64; the last has what lies beyond."""
    tables = np.zeros((4, len(counts)), np.uint32)
    last = np.float64(len(counts) - 1)
    numbers = np.empty(RUN, np.uint32)
    for start in range(0, len(values), RUN):
        part = values[start : min(start + RUN, len(values))]
        for i in range(len(part)):
            place = max((np.float64(part[i]) - low) / width, 0.0)
            numbers[i] = np.uint32(np.int32(min(place, last)))
        tally(numbers[: len(part)], tables)
    add_up(tables, counts)


@kernel
def count_whole(values, least, counts):
    """Count values rounded to whole numbers, the first of them `least`."""
    tables = np.zeros((4, len(counts)), np.uint32)
    last = np.float32(len(counts) - 1)
    numbers = np.empty(RUN, np.uint32)
    for start in range(0, len(values), RUN):
        part = values[start : min(start + RUN, len(values))]
        for i in range(len(part)):
            place = max(np.rint(part[i]) - least, np.float32(0.0))
            numbers[i] = np.uint32(np.int32(min(place, last)))
        tally(numbers[: len(part)], tables)
    add_up(tables, counts)


@kernel
def look_up(values, least, table, out):
    """Give each value, rounded, its entry in a table that starts at `least`; beyond it, the end."""
    last = np.float32(len(table) - 1)
    for i in range(len(values)):
        place = np.rint(values[i]) - least
        out[i] = table[np.uint32(np.int32(min(max(place, np.float32(0.0)), last)))]


@kernel
def follow_line(values, anchor, slope, height, limits, out):
    """The line height + slope * (x - anchor), held between two limits."""
    low, high = limits
    for i in range(len(values)):
        y = (np.float64(values[i]) - anchor) * slope + height
        out[i] = np.float32(min(max(y, low), high))


@kernel
def follow_pieces(values, low, scale, nearby, bounds, pieces, out):
    """A curve of straight pieces, each (anchor, height, slope): height + slope * (x - anchor).

    Piece k reaches from bounds[k] to below bounds[k + 1]; the outer bounds are infinite. The search
    begins at the piece nearby[n] of bin n = (x - low) * scale, held to the bins there are.
    """
    one = np.uint64(1)
    last = np.float32(len(nearby) - 1)
    numbers = np.empty(RUN, np.uint32)
    for start in range(0, len(values), RUN):
        part = values[start : min(start + RUN, len(values))]
        for i in range(len(part)):
            place = max((part[i] - low) * scale, np.float32(0.0))
            numbers[i] = np.uint32(np.int32(min(place, last)))
        target = out[start : start + len(part)]
        for i in range(np.uint64(len(part))):
            x = part[i]
            k = np.uint64(nearby[numbers[i]])
            k += np.uint64(x >= bounds[k + one])
            while x >= bounds[k + one]:
                k += one
            while x < bounds[k]:
                k -= one
            step = np.float64(x) - pieces[k, 0]
            target[i] = np.float32(pieces[k, 1] + pieces[k, 2] * step)
