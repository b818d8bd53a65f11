"""Steps on B-mode ultrasound, compiled."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.cpu.sources import value_range
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.elementary import exp, log
from millimorph.program.ultrasound import (
    Beams,
    DepthGain,
    Echoes,
    SpeckleField,
    UltrasoundField,
    UltrasoundPass,
)

Float32 = npt.NDArray[np.float32]

TABLE_STEPS = 2100  # a multiple of 7, so that each of 8 sliders is an entry
PI_SQUARED = 9.869604401089358
EULER = 0.5772156649015329


def apply(step: UltrasoundField, values: Float32, where: Where) -> None:
    """Change a run of voxels in place."""
    from millimorph.kernels import ultrasound

    size = where.scene.grid.size[:2]
    spacing = tuple(np.float32(s) for s in step.beams.spacing_mm)
    floor, unit = _scale(step.echoes, where.scene)
    apex = _apex(step.beams)
    if isinstance(step, DepthGain):
        table, per_mm = gain_table(step)
        ultrasound.depth_gain(
            values, where.first, size, spacing, apex, table, np.float32(per_mm), floor, unit
        )
    else:
        surface = step.surface
        numbers = (*surface.centre_mm, surface.half_width_mm, surface.edge_mm)
        decibels = np.float32(step.shadow_db), np.float32(step.echo_db)
        ultrasound.shadow(
            values,
            where.first,
            size,
            spacing,
            apex,
            np.array(numbers, np.float32),
            decibels,
            floor,
            unit,
        )


def _scale(echoes: Echoes, scene: Scene) -> tuple[np.float32, np.float32]:
    """Black, and grey levels to a decibel, 0 where grey levels are amplitudes."""
    low, high = value_range(scene.original, scene)
    if echoes.dynamic_range_db is None:
        return np.float32(low), np.float32(0.0)
    return np.float32(low), np.float32((high - low) / echoes.dynamic_range_db)


def _apex(beams: Beams) -> Float32:
    if beams.apex_mm is None:
        return np.empty(0, np.float32)
    return np.array((*beams.apex_mm, beams.face_mm), np.float32)


@lru_cache(maxsize=8)
def gain_table(step: DepthGain) -> tuple[Float32, float]:
    """Decibels at even depths down to the deepest, and how many there are to a mm."""
    last = len(step.sliders_db) - 1
    deepest = max(step.deepest_mm, 1e-3)
    table = []
    for k in range(TABLE_STEPS + 1):
        place = last * k / TABLE_STEPS
        slider = min(int(place), last - 1)
        share = place - slider
        own = step.sliders_db[slider] + share * (
            step.sliders_db[slider + 1] - step.sliders_db[slider]
        )
        table.append(step.slope_db_per_mm * deepest * k / TABLE_STEPS + own)
    return np.array(table, np.float32), TABLE_STEPS / deepest


def run(step: UltrasoundPass, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels; `volume` (c, z, y, x) is left as it is."""
    for number, channel in enumerate(volume):
        _speckle(step, channel, number, scene, write)


def _speckle(step: SpeckleField, channel: Float32, number: int, scene: Scene, write: Write) -> None:
    from millimorph.kernels import ultrasound

    scale = _scale(step.echoes, scene)
    flat = np.ascontiguousarray(channel).reshape(-1)
    intensity = summed_intensity(step, channel.shape, number, scene.threads)
    law = tuple(np.float32(x) for x in (0.5 / step.looks, mean_nepers(step.looks), step.strength))

    def work(first: int) -> None:
        part = slice(first, first + PIECE_VOXELS)
        out = np.empty_like(flat[part])
        ultrasound.speckle(flat[part], intensity[part], *law, *scale, out)
        write(number, first, out)

    in_threads(scene.threads, range(0, flat.size, PIECE_VOXELS), work)


def mean_nepers(looks: int) -> float:
    """The mean logarithm of the amplitude of unit mean intensity: (psi(m) - ln m) / 2."""
    digamma = -EULER
    for k in range(1, looks):
        digamma += 1.0 / k
    return 0.5 * (digamma - log(float(looks)))


def summed_intensity(
    step: SpeckleField, shape: tuple[int, ...], number: int, threads: int
) -> Float32:
    """The intensities of all looks, each of mean 2, added up; by voxel."""
    from scipy import fft

    from millimorph.kernels import pointwise, ultrasound

    whole = step.field[::-1]
    voxels = math.prod(whole)
    key, high = np.array(step.stream, np.uint32)
    transfer = cell_transfer(step.sd_voxels, whole)
    total = np.zeros(voxels, np.float32)
    for look in range(step.looks):
        pairs = np.zeros(2 * voxels, np.float32)
        first = np.uint64(2 * voxels * (number * step.looks + look))
        pointwise.gaussian_noise(pairs, first, np.float32(1.0), key, high)
        field = fft.fftn(pairs.view(np.complex64).reshape(whole), workers=threads)
        field *= transfer
        field = fft.ifftn(field, workers=threads, overwrite_x=True)
        ultrasound.add_intensity(field.reshape(-1).view(np.float32).reshape(-1, 2), total)
    z, y, x = shape
    return np.ascontiguousarray(total.reshape(whole)[:z, :y, :x]).reshape(-1)


@lru_cache(maxsize=4)
def cell_transfer(sd_voxels: tuple[float, float, float], shape: tuple[int, ...]) -> Float32:
    """The Gaussian by which a periodic field (z, y, x) is filtered, keeping its variance."""
    factors = []
    for sd, count in zip(reversed(sd_voxels), shape, strict=True):
        wave = np.minimum(np.arange(count), count - np.arange(count)) / count
        factor = exp(-2.0 * PI_SQUARED * sd * sd * wave * wave)
        power = float(np.cumsum(factor * factor)[-1]) / count
        factors.append(factor / math.sqrt(power))
    z, y, x = factors
    return (z[:, None, None] * y[None, :, None] * x[None, None, :]).astype(np.float32)
