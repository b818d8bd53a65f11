"""Ops that change grey levels by a field, as steps in voxels of the image's grid."""

import math
from typing import assert_never

from millimorph.compiler.subject import Subject, amount
from millimorph.compiler.world import number, per_axis
from millimorph.errors import CompileError
from millimorph.ops.fields import (
    BiasField,
    BrightnessGradient,
    FieldOp,
    LocalGamma,
    MultiplicativeAndAdditiveField,
)
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.fields import (
    GaussianShape,
    GradientAddition,
    LocalPowerCurve,
    ProductAndSum,
    RandomBias,
)

MOST_CONTROL_POINTS = 1_000_000
FLAT = 1e-8
MEAN_SQUARE_WEIGHT = 151.0 / 315.0
"""Sum of the squared weights of a cubic B-spline along one axis, on the average over a cell."""


def field_steps(op: FieldOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    match op:
        case MultiplicativeAndAdditiveField():
            return (_product_and_sum(op, subject),)
        case BiasField():
            return (_bias(op, subject),) if number(op.log_sd) else ()
        case BrightnessGradient():
            strength = amount(op.strength, op.strength_fraction)
            shape = _shape(op.centre_fraction, op.sigma_fraction, subject, op.id)
            if not strength.number or _is_flat(shape, subject.grid.size):
                return ()
            return (GradientAddition(shape, strength),)
        case LocalGamma():
            exponent = number(op.gamma)
            shape = _shape(op.centre_fraction, op.sigma_fraction, subject, op.id)
            if exponent == 1.0 or _is_flat(shape, subject.grid.size):
                return ()
            return (LocalPowerCurve(shape, exponent),)
        case _:
            assert_never(op)


def _product_and_sum(op: MultiplicativeAndAdditiveField, subject: Subject) -> ProductAndSum:
    return ProductAndSum(
        _shape(
            op.multiplicative_centre_fraction,
            op.multiplicative_sigma_fraction,
            subject,
            op.id,
        ),
        number(op.multiplicative_peak),
        _shape(op.additive_centre_fraction, op.additive_sigma_fraction, subject, op.id),
        amount(op.additive_peak, op.additive_peak_fraction),
        _black(op.black_level),
    )


def _bias(op: BiasField, subject: Subject) -> RandomBias:
    """The lattice covers the image and lies centred on it."""
    grid = subject.grid
    if op.control_spacing_mm is not None:
        spacing_mm = number(op.control_spacing_mm)
    else:
        spacing_mm = number(op.control_spacing_fraction) * max(grid.extent_mm)
    spacing = tuple(spacing_mm / s for s in grid.spacing_mm)
    points = tuple(
        4 if n == 1 else math.ceil((n - 1) / s) + 3 for n, s in zip(grid.size, spacing, strict=True)
    )
    if math.prod(points) > MOST_CONTROL_POINTS:
        raise CompileError(
            f'{op.id} would have {math.prod(points)} control points on "{subject.name}" with one '
            f"every {spacing_mm:g} mm; give a larger spacing (a million points at most)"
        )
    control_sd = number(op.log_sd) / math.sqrt(MEAN_SQUARE_WEIGHT) ** grid.dimension
    return RandomBias(control_sd, points, spacing, _black(op.black_level), subject.stream(op.id))


def _shape(centre: object, sigma: object, subject: Subject, op_id: str | None) -> GaussianShape:
    """A Gaussian whose place and width are fractions of the extent."""
    size = subject.grid.size
    centres = per_axis(centre, f"{op_id}, centre", len(size))
    sigmas = per_axis(sigma, f"{op_id}, sigma", len(size))
    return GaussianShape(
        tuple(c * n - 0.5 for c, n in zip(centres, size, strict=True)),
        tuple(s * n for s, n in zip(sigmas, size, strict=True)),
    )


def _is_flat(shape: GaussianShape, size: tuple[int, ...]) -> bool:
    """Whether a Gaussian is the same in all voxels, so that it has no least and greatest one."""
    spread = 0.0
    for centre, sd, n in zip(shape.centre, shape.sd, size, strict=True):
        steps = [(i - centre) / sd for i in range(n)]
        squares = [step * step for step in steps]
        spread += max(squares) - min(squares)
    return spread < FLAT


def _black(level: object) -> float | None:
    return None if level is None else number(level)
