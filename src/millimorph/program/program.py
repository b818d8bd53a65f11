"""A program: the stages that make a sample, and how it prints."""

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.program.histograms import HistogramStep
from millimorph.program.stages import (
    LabelPass,
    MovePoints,
    Paint,
    Resample,
    Sampled,
    Stage,
    VolumePass,
    channels_text,
)
from millimorph.recipe import Recipe
from millimorph.transforms import CompositeTransform, Transform

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Program:
    """The stages that turn a case into the sample a recipe describes."""

    recipe: Recipe
    stages: tuple[Stage, ...]

    def _resample_of(self, name: str) -> Resample:
        names: list[str] = []
        for stage in self.stages:
            if isinstance(stage, Paint) and stage.name == name:
                return self._resample_of(stage.labels)
            if isinstance(stage, Resample):
                found = [sample.name for sample in stage.samples]
                if name in found:
                    return stage
                names += found
        raise CompileError(
            f'the program samples no "{name}"; it has {", ".join(names) or "nothing"}'
        )

    def source_from_target(self, name: str) -> Transform:
        """The whole spatial part for one image or label map: a target point to its source point.

        That of an image made from labels is theirs.
        """
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
            stage_passes, moved = _cost(stage)
            passes += stage_passes
            total += moved
        noun = "pass" if passes == 1 else "passes"
        lines.append(f"{passes} {noun} over memory, {_megabytes(total)} read and written")
        return "\n".join(lines)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _cost(stage: Stage) -> tuple[int, int]:
    """Passes over memory and the most bytes they read and write: the whole source, if need be."""
    match stage:
        case Resample():
            return _resample_cost(stage)
        case VolumePass():
            return _pass_cost(stage)
        case Paint() | LabelPass():
            return 1, 2 * stage.grid.voxel_count * _bytes(stage.written)
        case MovePoints():
            return 0, 0
        case _:
            assert_never(stage)


def _pass_cost(stage: VolumePass) -> tuple[int, int]:
    """One pass that reads and writes, and one that only reads where the image is measured first."""
    voxels = stage.count * stage.grid.voxel_count
    measuring = 1 if isinstance(stage.step, HistogramStep) else 0
    moved = voxels * (FLOAT32_BYTES * (1 + measuring) + _bytes(stage.written))
    return 1 + measuring, moved


def _bytes(kind: str) -> int:
    return np.dtype(kind).itemsize


def _resample_cost(stage: Resample) -> tuple[int, int]:
    passes, moved = 1, 0
    source, target = stage.source.voxel_count, stage.target.voxel_count
    for sample in stage.samples:
        item, written = _bytes(sample.dtype), _bytes(sample.written)
        moved += sample.channels * (item * source + written * target)
        filtered = _filtered_axes(sample, stage)
        passes += filtered
        moved += filtered * 2 * FLOAT32_BYTES * sample.channels * source
        if stage.copy is not None and sample.pointwise:
            passes += 1
            moved += 2 * written * sample.channels * target
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
        case VolumePass():
            text = f"{stage.name}: "
            if stage.step is not None:
                text += f"{stage.step}{channels_text(stage.channels)}"
                text += ", then in the same pass " if stage.pointwise else ""
            return [text + ", ".join(str(applied) for applied in stage.pointwise)]
        case Paint():
            return [f"{stage.name}: made from {stage.labels}, {stage.step}"]
        case LabelPass():
            return [f"{stage.name}: {stage.step}"]
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
        text += ", ".join(str(applied) for applied in sample.pointwise)
    if sample.swaps:
        text += ", labels swapped " + ", ".join(f"{a}<->{b}" for a, b in sample.swaps)
    return text


def _size(grid: ImageGrid) -> str:
    size = "x".join(str(n) for n in grid.size)
    return f"{size} at " + "x".join(f"{s:.4g}" for s in grid.spacing_mm) + " mm"
