"""The definition of the steps on computed tomograms, in float64."""

import math
from typing import assert_never

import numpy as np
from scipy import fft, integrate

from millimorph.backends.reference import rays
from millimorph.backends.reference.noise import normal_numbers
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.philox import uniforms
from millimorph.program.ct import (
    LEAST_HU,
    CtField,
    CtPass,
    HardeningCup,
    KernelRatio,
    PinStreaks,
    QuantumNoise,
)

REFERENCE_PATH = rays.WATER_PER_MM * 300.0
LONGEST_PATH = rays.WATER_PER_MM * 520.0
# A Gaussian's full width at half maximum, and 1.1 of it: half the width of the bump of a ring.
BUMP_PER_SD = 1.1 * 2.3548200450309493
RADII_PER_SD = 3.0


def apply(step: CtField, values: Floats, where: Where) -> Floats:  # noqa: ARG001
    """One step on one whole channel (z, y, x)."""
    places = np.indices(values.shape, dtype=np.float64)[::-1]
    square = np.zeros(values.shape)
    for axis in step.planes.axes:
        square += ((places[axis] - step.centre[axis]) * step.planes.spacing_mm[axis]) ** 2
    radii = np.sqrt(square)
    planes = values.shape[2 - step.planes.axis]
    draws = uniforms(step.stream, planes * len(step.radii_mm)).reshape(planes, -1)
    heights = step.amplitude_hu * (2.0 * draws - 1.0)
    spaced = step.sd_mm / RADII_PER_SD * np.arange(math.ceil(radii.max() / step.sd_mm * 3.0) + 2)
    added = np.zeros(values.shape)
    along = places[step.planes.axis].astype(int)
    for ring, radius in enumerate(step.radii_mm):
        profile = np.array([_ring(rho, radius, BUMP_PER_SD * step.sd_mm) for rho in spaced])
        shape = np.interp(radii, spaced, profile / profile.max())
        added += heights[along, ring] * shape
    return np.where(values >= LEAST_HU, values + added, values)


def _ring(rho: float, radius: float, half: float) -> float:
    """The inverse Abel transform of the bump (1 - x^2)^3 and its mirror image, up to a factor."""
    if rho >= radius + half:
        return 0.0

    def integrand(t: float) -> float:
        w = math.hypot(rho, t)
        near, mirrored = (w - radius) / half, (w + radius) / half
        slope = near * max(0.0, 1.0 - near**2) ** 2 + mirrored * max(0.0, 1.0 - mirrored**2) ** 2
        return slope / max(w, 1e-9)

    start = math.sqrt(max(0.0, max(radius - half, 0.0) ** 2 - rho**2))
    end = math.sqrt((radius + half) ** 2 - rho**2)
    return float(integrate.quad(integrand, start, end, limit=200)[0])


def run(step: CtPass, volume: Floats, scene: Scene) -> Floats:  # noqa: ARG001
    """One step on a whole image (c, z, y, x)."""
    channels = []
    for number, channel in enumerate(volume):
        planes = np.moveaxis(channel, 2 - step.planes.axis, 0)
        changed = np.where(planes >= LEAST_HU, _changed(step, planes, number), planes)
        channels.append(np.moveaxis(changed, 0, 2 - step.planes.axis))
    return np.stack(channels)


def _changed(step: CtPass, planes: Floats, number: int) -> Floats:
    match step:
        case QuantumNoise():
            return planes + _noise(step, planes, number)
        case HardeningCup():
            return planes - _cup(step, planes)
        case KernelRatio():
            return _kernel(step, planes)
        case PinStreaks():
            from millimorph.backends.reference import streaks

            return streaks.added(step, planes, number)
        case _:
            assert_never(step)


def _noise(step: QuantumNoise, planes: Floats, number: int) -> Floats:
    view = rays.view_of(planes.shape, step.planes, 5.0, 32)
    deviations = []
    for plane in rays.water(planes, view):
        lines = np.exp(np.minimum(rays.paths(plane, view), LONGEST_PATH))
        mean = rays.smeared_back(lines, view) / view.directions
        deviations.append(np.sqrt(mean / math.exp(REFERENCE_PATH)))
    local = rays.spread(np.stack(deviations), view, planes.shape)
    count = len(planes) * step.field[0] * step.field[1]
    white = normal_numbers(step.stream, number * count, count).reshape(-1, *step.field)
    column_mm, row_mm = step.planes.in_plane_mm
    down = fft.fftfreq(step.field[0], row_mm)[:, None]
    across = fft.fftfreq(step.field[1], column_mm)[None, :]
    frequency = np.hypot(down, across)
    power = frequency * np.exp(-0.5 * (frequency / step.peak_per_mm) ** 2)
    power = power / power.mean() if power.any() else np.ones_like(power)
    coloured: Floats = fft.ifft2(fft.fft2(white) * np.sqrt(power)).real
    return step.deviation_hu * local * coloured[:, : planes.shape[1], : planes.shape[2]]


def _cup(step: HardeningCup, planes: Floats) -> Floats:
    view = rays.view_of(planes.shape, step.planes, 5.0, 48)
    lattice = rays.water(planes, view)
    squares = [rays.paths(plane, view) ** 2 for plane in lattice]
    depths = np.stack([rays.smeared_back(rays.ramp_filtered(s), view) for s in squares])
    body = lattice > 0.5
    deepest = np.max(depths[body]) if body.any() else 0.0
    if deepest <= 0.0:
        return np.zeros(planes.shape)
    return step.depth_hu / deepest * rays.spread(depths, view, planes.shape)


def _kernel(step: KernelRatio, planes: Floats) -> Floats:
    column_mm, row_mm = step.planes.in_plane_mm
    rows, columns = step.field
    down = np.arange(rows)[:, None] / (2.0 * rows * row_mm)
    across = np.arange(columns)[None, :] / (2.0 * columns * column_mm)
    relative = np.hypot(down, across) / step.mtf50_per_mm
    power = math.log(2.0) * (1.0 - 1.0 / step.sharpness**2) * relative**2
    gain = np.exp(np.minimum(power, 300.0))
    limited = gain * np.sqrt(10.0 / (9.0 + gain**2))
    _, height, width = planes.shape
    beyond = ((0, 0), (0, rows - height), (0, columns - width))
    held = np.pad(np.maximum(planes, -1024.0), beyond, mode="edge")
    axes = (1, 2)
    gains = gain if step.sharpness < 1.0 else limited
    changed: Floats = fft.idctn(fft.dctn(held, axes=axes) * gains, axes=axes)
    return changed[:, :height, :width]
