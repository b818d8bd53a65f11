"""Ops on positron emission tomograms, as steps."""

from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number, per_axis
from millimorph.ops.pet import PetCounts, PetOp
from millimorph.program import GaussianSmoothing, Pointwise, VolumeStep
from millimorph.program.pet import ActivityNoise

FWHM = 2.3548200450309493


def pet_steps(op: PetOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    dimension = subject.grid.dimension
    if isinstance(op, PetCounts):
        dose = number(op.dose_fraction)
        if dose == 1.0:
            return ()
        counts = number(op.full_dose_counts) * dose / (1.0 - dose)
        fwhm_mm = (number(op.filter_fwhm_mm),) * dimension
        return (ActivityNoise(counts, _sd_voxels(fwhm_mm, subject), subject.stream(op.id)),)
    sd_voxels = _sd_voxels(per_axis(op.fwhm_mm, f"{op.id}.fwhm_mm", dimension), subject)
    return (GaussianSmoothing(sd_voxels),) if any(sd_voxels) else ()


def _sd_voxels(fwhm_mm: tuple[float, ...], subject: Subject) -> tuple[float, ...]:
    """Standard deviations in voxels; 0 along axes of one voxel."""
    grid = subject.grid
    return tuple(
        fwhm / FWHM / spacing if n > 1 else 0.0
        for fwhm, spacing, n in zip(fwhm_mm, grid.spacing_mm, grid.size, strict=True)
    )
