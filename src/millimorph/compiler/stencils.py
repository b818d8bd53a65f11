"""Ops on neighbourhoods, as steps in voxels of the image's grid."""

import math
from typing import assert_never, cast

from millimorph.compiler.axes import grid_axis
from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number, per_axis
from millimorph.ops.stencils import GaussianBlur, LowResolution, Sharpen, StencilOp
from millimorph.program import GaussianSmoothing, Pointwise, VolumeStep
from millimorph.program.stencils import (
    GaussianKernel,
    LaplacianSharpening,
    LowerResolution,
    SliceInterpolation,
    SliceProfile,
    Slices,
    UnsharpMask,
)

ROUNDING = 1e-9
"""Part of a slice that its number may lack by the rounding of mm."""


def stencil_steps(op: StencilOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    match op:
        case GaussianBlur():
            sd_voxels = _sd_voxels(op, subject)
            kernel = cast("GaussianKernel", op.kernel)
            return (GaussianSmoothing(sd_voxels, kernel),) if any(sd_voxels) else ()
        case Sharpen():
            return _sharpening(op, subject)
        case LowResolution():
            return _low_resolution(op, subject)
        case _:
            assert_never(op)


def _sd_voxels(op: GaussianBlur | Sharpen, subject: Subject) -> tuple[float, ...]:
    """Standard deviations along x, y, z; 0 across a single voxel, where edges are all there is."""
    grid = subject.grid
    if op.sigma_mm is None:
        deviations = per_axis(op.sigma_voxels, f"{op.id}.sigma_voxels", grid.dimension)
    else:
        sigma_mm = per_axis(op.sigma_mm, f"{op.id}.sigma_mm", grid.dimension)
        deviations = tuple(s / d for s, d in zip(sigma_mm, grid.spacing_mm, strict=True))
    return tuple(sd if size > 1 else 0.0 for sd, size in zip(deviations, grid.size, strict=True))


def _sharpening(op: Sharpen, subject: Subject) -> tuple[VolumeStep, ...]:
    amount = number(op.amount)
    if amount == 0.0:
        return ()
    if op.method == "laplacian":
        return (LaplacianSharpening(amount, op.keep_range),)
    sd_voxels = _sd_voxels(op, subject)
    return (UnsharpMask(sd_voxels, amount, op.keep_range),) if any(sd_voxels) else ()


def _low_resolution(op: LowResolution, subject: Subject) -> tuple[VolumeStep, ...]:
    axes = _zoomed(op, subject) if op.thickness_mm is None else _sliced(op, subject)
    if not any(axes):
        return ()
    profile = cast("SliceProfile", op.profile)
    return (LowerResolution(axes, profile, cast("SliceInterpolation", op.interpolation)),)


def _zoomed(op: LowResolution, subject: Subject) -> tuple[Slices | None, ...]:
    zoom = per_axis(op.zoom, f"{op.id}.zoom", subject.grid.dimension)
    counts = (max(1, round(z * n)) for z, n in zip(zoom, subject.grid.size, strict=True))
    return tuple(
        Slices(count, size / count, size / count) if count < size else None
        for count, size in zip(counts, subject.grid.size, strict=True)
    )


def _sliced(op: LowResolution, subject: Subject) -> tuple[Slices | None, ...]:
    grid = subject.grid
    thickness_mm = number(op.thickness_mm)
    spacing_mm = thickness_mm + number(op.gap_mm)
    chosen = _chosen_axes(op, subject)
    made: list[Slices | None] = []
    for axis, (size, voxel_mm) in enumerate(zip(grid.size, grid.spacing_mm, strict=True)):
        spacing = spacing_mm / voxel_mm
        if axis not in chosen or size == 1 or spacing <= 1.0 + ROUNDING:
            made.append(None)
            continue
        count = max(1, math.ceil(size / spacing - ROUNDING))
        made.append(Slices(count, spacing, thickness_mm / voxel_mm))
    return tuple(made)


def _chosen_axes(op: LowResolution, subject: Subject) -> tuple[int, ...]:
    """The grid axes along which slices are acquired."""
    if op.axis == "all":
        return tuple(range(subject.grid.dimension))
    return (grid_axis(op.axis, subject, op.id),)
