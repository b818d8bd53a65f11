"""Steps that measure the image first, compiled."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.cpu.ranks import CHUNK, extremes, sealed
from millimorph.backends.cpu.regions import measured
from millimorph.backends.cpu.statistics import moments, quantiles
from millimorph.backends.scene import Scene
from millimorph.program.histograms import (
    Equalization,
    HistogramStep,
    MomentScaling,
    QuantileCurve,
    RangeScaling,
)

Float32 = npt.NDArray[np.float32]
Change = Callable[[Float32, Float32], None]
"""Writes the new levels of its first argument into its second."""

MOST_COUNTED = 1 << 20
VOXELS_PER_LEVEL = 16
NEARBY = 4096
FINEST = 1e30


def run(step: HistogramStep, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels, piece by piece; `volume` (c, z, y, x) is left as it is."""
    for number, channel in enumerate(volume):
        change = _change(step, sealed(measured(channel, step.region, scene)), scene.threads)
        _write_changed(sealed(channel), change, scene.threads, partial(write, number))


def _write_changed(
    values: Float32, change: Change, threads: int, write: Callable[[int, Float32], None]
) -> None:
    def write_chunk(start: int) -> None:
        stop = min(start + CHUNK, values.size)
        for first in range(start, stop, PIECE_VOXELS):
            part = values[first : min(first + PIECE_VOXELS, stop)]
            out = np.empty_like(part)
            change(part, out)
            write(first, out)

    in_threads(threads, range(0, values.size, CHUNK), write_chunk)


def _change(step: HistogramStep, values: Float32, threads: int) -> Change:
    """What a step does to grey levels, after measuring `values`."""
    match step:
        case RangeScaling():
            return _range_scaling(step, values, threads)
        case MomentScaling():
            found = moments(values, threads)
            scale = 1.0 / found.sd if found.sd > 0.0 else 1.0
            return _line(found.mean, scale, 0.0, (-np.inf, np.inf))
        case Equalization():
            return _equalization(step, values, threads)
        case QuantileCurve():
            return _quantile_curve(step, quantiles(values, step.fractions, threads))
        case _:
            assert_never(step)


def _unchanged(values: Float32, out: Float32) -> None:
    out[...] = values


def _line(centre: float, slope: float, height: float, limits: tuple[float, float]) -> Change:
    from millimorph.kernels import histograms

    def change(values: Float32, out: Float32) -> None:
        histograms.follow_line(values, centre, slope, height, limits, out)

    return change


def _range_scaling(step: RangeScaling, values: Float32, threads: int) -> Change:
    first, last = step.fractions
    if first == 0.0 and last == 1.0:
        bottom, top = extremes(values, threads)
    else:
        bottom, top = quantiles(values, (first, last), threads)
        if bottom == top:
            bottom, top = extremes(values, threads)
    if bottom == top:
        return _line(bottom, 0.0, step.low, (step.low, step.high))
    slope = (step.high - step.low) / (top - bottom)
    limits = (step.low, step.high) if step.clip else (-np.inf, np.inf)
    return _line(bottom, slope, step.low, limits)


def _equalization(step: Equalization, values: Float32, threads: int) -> Change:
    """Each whole number by its share of the voxels above the least."""
    from millimorph.kernels import histograms

    limits = np.iinfo(step.counted)
    bottom, top = (
        min(max(float(np.rint(end)), float(limits.min)), float(limits.max))
        for end in extremes(values, threads)
    )
    if bottom == top:
        return _unchanged
    low = bottom if step.low is None else step.low
    high = top if step.high is None else step.high
    if top - bottom >= MOST_COUNTED:
        return _ranking(values, (bottom, top), (low, high))
    counts = _whole_counts(values, bottom, int(top - bottom) + 1, threads)
    shares = (np.cumsum(counts) - counts[0]) / float(values.size - counts[0])
    table = (low + shares * (high - low)).astype(np.float32)

    def change(part: Float32, out: Float32) -> None:
        histograms.look_up(part, np.float32(bottom), table, out)

    return change


def _ranking(values: Float32, extent: tuple[float, float], target: tuple[float, float]) -> Change:
    """Equalisation of more whole numbers than can be counted."""
    low, high = target
    ordered = np.sort(np.clip(np.rint(values), np.float32(extent[0]), np.float32(extent[1])))
    lowest = int(np.searchsorted(ordered, ordered[0], side="right"))

    def change(part: Float32, out: Float32) -> None:
        up_to = np.searchsorted(ordered, np.rint(part), side="right")
        shares = np.maximum(up_to - lowest, 0) / float(ordered.size - lowest)
        out[...] = low + shares * (high - low)

    return change


def _whole_counts(values: Float32, least: float, count: int, threads: int) -> npt.NDArray[np.int64]:
    """How many voxels round to each of the whole numbers from `least` up."""
    from millimorph.kernels import histograms

    starts = range(0, values.size, max(CHUNK, VOXELS_PER_LEVEL * count))
    counts = np.empty((len(starts), count), np.int64)

    def measure(start: int) -> None:
        part = values[start : start + starts.step]
        histograms.count_whole(part, np.float32(least), counts[start // starts.step])

    in_threads(threads, starts, measure)
    total: npt.NDArray[np.int64] = counts.sum(axis=0)
    return total


def _quantile_curve(step: QuantileCurve, found: tuple[float, ...]) -> Change:
    from millimorph.kernels import histograms

    knots = _knots(found, step.levels)
    if len(knots) == 1:
        return _unchanged
    pieces = _pieces([(x, x + step.blend * (y - x)) for x, y in knots], evenly=step.evenly)
    bounds = _not_below([-math.inf, *(x for x, _ in knots), math.inf])
    low, width = knots[0][0], knots[-1][0] - knots[0][0]
    scale = min(0.999 * NEARBY / width, FINEST)
    starts = low + np.arange(NEARBY) / scale
    nearby = (np.searchsorted(bounds, starts, side="right") - 1).astype(np.uint32)
    place = np.float32(low), np.float32(scale)

    def change(values: Float32, out: Float32) -> None:
        histograms.follow_pieces(values, *place, nearby, bounds, pieces, out)

    return change


def _knots(found: tuple[float, ...], levels: tuple[float, ...]) -> list[tuple[float, float]]:
    """Each measured level once, with what it becomes."""
    targets: dict[float, list[float]] = {}
    for x, y in zip(found, levels, strict=True):
        targets.setdefault(x, []).append(y)
    knots = [(x, math.fsum(ys) / len(ys)) for x, ys in targets.items()]
    knots[0] = knots[0][0], levels[0]
    knots[-1] = knots[-1][0], levels[-1]
    return knots


def _pieces(knots: list[tuple[float, float]], *, evenly: bool) -> npt.NDArray[np.float64]:
    """Anchor, height and slope of each piece through knots, and of the two beyond them."""
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in itertools.pairwise(knots)]
    (x0, y0), (x1, y1) = knots[0], knots[-1]
    below, above = ((y1 - y0) / (x1 - x0),) * 2 if evenly else (slopes[0], slopes[-1])
    rows = [(x, y, slope) for (x, y), slope in zip(knots, [*slopes, above], strict=True)]
    return np.array([(x0, y0, below), *rows])


def _not_below(levels: list[float]) -> Float32:
    """The least float32 that are not below levels: the same voxels reach either."""
    exact = np.array(levels)
    nearest = exact.astype(np.float32)
    with np.errstate(over="ignore"):
        following = np.nextafter(nearest, np.float32(np.inf))
    return np.where(nearest < exact, following, nearest)
