"""Metal pins in a CT and the streaks that they throw, compiled."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import rays
from millimorph.backends.cpu.pieces import Write, in_threads
from millimorph.backends.cpu.planes import write_planes
from millimorph.backends.scene import Scene
from millimorph.kernels.philox import StreamKey, uniforms
from millimorph.program.ct import LEAST_HU, PinStreaks

Float32 = npt.NDArray[np.float32]

STREAK_BLOCK_MM = 1.2
DIRECTIONS = 240
METAL_PER_MM = 0.4
HARDENING = 0.015
PHOTONS_PER_MM = 4e6
LONGEST_PATH = rays.WATER_PER_MM * 520.0
NEAR_MM = 50.0
OUTSIDE_RADII = 1.5
CANDIDATES = 64
INNER_SHARE = 0.8
AIR_HU = -1024.0


@dataclass(frozen=True)
class Pin:
    """A pin's middle as (plane, row, column)."""

    plane: float
    row: float
    column: float


def add(step: PinStreaks, planes: Float32, number: int, scene: Scene, write: Write) -> None:
    """Hand over a channel with pins and streaks."""
    pins = _pins(step, planes)
    crossed = {
        plane: [pin for pin in pins if _crosses(pin, plane, step)] for plane in range(len(planes))
    }
    with_metal = [plane for plane, found in crossed.items() if found]
    _, block_rows, block_columns = rays.block_size(step.planes, STREAK_BLOCK_MM)
    block = (1, block_rows, block_columns)
    made: dict[int, Float32] = {}

    def make(plane: int) -> None:
        found = rays.lattice(planes[plane : plane + 1], step.planes, block, DIRECTIONS)
        first = number * len(planes) + plane
        made[plane] = _streaks(found, crossed[plane], step, planes.shape[1:], first)

    in_threads(scene.threads, with_metal, make)
    scale = _scale(step, made, crossed, planes.shape[1:], block)

    def work(plane: int, values: Float32) -> Float32:
        if plane not in made:
            return values.copy()
        return _with_metal(values, scale * made[plane], crossed[plane], step, block)

    write_planes(number, planes, step.planes.axis, work, scene.threads, write)


def _pins(step: PinStreaks, planes: Float32) -> list[Pin]:
    if step.places is not None:
        column, row = step.planes.axes
        return [Pin(place[step.planes.axis], place[row], place[column]) for place in step.places]
    return [_drawn_pin(step.draws, pin, planes) for pin in range(step.count)]


def _drawn_pin(draws: StreamKey, pin: int, planes: Float32) -> Pin:
    """The densest of some places, all away from the planes' edges."""
    shares = uniforms(draws, 3 * CANDIDATES, 3 * CANDIDATES * pin).reshape(-1, 3)
    shares[:, 1:] = 0.5 + INNER_SHARE * (shares[:, 1:] - 0.5)
    places = np.floor(shares * np.array(planes.shape)).astype(np.intp)
    densest = int(np.argmax(planes[places[:, 0], places[:, 1], places[:, 2]]))
    plane, row, column = places[densest].tolist()
    return Pin(float(plane), float(row), float(column))


def _crosses(pin: Pin, plane: int, step: PinStreaks) -> bool:
    """Whether a pin reaches a plane; even the shortest reaches the nearest."""
    spacing = step.planes.spacing_mm[step.planes.axis]
    return abs(plane - pin.plane) * spacing <= 0.5 * max(step.shape.length_mm, spacing)


def _places_mm(pins: list[Pin], step: PinStreaks, shape: tuple[int, ...]) -> list[list[float]]:
    """The pins' places (row, column) in mm from the middle of a plane."""
    column_mm, row_mm = step.planes.in_plane_mm
    return [
        [(pin.row - 0.5 * (shape[0] - 1)) * row_mm, (pin.column - 0.5 * (shape[1] - 1)) * column_mm]
        for pin in pins
    ]


def _streaks(
    found: rays.Lattice, pins: list[Pin], step: PinStreaks, shape: tuple[int, ...], plane: int
) -> Float32:
    """The backprojected error of the rays through metal, on the lattice of one plane."""
    from millimorph.kernels import ct, pointwise

    fan = replace(found.fan, step_mm=0.5 * found.fan.step_mm)
    metal = _metal_paths(pins, step, shape, fan)
    tissue = rays.paths(found.values[0], fan, metal > 0.0)
    noise = np.zeros(metal.size, np.float32)
    key, high = np.array(step.stream, np.uint32)
    first = np.uint64(plane * metal.size)
    deviation = np.float32(1.0 / math.sqrt(PHOTONS_PER_MM * fan.step_mm))
    pointwise.gaussian_noise(noise, first, deviation, key, high)
    fewer = tissue + metal
    ct.exposure(fewer, np.float32(0.5), np.float32(0.5 * LONGEST_PATH))
    hardened = np.float32(HARDENING) * metal * (np.float32(2.0) * tissue + metal)
    errors = np.where(metal > 0.0, fewer * noise.reshape(metal.shape) - hardened, np.float32(0.0))
    return rays.smeared_back(rays.ramp_filtered(_as_wide_as_pixels(errors)), fan)


def _as_wide_as_pixels(lines: Float32) -> Float32:
    """Lines smoothed over neighbouring rays, which lie half a pixel apart: 1/4, 1/2, 1/4."""
    out = np.float32(0.5) * lines
    out[:, 1:] += np.float32(0.25) * lines[:, :-1]
    out[:, :-1] += np.float32(0.25) * lines[:, 1:]
    return out


def _metal_paths(
    pins: list[Pin], step: PinStreaks, shape: tuple[int, ...], fan: rays.Fan
) -> Float32:
    """Attenuation by metal along each ray: chords of circles, averaged over the ray's width."""
    from millimorph.kernels import ct

    places = np.array(_places_mm(pins, step, shape))
    lines = np.zeros((fan.directions, fan.rays), np.float32)
    radius = step.shape.radius_mm
    ct.chords(places, np.array(fan.cosines), np.array(fan.offsets_mm), radius, lines)
    lines *= np.float32(METAL_PER_MM)
    return lines


def _scale(
    step: PinStreaks,
    made: dict[int, Float32],
    crossed: dict[int, list[Pin]],
    shape: tuple[int, ...],
    block: tuple[int, int, int],
) -> np.float32:
    """What makes the root mean square near the pins, over all their planes, `streak_hu`."""
    from millimorph.kernels import ct

    column_mm, row_mm = step.planes.in_plane_mm
    spacing = np.float32(block[1] * row_mm), np.float32(block[2] * column_mm)
    centre = (
        np.float32(0.5 * shape[0] / block[1] - 0.5),
        np.float32(0.5 * shape[1] / block[2] - 0.5),
    )
    within = np.float32(OUTSIDE_RADII * step.shape.radius_mm), np.float32(NEAR_MM)
    total, count = 0.0, 0
    for plane in sorted(made):
        places = np.array(_places_mm(crossed[plane], step, shape), np.float32)
        squares, pixels = ct.squares_near(made[plane], spacing, centre, places, within)
        total += squares
        count += pixels
    return np.float32(step.streak_hu / math.sqrt(total / count) if total > 0.0 else 0.0)


def _with_metal(
    values: Float32, field: Float32, pins: list[Pin], step: PinStreaks, block: tuple[int, int, int]
) -> Float32:
    """A plane with streaks, held at air from below, and with the pins themselves."""
    from millimorph.kernels import ct

    local = np.empty_like(values)
    ct.spread(field[None], 0, (1, block[1], block[2]), local)
    held = np.maximum(values + local, np.minimum(values, np.float32(AIR_HU)))
    out = np.where(values >= LEAST_HU, held, values)
    column_mm, row_mm = step.planes.in_plane_mm
    rows, columns = np.arange(values.shape[0])[:, None], np.arange(values.shape[1])[None, :]
    for pin in pins:
        down, across = (rows - pin.row) * row_mm, (columns - pin.column) * column_mm
        inside = step.shape.radius_mm - np.sqrt(down * down + across * across)
        share = np.clip(inside / min(row_mm, column_mm) + 0.5, 0.0, 1.0).astype(np.float32)
        out += share * (np.float32(step.shape.metal_hu) - out)
    return out
