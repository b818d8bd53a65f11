"""Each op of a pipeline by itself, at the low end, in the middle and at the high end of its range.

All parameters of an op are moved together. What is random in an op, such as noise or control
points, is the same at every setting, so that the pictures differ by the parameters alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from millimorph.compiler import compile as compile_recipe
from millimorph.designs import Explicit
from millimorph.distributions import Choice
from millimorph.images import Case
from millimorph.ops import (
    AnyOp,
    ImageOp,
    LabelOp,
    LabelsToImage,
    OneOf,
    SimpleOp,
    SomeOf,
    is_spatial,
)
from millimorph.parameters import Coordinate
from millimorph.recipe import Pipeline, Recipe, coordinate_list, draw, with_ids
from millimorph.runner import AugmentedCase, run
from millimorph.transforms import Transform

SETTINGS = ("low", "middle", "high")
_MIDDLE = 1


@dataclass(frozen=True)
class Trial:
    """One op by itself, behind the ops without which it means nothing.

    These make the image that it is for, or bring grey levels into the scale of its numbers. `op`
    has its id and is certain to take part; `probability` is what it had; `place` are the ids of the
    choices around it. `before` is the pipeline of the other ops, `pipeline` that of all.
    """

    op: SimpleOp
    place: tuple[str, ...]
    probability: float
    before: Pipeline
    pipeline: Pipeline

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        """What varies in the op."""
        return tuple(c for c in coordinate_list(self.pipeline) if self._is_own(c))

    @property
    def is_spatial(self) -> bool:
        """Whether the op moves anatomy or changes the grid."""
        return is_spatial(self.op)

    def recipe_before(self, case: str) -> Recipe:
        """What the op finds, everything in the middle of its range."""
        return _at(self.before, [_unit(c, _MIDDLE) for c in coordinate_list(self.before)], case)

    def recipes(self, case: str) -> tuple[tuple[str, Recipe], ...]:
        """The settings that differ, named; one without a name where nothing varies."""
        every = coordinate_list(self.pipeline)
        found: dict[str, Recipe] = {}
        for rank, setting in enumerate(SETTINGS):
            point = [_unit(c, rank if self._is_own(c) else _MIDDLE) for c in every]
            recipe = _at(self.pipeline, point, case)
            if recipe not in found.values():
                found[setting] = recipe
        if len(found) == 1:
            return (("", recipe),)
        return tuple(found.items())

    def image_of(self, case: Case) -> str | None:
        """The image in which the op is seen: the first that it is for, else the first there is."""
        if isinstance(self.op, LabelsToImage):
            return self.op.image
        asked = None if isinstance(self.op, LabelOp) else getattr(self.op, "images", None)
        made = [op.image for op in self.pipeline.intensity if isinstance(op, LabelsToImage)]
        return next(iter((*(asked or ()), *case.images, *made)), None)

    @property
    def channel(self) -> int | None:
        """The channel in which the op is seen, if it is for some only."""
        channels = getattr(self.op, "channels", None)
        return channels[0] if channels else None

    def _is_own(self, coordinate: Coordinate) -> bool:
        return coordinate.name.startswith(f"{self.op.id}.")


@dataclass(frozen=True)
class Tried:
    """A case after one op, and the map that made it."""

    case: AugmentedCase
    source_from_target: Transform


def trials(pipeline: Pipeline) -> Iterator[Trial]:
    """The ops of a pipeline in their order, those of choices one by one."""
    spatial, intensity = with_ids(pipeline.spatial, pipeline.intensity)
    makers = _makers(intensity)
    bare = pipeline.replace(dimension=pipeline.axes, design=None, spatial=(), intensity=())
    for place, op in _single(spatial, ()):
        before = bare.replace(intensity=makers)
        certain = op.replace(probability=1.0)
        yield Trial(certain, place, op.probability, before, before.replace(spatial=(certain,)))
    scaled: tuple[AnyOp, ...] = ()
    for top in intensity:
        for place, op in _single((top,), ()):
            needed = _needed(op, makers, scaled)
            certain = op.replace(probability=1.0)
            before = bare.replace(intensity=needed)
            after = bare.replace(intensity=(*needed, certain))
            yield Trial(certain, place, op.probability, before, after)
        if isinstance(top, ImageOp) and top.makes_float() and top.probability == 1.0:
            scaled = (*scaled, top)


def _at(pipeline: Pipeline, point: list[float], case: str) -> Recipe:
    design = Explicit(points=(tuple(point),)) if point else None
    return next(draw(pipeline, design, case=case))


def _makers(ops: tuple[AnyOp, ...]) -> tuple[LabelsToImage, ...]:
    """The first op that makes each image; one of a choice stands for all of it."""
    found: dict[str, LabelsToImage] = {}
    for _, op in _single(ops, ()):
        if isinstance(op, LabelsToImage):
            found.setdefault(op.image, op.replace(probability=1.0))
    return tuple(found.values())


def _needed(
    op: SimpleOp, makers: tuple[LabelsToImage, ...], scaled: tuple[AnyOp, ...]
) -> tuple[AnyOp, ...]:
    """What must be in front of an op: the makers of images, then the ops that scale grey levels."""
    if isinstance(op, LabelOp):
        return ()
    if isinstance(op, LabelsToImage):
        return tuple(maker for maker in makers if maker.image != op.image)
    return (*makers, *scaled)


def tried(recipe: Recipe, case: Case, seen: str) -> Tried:
    """The case after a recipe; `seen` is the image or label map that tells the map.

    Raises:
        MillimorphError: what does not fit the case.
    """
    program = compile_recipe(recipe, case)
    return Tried(run(program, case), program.source_from_target(seen))


def _single(
    ops: tuple[AnyOp, ...], place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], SimpleOp]]:
    for op in ops:
        if isinstance(op, OneOf | SomeOf):
            yield from _single(op.ops, (*place, str(op.id)))
        else:
            yield place, op


def _unit(coordinate: Coordinate, rank: int) -> float:
    """The place of the low, middle or high value on the coordinate."""
    distribution = coordinate.distribution
    levels = distribution.levels(len(SETTINGS))
    if isinstance(distribution, Choice):
        values = sorted(levels, key=lambda unit: _order(distribution.quantile(unit)))
        return values[rank * (len(values) - 1) // (len(SETTINGS) - 1)]
    return levels[rank]


def _order(value: float | str) -> float:
    """Numbers by size; words stay in their order."""
    return value if isinstance(value, float | int) else 0.0
