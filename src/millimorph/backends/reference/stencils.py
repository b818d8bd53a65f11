"""The definition of the steps on neighbourhoods, in float64."""

from typing import assert_never

import numpy as np
from scipy import ndimage, special

from millimorph.backends.reference import sampling
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene
from millimorph.program.stencils import (
    GaussianKernel,
    GaussianSmoothing,
    LaplacianSharpening,
    LowerResolution,
    SliceInterpolation,
    SliceProfile,
    Slices,
    Stencil,
    UnsharpMask,
)

LOST = 0.01
MOST_PAIRS = 32
SD_OF_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))


def run(step: Stencil, volume: Floats, scene: Scene) -> Floats:  # noqa: ARG001
    """One step on a whole image (c, z, y, x)."""
    return np.stack([_changed(step, channel) for channel in volume])


def _changed(step: Stencil, channel: Floats) -> Floats:
    match step:
        case GaussianSmoothing():
            return _smoothed(channel, step.sd_voxels, step.kernel)
        case UnsharpMask():
            lost = channel - _smoothed(channel, step.sd_voxels, "sampled")
            return _limited(channel + step.amount * lost, channel, keep=step.keep_range)
        case LaplacianSharpening():
            second = [
                ndimage.correlate1d(channel, [1.0, -2.0, 1.0], axis=axis, mode="nearest")
                for axis in range(3)
            ]
            return _limited(channel - step.amount * sum(second), channel, keep=step.keep_range)
        case LowerResolution():
            return _at_lower_resolution(channel, step)
        case _:
            assert_never(step)


def _limited(result: Floats, before: Floats, *, keep: bool) -> Floats:
    return np.clip(result, np.min(before), np.max(before)) if keep else result


def _smoothed(channel: Floats, sd_voxels: tuple[float, ...], kernel: GaussianKernel) -> Floats:
    for axis, sd in enumerate(sd_voxels):
        if sd > 0.0 and kernel == "sampled":
            channel = ndimage.gaussian_filter1d(
                channel, sd, axis=-1 - axis, mode="nearest", truncate=4.0
            )
        elif sd > 0.0:
            channel = ndimage.correlate1d(
                channel, _discrete_gaussian(sd * sd), axis=-1 - axis, mode="nearest"
            )
    return channel


def _discrete_gaussian(variance: float) -> Floats:
    """Lindeberg's kernel, ended as ITK does."""
    half = special.ive(np.arange(MOST_PAIRS + 1), variance)
    sums = half[0] + 2.0 * np.cumsum(half[1:])
    enough = np.flatnonzero(sums >= 1.0 - LOST)
    pairs = int(enough[0]) + 1 if enough.size else MOST_PAIRS
    whole = np.concatenate([half[pairs:0:-1], half[: pairs + 1]])
    return np.asarray(whole / whole.sum(), np.float64)


def _at_lower_resolution(channel: Floats, step: LowerResolution) -> Floats:
    """Each axis apart, as two matrices: slices from voxels, voxels from slices."""
    for axis, slices in enumerate(step.axes):
        if slices is None:
            continue
        along = np.moveaxis(channel, -1 - axis, 0)
        size = len(along)
        matrix = _back(slices, size, step.interpolation) @ _acquire(slices, size, step.profile)
        channel = np.moveaxis(np.tensordot(matrix, along, axes=1), 0, -1 - axis)
    return channel


def _acquire(slices: Slices, size: int, profile: SliceProfile) -> Floats:
    """Weights (slices, voxels): integrals of the profile over the voxels, the outer ones repeated.

    Each slice's are shifted, by linear interpolation, to have their centre of mass at its centre.
    """
    centres = 0.5 * (size - 1) + slices.spacing * (
        np.arange(slices.count) - 0.5 * (slices.count - 1)
    )
    if profile == "nearest":
        chosen = np.clip(np.floor(centres + 0.5).astype(int), 0, size - 1)
        return np.asarray(np.eye(size)[chosen], np.float64)
    thickness = max(slices.thickness, 1.0)
    beyond = int(3.0 * thickness) + 2
    voxels = np.arange(-beyond, size + beyond)
    edges = np.arange(-beyond, size + beyond + 1) - 0.5
    weights = np.diff(_share_below(profile, (edges - centres[:, None]) / thickness), axis=1)
    for weight, centre in zip(weights, centres, strict=True):
        shift = centre - (weight * voxels).sum() / weight.sum()
        weight[:] = np.interp(voxels - shift, voxels, weight)
    inside = np.eye(size)[np.clip(voxels, 0, size - 1)]
    return np.asarray(weights @ inside / weights.sum(axis=1)[:, None], np.float64)


def _share_below(profile: SliceProfile, x: Floats) -> Floats:
    """The share of a slice of thickness 1 that lies below x."""
    match profile:
        case "box":
            return np.clip(x + 0.5, 0.0, 1.0)
        case "triangle":
            x = np.clip(x, -1.0, 1.0)
            return np.where(x < 0.0, 0.5 * (1.0 + x) ** 2, 1.0 - 0.5 * (1.0 - x) ** 2)
        case _:
            return np.asarray(special.ndtr(x / SD_OF_FWHM))


def _back(slices: Slices, size: int, interpolation: SliceInterpolation) -> Floats:
    """Weights (voxels, slices): what each slice alone would look like."""
    first = 0.5 * (size - 1) - 0.5 * (slices.count - 1) * slices.spacing
    index: Floats = ((np.arange(size, dtype=np.float64) - first) / slices.spacing)[:, None]
    columns = []
    for slice_alone in np.eye(slices.count):
        if interpolation == "cubic":
            known = sampling.cubic_coefficients(slice_alone) if slices.count > 1 else slice_alone
            columns.append(sampling.cubic(known, index))
        elif interpolation == "linear":
            columns.append(sampling.linear(slice_alone, index))
        else:
            columns.append(sampling.nearest(slice_alone, index))
    return np.stack(columns, axis=1)
