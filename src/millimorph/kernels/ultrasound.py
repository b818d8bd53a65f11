"""Kernels on B-mode pictures: gains along beams, shadows, speckle.

Pointwise ones change a run of voxels in place; `first` is its first voxel's linear index, `size`
(x, y) the picture's, places are mm along x, y, z from the first voxel's centre. `floor` is black:
voxels at or below it stay. `unit` is grey levels per decibel; 0: grey levels are amplitudes.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.pointwise import exp32, log32

ONE = np.float32(1.0)
ZERO = np.float32(0.0)
NEPER = np.float32(0.11512925464970229)  # ln(10) / 20
DECIBEL = np.float32(8.685889638065037)  # 20 / ln(10)
ONSET_MM = np.float32(2.0)
CAP_MM = np.float32(1.5)


@kernel
def amplified(value, decibels, floor, unit):
    """A grey level after a gain."""
    if value <= floor:
        return value
    if unit > ZERO:
        return max(value + decibels * unit, floor)
    return value * exp32(decibels * NEPER)


@kernel
def depth_gain(values, first, size, spacing, apex, table, per_mm, floor, unit):
    """Apply a table of decibels by depth, `per_mm` entries a mm.

    `apex`: x, y, z and the distance at which depth starts, or empty where beams run along y.
    """
    last = np.uint32(len(table) - 1)
    far = np.float32(len(table) - 1)
    nx, ny = size[0], size[1]
    diverging = len(apex) > 0
    n = 0
    while n < len(values):
        at = first + n
        x0, row = at % nx, at // nx
        count = min(nx - x0, len(values) - n)
        depth = np.float32(row % ny) * spacing[1]
        rest = ZERO
        if diverging:
            y, z = depth - apex[1], np.float32(row // ny) * spacing[2] - apex[2]
            rest = y * y + z * z
        run = values[n : n + count]
        for i in range(count):
            if diverging:
                x = np.float32(x0 + i) * spacing[0] - apex[0]
                depth = np.sqrt(x * x + rest) - apex[3]
            place = min(max(depth * per_mm, ZERO), far)
            base = np.uint32(place)
            low = table[base]
            high = table[min(base + np.uint32(1), last)]
            decibels = low + (place - np.float32(base)) * (high - low)
            run[i] = amplified(run[i], decibels, floor, unit)
        n += count


@kernel
def smooth_step(t):
    """0 below 0, 1 above 1, a cubic between."""
    held = min(max(t, ZERO), ONE)
    return held * held * (np.float32(3.0) - np.float32(2.0) * held)


@kernel
def shadow(values, first, size, spacing, apex, surface, decibels, floor, unit):
    """Darken what lies behind a surface, and brighten the surface.

    `surface`: centre x, y, z, half width, width of the soft edge; `decibels`: of the shadow and of
    the echo; `apex` as in depth_gain.
    """
    nx, ny = size[0], size[1]
    diverging = len(apex) > 0
    half, edge = surface[3], max(surface[4], np.float32(1e-3))
    ax, ay, az = ZERO, ONE, ZERO
    reach = ZERO
    if diverging:
        ax, ay, az = surface[0] - apex[0], surface[1] - apex[1], surface[2] - apex[2]
        reach = np.sqrt(ax * ax + ay * ay + az * az)
        ax, ay, az = ax / reach, ay / reach, az / reach
    n = 0
    while n < len(values):
        at = first + n
        x0, row = at % nx, at // nx
        count = min(nx - x0, len(values) - n)
        y0, z0 = np.float32(row % ny) * spacing[1], np.float32(row // ny) * spacing[2]
        run = values[n : n + count]
        for i in range(count):
            x0_mm = np.float32(x0 + i) * spacing[0]
            if diverging:
                x, y, z = x0_mm - apex[0], y0 - apex[1], z0 - apex[2]
                along = x * ax + y * ay + z * az
                px, py, pz = x - along * ax, y - along * ay, z - along * az
                off = np.sqrt(px * px + py * py + pz * pz)
                aside = off * reach / along if along > ZERO else np.float32(1e30)
                behind = np.sqrt(x * x + y * y + z * z) - reach
            else:
                x, z = x0_mm - surface[0], z0 - surface[2]
                aside = np.sqrt(x * x + z * z)
                behind = y0 - surface[1]
            within = smooth_step((half - aside) / edge + np.float32(0.5))
            if within > ZERO:
                behind -= np.float32(0.5) * aside * aside / half
                cap = max(ONE - (behind / CAP_MM) * (behind / CAP_MM), ZERO)
                gain = decibels[1] * cap - decibels[0] * smooth_step(behind / ONSET_MM)
                run[i] = amplified(run[i], within * gain, floor, unit)
        n += count


@kernel
def add_intensity(field, total):
    """Add squared magnitudes of a complex field (n, 2) to `total`."""
    for i in range(len(total)):
        total[i] += field[i, 0] * field[i, 0] + field[i, 1] * field[i, 1]


@kernel
def speckle(values, intensity, scale, shift, strength, floor, unit, out):
    """Multiply echoes by an amplitude to the power `strength`.

    The amplitude is the root of scale * intensity, less `shift` nepers.
    """
    tiny = np.float32(1e-12)
    for i in range(len(values)):
        nepers = np.float32(0.5) * log32(max(scale * intensity[i], tiny)) - shift
        out[i] = amplified(values[i], strength * nepers * DECIBEL, floor, unit)
