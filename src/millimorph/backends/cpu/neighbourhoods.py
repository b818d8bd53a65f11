"""Steps on windows, compiled."""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.medians import write_medians
from millimorph.backends.cpu.pieces import Write, write_channel
from millimorph.backends.cpu.sources import grey_levels
from millimorph.backends.cpu.windows import (
    Float32,
    WriteRun,
    along_zyx,
    edges_repeated,
    write_rows,
)
from millimorph.backends.scene import Scene
from millimorph.kernels.elementary import exp
from millimorph.program.neighbourhoods import (
    AdaptiveEqualisation,
    BilateralFilter,
    MedianFilter,
    Neighbourhood,
)

RUN_VOXELS = 2048
"""Voxels whose sums stay in the cache while their neighbours pass."""

MOST_LEVEL = 1e30
"""The largest scaled grey level, well within float32."""


def run(step: Neighbourhood, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels, piece by piece; `volume` (c, z, y, x) is left as it is."""
    for number, channel in enumerate(volume):
        _run_channel(step, channel, scene, _to(write, number))


def _to(write: Write, number: int) -> WriteRun:
    return lambda first, values: write(number, first, values)


def _run_channel(step: Neighbourhood, channel: Float32, scene: Scene, write: WriteRun) -> None:
    match step:
        case MedianFilter():
            write_medians(step, channel, scene.threads, write)
        case BilateralFilter():
            range_sd = grey_levels(step.range_sd, scene.original, scene)
            if range_sd > 0.0:
                _filter(step, range_sd, channel, scene.threads, write)
            else:
                _leave(channel, write)
        case AdaptiveEqualisation():
            if np.min(channel) < np.max(channel):
                _equalise(step, channel, scene.threads, write)
            else:
                _leave(channel, write)
        case _:
            assert_never(step)


def _leave(channel: Float32, write: WriteRun) -> None:
    write_channel(0, channel.copy(), lambda _, first, values: write(first, values))


def _filter(
    step: BilateralFilter, range_sd: float, channel: Float32, threads: int, write: WriteRun
) -> None:
    from millimorph.kernels import bilateral

    largest = max(float(np.max(channel)), -float(np.min(channel)))
    scale = bilateral.SCALE / range_sd
    if scale * largest > MOST_LEVEL:
        scale = MOST_LEVEL / largest
    radius = along_zyx(step.radius)
    padded = edges_repeated(channel * np.float32(scale), radius)
    domain = _domain(step)
    unscale = np.float32(1.0 / scale)

    def make(first: tuple[int, int], out: Float32) -> None:
        z, y = first
        bilateral.filter_rows(padded, domain, first, out)
        out *= unscale
        out += channel[z, y : y + len(out)]

    write_rows(channel, RUN_VOXELS, threads, make, write)


def _domain(step: BilateralFilter) -> Float32:
    """The weights of the places of a window (z, y, x), along x from the centre."""
    pairs = zip(step.radius, step.sd_voxels, strict=True)
    x, y, z = (*(_weights(radius, sd) for radius, sd in pairs), np.ones(1))[:3]
    half = x[step.radius[0] :]
    return (z[:, None, None] * y[:, None] * half).astype(np.float32)


def _weights(radius: int, sd_voxels: float) -> npt.NDArray[np.float64]:
    """A Gaussian at the voxels of a window along one axis, 1 in the centre."""
    if radius == 0:
        return np.ones(1)
    places = np.arange(-radius, radius + 1) / sd_voxels
    return exp(-0.5 * places * places)


def _equalise(step: AdaptiveEqualisation, channel: Float32, threads: int, write: WriteRun) -> None:
    from millimorph.kernels import adaptive

    low, high = np.min(channel), np.max(channel)
    span = np.float32(high - low)
    radius = along_zyx(step.radius)
    margins = [(r, r) for r in radius]
    padded = np.pad((channel - low) / span, margins, constant_values=adaptive.OUTSIDE)
    strengths = step.alpha, step.beta
    reach = radius[::-1]

    def make(first: tuple[int, int], out: Float32) -> None:
        adaptive.equalise_rows(padded, reach, strengths, first, out)
        out *= span
        out += low

    write_rows(channel, RUN_VOXELS, threads, make, write)
