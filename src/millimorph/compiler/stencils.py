"""Ops on neighbourhoods, as steps in voxels of the image's grid."""

from millimorph.compiler.subject import Subject
from millimorph.compiler.world import per_axis
from millimorph.ops.stencils import StencilOp
from millimorph.program import GaussianSmoothing, Pointwise, VolumeStep


def stencil_steps(op: StencilOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    sigma_mm = per_axis(op.sigma_mm, f"{op.id}.sigma_mm", subject.grid.dimension)
    sd_voxels = tuple(
        sd / spacing if size > 1 else 0.0
        for sd, spacing, size in zip(
            sigma_mm, subject.grid.spacing_mm, subject.grid.size, strict=True
        )
    )
    return (GaussianSmoothing(sd_voxels),) if any(sd_voxels) else ()
