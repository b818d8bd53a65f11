"""Steps that change grey levels by a field, compiled; a step's tables are made once for a grid."""

import math
from functools import lru_cache
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.sources import grey_levels, value_range
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.elementary import exp, normal_quantile
from millimorph.kernels.philox import uniforms
from millimorph.program.fields import (
    FieldStep,
    GaussianShape,
    GradientAddition,
    LocalPowerCurve,
    ProductAndSum,
    RandomBias,
)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Tables = tuple[Float32, Float32, Float32]
Int64 = npt.NDArray[np.int64]
Along = tuple[Float32, Int64]

LANES = 16
ORDER = 4
KEPT = 32
SMALLEST = 1e-12
"""Table entries below this share of the peak are 0, so that no product is denormal."""


def apply(step: FieldStep, values: Float32, where: Where) -> None:
    """Change runs of voxels in place."""
    from millimorph.kernels import fields

    if isinstance(step, RandomBias):
        size = where.scene.grid.size
        black = _black(step.black, where.scene)
        fields.multiply_by_exponential(values, where.runs, size[:2], _spline(step, size), black)
        return
    for run, place in where.split(values):
        _change_run(step, run, place)


def _change_run(
    step: ProductAndSum | GradientAddition | LocalPowerCurve, values: Float32, where: Where
) -> None:
    from millimorph.kernels import fields

    scene = where.scene
    shape = (scene.grid.size[0], scene.grid.size[1])
    match step:
        case ProductAndSum():
            peak = grey_levels(step.term_peak, scene.original, scene)
            factor, term = _factor_and_term(step, peak, scene.grid.size)
            black = _black(step.black, scene)
            fields.product_and_sum(values, where.first, shape, factor, term, black)
        case GradientAddition():
            tables, least = _relative_tables(step.shape, scene.grid.size)
            strength = grey_levels(step.strength, scene.original, scene)
            scale = np.float32(strength / (1.0 - least))
            fields.add_gradient(values, where.first, shape, tables, np.float32(least), scale)
        case LocalPowerCurve():
            low, high = value_range(scene.original, scene)
            if high > low:
                tables, least = _relative_tables(step.shape, scene.grid.size)
                normal = (np.float32(least), np.float32(1.0 / (1.0 - least)))
                grey = (np.float32(low), np.float32(high), np.float32(step.exponent))
                fields.local_gamma(values, where.first, shape, tables, normal, grey)
        case _:
            assert_never(step)


def _black(level: float | None, scene: Scene) -> np.float32:
    return np.float32(value_range(scene.original, scene)[0] if level is None else level)


@lru_cache(maxsize=KEPT)
def _factor_and_term(
    step: ProductAndSum, peak: float, size: tuple[int, ...]
) -> tuple[Tables, Tables]:
    """Both Gaussians along x, y, z, each with its peak value in the last table."""
    factor, term = (
        _as_tables([exp(-0.5 * square) for square in _squares(shape, size)], height)
        for shape, height in ((step.factor, step.factor_peak), (step.term, peak))
    )
    return factor, term


@lru_cache(maxsize=KEPT)
def _relative_tables(shape: GaussianShape, size: tuple[int, ...]) -> tuple[Tables, float]:
    """The factors of a Gaussian, 1 at its greatest voxel, and the value at its least one."""
    factors = [exp(-0.5 * (square - np.min(square))) for square in _squares(shape, size)]
    least = 1.0
    for factor in factors:
        least *= float(np.min(factor))
    return _as_tables(factors, 1.0), least


def _squares(shape: GaussianShape, size: tuple[int, ...]) -> list[Float64]:
    """Squared distances from the centre in standard deviations, axis by axis."""
    found = []
    for centre, sd, n in zip(shape.centre, shape.sd, size, strict=True):
        distance = (np.arange(n, dtype=np.float64) - centre) / sd
        found.append(distance * distance)
    return found


def _as_tables(factors: list[Float64], height: float) -> Tables:
    """Tables along x, y, z; the last one times a height."""
    x, y, z = (np.where(f < SMALLEST, 0.0, f) for f in (*factors, np.ones(1))[:3])
    return x.astype(np.float32), y.astype(np.float32), (height * z).astype(np.float32)


@lru_cache(maxsize=KEPT)
def _spline(step: RandomBias, size: tuple[int, ...]) -> tuple[Float32, Along, Int64, Float32]:
    """The B-spline of a bias field as the kernel wants it."""
    control = step.control_sd * normal_quantile(uniforms(step.stream, math.prod(step.points)))
    planes = _polynomials(control.reshape(step.points[::-1]))
    positions = [
        _positions(n, spacing, points)
        for n, spacing, points in zip(size, step.spacing_voxels, step.points, strict=True)
    ]
    cells, weights = _cells_and_weights(positions[1], step.points[1])
    if len(size) == 2:
        planes = planes[None]
    else:
        planes = _slices(planes, *_cells_and_weights(positions[2], step.points[2]))
    along_x = _along(positions[0], step.points[0])
    return planes.astype(np.float32), along_x, cells, weights.astype(np.float32)


def _positions(n: int, spacing: float, points: int) -> Float64:
    """Voxel indices in control spacings, the lattice and the image centred on each other."""
    return (np.arange(n, dtype=np.float64) - 0.5 * (n - 1)) / spacing + 0.5 * (points - 1)


def _cells(positions: Float64, points: int) -> Int64:
    """The first of the four control points about each position."""
    return np.clip(np.floor(positions).astype(np.int64) - 1, 0, points - ORDER)


def _cells_and_weights(positions: Float64, points: int) -> tuple[Int64, Float64]:
    """The first control point of each position, and the weights (n, 4) of the four."""
    cells = _cells(positions, points)
    t = positions - (cells + 1)
    s = 1.0 - t
    weights = (
        s * s * s / 6.0,
        (4.0 - 3.0 * t * t * (2.0 - t)) / 6.0,
        (4.0 - 3.0 * s * s * (2.0 - s)) / 6.0,
        t * t * t / 6.0,
    )
    return cells, np.stack(weights, axis=1)


def _along(positions: Float64, points: int) -> Along:
    """The place of each index in its cell, with whole lanes to spare, and where each cell ends."""
    cells = _cells(positions, points)
    steps = np.zeros(len(positions) + LANES, np.float32)
    steps[: len(positions)] = positions - (cells + 1)
    return steps, np.searchsorted(cells, np.arange(points - ORDER + 1), side="right")


def _polynomials(values: Float64) -> Float64:
    """Control values (..., x) as the polynomials along x of the cells, four coefficients each."""
    p0, p1, p2, p3 = (values[..., k : k + values.shape[-1] - ORDER + 1] for k in range(ORDER))
    powers = (
        (p0 + 4.0 * p1 + p2) / 6.0,
        (p2 - p0) / 2.0,
        (p0 - 2.0 * p1 + p2) / 2.0,
        (p3 - 3.0 * p2 + 3.0 * p1 - p0) / 6.0,
    )
    return np.stack(powers, axis=-1).reshape(*values.shape[:-1], -1)


def _slices(planes: Float64, cells: Int64, weights: Float64) -> Float64:
    """Control planes (z, y, x) blended for each slice."""
    total = weights[:, 0, None, None] * planes[cells]
    for k in range(1, ORDER):
        total += weights[:, k, None, None] * planes[cells + k]
    return total
