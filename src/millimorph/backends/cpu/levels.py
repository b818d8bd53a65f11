"""Steps on grey levels, compiled."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import buffers
from millimorph.backends.cpu.curves import curve_pieces
from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.cpu.sources import (
    foreground_median,
    grey_levels,
    median,
    robust_limits,
    value_range,
)
from millimorph.backends.cpu.statistics import moments, moments_as_made
from millimorph.backends.scene import Scene, Where
from millimorph.errors import ImageError
from millimorph.program import Amount
from millimorph.program.levels import (
    ContrastChange,
    Inversion,
    LevelCurve,
    LevelPass,
    Limits,
    Line,
    MonotoneCurve,
    Place,
    PowerCurve,
    PowerWithMoments,
    Shift,
    SigmoidCurve,
    WindowLine,
)
from millimorph.program.regions import Foreground, WholeImage

Float32 = npt.NDArray[np.float32]
Pieces = Callable[[int, int], Float32]
"""Gives the voxels from one place to another, which may then be changed."""

MOST = float(np.finfo(np.float32).max)
NARROWEST = 1e-30  # grey levels; a range below it counts as one level
VOXELS_PER_JOB = 16 * PIECE_VOXELS


def apply(step: LevelCurve, values: Float32, where: Where) -> None:
    """Change a run of voxels in place."""
    match step:
        case PowerCurve():
            low, high = _extent(where.scene)
            _raise(values, (low, high), step)
        case SigmoidCurve():
            _sigmoid(step, values, where.scene)
        case MonotoneCurve():
            _curve(step, values, where.scene)
        case _:
            _held_line(_line(step, where.scene), values)


def run(step: LevelPass, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels, piece by piece; `volume` (c, z, y, x) is left as it is."""
    for number, channel in enumerate(volume):
        pieces, line = _measured(step, channel.reshape(-1), scene)
        _write_line(pieces, channel.size, line, scene.threads, partial(write, number))


@dataclass(frozen=True)
class HeldLine:
    """The line through (centre, height), held between two limits."""

    centre: float = 0.0
    slope: float = 1.0
    # Added to a level of either sign, this zero changes no bit.
    height: float = -0.0
    low: float = -MOST
    high: float = MOST


def _line(step: Shift | Line | Limits | WindowLine | Inversion, scene: Scene) -> HeldLine:
    match step:
        case Shift():
            return HeldLine(height=grey_levels(step.amount, scene.original, scene))
        case Line():
            return HeldLine(slope=step.scale, height=step.shift)
        case Limits():
            low = -MOST if step.low is None else max(step.low, -MOST)
            high = MOST if step.high is None else min(step.high, MOST)
            return HeldLine(low=low, high=high)
        case WindowLine():
            level, width = _window(step.level, step.width, scene)
            ends = min(step.low, step.high), max(step.low, step.high)
            if width < NARROWEST:
                return HeldLine(level, 0.0, step.low, *ends)
            slope = (step.high - step.low) / width
            return HeldLine(level, slope, 0.5 * (step.low + step.high), *ends)
        case Inversion():
            total = sum(_extent(scene)) if step.about is None else 2.0 * step.about
            return HeldLine(slope=-1.0, height=total)
        case _:
            assert_never(step)


def _held_line(line: HeldLine, values: Float32) -> None:
    from millimorph.kernels import levels

    limits = np.float32(line.low), np.float32(line.high)
    levels.held_line(
        values, np.float32(line.centre), np.float32(line.slope), np.float32(line.height), limits
    )


def _extent(scene: Scene) -> tuple[float, float]:
    """Minimum and maximum of the original image."""
    low, high = value_range(scene.original, scene)
    _check_extent(low, high, scene)
    return low, high


def _check_extent(low: float, high: float, scene: Scene) -> None:
    if not high - low <= MOST:
        raise ImageError(
            f'"{scene.name}" has grey levels from {low:g} to {high:g}, a wider range than float32 '
            "can hold; divide them by a constant first"
        )


def _spread(scene: Scene) -> tuple[float, float]:
    """The robust range's ends, or minimum and maximum where these are one level."""
    low, high = robust_limits(scene.original, scene)
    return (low, high) if low < high else _extent(scene)


def _window(level: Place, width: Amount, scene: Scene) -> tuple[float, float]:
    low, high = _spread(scene)
    middle = low + level.number * (high - low) if level.in_robust_range else level.number
    return middle, width.number * (high - low if width.of_robust_range else 1.0)


def _raise(
    values: Float32, extent: tuple[float, float], step: PowerCurve | PowerWithMoments
) -> None:
    """A power between two levels, from the upper one downwards if inverted."""
    from millimorph.kernels import levels

    low, high = extent
    if high - low < NARROWEST:
        return
    base, span = (high, low - high) if step.inverted else (low, high - low)
    levels.power_curve(values, np.float32(base), np.float32(span), np.float32(step.exponent))


def _sigmoid(step: SigmoidCurve, values: Float32, scene: Scene) -> None:
    from millimorph.kernels import levels

    low, high = _spread(scene)
    alpha = step.alpha.number * (high - low if step.alpha.of_robust_range else 1.0)
    if alpha < NARROWEST:
        return
    match step.midpoint:
        case WholeImage():
            middle = median(scene.original, scene)
        case Foreground():
            middle = foreground_median(scene.original, scene)
        case level:
            middle = level
    least, most = _extent(scene)
    ends = least if step.low is None else step.low, most if step.high is None else step.high
    levels.sigmoid(
        values, np.float32(middle), np.float32(alpha), np.float32(ends[0]), np.float32(ends[1])
    )


def _curve(step: MonotoneCurve, values: Float32, scene: Scene) -> None:
    from millimorph.kernels import levels

    low, high = _extent(scene)
    if high - low < NARROWEST:
        return
    pieces = curve_pieces(step.heights, low, high)
    scale = (len(pieces) - 2) / (high - low)
    levels.table_curve(values, np.float32(low), np.float32(scale), pieces)


def _measured(step: LevelPass, values: Float32, scene: Scene) -> tuple[Pieces, HeldLine]:
    """The voxels of a channel (n,) and the line that they are to be brought along."""
    found = moments(values, scene.threads)
    _check_extent(found.low, found.high, scene)
    if found.high - found.low < NARROWEST:
        return _copies(values), HeldLine()
    match step:
        case ContrastChange():
            limits = (found.low, found.high) if step.held else (-MOST, MOST)
            return _copies(values), HeldLine(found.mean, step.factor, found.mean, *limits)
        case PowerWithMoments():
            raised = buffers.empty(values.shape, np.float32)

            def make(first: int, last: int) -> None:
                raised[first:last] = values[first:last]
                _raise(raised[first:last], (found.low, found.high), step)

            then = moments_as_made(raised, make, scene.threads)
            slope = found.sd / then.sd if then.sd > 0.0 else 1.0
            return _own(raised), HeldLine(then.mean, slope, found.mean)
        case _:
            assert_never(step)


def _copies(values: Float32) -> Pieces:
    return lambda first, last: values[first:last].copy()


def _own(values: Float32) -> Pieces:
    """Voxels that nothing else needs."""
    return lambda first, last: values[first:last]


def _write_line(
    pieces: Pieces, size: int, line: HeldLine, threads: int, write: Callable[[int, Float32], None]
) -> None:
    """Hand over a channel of `size` voxels along a line."""

    def write_job(start: int) -> None:
        stop = min(start + VOXELS_PER_JOB, size)
        for first in range(start, stop, PIECE_VOXELS):
            part = pieces(first, min(first + PIECE_VOXELS, stop))
            _held_line(line, part)
            write(first, part)

    in_threads(threads, range(0, size, VOXELS_PER_JOB), write_job)
