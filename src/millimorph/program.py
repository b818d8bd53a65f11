"""What will be done to the voxels of a case: a Program is a list of stages, each one traversal.

A program holds no voxel and decides nothing at run time. Its text lists the stages, how often
memory is passed over, and how many bytes that moves.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.kernels.philox import StreamKey
from millimorph.recipe import Recipe
from millimorph.transforms import CompositeTransform, Transform

Role = Literal["images", "labels"]
Interpolation = Literal["nearest", "linear", "cubic", "label_linear"]
Fill = float | Literal["background", "minimum", "edge"]

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class PowerCurve:
    """Grey levels to a power between the source's minimum and maximum."""

    exponent: float


@dataclass(frozen=True)
class NormalNoise:
    """Normal noise of a deviation in grey levels, or in robust ranges of the source."""

    deviation: float
    of_robust_range: bool
    stream: StreamKey


Pointwise = PowerCurve | NormalNoise


@dataclass(frozen=True)
class Sampled:
    """One array of the case and how it is read.

    `smoothing_mm` is the standard deviation, per source axis, of the Gaussian that precedes
    downsampling; `swaps` are pairs of labels that change places; `lost_swaps` are pairs of which
    the type holds only the first, an error where that label occurs; `nan` replaces NaN (None:
    error); `pointwise` ops are applied in order to each block of voxels before it leaves the cache.
    """

    role: Role
    name: str
    interpolation: Interpolation
    fill: Fill
    dtype: str
    channels: int = 1
    smoothing_mm: tuple[float, ...] | None = None
    swaps: tuple[tuple[int, int], ...] = ()
    lost_swaps: tuple[tuple[int, int], ...] = ()
    nan: float | None = None
    pointwise: tuple[Pointwise, ...] = ()


@dataclass(frozen=True)
class LatticeCopy:
    """A map of target to source voxels without interpolation.

    Source index along axis `k` = `signs[k]` * target index along axis `axes[k]` + `offsets[k]`;
    all in x, y, z order.
    """

    axes: tuple[int, ...]
    signs: tuple[int, ...]
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Resample:
    """Pull the samples, which share the source grid, onto the target grid in one traversal."""

    samples: tuple[Sampled, ...]
    source: ImageGrid
    target: ImageGrid
    source_from_target: Transform
    copy: LatticeCopy | None = None


@dataclass(frozen=True)
class MovePoints:
    """Push landmarks and boxes with the inverse of the map, then rename the mirrored ones.

    `landmarks` and `boxes` are the roles; `renames` are pairs of names within them.
    """

    landmarks: tuple[str, ...]
    boxes: tuple[str, ...]
    source_from_target: Transform
    renames: tuple[tuple[str, str], ...] = ()


Stage = Resample | MovePoints


@dataclass(frozen=True)
class Program:
    """The stages that turn a case into the sample a recipe describes."""

    recipe: Recipe
    stages: tuple[Stage, ...]

    def _resample_of(self, name: str) -> Resample:
        names: list[str] = []
        for stage in self.stages:
            if isinstance(stage, Resample):
                found = [sample.name for sample in stage.samples]
                if name in found:
                    return stage
                names += found
        raise CompileError(
            f'the program samples no "{name}"; it has {", ".join(names) or "nothing"}'
        )

    def source_from_target(self, name: str) -> Transform:
        """The whole spatial part for one image or label map: a target point to its source point."""
        return self._resample_of(name).source_from_target

    def target(self, name: str) -> ImageGrid:
        """The grid on which the named image or label map will lie."""
        return self._resample_of(name).target

    def __str__(self) -> str:
        recipe = self.recipe
        lines = [f"program for {recipe.case}, sample {recipe.index} (recipe {recipe.digest[:12]})"]
        passes, total = 0, 0
        for number, stage in enumerate(self.stages, start=1):
            lines += [
                f"{number}. {text}" if i == 0 else f"   {text}"
                for i, text in enumerate(_text(stage))
            ]
            if isinstance(stage, Resample):
                stage_passes, moved = _cost(stage)
                passes += stage_passes
                total += moved
        noun = "pass" if passes == 1 else "passes"
        lines.append(f"{passes} {noun} over memory, {_megabytes(total)} read and written")
        return "\n".join(lines)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _cost(stage: Resample) -> tuple[int, int]:
    """Passes over memory and the most bytes they read and write: the whole source, if need be."""
    passes, moved = 1, 0
    source, target = stage.source.voxel_count, stage.target.voxel_count
    for sample in stage.samples:
        item = np.dtype(sample.dtype).itemsize
        moved += sample.channels * item * (source + target)
        filtered = _filtered_axes(sample, stage)
        passes += filtered
        moved += filtered * 2 * FLOAT32_BYTES * sample.channels * source
        if stage.copy is not None and sample.pointwise:
            passes += 1
            moved += 2 * item * sample.channels * target
    return passes, moved


def _filtered_axes(sample: Sampled, stage: Resample) -> int:
    """How many times the source is passed over before it is sampled: smoothing, then the spline."""
    if stage.copy is not None:
        return 0
    smoothed = sum(sd > 0 for sd in sample.smoothing_mm or ())
    return smoothed + (stage.source.dimension if sample.interpolation == "cubic" else 0)


def _text(stage: Stage) -> list[str]:
    match stage:
        case Resample():
            verb = "copy" if stage.copy is not None else "resample"
            lines = [f"{verb} {_size(stage.source)} -> {_size(stage.target)}"]
            if stage.copy is None:
                lines += [f"  map: {part!r}" for part in _parts(stage.source_from_target)]
            for sample in stage.samples:
                lines.append("  " + _sample_text(sample, copied=stage.copy is not None))
            return lines
        case MovePoints():
            names = ", ".join((*stage.landmarks, *stage.boxes))
            return [f"move points: {names}"]
        case _:
            assert_never(stage)


def _parts(transform: Transform) -> tuple[Transform, ...]:
    return transform.parts if isinstance(transform, CompositeTransform) else (transform,)


def _sample_text(sample: Sampled, *, copied: bool) -> str:
    how = "exact copy" if copied else sample.interpolation
    text = f"{sample.name}: {sample.dtype}"
    if sample.channels > 1:
        text += f" x {sample.channels}"
    text += f", {how}, fill {sample.fill}"
    if sample.smoothing_mm is not None:
        text += (
            ", smoothed first by " + " x ".join(f"{sd:.3g}" for sd in sample.smoothing_mm) + " mm"
        )
    if sample.pointwise:
        text += ", then " if copied else ", then in the same pass "
        text += ", ".join(_pointwise_text(op) for op in sample.pointwise)
    if sample.swaps:
        text += ", labels swapped " + ", ".join(f"{a}<->{b}" for a, b in sample.swaps)
    return text


def _pointwise_text(op: Pointwise) -> str:
    match op:
        case PowerCurve():
            return f"gamma {op.exponent:.4g}"
        case NormalNoise():
            unit = " of the robust range" if op.of_robust_range else ""
            return f"Gaussian noise {op.deviation:.4g}{unit}"
        case _:
            assert_never(op)


def _size(grid: ImageGrid) -> str:
    size = "x".join(str(n) for n in grid.size)
    return f"{size} at " + "x".join(f"{s:.4g}" for s in grid.spacing_mm) + " mm"
