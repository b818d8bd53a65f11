"""The definition of metal pins and their streaks, in float64."""

import math

import numpy as np
from scipy import ndimage

from millimorph.backends.reference import rays
from millimorph.backends.reference.noise import normal_numbers
from millimorph.backends.reference.sampling import Floats
from millimorph.kernels.philox import uniforms
from millimorph.program.ct import PinStreaks

METAL_PER_MM = 0.4
CANDIDATES = 64
HARDENING = 0.015
PHOTONS_PER_MM = 4e6
LONGEST_PATH = rays.WATER_PER_MM * 520.0


def added(step: PinStreaks, planes: Floats, number: int) -> Floats:
    """Planes (plane, row, column) with pins and streaks."""
    view = rays.view_of(planes.shape, step.planes, 1.2, 240, flat=True)
    pins = _pins(step, planes)
    spacing = step.planes.spacing_mm[step.planes.axis]
    reach = 0.5 * max(step.shape.length_mm, spacing)
    fields = {}
    for plane, values in enumerate(planes):
        crossing = [pin for pin in pins if abs(plane - pin[0]) * spacing <= reach]
        if crossing:
            first = number * len(planes) + plane
            fields[plane] = crossing, _streaks(values, crossing, step, view, first)
    scale = _scale(step, fields, planes.shape, view)
    out = planes.copy()
    for plane, (crossing, field) in fields.items():
        local = scale * rays.spread(field[None], view, (1, *planes.shape[1:]))[0]
        before = planes[plane]
        held = np.maximum(before + local, np.minimum(before, -1024.0))
        out[plane] = _with_pins(held, crossing, step)
    return out


def _pins(step: PinStreaks, planes: Floats) -> list[tuple[float, ...]]:
    """Middles as (plane, row, column)."""
    column, row = step.planes.axes
    if step.places is not None:
        return [(place[step.planes.axis], place[row], place[column]) for place in step.places]
    pins: list[tuple[float, ...]] = []
    for pin in range(step.count):
        shares = uniforms(step.draws, 3 * CANDIDATES, 3 * CANDIDATES * pin).reshape(-1, 3)
        shares = shares * [1.0, 0.8, 0.8] + [0.0, 0.1, 0.1]
        places = np.floor(shares * planes.shape).astype(int)
        pins.append(tuple(places[np.argmax(planes[tuple(places.T)])].tolist()))
    return pins


def _in_mm(
    pins: list[tuple[float, ...]], step: PinStreaks, shape: tuple[int, ...]
) -> list[tuple[float, float]]:
    """Rows and columns in mm from the middle of a plane."""
    column_mm, row_mm = step.planes.in_plane_mm
    rows, columns = shape[-2:]
    return [
        ((row - 0.5 * (rows - 1)) * row_mm, (column - 0.5 * (columns - 1)) * column_mm)
        for _, row, column in pins
    ]


def _streaks(
    values: Floats, pins: list[tuple[float, ...]], step: PinStreaks, view: rays.View, first: int
) -> Floats:
    tissue = rays.paths(rays.water(values[None], view)[0], view)
    parts = view.step * (np.arange(8) - 3.5) / 8.0
    metal = np.zeros(tissue.shape)
    for row_mm, column_mm in _in_mm(pins, step, values.shape):
        passing = column_mm * np.cos(view.angles) + row_mm * np.sin(view.angles)
        aside = view.offsets[None, :, None] - passing[:, None, None] + parts
        chords = 2.0 * np.sqrt(np.maximum(step.shape.radius_mm**2 - aside**2, 0.0))
        metal += METAL_PER_MM * chords.mean(axis=2)
    numbers = normal_numbers(step.stream, first * metal.size, metal.size).reshape(metal.shape)
    path = tissue + metal
    noise = (
        numbers
        * np.exp(0.5 * np.minimum(path, LONGEST_PATH))
        / math.sqrt(PHOTONS_PER_MM * view.step)
    )
    errors = np.where(metal > 0.0, noise - HARDENING * (path**2 - tissue**2), 0.0)
    wide = ndimage.convolve1d(errors, [0.25, 0.5, 0.25], axis=1, mode="constant")
    return rays.smeared_back(rays.ramp_filtered(wide), view)


def _scale(
    step: PinStreaks,
    fields: dict[int, tuple[list[tuple[float, ...]], Floats]],
    shape: tuple[int, ...],
    view: rays.View,
) -> float:
    near = []
    rows, columns = np.indices(view.shape)
    y, x = (rows - view.middle[0]) * view.spacing[0], (columns - view.middle[1]) * view.spacing[1]
    for pins, field in fields.values():
        places = _in_mm(pins, step, shape)
        distance = np.min([np.hypot(y - row, x - column) for row, column in places], axis=0)
        near.append(field[(distance > 1.5 * step.shape.radius_mm) & (distance < 50.0)])
    found = np.concatenate(near) if near else np.zeros(0)
    return step.streak_hu / math.sqrt((found**2).mean()) if found.any() else 0.0


def _with_pins(values: Floats, pins: list[tuple[float, ...]], step: PinStreaks) -> Floats:
    column_mm, row_mm = step.planes.in_plane_mm
    rows, columns = np.indices(values.shape)
    for _, row, column in pins:
        distance = np.hypot((rows - row) * row_mm, (columns - column) * column_mm)
        share = (step.shape.radius_mm - distance) / min(row_mm, column_mm) + 0.5
        values = values + np.clip(share, 0.0, 1.0) * (step.shape.metal_hu - values)
    return values
