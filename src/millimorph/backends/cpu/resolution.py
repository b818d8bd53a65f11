"""Lower resolution: slices as weighted sums of voxels, then voxels from slices, axis by axis."""

from collections.abc import Sequence
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
Places = npt.NDArray[np.intp]

FWHM_IN_SD = 2.3548200450309493
"""Full width at half maximum of a Gaussian: 2 sqrt(2 ln 2) standard deviations."""

GAUSSIAN_REACH = 5.0
CHUNKS_PER_THREAD = 4
# Gauss and Legendre's four points and weights on [-1/2, 1/2].
POINTS = (-0.43056815579702629, -0.16999052179242813, 0.16999052179242813, 0.43056815579702629)
WEIGHTS = (0.17392742256872693, 0.32607257743127307, 0.32607257743127307, 0.17392742256872693)


@dataclass(frozen=True, eq=False)
class Combination:
    """Each line of an axis as a weighted sum of lines: (lines, count) places and weights.

    Weights sum to 1; the first place's is what the others leave.
    """

    places: Places
    weights: Float32


def lower(step: LowerResolution, channel: Float32, threads: int, write: WriteRun) -> None:
    """Hand over one channel (z, y, x) at lower resolution."""
    axes = tuple(zip(reversed((*step.axes, None)[:3]), channel.shape, strict=True))
    made = [acquisition(s, n, step.profile) if s else _as_it_is(n) for s, n in axes]
    low = _acquired(channel, made, threads)
    if step.interpolation == "cubic":
        for axis, (slices, _) in enumerate(axes):
            if slices is not None:
                _turn_into_coefficients(low, axis)
    back = [interpolation(s, n, step.interpolation) if s else _as_it_is(n) for s, n in axes]
    _restore(low, back, threads, write)


def _as_it_is(size: int) -> Combination:
    return Combination(np.arange(size, dtype=np.intp)[:, None], np.ones((size, 1), np.float32))


@lru_cache(maxsize=16)
def acquisition(slices: Slices, size: int, profile: SliceProfile) -> Combination:
    """The slices of an axis of `size` voxels; beyond the ends the outer voxels are repeated."""
    centres = np.array([slices.centre(n, size) for n in range(slices.count)])
    if profile == "nearest":
        return _combination(np.floor(centres + 0.5)[:, None], np.ones((slices.count, 1)), size)
    width = max(slices.thickness, 1.0)
    reach = {"box": 0.5, "triangle": 1.0, "gaussian": GAUSSIAN_REACH / FWHM_IN_SD}[profile] * width
    count = int(2.0 * reach) + 4
    places = np.floor(centres - reach - 0.5)[:, None] + np.arange(count, dtype=np.float64)
    offsets = places - centres[:, None]
    if profile == "gaussian":
        weights = _gaussian_shares(offsets * (FWHM_IN_SD / width), FWHM_IN_SD / width)
    else:
        below = _box_below if profile == "box" else _triangle_below
        weights = below((offsets + 0.5) / width) - below((offsets - 0.5) / width)
    return _combination(places, _centred(offsets, weights), size)


def _centred(offsets: Float64, weights: Float64) -> Float64:
    """Weights shifted so that their centre of mass is the slice's centre.

    Over voxels taken as constant it is off by some hundredths of a voxel, which would bend ramps.
    """
    total, moment = weights[:, :1].copy(), offsets[:, :1] * weights[:, :1]
    for k in range(1, weights.shape[1]):
        total += weights[:, k : k + 1]
        moment += offsets[:, k : k + 1] * weights[:, k : k + 1]
    shift = -moment / total
    up, down = np.maximum(shift, 0.0), np.maximum(-shift, 0.0)
    moved = (1.0 - up - down) * weights
    moved[:, 1:] += up * weights[:, :-1]
    moved[:, :-1] += down * weights[:, 1:]
    return moved


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
    """Places clamped to an axis, weights scaled to the sum 1, the largest first, zeros left out.

    So the rounding of the first one's weight, which is what the others leave, is far from its sign:
    without negative weights nothing falls below 0 that is made of nothing below 0.
    """
    total = weights[:, 0].copy()
    for k in range(1, weights.shape[1]):
        total += weights[:, k]
    inside = np.clip(places, 0, size - 1).astype(np.intp)
    scaled = weights / total[:, None]
    count = max(1, int(np.count_nonzero(scaled, axis=1).max()))
    order = np.argsort(-scaled, axis=1, kind="stable")[:, :count]
    chosen: Places = np.take_along_axis(inside, order, axis=1)
    return Combination(chosen, np.take_along_axis(scaled, order, axis=1).astype(np.float32))


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


def _acquired(volume: Float32, made: Sequence[Combination], threads: int) -> Float32:
    """The slices of a volume (z, y, x); `made` along z, y, x."""
    from millimorph.kernels import resolution

    _, ny, nx = volume.shape
    places, weights = _unzipped(made)
    out = np.empty([len(axis.places) for axis in made], np.float32)

    def acquire(slices: tuple[int, int]) -> None:
        work = np.empty(2 * ny * nx, np.float32)
        resolution.acquire(volume, places, weights, slices, work, out)

    in_threads(threads, _chunks(len(out), 1, threads), acquire)
    return out


def _restore(low: Float32, back: Sequence[Combination], threads: int, write: WriteRun) -> None:
    """Hand over the voxels that are made of slices, some at a time."""
    from millimorph.kernels import resolution

    places, weights = _unzipped(back)
    nz, ny, nx = (len(axis.places) for axis in back)
    plane = ny * nx
    depth = max(1, PIECE_VOXELS // plane)
    needed = resolution.RING * plane + low.shape[1] * nx

    def restore(slices: tuple[int, int]) -> None:
        ring = np.empty(needed, np.float32)
        out = np.empty(depth * plane, np.float32)
        ready = int(places[0][slices[0]].min())
        for bottom in range(slices[0], slices[1], depth):
            some = (bottom, min(bottom + depth, slices[1]))
            ready = resolution.restore(low, places, weights, some, ready, ring, out)
            write(bottom * plane, out[: (some[1] - bottom) * plane])

    in_threads(threads, _chunks(nz, depth, threads), restore)


def _unzipped(axes: Sequence[Combination]) -> tuple[tuple[Places, ...], tuple[Float32, ...]]:
    """Places and weights as the kernels take them: those along x transposed, none to copy rows."""
    z, y, x = axes
    places: Places = np.ascontiguousarray(x.places.T)
    weights: Float32 = np.ascontiguousarray(x.weights.T)
    count = 0 if _is_copy(x) else len(places)
    return (z.places, y.places, places[:count]), (z.weights, y.weights, weights[:count])


def _is_copy(axis: Combination) -> bool:
    places = axis.places
    return places.shape[1] == 1 and bool((places[:, 0] == np.arange(len(places))).all())


def _chunks(count: int, step: int, threads: int) -> list[tuple[int, int]]:
    """Ranges of whole steps, a few for each thread; one for one thread."""
    parts = 1 if threads == 1 else threads * CHUNKS_PER_THREAD
    length = -(-count // (step * parts)) * step
    return [(first, min(first + length, count)) for first in range(0, count, length)]


def _turn_into_coefficients(volume: Float32, axis: int) -> None:
    """Turn slices along z (0), y (1) or x (2) into cubic B-spline coefficients, in place."""
    from millimorph.kernels import filters

    nz, _, nx = volume.shape
    if axis == 0:
        filters.prefilter_lines(volume.reshape(nz, -1))
    elif axis == 1:
        for plane in volume:
            filters.prefilter_lines(plane)
    else:
        filters.prefilter_rows(volume.reshape(-1, nx), 0, nx)
