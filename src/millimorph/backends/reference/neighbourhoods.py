"""The definition of the steps on windows, in float64."""

import itertools
from collections.abc import Iterator
from typing import assert_never

import numpy as np
from scipy import ndimage

from millimorph.backends.reference.originals import grey_levels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene
from millimorph.program.neighbourhoods import (
    AdaptiveEqualisation,
    BilateralFilter,
    MedianFilter,
    Neighbourhood,
)

CUT = 4.0


def run(step: Neighbourhood, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    return np.stack([_changed(step, channel, scene) for channel in volume])


def _changed(step: Neighbourhood, channel: Floats, scene: Scene) -> Floats:
    match step:
        case MedianFilter():
            size = [2 * r + 1 for r in _zyx(step.radius)]
            return np.asarray(ndimage.median_filter(channel, size, mode="nearest"), np.float64)
        case BilateralFilter():
            return _bilateral(step, grey_levels(step.range_sd, scene), channel)
        case AdaptiveEqualisation():
            return _equalised(step, channel)
        case _:
            assert_never(step)


def _zyx(radius: tuple[int, ...]) -> tuple[int, ...]:
    return (0, 0, *radius[::-1])[-3:]


def _neighbours(
    padded: Floats, radius: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Floats]]:
    """Each offset (z, y, x) in a window, with every voxel's neighbour at it."""
    for place in itertools.product(*(range(2 * r + 1) for r in _zyx(radius))):
        offset = tuple(p - r for p, r in zip(place, _zyx(radius), strict=True))
        yield offset, padded[tuple(slice(p, p + n) for p, n in zip(place, shape, strict=True))]


def _bilateral(step: BilateralFilter, range_sd: float, channel: Floats) -> Floats:
    if range_sd == 0.0:
        return channel
    padded = np.pad(channel, [(r, r) for r in _zyx(step.radius)], mode="edge")
    norm, total = np.zeros_like(channel), np.zeros_like(channel)
    for offset, neighbour in _neighbours(padded, step.radius, channel.shape):
        far = sum((o / sd) ** 2 for o, sd in zip(offset[::-1], step.sd_voxels, strict=False) if o)
        unlike = np.abs(neighbour - channel) / range_sd
        weight = np.where(unlike < CUT, np.exp(-0.5 * (far + unlike**2)), 0.0)
        norm += weight
        total += weight * neighbour
    return np.asarray(total / norm, np.float64)


def _equalised(step: AdaptiveEqualisation, channel: Floats) -> Floats:
    low, span = np.min(channel), np.max(channel) - np.min(channel)
    if span == 0.0:
        return channel
    u = (channel - low) / span - 0.5
    padded = np.pad(u, [(r, r) for r in _zyx(step.radius)], constant_values=np.nan)
    count, total = np.zeros_like(u), np.zeros_like(u)
    for _, v in _neighbours(padded, step.radius, channel.shape):
        inside = ~np.isnan(v)
        difference = np.where(inside, u - v, 0.0)
        curve = 0.5 * np.sign(difference) * np.abs(2.0 * difference) ** step.alpha
        total += np.where(inside, curve + step.beta * v, 0.0)
        count += inside
    return np.asarray(span * (total / count + 0.5) + low, np.float64)
