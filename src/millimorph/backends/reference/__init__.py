"""The definition of correct: every stage in float64 NumPy, slow and obvious.

Where `cpu` and this backend differ by more than docs/conventions.md allows, `cpu` is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from millimorph.backends.reference import pointwise, sampling
from millimorph.backends.reference.originals import without_nan
from millimorph.backends.reference.passes import run_label_pass, run_paint, run_volume_pass
from millimorph.backends.reference.pointwise import as_type
from millimorph.backends.reference.sampling import AnyArray, Floats
from millimorph.backends.scene import Scene, Where
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage, common_background
from millimorph.program import Fill, LatticeCopy, Resample, Sampled

__all__ = ["run_label_pass", "run_paint", "run_resample", "run_volume_pass"]

Volume: TypeAlias = ScalarImage | LabelMap
Sampler: TypeAlias = Callable[[Floats], AnyArray]

_POINTS_PER_BLOCK = 1 << 16
_HALF_VOXEL = 0.5


def run_resample(
    stage: Resample,
    sources: Mapping[str, Volume],
    threads: int = 1,  # noqa: ARG001 - one thread is slow enough to follow
) -> dict[str, Volume]:
    """Make every sample of a stage on its target grid.

    Raises ImageError for a NaN or infinite voxel in an image for which no value is declared.
    """
    return {
        sample.name: _resampled(sample, stage, sources[sample.name]) for sample in stage.samples
    }


def _resampled(sample: Sampled, stage: Resample, source: Volume) -> Volume:
    voxels = without_nan(source, sample)
    fill = _fill_value(sample.fill, voxels.reshape(source.channels, *stage.source.shape))
    channels = [
        _finished_channel(sample, stage, source, number, fill) for number in range(source.channels)
    ]
    leading = source.array.shape[: -stage.source.dimension]
    return type(source)(
        np.stack(channels).reshape(*leading, *stage.target.shape), stage.target, source.frames
    )


def _finished_channel(
    sample: Sampled, stage: Resample, source: Volume, number: int, fill: float | None
) -> AnyArray:
    """One resampled channel with its pointwise steps, in the type that is written."""
    voxels = without_nan(source, sample)
    channel = voxels.reshape(-1, *stage.source.shape)[number]
    if not sample.pointwise and sample.stored is None:
        return _resampled_channel(sample, stage, channel, fill)
    values = _resampled_channel(sample, stage, channel.astype(np.float64), fill)
    volume = values.reshape((1, *stage.target.shape)[-3:])
    scene = Scene(sample.name, stage.target, source, sample.nan)
    changed = pointwise.apply_all(sample.pointwise, volume, Where(number, 0, scene))
    return as_type(changed, np.dtype(sample.written)).reshape(stage.target.shape)


def _resampled_channel(
    sample: Sampled, stage: Resample, channel: AnyArray, fill: float | None
) -> AnyArray:
    """Fill the target block by block: inside the source from its voxels, elsewhere with `fill`.

    A `fill` of None means that the edge goes on: every index is moved into the source.
    """
    dtype = channel.dtype
    outside = dtype.type(0) if fill is None else as_type(np.array([fill]), dtype)[0]
    result = np.full(stage.target.voxel_count, outside, dtype=dtype)
    size = np.array(stage.source.size)
    lookup = _lookup(sample, stage, channel)
    for block, target_index in _blocks(stage.target):
        index = _source_index(stage, target_index)
        if fill is None:
            index = np.clip(index, 0, size - 1)
        inside = ((index >= -_HALF_VOXEL) & (index < size - _HALF_VOXEL)).all(axis=1)
        values = as_type(lookup(index[inside]), dtype)
        result[block][inside] = _swapped(values, sample.swaps)
    return result.reshape(stage.target.shape)


def _lookup(sample: Sampled, stage: Resample, channel: AnyArray) -> Sampler:
    """Prepare the function from source indices to values."""
    if stage.copy is not None:
        return partial(sampling.nearest, channel)
    if sample.smoothing_mm is not None:
        channel = _smoothed(channel, stage.source, sample.smoothing_mm)
    match sample.interpolation:
        case "nearest":
            return partial(sampling.nearest, channel)
        case "linear":
            return partial(sampling.linear, channel)
        case "cubic":
            return partial(sampling.cubic, sampling.cubic_coefficients(channel))
        case "label_linear":
            return partial(sampling.label_linear, channel)


def _blocks(grid: ImageGrid) -> Iterator[tuple[slice, npt.NDArray[np.int64]]]:
    """Cut a grid into runs of voxels in memory order, each with its indices (n, d) in (x, y, z)."""
    for start in range(0, grid.voxel_count, _POINTS_PER_BLOCK):
        stop = min(start + _POINTS_PER_BLOCK, grid.voxel_count)
        place = np.unravel_index(np.arange(start, stop), grid.shape)
        yield slice(start, stop), np.stack(place[::-1], axis=1)


def _source_index(stage: Resample, target_index: npt.NDArray[np.int64]) -> Floats:
    if stage.copy is not None:
        return _copied_index(stage.copy, target_index)
    target_points_mm = stage.target.points_mm(target_index.astype(np.float64))
    return stage.source.indices(stage.source_from_target.map_points(target_points_mm))


def _copied_index(copy: LatticeCopy, target_index: npt.NDArray[np.int64]) -> Floats:
    """Index the source by whole steps: source axis k runs along target axis axes[k]."""
    turned = target_index[:, list(copy.axes)].astype(np.float64)
    moved: Floats = turned * np.array(copy.signs) + np.array(copy.offsets)
    return moved


def _fill_value(fill: Fill, voxels: AnyArray) -> float | None:
    """Find the value outside the source, of all its channels together; None for "edge"."""
    match fill:
        case "edge":
            return None
        case "minimum":
            return float(voxels.min())
        case "background":
            return common_background(voxels)
        case _:
            return fill


def _smoothed(channel: AnyArray, grid: ImageGrid, smoothing_mm: tuple[float, ...]) -> Floats:
    """Blur along each source axis, so that a coarser target cannot show false patterns."""
    smooth = channel.astype(np.float64)
    for axis, (sd_mm, spacing_mm) in enumerate(zip(smoothing_mm, grid.spacing_mm, strict=True)):
        if sd_mm > 0:
            smooth = ndimage.gaussian_filter1d(
                smooth, sd_mm / spacing_mm, axis=-1 - axis, mode="nearest", truncate=4.0
            )
    return smooth


def _swapped(labels: AnyArray, swaps: tuple[tuple[int, int], ...]) -> AnyArray:
    """Exchange the two labels of each pair, pair after pair."""
    for one, other in swaps:
        first, second = labels.dtype.type(one), labels.dtype.type(other)
        labels = np.where(labels == first, second, np.where(labels == second, first, labels))
    return labels
