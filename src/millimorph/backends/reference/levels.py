"""The definition of the steps on grey levels, in float64."""

from typing import assert_never

import numpy as np
from scipy.interpolate import PchipInterpolator

from millimorph.backends.reference.originals import grey_levels, original_voxels, robust_limits
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.images import otsu_threshold
from millimorph.kernels.elementary import exp, log
from millimorph.program.levels import (
    ContrastChange,
    Inversion,
    LevelCurve,
    LevelPass,
    Limits,
    Line,
    MonotoneCurve,
    PowerCurve,
    PowerWithMoments,
    Shift,
    SigmoidCurve,
    WindowLine,
)
from millimorph.program.regions import Foreground, WholeImage


def apply(step: LevelCurve, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    low, high = _extent(where.scene)
    match step:
        case PowerCurve():
            return _power(values, (low, high), step)
        case Shift():
            return values + grey_levels(step.amount, where.scene)
        case Line():
            return step.scale * values + step.shift
        case Limits():
            bounded = values if step.low is None else np.maximum(values, step.low)
            return bounded if step.high is None else np.minimum(bounded, step.high)
        case WindowLine():
            return _windowed(step, values, where.scene)
        case Inversion():
            return (low + high if step.about is None else 2.0 * step.about) - values
        case SigmoidCurve():
            return _sigmoid(step, values, where.scene)
        case MonotoneCurve():
            if low == high:
                return values
            steps = np.linspace(low, high, len(step.heights))
            curve = PchipInterpolator(steps, low + (high - low) * np.array(step.heights))
            inside = (values > low) & (values < high)
            return np.where(inside, curve(np.clip(values, low, high)), values)
        case _:
            assert_never(step)


def run(step: LevelPass, volume: Floats, scene: Scene) -> Floats:  # noqa: ARG001
    """One step on a whole image (c, z, y, x)."""
    return np.stack([_measured(step, channel) for channel in volume])


def _measured(step: LevelPass, channel: Floats) -> Floats:
    low, high = float(np.min(channel)), float(np.max(channel))
    if low == high:
        return channel
    mean = channel.mean()
    result: Floats
    match step:
        case ContrastChange():
            result = mean + step.factor * (channel - mean)
            return np.minimum(np.maximum(result, low), high) if step.held else result
        case PowerWithMoments():
            raised = _power(channel, (low, high), step)
            result = mean + (raised - raised.mean()) * (channel.std() / raised.std())
            return result
        case _:
            assert_never(step)


def _extent(scene: Scene) -> tuple[float, float]:
    voxels = original_voxels(scene)
    return float(voxels.min()), float(voxels.max())


def _spread(scene: Scene) -> tuple[float, float]:
    low, high = robust_limits(scene)
    return (low, high) if low < high else _extent(scene)


def _power(
    values: Floats, extent: tuple[float, float], step: PowerCurve | PowerWithMoments
) -> Floats:
    low, high = extent
    if high == low:
        return values
    share = (high - values if step.inverted else values - low) / (high - low)
    raised = np.zeros_like(share)
    raised[share > 0.0] = exp(step.exponent * log(share[share > 0.0]))
    result: Floats = high - (high - low) * raised if step.inverted else low + (high - low) * raised
    return result


def _windowed(step: WindowLine, values: Floats, scene: Scene) -> Floats:
    low, high = _spread(scene)
    level, width = step.level.number, step.width.number
    if step.level.in_robust_range:
        level = low + level * (high - low)
    if step.width.of_robust_range:
        width *= high - low
    if width == 0.0:
        return np.full_like(values, step.low)
    share = np.clip((values - level) / width + 0.5, 0.0, 1.0)
    return step.low + (step.high - step.low) * share


def _sigmoid(step: SigmoidCurve, values: Floats, scene: Scene) -> Floats:
    low, high = _spread(scene)
    alpha = step.alpha.number * (high - low if step.alpha.of_robust_range else 1.0)
    if alpha == 0.0:
        return values
    voxels = original_voxels(scene).astype(np.float64)
    match step.midpoint:
        case WholeImage():
            middle = float(np.median(voxels))
        case Foreground():
            above = voxels[voxels > otsu_threshold(voxels)]
            middle = float(np.median(above if above.size else voxels))
        case level:
            middle = level
    least, most = _extent(scene)
    start = least if step.low is None else step.low
    end = most if step.high is None else step.high
    return start + (end - start) / (1.0 + exp(-(values - middle) / alpha))
