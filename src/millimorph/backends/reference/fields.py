"""The definition of the steps that change grey levels by a field, in float64."""

from typing import assert_never

import numpy as np
from scipy import ndimage

from millimorph.backends.reference.originals import grey_levels, original_voxels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.geometry import ImageGrid
from millimorph.kernels.elementary import exp, log, normal_quantile
from millimorph.kernels.philox import uniforms
from millimorph.program.fields import (
    FieldStep,
    GaussianShape,
    GradientAddition,
    LocalPowerCurve,
    ProductAndSum,
    RandomBias,
)


def apply(step: FieldStep, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    scene = where.scene
    match step:
        case ProductAndSum():
            factor = step.factor_peak * _gaussian(step.factor, scene.grid)
            term = grey_levels(step.term_peak, scene) * _gaussian(step.term, scene.grid)
            black = _black(step.black, scene)
            return black + (values - black) * factor + term
        case RandomBias():
            black = _black(step.black, scene)
            return black + (values - black) * exp(_spline(step, scene.grid))
        case GradientAddition():
            return values + grey_levels(step.strength, scene) * _share(step.shape, scene.grid)
        case LocalPowerCurve():
            voxels = original_voxels(scene)
            low, high = float(voxels.min()), float(voxels.max())
            if high == low:
                return values
            return values + (_raised(values, low, high, step.exponent) - values) * _share(
                step.shape, scene.grid
            )
        case _:
            assert_never(step)


def _black(level: float | None, scene: Scene) -> float:
    return float(original_voxels(scene).min()) if level is None else level


def _indices(grid: ImageGrid) -> list[Floats]:
    """The voxel indices x, y, z of each voxel, each (z, y, x); two of them in two dimensions."""
    shape = (1, *grid.shape)[-3:]
    axes = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in shape), indexing="ij")
    return list(reversed(axes))[: grid.dimension]


def _square(shape: GaussianShape, grid: ImageGrid) -> Floats:
    """The squared distance from the centre of a Gaussian in standard deviations."""
    square = np.zeros((1, *grid.shape)[-3:])
    for index, centre, sd in zip(_indices(grid), shape.centre, shape.sd, strict=True):
        square += ((index - centre) / sd) ** 2
    return square


def _gaussian(shape: GaussianShape, grid: ImageGrid) -> Floats:
    return exp(-0.5 * _square(shape, grid))


def _share(shape: GaussianShape, grid: ImageGrid) -> Floats:
    """A Gaussian, brought to 0 to 1 over the voxels."""
    square = _square(shape, grid)
    relative = exp(-0.5 * (square - float(np.min(square))))
    least = float(np.min(relative))
    return (relative - least) / (1.0 - least)


def _raised(values: Floats, low: float, high: float, exponent: float) -> Floats:
    share = np.maximum((values - low) / (high - low), 0.0)
    raised = np.zeros_like(share)
    raised[share > 0.0] = exp(exponent * log(share[share > 0.0]))
    return low + (high - low) * raised


def _spline(step: RandomBias, grid: ImageGrid) -> Floats:
    """The logarithm of a bias field: SciPy's B-spline of the control values."""
    count = int(np.prod(step.points))
    control = step.control_sd * normal_quantile(uniforms(step.stream, count))
    places = [
        (index - 0.5 * (n - 1)) / spacing + 0.5 * (points - 1)
        for index, n, spacing, points in zip(
            _indices(grid), grid.size, step.spacing_voxels, step.points, strict=True
        )
    ]
    lattice = control.reshape(step.points[::-1])
    field: Floats = ndimage.map_coordinates(lattice, places[::-1], order=3, prefilter=False)
    return field
