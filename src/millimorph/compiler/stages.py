"""One resample stage: smoothing before downsampling, and exact copies where no voxel is between."""

import math
from dataclasses import replace

import numpy as np

from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.kernels import smallmatrix
from millimorph.program import LatticeCopy, Resample, Sampled
from millimorph.recipe.sampling import FILL_WORDS
from millimorph.transforms import AffineTransform, Transform

COPY_TOLERANCE_VOXELS = 1e-5
# Full width at half maximum of a Gaussian in standard deviations, 2 sqrt(2 ln 2).
FWHM = 2.3548200450309493
LEAST_SMOOTHING_VOXELS = 0.2


def resample_stage(
    samples: tuple[Sampled, ...],
    source: ImageGrid,
    target: ImageGrid,
    source_from_target: Transform,
) -> Resample:
    """Pull samples of one source grid onto a target; an exact copy where it can be.

    Raises:
        CompileError: dimensions that disagree, or a fill that the array's type cannot hold.
    """
    dimensions = {source.dimension, target.dimension, source_from_target.dimension}
    if len(dimensions) > 1:
        raise CompileError(
            f"the source is {source.dimension}D, the target {target.dimension}D, the map "
            f"{source_from_target.dimension}D; all three must have one dimension"
        )
    for sample in samples:
        _check_fill(sample)
    copy = lattice_copy(source, target, source_from_target)
    if copy is not None:
        samples = tuple(replace(sample, smoothing_mm=None) for sample in samples)
    return Resample(samples, source, target, source_from_target, copy)


def _check_fill(sample: Sampled) -> None:
    """Refuse a fill that would come out as something else than was declared."""
    fill, kind = sample.fill, np.dtype(sample.dtype)
    if sample.role == "labels":
        limits = np.iinfo(kind)
        wanted = f"a label from {limits.min} to {limits.max}, which {kind} holds"
        fits = not isinstance(fill, str) and _is_whole_within(
            fill, int(limits.min), int(limits.max)
        )
    elif isinstance(fill, str):
        wanted = f"a number or one of {', '.join(FILL_WORDS)}"
        fits = fill in FILL_WORDS
    else:
        wanted = f"a number that {kind} can hold"
        fits = kind.kind == "f" or not math.isnan(fill)
    if not fits:
        raise CompileError(
            f'the fill of {sample.role} "{sample.name}" must be {wanted}; got {fill!r}'
        )


def _is_whole_within(value: float, low: int, high: int) -> bool:
    return low <= value <= high and value == math.floor(value)


def lattice_copy(source: ImageGrid, target: ImageGrid, pull: Transform) -> LatticeCopy | None:
    """The signed permutation and whole-voxel shift that a map is, within 1e-5 voxel, or None."""
    if not isinstance(pull, AffineTransform):
        return None
    matrix = smallmatrix.matmul(
        source.index_from_world, smallmatrix.matmul(pull.matrix, target.world_from_index)
    )
    d = source.dimension
    whole = np.rint(matrix)
    span = np.array([*target.size, 1.0])
    if np.any(np.abs(matrix - whole)[:d] * span > COPY_TOLERANCE_VOXELS):
        return None
    turn = whole[:d, :d].astype(np.int64)
    if not (np.all(np.abs(turn).sum(axis=0) == 1) and np.all(np.abs(turn).sum(axis=1) == 1)):
        return None
    axes = tuple(int(np.flatnonzero(row)[0]) for row in turn)
    signs = tuple(int(row[axis]) for row, axis in zip(turn, axes, strict=True))
    return LatticeCopy(axes, signs, tuple(int(n) for n in whole[:d, d]))


def smoothing_mm(source: ImageGrid, target: ImageGrid) -> tuple[float, ...] | None:
    """Standard deviations per source axis of the Gaussian before downsampling, None if none is due.

    Along each source axis the target's resolution t is that of the ellipsoid spanned by its voxel;
    the Gaussian widens the source's spacing s to it: sd = sqrt(t^2 - s^2) / 2.355 (Cardoso 2015).
    """
    deviations = []
    for axis, spacing in enumerate(source.spacing_mm):
        inverse_square = 0.0
        for other, target_spacing in enumerate(target.spacing_mm):
            cosine = 0.0
            for row in range(source.dimension):
                cosine += source.direction[row, axis] * target.direction[row, other]
            inverse_square += cosine * cosine / (target_spacing * target_spacing)
        excess = 1.0 / inverse_square - spacing * spacing
        sd = math.sqrt(max(0.0, excess)) / FWHM
        due = sd >= LEAST_SMOOTHING_VOXELS * spacing and source.size[axis] > 1
        deviations.append(sd if due else 0.0)
    return tuple(deviations) if any(deviations) else None
