"""Measuring a sample: a few milliseconds, and the same numbers wherever it is made.

Labels are counted, every voxel. Quantiles are voxel values of an evenly spread part of an image,
their ends of all voxels. The map is followed at the middles of 6 x 6 x 6 equal boxes of each target
grid (16 x 16 in 2D), its derivatives by steps of 0.01 mm, so determinants hold to about 0.001 there
and tell nothing of what lies between.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millimorph.generate.measured import (
    QUANTILES,
    Measured,
    MeasuredGrid,
    MeasuredImage,
    MeasuredLabels,
    MeasuredMap,
)
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.images import Case, LabelMap, ScalarImage
from millimorph.kernels import smallmatrix
from millimorph.program import Paint, Program, Resample
from millimorph.runner import Backend
from millimorph.transforms import Transform

_NODES = {2: 16, 3: 6}
_STEP_MM = 0.01
_QUANTILE_VOXELS = 1 << 14
_MOST_BINS = 1 << 16
_DIGITS = 4


@dataclass(frozen=True)
class LabelCounts:
    """How many voxels each label has, and the volume of one."""

    voxels: Mapping[int, int]
    voxel_mm3: float

    @property
    def foreground_mm3(self) -> float:
        """The volume of all labels but 0."""
        return self.voxel_mm3 * sum(count for label, count in self.voxels.items() if label)


def counted(labels: LabelMap, backend: Backend) -> LabelCounts:
    """Count the voxels of every label, over all channels or frames."""
    volume = math.prod(labels.grid.spacing_mm)
    flat = labels.array.reshape(-1)
    if flat.dtype.itemsize > 2:
        if flat.min() < 0 or flat.max() >= _MOST_BINS:
            values, counts = np.unique(flat, return_counts=True)
            return LabelCounts(dict(zip(values.tolist(), counts.tolist(), strict=True)), volume)
        flat = flat.astype(np.uint16)
    bins = 1 << 8 * flat.dtype.itemsize
    totals = _tallied(flat.view(f"u{flat.dtype.itemsize}"), bins, backend)
    present = np.flatnonzero(totals)
    values = present.astype(f"u{flat.dtype.itemsize}").view(flat.dtype)
    found = zip(values.tolist(), totals[present].tolist(), strict=True)
    return LabelCounts(dict(sorted(found)), volume)


def _tallied(numbers: NDArray[Any], bins: int, backend: Backend) -> NDArray[np.int64]:
    """Count small numbers; compiled where the samples are."""
    if backend == "reference":
        return np.bincount(numbers, minlength=bins)
    from millimorph.kernels.histograms import add_up, tally

    tables = np.zeros((4, bins), np.uint32)
    tally(numbers, tables)
    totals = np.empty(bins, np.int64)
    add_up(tables, totals)
    return totals


def measured(
    program: Program, before: Mapping[str, LabelCounts], result: Case, backend: Backend
) -> Measured:
    """Measure a sample; `before` holds the counts of the case's label maps."""
    ways = _ways(program)
    return Measured(
        map=_measured_map(program),
        images={name: _image(one, *ways[name]) for name, one in result.images.items()},
        labels={
            name: _labels(before[name], counted(one, backend), one, *ways[name])
            for name, one in result.labels.items()
        },
    )


def _ways(program: Program) -> dict[str, tuple[int, str]]:
    """How often each part was interpolated, and how."""
    ways: dict[str, tuple[int, str]] = {}
    for stage in program.stages:
        if isinstance(stage, Paint):
            ways[stage.name] = (0, "painted")
        elif isinstance(stage, Resample):
            for one in stage.samples:
                times, _ = ways.get(one.name, (0, ""))
                copied = stage.copy is not None
                ways[one.name] = (times, "exact copy") if copied else (times + 1, one.interpolation)
    return ways


def _image(image: ScalarImage, resamples: int, interpolation: str) -> MeasuredImage:
    return MeasuredImage(
        grid=_grid(image),
        dtype=str(image.dtype),
        resamples=resamples,
        interpolation=interpolation,
        quantiles=_quantiles(image.array),
    )


def _labels(
    before: LabelCounts, after: LabelCounts, labels: LabelMap, resamples: int, interpolation: str
) -> MeasuredLabels:
    foreground = before.foreground_mm3
    return MeasuredLabels(
        grid=_grid(labels),
        dtype=str(labels.dtype),
        resamples=resamples,
        interpolation=interpolation,
        voxels_before={str(label): count for label, count in before.voxels.items()},
        voxels_after={str(label): count for label, count in after.voxels.items()},
        voxel_mm3_before=before.voxel_mm3,
        voxel_mm3_after=after.voxel_mm3,
        kept_share=round(after.foreground_mm3 / foreground, _DIGITS) if foreground else None,
    )


def _grid(image: ScalarImage | LabelMap) -> MeasuredGrid:
    return MeasuredGrid(
        shape=image.array.shape,
        spacing_mm=image.grid.spacing_mm,
        affine=tuple((image.grid.world_from_index.ravel() + 0.0).tolist()),
    )


def _quantiles(array: NDArray[np.generic]) -> tuple[float, ...] | None:
    flat = array.reshape(-1)
    part = np.sort(flat[:: _stride(array.shape)])
    lowest, highest = flat.min(), flat.max()
    if part.dtype.kind == "f" and not (np.isfinite(lowest) and np.isfinite(highest)):
        finite = flat[np.isfinite(flat)]
        if not finite.size:
            return None
        lowest, highest = finite.min(), finite.max()
        part = part[np.isfinite(part)]
    if not part.size:
        part = np.array([lowest, highest])
    places = [min(len(part) - 1, int(share * len(part))) for share in QUANTILES[1:-1]]
    return (float(lowest), *(float(part[place]) for place in places), float(highest))


def _stride(shape: tuple[int, ...]) -> int:
    """A step through the flat array that meets all rows and columns: it divides no axis."""
    stride = max(1, math.prod(shape) // _QUANTILE_VOXELS)
    while any(math.gcd(stride, length) > 1 for length in shape):
        stride += 1
    return stride


def _measured_map(program: Program) -> MeasuredMap | None:
    """Follow every different map of the program; images of a case on other grids may share it."""
    stages = [stage for stage in program.stages if isinstance(stage, Resample)]
    places = {(id(one.source_from_target), one.target): one.source_from_target for one in stages}
    found = [_followed(map_, target) for (_, target), map_ in places.items()]
    if not found:
        return None
    determinants = np.concatenate([one for one, _ in found])
    return MeasuredMap(
        jacobian_min=round(float(determinants.min()), _DIGITS),
        jacobian_max=round(float(determinants.max()), _DIGITS),
        jacobian_negative_share=round(float(np.mean(determinants < 0)), _DIGITS),
        largest_displacement_mm=round(max(length for _, length in found), _DIGITS),
    )


def _followed(source_from_target: Transform, target: ImageGrid) -> tuple[FloatArray, float]:
    """Determinants of the map's derivatives, and the largest displacement in mm."""
    points = _lattice(target)
    count, dimension = points.shape
    steps = _STEP_MM * np.eye(dimension)
    there = source_from_target.map_points(np.concatenate([points, *(points + s for s in steps)]))
    moved = there[:count]
    derivatives = np.stack(
        [(there[count * k :][:count] - moved) / _STEP_MM for k in range(1, dimension + 1)], axis=-1
    )
    lengths = np.sqrt(np.square(moved - points).sum(axis=1))
    return smallmatrix.determinant(derivatives), float(lengths.max())


def _lattice(grid: ImageGrid) -> FloatArray:
    nodes = _NODES[grid.dimension]
    shares = (np.arange(nodes) + 0.5) / nodes
    axes = [shares * size - 0.5 for size in grid.size]
    return grid.points_mm(np.stack([one.ravel() for one in np.meshgrid(*axes)], axis=1))
