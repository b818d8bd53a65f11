"""Lower resolution: slices as weighted sums of voxels, then voxels from slices, axis by axis."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import PIECE_VOXELS, in_threads
from millimorph.backends.cpu.smoothing import WriteRun
from millimorph.kernels.elementary import exp
from millimorph.program.stencils import LowerResolution, SliceInterpolation, SliceProfile, Slices

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

FWHM_IN_SD = 2.3548200450309493
"""Full width at half maximum of a Gaussian: 2 sqrt(2 ln 2) standard deviations."""

GAUSSIAN_REACH = 5.0
CHUNKS_PER_THREAD = 4
# Gauss and Legendre's four points and weights on [-1/2, 1/2].
POINTS = (-0.43056815579702629, -0.16999052179242813, 0.16999052179242813, 0.43056815579702629)
WEIGHTS = (0.17392742256872693, 0.32607257743127307, 0.32607257743127307, 0.17392742256872693)


@dataclass(frozen=True, eq=False)
class Combination:
    """Each line as a weighted sum of lines: (lines, an odd number of places and weights).

    Weights sum to 1; the first place's is what the others leave.
    """

    places: npt.NDArray[np.intp]
    weights: Float32


def lower(step: LowerResolution, channel: Float32, threads: int, write: WriteRun) -> None:
    """Hand over one channel (z, y, x) at lower resolution."""
    axes = [(axis, slices) for axis, slices in enumerate(step.axes) if slices is not None]
    sizes = channel.shape[::-1]
    made = channel
    for axis, slices in reversed(axes):
        made = _combined(made, acquisition(slices, sizes[axis], step.profile), axis, threads)
    for axis, slices in axes:
        if step.interpolation == "cubic":
            made = _coefficients(made, axis)
        back = interpolation(slices, sizes[axis], step.interpolation)
        made = _combined(made, back, axis, threads)
    flat = made.reshape(-1)
    starts = range(0, len(flat), PIECE_VOXELS)
    in_threads(threads, starts, lambda first: write(first, flat[first : first + PIECE_VOXELS]))


@lru_cache(maxsize=16)
def acquisition(slices: Slices, size: int, profile: SliceProfile) -> Combination:
    """The slices of an axis of `size` voxels; beyond the ends the outer voxels are repeated."""
    centres = np.array([slices.centre(n, size) for n in range(slices.count)])
    if profile == "nearest":
        return _combination(np.floor(centres + 0.5)[:, None], np.ones((slices.count, 1)), size)
    width = max(slices.thickness, 1.0)
    reach = {"box": 0.5, "triangle": 1.0, "gaussian": GAUSSIAN_REACH / FWHM_IN_SD}[profile] * width
    count = int(2.0 * reach) + 2
    places = np.floor(centres - reach + 0.5)[:, None] + np.arange(count, dtype=np.float64)
    offsets = places - centres[:, None]
    if profile == "gaussian":
        weights = _gaussian_shares(offsets * (FWHM_IN_SD / width), FWHM_IN_SD / width)
    else:
        below = _box_below if profile == "box" else _triangle_below
        weights = below((offsets + 0.5) / width) - below((offsets - 0.5) / width)
    return _combination(places, weights, size)


@lru_cache(maxsize=16)
def interpolation(slices: Slices, size: int, how: SliceInterpolation) -> Combination:
    """The voxels of an axis of `size` from its slices, or from their spline coefficients."""
    first = slices.centre(0, size)
    at = (np.arange(size) - first) / slices.spacing
    if how == "nearest":
        return _combination(np.floor(at + 0.5)[:, None], np.ones((size, 1)), slices.count)
    base = np.floor(at)
    t = at - base
    if how == "linear":
        return _combination(
            np.stack([base, base + 1.0], 1), np.stack([1.0 - t, t], 1), slices.count
        )
    s = 1.0 - t
    weights = np.stack(
        [
            s * s * s / 6.0,
            (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0,
            (4.0 - 6.0 * s * s + 3.0 * s * s * s) / 6.0,
            t * t * t / 6.0,
        ],
        1,
    )
    places = base[:, None] + np.arange(-1.0, 3.0)
    period = max(2.0 * (slices.count - 1), 1.0)
    folded = places - period * np.floor(places / period)
    return _combination(np.minimum(folded, period - folded), weights, slices.count)


def _combination(places: Float64, weights: Float64, size: int) -> Combination:
    """Places clamped to an axis, weights scaled to the sum 1, both to an odd number."""
    total = weights[:, 0].copy()
    for k in range(1, weights.shape[1]):
        total += weights[:, k]
    inside = np.clip(places, 0, size - 1).astype(np.intp)
    scaled = weights / total[:, None]
    if weights.shape[1] % 2 == 0:
        inside = np.concatenate([inside, inside[:, :1]], axis=1)
        scaled = np.concatenate([scaled, np.zeros((len(scaled), 1))], axis=1)
    return Combination(inside, scaled.astype(np.float32))


def _box_below(x: Float64) -> Float64:
    """The share of a box of width 1 about 0 below x."""
    return np.clip(x + 0.5, 0.0, 1.0)


def _triangle_below(x: Float64) -> Float64:
    """The share of a triangle of full width 1 at half maximum below x."""
    inside = np.clip(x, -1.0, 1.0)
    rest = 1.0 - np.abs(inside)
    tail = 0.5 * rest * rest
    return np.where(inside < 0.0, tail, 1.0 - tail)


def _gaussian_shares(offsets: Float64, voxel: float) -> Float64:
    """The integral of a Gaussian over each voxel, in standard deviations."""
    total = np.zeros_like(offsets)
    for point, weight in zip(POINTS, WEIGHTS, strict=True):
        place = offsets + voxel * point
        total += weight * exp(-0.5 * place * place)
    return total


def _combined(volume: Float32, made: Combination, axis: int, threads: int) -> Float32:
    """A volume (z, y, x) with its lines along x (0), y (1) or z (2) replaced."""
    from millimorph.kernels import stencils

    nz, ny, nx = volume.shape
    count = len(made.places)
    if axis == 0:
        out = np.empty((nz, ny, count), np.float32)
        flat = volume.reshape(-1, nx), out.reshape(-1, count)
        places = np.ascontiguousarray(made.places.T)
        weights = np.ascontiguousarray(made.weights.T)
        _by_lines(
            nz * ny,
            threads,
            lambda lines: stencils.combine_rows(flat[0], places, weights, lines, flat[1]),
        )
        return out
    shape = (nz, ny, nx) if axis == 1 else (1, nz, ny * nx)
    source = volume.reshape(shape)
    lined = np.empty((shape[0], count, shape[2]), np.float32)
    _by_lines(
        shape[0] * count,
        threads,
        lambda lines: stencils.combine_lines(source, made.places, made.weights, lines, lined),
    )
    return lined.reshape((nz, count, nx) if axis == 1 else (count, ny, nx))


def _by_lines(count: int, threads: int, work: Callable[[tuple[int, int]], None]) -> None:
    """Do the work for all lines, in chunks if there are several threads."""
    if threads == 1:
        work((0, count))
        return
    per_chunk = -(-count // (threads * CHUNKS_PER_THREAD))
    chunks = [(first, min(first + per_chunk, count)) for first in range(0, count, per_chunk)]
    in_threads(threads, chunks, work)


def _coefficients(volume: Float32, axis: int) -> Float32:
    """Cubic B-spline coefficients along x (0), y (1) or z (2), in place."""
    from millimorph.kernels import filters

    nz, _, nx = volume.shape
    if axis == 0:
        filters.prefilter_rows(volume.reshape(-1, nx), 0, nx)
    elif axis == 1:
        for plane in volume:
            filters.prefilter_lines(plane)
    else:
        filters.prefilter_lines(volume.reshape(nz, -1))
    return volume
