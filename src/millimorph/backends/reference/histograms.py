"""The definition of the steps that measure the image first, in float64."""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene
from millimorph.errors import ImageError
from millimorph.images import otsu_threshold
from millimorph.program.histograms import (
    Equalization,
    HistogramStep,
    MomentScaling,
    QuantileCurve,
    RangeScaling,
)
from millimorph.program.regions import Foreground, Mask, Region, WholeImage


def run(step: HistogramStep, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    return np.stack(
        [
            _changed(step, channel, channel[_inside(step.region, channel, scene)])
            for channel in volume
        ]
    )


def _inside(region: Region, channel: Floats, scene: Scene) -> npt.NDArray[np.bool_]:
    """Which voxels (z, y, x) are measured."""
    match region:
        case WholeImage():
            return np.ones(channel.shape, bool)
        case Foreground():
            above: npt.NDArray[np.bool_] = channel > otsu_threshold(channel)
            return above if above.any() else np.ones(channel.shape, bool)
        case Mask():
            labels = scene.labels[region.role].array.reshape(-1, *channel.shape)
            chosen = np.zeros(channel.shape, bool)
            for one in labels:
                listed = [int(label) for label in np.unique(one) if label > 0]
                for label in listed if region.labels is None else region.labels:
                    chosen |= one == label
            if not chosen.any():
                raise ImageError(f'the mask "{region.role}" has no voxel of the wanted labels')
            return chosen


def _changed(step: HistogramStep, channel: Floats, values: Floats) -> Floats:
    """One channel after measuring `values` (n,)."""
    match step:
        case RangeScaling():
            return _in_range(step, channel, values)
        case MomentScaling():
            deviation = values.std() if np.min(values) < np.max(values) else 0.0
            scaled: Floats = (channel - values.mean()) / (deviation or 1.0)
            return scaled
        case Equalization():
            return _equalised(step, channel, values)
        case QuantileCurve():
            return _along_curve(step, channel, values)
        case _:
            assert_never(step)


def _in_range(step: RangeScaling, channel: Floats, values: Floats) -> Floats:
    bottom, top = np.quantile(values, step.fractions)
    if bottom == top:
        bottom, top = np.min(values), np.max(values)
    if bottom == top:
        return np.full(channel.shape, step.low)
    result: Floats = step.low + (channel - bottom) / (top - bottom) * (step.high - step.low)
    return np.clip(result, step.low, step.high) if step.clip else result


def _equalised(step: Equalization, channel: Floats, values: Floats) -> Floats:
    limits = np.iinfo(step.counted)
    whole = np.clip(np.rint(values), float(limits.min), float(limits.max))
    if whole.min() == whole.max():
        return channel
    low = whole.min() if step.low is None else step.low
    high = whole.max() if step.high is None else step.high
    levels, counts = np.unique(whole, return_counts=True)
    shares = (np.cumsum(counts) - counts[0]) / (whole.size - counts[0])
    place = np.searchsorted(levels, np.rint(channel), side="right") - 1
    result: Floats = low + (high - low) * shares[np.maximum(place, 0)]
    return result


def _along_curve(step: QuantileCurve, channel: Floats, values: Floats) -> Floats:
    found = np.quantile(values, step.fractions)
    knots = np.unique(found)
    if knots.size == 1:
        return channel
    targets = np.array([np.array(step.levels)[found == knot].mean() for knot in knots])
    targets[0], targets[-1] = step.levels[0], step.levels[-1]
    result: Floats = np.interp(channel, knots, targets)
    slopes = np.diff(targets) / np.diff(knots)
    if step.evenly:
        slopes[:] = (targets[-1] - targets[0]) / (knots[-1] - knots[0])
    result += np.minimum(channel - knots[0], 0.0) * slopes[0]
    result += np.maximum(channel - knots[-1], 0.0) * slopes[-1]
    return channel + step.blend * (result - channel)
