"""Ops that make an image from a label map, as a stage and as what later ops are compiled for."""

from collections.abc import Mapping

from millimorph.compiler.labels import MapSubject
from millimorph.compiler.subject import Subject
from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.ops.painting import LabelClass, LabelsToImage, PaintOp
from millimorph.program import GaussianMixture, GreyClass, Paint
from millimorph.recipe import Recipe

PAINTED = "float32"


def paint_stage(op: PaintOp, recipe: Recipe, maps: Mapping[str, MapSubject]) -> Paint:
    """The stage that makes the image.

    Raises:
        CompileError: no such label map, several when none is named, or one with channels.
    """
    name = _source(op, tuple(maps))
    if maps[name].channels != 1:
        raise CompileError(
            f'{op.id} makes an image from "{name}", which has several channels or frames; it takes '
            "a label map without"
        )
    step = GaussianMixture(
        tuple(_grey_class(one, op) for one in op.classes),
        _bounds(op.means),
        _bounds(op.stds),
        draws=recipe.stream(f"{op.id}/{op.image}/draws"),
        noise=recipe.stream(f"{op.id}/{op.image}"),
    )
    return Paint(op.image, name, step, maps[name].grid, PAINTED)


def painted_subject(stage: Paint, recipe: Recipe, masks: Mapping[str, ImageGrid]) -> Subject:
    """The new image, for the ops that follow."""
    return Subject(recipe, stage.name, stage.written, 1, stage.grid, None, masks)


def _source(op: LabelsToImage, known: tuple[str, ...]) -> str:
    if op.labels is None and len(known) == 1:
        return known[0]
    if op.labels in known:
        return str(op.labels)
    asked = "a label map" if op.labels is None else f'the label map "{op.labels}"'
    several = len(known) > 1 and op.labels is None
    raise CompileError(
        f"{op.id} makes an image from {asked}; the case has {', '.join(known) or 'none'}"
        + (", so name one as labels" if several else "")
    )


def _grey_class(one: LabelClass, op: LabelsToImage) -> GreyClass:
    means = op.means if one.means is None else one.means
    deviations = op.stds if one.stds is None else one.stds
    return GreyClass(one.labels, _bounds(means), _bounds(deviations))


def _bounds(given: tuple[float, ...]) -> tuple[float, float]:
    low, high = given
    return low, high
