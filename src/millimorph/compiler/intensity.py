"""From the intensity ops of a recipe to stages: which steps ride on a write, which need a pass.

Pointwise steps join the traversal in front of them. Between passes voxels are float32; the last
traversal of an image writes the type that is kept.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import assert_never

from millimorph.compiler.fields import field_steps
from millimorph.compiler.fourier import fourier_steps
from millimorph.compiler.histograms import histogram_steps
from millimorph.compiler.labels import MapSubject, changed, label_passes
from millimorph.compiler.levels import level_steps
from millimorph.compiler.modality import modality_steps
from millimorph.compiler.neighbourhoods import neighbourhood_steps
from millimorph.compiler.noise import noise_steps
from millimorph.compiler.painting import paint_stage, painted_subject
from millimorph.compiler.patches import patch_steps
from millimorph.compiler.stencils import stencil_steps
from millimorph.compiler.subject import Subject
from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.ops.fields import FieldOp
from millimorph.ops.fourier import FourierOp
from millimorph.ops.histograms import HistogramOp
from millimorph.ops.labels import ShapeOp
from millimorph.ops.levels import LevelOp
from millimorph.ops.modality import ModalityOp
from millimorph.ops.neighbourhoods import NeighbourhoodOp
from millimorph.ops.noise import NoiseOp
from millimorph.ops.painting import PaintOp
from millimorph.ops.patches import PatchOp
from millimorph.ops.stencils import StencilOp
from millimorph.program import (
    Applied,
    OneHotCoding,
    Paint,
    Pointwise,
    Resample,
    Stage,
    VolumePass,
    VolumeStep,
)
from millimorph.program.steps import asks_of_original
from millimorph.recipe import Recipe

BETWEEN = "float32"

ImageIntensityOp = (
    LevelOp
    | HistogramOp
    | NoiseOp
    | FieldOp
    | PatchOp
    | StencilOp
    | NeighbourhoodOp
    | FourierOp
    | ModalityOp
)


def with_intensity(recipe: Recipe, resamples: Sequence[Resample]) -> tuple[Stage, ...]:
    """The resamples with the pointwise steps that ride on them, and the passes that follow.

    Raises:
        CompileError: an op for an image, channel or label map that the case has not.
    """
    plan = _Plan(recipe, resamples)
    for op in recipe.intensity:
        if isinstance(op, ShapeOp):
            plan.add_label_op(op)
        elif isinstance(op, PaintOp):
            plan.add_painting(op)
        else:
            plan.add_image_op(op)
    return tuple(plan.stages)


class _Plan:
    """The stages so far, and which of them wrote each image and label map last."""

    def __init__(self, recipe: Recipe, resamples: Sequence[Resample]) -> None:
        self.recipe = recipe
        self.stages: list[Stage] = list(resamples)
        self.last: dict[str, int] = {}
        self.subjects: dict[str, Subject] = {}
        self.maps: dict[str, MapSubject] = {}
        self.masks: dict[str, ImageGrid] = {}
        self.rescaled: set[str] = set()
        for at, stage in enumerate(resamples):
            for sample in stage.samples:
                self.last[sample.name] = at
                if sample.role == "labels":
                    name, kind, channels = sample.name, sample.dtype, sample.channels
                    self.maps[name] = MapSubject(name, kind, channels, stage.target)
                    self.masks[name] = stage.target
        for stage in resamples:
            for s in stage.samples:
                if s.role == "images":
                    self.subjects[s.name] = Subject(
                        recipe, s.name, s.dtype, s.channels, stage.target, s.nan, self.masks
                    )

    def add_image_op(self, op: ImageIntensityOp) -> None:
        """Add what an op does to each image it is for."""
        for name in _chosen(op.id, op.images, self.subjects, "image"):
            subject = self.subjects[name]
            _check_channels(op, subject)
            for step in _steps(op, subject):
                asks = name in self.rescaled and asks_of_original(step)
                if asks:
                    self._take_as_original(name)
                if isinstance(step, Pointwise):
                    if asks:
                        self._pass(self.subjects[name], None, None)
                    self._ride(name, Applied(step, op.channels))
                else:
                    self._pass(subject, step, op.channels)
            if op.makes_float():
                self._write(name, BETWEEN)
                self.subjects[name] = replace(subject, dtype=BETWEEN)
                self.rescaled.add(name)

    def add_label_op(self, op: ShapeOp) -> None:
        """Add what an op does to each label map it is for."""
        for name in _chosen(op.id, op.labels, self.maps, "label map"):
            for stage in label_passes(op, self.maps[name]):
                self.stages.append(stage)
                self.maps[name] = changed(self.maps[name], stage)
                if isinstance(stage.step, OneHotCoding):
                    self.masks.pop(name, None)

    def add_painting(self, op: PaintOp) -> None:
        """Add the image that an op makes."""
        stage = paint_stage(op, self.recipe, self.maps)
        self.last[stage.name] = len(self.stages)
        self.stages.append(stage)
        self.subjects[stage.name] = painted_subject(stage, self.recipe, self.masks)

    def _take_as_original(self, name: str) -> None:
        """Let later steps ask the image as it now is: an op gave it another scale."""
        at = self.last[name]
        stage = self.stages[at]
        match stage:
            case Resample():
                samples = tuple(
                    replace(s, becomes_original=True) if s.name == name else s
                    for s in stage.samples
                )
                self.stages[at] = replace(stage, samples=samples)
            case VolumePass():
                self.stages[at] = replace(stage, becomes_original=True)
            case _:
                raise AssertionError(stage)
        self.rescaled.discard(name)
        self.subjects[name] = replace(self.subjects[name], nan=None)

    def _ride(self, name: str, applied: Applied) -> None:
        at = self.last[name]
        stage = self.stages[at]
        match stage:
            case Resample():
                samples = tuple(
                    replace(s, pointwise=(*s.pointwise, applied)) if s.name == name else s
                    for s in stage.samples
                )
                self.stages[at] = replace(stage, samples=samples)
            case VolumePass():
                self.stages[at] = replace(stage, pointwise=(*stage.pointwise, applied))
            case Paint():
                self._pass(self.subjects[name], None, None)
                self._ride(name, applied)
            case _:
                raise AssertionError(stage)

    def _pass(
        self, subject: Subject, step: VolumeStep | None, channels: tuple[int, ...] | None
    ) -> None:
        kept = self._write(subject.name, BETWEEN)
        self.last[subject.name] = len(self.stages)
        self.stages.append(
            VolumePass(
                subject.name,
                step,
                subject.grid,
                subject.channels,
                kept,
                channels,
                nan=subject.nan,
            )
        )

    def _write(self, name: str, kind: str) -> str:
        """Let the last traversal of an image write another type; what it wrote before."""
        at = self.last[name]
        stage = self.stages[at]
        match stage:
            case Resample():
                (before,) = (s.written for s in stage.samples if s.name == name)
                samples = tuple(
                    replace(s, stored=None if kind == s.dtype else kind) if s.name == name else s
                    for s in stage.samples
                )
                self.stages[at] = replace(stage, samples=samples)
                return before
            case VolumePass():
                self.stages[at] = replace(stage, written=kind)
                return stage.written
            case Paint():
                return stage.written
            case _:
                raise AssertionError(stage)


def _steps(op: ImageIntensityOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    if isinstance(op, LevelOp):
        return level_steps(op, subject)
    if isinstance(op, NoiseOp):
        return noise_steps(op, subject)
    if isinstance(op, FieldOp):
        return field_steps(op, subject)
    if isinstance(op, PatchOp):
        return patch_steps(op, subject)
    if isinstance(op, HistogramOp):
        return histogram_steps(op, subject)
    if isinstance(op, FourierOp):
        return fourier_steps(op, subject)
    if isinstance(op, StencilOp):
        return stencil_steps(op, subject)
    if isinstance(op, NeighbourhoodOp):
        return neighbourhood_steps(op, subject)
    if isinstance(op, ModalityOp):
        return modality_steps(op, subject)
    assert_never(op)


def _chosen(
    op_id: str | None, asked: tuple[str, ...] | None, known: Collection[str], kind: str
) -> tuple[str, ...]:
    """The names an op is for."""
    if asked is None:
        return tuple(known)
    missing = [name for name in asked if name not in known]
    if missing:
        raise CompileError(
            f"{op_id} is for the {kind} {', '.join(missing)}; the case has "
            f"{', '.join(known) or 'none'}"
        )
    return asked


def _check_channels(op: ImageIntensityOp, subject: Subject) -> None:
    if op.channels is not None and op.channels[-1] >= subject.channels:
        raise CompileError(
            f'{op.id} is for channel {op.channels[-1]}; "{subject.name}" has '
            f"{subject.channels}, numbered from 0"
        )
