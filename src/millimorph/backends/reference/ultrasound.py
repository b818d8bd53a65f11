"""The definition of the steps on B-mode ultrasound, in float64."""

from typing import assert_never

import numpy as np
from scipy import fft, special

from millimorph.backends.reference.noise import normal_numbers
from millimorph.backends.reference.originals import original_voxels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.program.ultrasound import (
    Beams,
    DepthGain,
    Echoes,
    ShadowSector,
    UltrasoundField,
    UltrasoundPass,
)


def apply(step: UltrasoundField, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    z, y, x = np.indices(values.shape)
    places: Floats = np.stack([x, y, z], axis=-1) * np.array(step.beams.spacing_mm)
    match step:
        case DepthGain():
            decibels = _depth_gain(step, places)
        case ShadowSector():
            decibels = _shadow(step, places)
        case _:
            assert_never(step)
    return _amplified(values, decibels, step.echoes, where.scene)


def _amplified(values: Floats, decibels: Floats, echoes: Echoes, scene: Scene) -> Floats:
    voxels = original_voxels(scene)
    low, high = float(voxels.min()), float(voxels.max())
    if echoes.dynamic_range_db is None:
        changed = values * 10.0 ** (decibels / 20.0)
    else:
        changed = np.maximum(values + decibels * (high - low) / echoes.dynamic_range_db, low)
    return np.where(values > low, changed, values)


def _depth_gain(step: DepthGain, places: Floats) -> Floats:
    depth = _depth(step.beams, places)
    sliders = np.linspace(0.0, max(step.deepest_mm, 1e-3), len(step.sliders_db))
    held = np.clip(depth, 0.0, sliders[-1])
    return step.slope_db_per_mm * held + np.interp(held, sliders, step.sliders_db)


def _depth(beams: Beams, places: Floats) -> Floats:
    if beams.apex_mm is None:
        return places[..., 1]
    distance: Floats = np.linalg.norm(places - np.array(beams.apex_mm), axis=-1)
    return distance - beams.face_mm


def _shadow(step: ShadowSector, places: Floats) -> Floats:
    surface, apex = step.surface, step.beams.apex_mm
    if apex is None:
        arm = places - surface.centre_mm
        aside, behind = np.hypot(arm[..., 0], arm[..., 2]), arm[..., 1]
    else:
        middle = np.subtract(surface.centre_mm, apex)
        reach = np.linalg.norm(middle)
        arm = places - apex
        along = arm @ (middle / reach)
        distance = np.linalg.norm(arm, axis=-1)
        off = np.sqrt(np.maximum(distance**2 - along**2, 0.0))
        ahead = along > 0.0
        aside = np.where(ahead, off * reach / np.where(ahead, along, 1.0), np.inf)
        behind = distance - reach
    edge, half = max(surface.edge_mm, 1e-3), surface.half_width_mm
    behind = behind - 0.5 * np.where(np.isfinite(aside), aside, 0.0) ** 2 / half
    within = _smooth((half - aside) / edge + 0.5)
    cap = np.maximum(1.0 - (behind / 1.5) ** 2, 0.0)
    return within * (step.echo_db * cap - step.shadow_db * _smooth(behind / 2.0))


def _smooth(t: Floats) -> Floats:
    held = np.clip(t, 0.0, 1.0)
    return held**2 * (3.0 - 2.0 * held)


def run(step: UltrasoundPass, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    channels = []
    for number, channel in enumerate(volume):
        intensity = np.mean(
            [_look(step, number * step.looks + k) for k in range(step.looks)], axis=0
        )
        z, y, x = channel.shape
        intensity = intensity[:z, :y, :x]
        mean = special.digamma(step.looks) - np.log(step.looks)
        nepers = 0.5 * (np.log(np.maximum(intensity, 1e-12)) - mean)
        decibels = step.strength * 20.0 / np.log(10.0) * nepers
        channels.append(_amplified(channel, decibels, step.echoes, scene))
    return np.stack(channels)


def _look(step: UltrasoundPass, number: int) -> Floats:
    """One picture's speckle intensity, of mean 1."""
    shape = step.field[::-1]
    size = int(np.prod(shape))
    pairs = normal_numbers(step.stream, 2 * size * number, 2 * size).reshape(*shape, 2)
    transfer = np.ones(shape)
    for axis, sd in enumerate(reversed(step.sd_voxels)):
        frequency = fft.fftfreq(shape[axis])
        factor = np.exp(-2.0 * (np.pi * sd * frequency) ** 2)
        factor /= np.sqrt(np.mean(factor**2))
        transfer *= factor.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    field = fft.ifftn(fft.fftn(pairs[..., 0] + 1j * pairs[..., 1]) * transfer)
    intensity: Floats = 0.5 * np.abs(field) ** 2
    return intensity
