"""Ops on windows, as steps in voxels of the image's grid."""

import math
from typing import assert_never

from millimorph.compiler.subject import Subject, amount
from millimorph.compiler.world import number, per_axis
from millimorph.ops.neighbourhoods import (
    AdaptiveHistogramEqualization,
    Bilateral,
    Median,
    NeighbourhoodOp,
)
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.neighbourhoods import AdaptiveEqualisation, BilateralFilter, MedianFilter

REACH = 2.5
"""The radius of a bilateral window in standard deviations."""


def neighbourhood_steps(
    op: NeighbourhoodOp, subject: Subject
) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    match op:
        case Median():
            radius = _radius(op, subject)
            return (MedianFilter(radius),) if any(radius) else ()
        case Bilateral():
            return _bilateral(op, subject)
        case AdaptiveHistogramEqualization():
            alpha, beta = number(op.alpha), number(op.beta)
            if alpha == beta == 1.0:
                return ()
            return (AdaptiveEqualisation(_radius(op, subject), alpha, beta),)
        case _:
            assert_never(op)


def _radius(op: Median | AdaptiveHistogramEqualization, subject: Subject) -> tuple[int, ...]:
    """Radii along x, y, z; 0 across a single voxel, where more of it changes nothing."""
    grid = subject.grid
    radii = per_axis(op.radius, f"{op.id}.radius", grid.dimension)
    return tuple(int(r) if size > 1 else 0 for r, size in zip(radii, grid.size, strict=True))


def _bilateral(op: Bilateral, subject: Subject) -> tuple[VolumeStep, ...]:
    grid = subject.grid
    sigma_mm = per_axis(op.domain_sigma_mm, f"{op.id}.domain_sigma_mm", grid.dimension)
    deviations = tuple(
        sd if size > 1 else 0.0 for sd, size in zip(sigma_mm, grid.size, strict=True)
    )
    range_sd = amount(op.range_sigma, op.range_sigma_fraction)
    if not any(deviations) or range_sd.number == 0.0:
        return ()
    pairs = tuple(zip(deviations, grid.spacing_mm, strict=True))
    radius = tuple(math.ceil(REACH * sd / spacing) for sd, spacing in pairs)
    return (BilateralFilter(radius, tuple(sd / spacing for sd, spacing in pairs), range_sd),)
