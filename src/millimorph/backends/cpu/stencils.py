"""Steps on neighbourhoods, compiled."""

from collections.abc import Callable
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import resolution
from millimorph.backends.cpu.pieces import Write, in_threads
from millimorph.backends.cpu.smoothing import Filters, WriteRun, filter_channel, read_only
from millimorph.backends.scene import Scene
from millimorph.program.stencils import (
    GaussianSmoothing,
    LaplacianSharpening,
    LowerResolution,
    Stencil,
    UnsharpMask,
)

Float32 = npt.NDArray[np.float32]


def run(step: Stencil, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels, piece by piece; `volume` (c, z, y, x) is left as it is."""
    for number, channel in enumerate(volume):
        _run_channel(
            step, read_only(np.ascontiguousarray(channel)), scene.threads, _to(write, number)
        )


def _to(write: Write, number: int) -> WriteRun:
    return lambda first, values: write(number, first, values)


def _run_channel(step: Stencil, channel: Float32, threads: int, write: WriteRun) -> None:
    match step:
        case GaussianSmoothing():
            filters = Filters.gaussian(step.sd_voxels, step.kernel)
            filter_channel(channel, filters, threads, write)
        case UnsharpMask():
            filters = Filters.gaussian(step.sd_voxels)
            filter_channel(channel, filters, threads, _unsharp(step, channel, write))
        case LaplacianSharpening():
            _sharpen(step, channel, threads, write)
        case LowerResolution():
            resolution.lower(step, channel, threads, write)
        case _:
            assert_never(step)


def _unsharp(step: UnsharpMask, channel: Float32, write: WriteRun) -> WriteRun:
    """What turns blurred runs into sharpened ones before they are written."""
    from millimorph.kernels import stencils

    flat = channel.reshape(-1)
    limit = _limiter(channel, keep=step.keep_range)

    def sharpen(first: int, values: Float32) -> None:
        stencils.unsharp(flat[first : first + len(values)], values, np.float32(step.amount))
        limit(values)
        write(first, values)

    return sharpen


def _sharpen(step: LaplacianSharpening, channel: Float32, threads: int, write: WriteRun) -> None:
    from millimorph.kernels import stencils

    limit = _limiter(channel, keep=step.keep_range)
    plane = channel[0].size

    def sharpen(z: int) -> None:
        out = np.empty(channel.shape[1:], np.float32)
        stencils.sharpen_slice(channel, z, np.float32(step.amount), out)
        limit(out.reshape(-1))
        write(z * plane, out.reshape(-1))

    in_threads(threads, range(len(channel)), sharpen)


def _limiter(channel: Float32, *, keep: bool) -> Callable[[Float32], None]:
    """What clamps runs to the range of the channel, or leaves them."""
    from millimorph.kernels import stencils

    if not keep:
        return lambda _: None
    low, high = np.min(channel), np.max(channel)
    return lambda values: stencils.clamp(values, low, high)
