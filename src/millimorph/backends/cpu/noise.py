"""Steps that add noise, compiled."""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.sources import grey_levels, value_range
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.philox import StreamKey
from millimorph.program.noise import (
    GammaNoise,
    ImpulseNoise,
    MagnitudeNoise,
    NoiseStep,
    NormalNoise,
    PoissonNoise,
)

Words = npt.NDArray[np.uint32]

LARGEST_SCALE = 1e30


def apply(step: NoiseStep, values: npt.NDArray[np.float32], where: Where) -> None:
    """Change runs of voxels in place."""
    from millimorph.kernels import pointwise

    if isinstance(step, NormalNoise):
        pointwise.gaussian_noise_in_runs(values, where.runs_of_all, *_normal(step, where))
        return
    for run, place in where.split(values):
        _change_run(step, run, place)


def add_and_write(
    step: NormalNoise,
    values: npt.NDArray[np.float32],
    where: Where,
    goal: tuple[npt.NDArray[np.float32], npt.NDArray[np.generic]],
) -> None:
    """Add noise to runs and store each at once, so that one goes to memory while the next is made.

    `goal` = (limits, out) as `traverse.write_runs` takes them.
    """
    from millimorph.kernels import traverse

    noise = (where.first_of_all - where.first, *_normal(step, where))
    traverse.write_noisy_runs(values, where.runs, noise, *goal)


def _normal(step: NormalNoise, where: Where) -> tuple[np.float32, Words, Words]:
    """Standard deviation, key and high words of the counters."""
    scene = where.scene
    deviation = np.float32(grey_levels(step.deviation, scene.original, scene))
    return (deviation, *_words(step.stream))


def _change_run(
    step: MagnitudeNoise | ImpulseNoise | PoissonNoise | GammaNoise,
    values: npt.NDArray[np.float32],
    where: Where,
) -> None:
    from millimorph.kernels import noise

    scene = where.scene
    first = np.uint64(where.first_of_all)
    key, high = _words(step.stream)
    match step:
        case MagnitudeNoise():
            deviation = np.float32(grey_levels(step.deviation, scene.original, scene))
            if deviation > 0.0:
                baseline = _baseline(step.baseline, scene)
                noise.rician_noise(values, first, deviation, baseline, key, high)
        case ImpulseNoise():
            pepper, salt = _ends(step, scene)
            share = np.uint64(round(step.density * 2.0**31))
            noise.salt_and_pepper(values, first, share, pepper, salt, key, high)
        case PoissonNoise():
            level = grey_levels(step.level, scene.original, scene)
            if level > 0.0:
                rate = min(max(step.counts / level, 1.0 / LARGEST_SCALE), LARGEST_SCALE)
                baseline = _baseline(step.baseline, scene)
                noise.shot_noise(values, first, np.float32(rate), baseline, key, high)
        case GammaNoise():
            shape = np.float32(1.0 / (step.relative_deviation * step.relative_deviation))
            noise.speckle(values, first, shape, _baseline(step.baseline, scene), key, high)
        case _:
            assert_never(step)


def _words(stream: StreamKey) -> tuple[Words, Words]:
    """Philox's key and the high words of its counters."""
    return np.array(stream.key, np.uint32), np.array(stream.counter_high, np.uint32)


def _baseline(given: float | None, scene: Scene) -> np.float32:
    """The grey level of no signal."""
    if given is not None:
        return np.float32(given)
    return np.float32(min(value_range(scene.original, scene)[0], 0.0))


def _ends(step: ImpulseNoise, scene: Scene) -> tuple[np.float32, np.float32]:
    """The levels of pepper and salt."""
    pepper, salt = step.pepper, step.salt
    if pepper is None or salt is None:
        low, high = value_range(scene.original, scene)
        pepper = low if pepper is None else pepper
        salt = high if salt is None else salt
    return np.float32(pepper), np.float32(salt)
