"""Steps on computed tomograms, compiled."""

import math
from functools import lru_cache
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import rays, streaks
from millimorph.backends.cpu.pieces import Write
from millimorph.backends.cpu.planes import as_planes, write_planes
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.elementary import exp, log
from millimorph.kernels.philox import uniforms
from millimorph.program.ct import (
    LEAST_HU,
    CtField,
    CtPass,
    HardeningCup,
    KernelRatio,
    PinStreaks,
    Planes,
    QuantumNoise,
    RingPattern,
)

Float32 = npt.NDArray[np.float32]

FIELD_BLOCK_MM = 5.0
NOISE_DIRECTIONS = 32
CUP_DIRECTIONS = 48
REFERENCE_PATH = rays.WATER_PER_MM * 300.0
LONGEST_PATH = rays.WATER_PER_MM * 520.0
BODY_DENSITY = 0.5
AIR_HU = -1024.0
MOST_GAIN_SQUARED = 9.0
BUMP_PER_SD = 1.1 * 2.3548200450309493
STEPS_PER_SD = 3.0
SAMPLES = 128


def apply(step: CtField, values: Float32, where: Where) -> None:
    """Change a run of voxels in place."""
    from millimorph.kernels import ct

    size = (1, *where.scene.grid.shape)[-3:][::-1]
    table, per_mm = ring_table(step, size)
    frame = np.array(
        [
            [centre, 0.0 if axis == step.planes.axis else spacing * per_mm]
            for axis, (centre, spacing) in enumerate(
                zip(step.centre, step.planes.spacing_mm, strict=True)
            )
        ],
        np.float32,
    )
    ct.rings(values, where.first, size[:2], frame, table, np.float32(LEAST_HU))


@lru_cache(maxsize=4)
def ring_table(step: RingPattern, size: tuple[int, int, int]) -> tuple[Float32, float]:
    """Heights by plane and radius in HU, and how many radii there are to a mm."""
    per_mm = STEPS_PER_SD / step.sd_mm
    reach = 0.0
    for axis in step.planes.axes:
        farthest = max(abs(step.centre[axis]), abs(size[axis] - 1 - step.centre[axis]))
        length = farthest * step.planes.spacing_mm[axis]
        reach += length * length
    count = math.ceil(math.sqrt(reach) * per_mm) + 2
    planes = size[step.planes.axis]
    draws = uniforms(step.stream, planes * len(step.radii_mm)).reshape(planes, -1)
    table = np.zeros((planes, count))
    for ring, radius in enumerate(step.radii_mm):
        profile = ring_profile(radius, BUMP_PER_SD * step.sd_mm, 1.0 / per_mm, count)
        heights = step.amplitude_hu * (2.0 * draws[:, ring] - 1.0)
        table += heights[:, None] * profile[None, :]
    table[:, -1] = 0.0
    return table.astype(np.float32), per_mm


def ring_profile(
    radius_mm: float, half_mm: float, step_mm: float, count: int
) -> npt.NDArray[np.float64]:
    """A ring's height at radii 0, step_mm, …, relative to its greatest.

    The inverse Abel transform of the bump (1 - x^2)^3, x = (u - radius) / half and its mirror
    image: -1 / pi times the integral of p'(w) / w over t, w = sqrt(rho^2 + t^2), by trapezoids.
    """
    rho = step_mm * np.arange(count)[:, None]
    outer, inner = radius_mm + half_mm, max(radius_mm - half_mm, 0.0)
    upper = np.sqrt(np.maximum(outer * outer - rho * rho, 0.0))
    lower = np.sqrt(np.maximum(inner * inner - rho * rho, 0.0))
    shares = np.arange(SAMPLES + 1)[None, :] / SAMPLES
    t = lower + (upper - lower) * shares
    w = np.maximum(np.sqrt(rho * rho + t * t), 1e-9)
    slope = _bump_slope((w - radius_mm) / half_mm) + _bump_slope((w + radius_mm) / half_mm)
    parts = slope / w
    parts[:, 0] *= 0.5
    parts[:, -1] *= 0.5
    total = np.cumsum(parts, axis=1)[:, -1]
    profile: npt.NDArray[np.float64] = -total * (upper - lower)[:, 0]
    highest = float(np.max(profile))
    return profile / highest if highest > 0.0 else profile


def _bump_slope(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rest = np.maximum(1.0 - x * x, 0.0)
    return -x * rest * rest


def run(step: CtPass, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels; `volume` (c, z, y, x) is left as it is."""
    for number, channel in enumerate(volume):
        planes = as_planes(channel, step.planes.axis)
        match step:
            case QuantumNoise():
                _add_noise(step, planes, number, scene, write)
            case HardeningCup():
                _subtract_cup(step, planes, number, scene, write)
            case KernelRatio():
                _change_kernel(step, planes, number, scene, write)
            case PinStreaks():
                streaks.add(step, planes, number, scene, write)
            case _:
                assert_never(step)


def _add_noise(
    step: QuantumNoise, planes: Float32, number: int, scene: Scene, write: Write
) -> None:
    from scipy import fft

    block = rays.block_size(step.planes, FIELD_BLOCK_MM)
    found = rays.lattice(planes, step.planes, block, NOISE_DIRECTIONS)
    deviations = rays.field(
        found, lambda plane: relative_deviation(plane, found.fan), scene.threads
    )
    spectrum = noise_spectrum(step.peak_per_mm, step.field, step.planes)
    area = step.field[0] * step.field[1]
    key, high = np.array(step.stream, np.uint32)

    def work(plane: int, values: Float32) -> Float32:
        from millimorph.kernels import ct, pointwise

        noise = np.zeros(area, np.float32)
        first = (number * len(planes) + plane) * area
        pointwise.gaussian_noise(noise, np.uint64(first), np.float32(step.deviation_hu), key, high)
        coloured = fft.irfft2(fft.rfft2(noise.reshape(step.field)) * spectrum, s=step.field)
        own = coloured[: values.shape[0], : values.shape[1]]
        local = np.empty_like(values)
        ct.spread(deviations, plane, block, local)
        return np.where(values >= LEAST_HU, values + local * own, values)

    write_planes(number, planes, step.planes.axis, work, scene.threads, write)


def relative_deviation(plane: Float32, fan: rays.Fan) -> Float32:
    """SD of the noise relative to that behind the reference path, on a lattice's plane."""
    from millimorph.kernels import ct

    lines = rays.paths(plane, fan)
    ct.exposure(lines, np.float32(1.0), np.float32(LONGEST_PATH))
    mean = rays.smeared_back(lines, fan)
    scale = exp(-REFERENCE_PATH) / fan.directions
    relative: Float32 = np.sqrt(mean * np.float32(scale))
    return relative


@lru_cache(maxsize=8)
def noise_spectrum(peak_per_mm: float, shape: tuple[int, int], planes: Planes) -> Float32:
    """Amplitudes (rows, columns / 2 + 1) that colour white noise and keep its variance.

    The root of f exp(-f^2 / (2 peak^2)); where that is 0 throughout, noise stays white.
    """
    column_mm, row_mm = planes.in_plane_mm
    rows, columns = shape
    down = np.minimum(np.arange(rows), rows - np.arange(rows)) / (rows * row_mm)
    across = np.arange(columns // 2 + 1) / (columns * column_mm)
    square = down[:, None] * down[:, None] + across[None, :] * across[None, :]
    power = np.sqrt(square) * exp(-0.5 * square / (peak_per_mm * peak_per_mm))
    twice = np.where((np.arange(len(across)) == 0) | (2 * np.arange(len(across)) == columns), 1, 2)
    total = float(np.cumsum((power * twice).reshape(-1))[-1]) / (rows * columns)
    if total == 0.0:
        return np.ones_like(power, np.float32)
    return np.sqrt(power / total).astype(np.float32)


def _subtract_cup(
    step: HardeningCup, planes: Float32, number: int, scene: Scene, write: Write
) -> None:
    block = rays.block_size(step.planes, FIELD_BLOCK_MM)
    found = rays.lattice(planes, step.planes, block, CUP_DIRECTIONS)

    def hardening(plane: Float32) -> Float32:
        lines = rays.paths(plane, found.fan)
        return rays.smeared_back(rays.ramp_filtered(lines * lines), found.fan)

    depths = rays.field(found, hardening, scene.threads)
    body = found.values > BODY_DENSITY
    deepest = float(np.max(depths[body])) if body.any() else 0.0
    scale = np.float32(step.depth_hu / deepest if deepest > 0.0 else 0.0)

    def work(plane: int, values: Float32) -> Float32:
        from millimorph.kernels import ct

        local = np.empty_like(values)
        ct.spread(depths, plane, block, local)
        return np.where(values >= LEAST_HU, values - scale * local, values)

    write_planes(number, planes, step.planes.axis, work, scene.threads, write)


def _change_kernel(
    step: KernelRatio, planes: Float32, number: int, scene: Scene, write: Write
) -> None:
    from scipy import fft

    gains = kernel_gains(step)
    rows, columns = planes.shape[1:]
    beyond = ((0, step.field[0] - rows), (0, step.field[1] - columns))

    def work(plane: int, values: Float32) -> Float32:  # noqa: ARG001 - all planes alike
        held = np.pad(np.maximum(values, np.float32(AIR_HU)), beyond, mode="edge")
        changed = fft.idctn(fft.dctn(held, norm="ortho") * gains, norm="ortho")
        return np.where(values >= LEAST_HU, changed[:rows, :columns], values)

    write_planes(number, planes, step.planes.axis, work, scene.threads, write)


@lru_cache(maxsize=8)
def kernel_gains(step: KernelRatio) -> Float32:
    """What each cosine of a plane (rows, columns) is multiplied by."""
    column_mm, row_mm = step.planes.in_plane_mm
    rows, columns = step.field
    down = np.arange(rows) / (2.0 * rows * row_mm)
    across = np.arange(columns) / (2.0 * columns * column_mm)
    square = down[:, None] * down[:, None] + across[None, :] * across[None, :]
    square /= step.mtf50_per_mm * step.mtf50_per_mm
    bend = log(2.0) * (1.0 / (step.sharpness * step.sharpness) - 1.0)
    if bend >= 0.0:
        return exp(-bend * square).astype(np.float32)
    # 1 / sqrt(9 / g^2 + 1) is g / sqrt(9 + g^2) for a gain g that may be beyond any number.
    inverse = exp(2.0 * bend * square)
    limited = np.sqrt((MOST_GAIN_SQUARED + 1.0) / (MOST_GAIN_SQUARED * inverse + 1.0))
    return limited.astype(np.float32)
