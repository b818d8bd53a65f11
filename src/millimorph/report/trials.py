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
from millimorph.ops import AnyOp, LabelOp, LabelsToImage, OneOf, SimpleOp, SomeOf, is_spatial
from millimorph.parameters import Coordinate
from millimorph.recipe import Pipeline, Recipe, coordinate_list, draw, with_ids
from millimorph.runner import AugmentedCase, run
from millimorph.transforms import Transform

SETTINGS = ("low", "middle", "high")


@dataclass(frozen=True)
class Trial:
    """One op and the pipeline that holds nothing else but the ops that make images for it.

    `op` has its id and is certain to take part; `probability` is what it had; `place` are the ids
    of the choices around it.
    """

    op: SimpleOp
    place: tuple[str, ...]
    probability: float
    pipeline: Pipeline

    @property
    def coordinates(self) -> tuple[Coordinate, ...]:
        """What varies in the op."""
        return coordinate_list(self.pipeline)

    @property
    def is_spatial(self) -> bool:
        """Whether the op moves anatomy or changes the grid."""
        return is_spatial(self.op)

    def recipes(self, case: str) -> tuple[tuple[str, Recipe], ...]:
        """The settings that differ, named; one without a name where nothing varies."""
        if not self.coordinates:
            return (("", next(draw(self.pipeline, case=case))),)
        found: dict[str, Recipe] = {}
        for rank, setting in enumerate(SETTINGS):
            point = tuple(_unit(coordinate, rank) for coordinate in self.coordinates)
            recipe = next(draw(self.pipeline, Explicit(points=(point,)), case=case))
            if recipe not in found.values():
                found[setting] = recipe
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
    for place, op in _single((*spatial, *intensity), ()):
        certain = op.replace(probability=1.0)
        if is_spatial(op):
            alone = bare.replace(spatial=(certain,), intensity=makers)
        else:
            alone = bare.replace(intensity=(*_needed(makers, op), certain))
        yield Trial(certain, place, op.probability, alone)


def _makers(ops: tuple[AnyOp, ...]) -> tuple[LabelsToImage, ...]:
    """The first op that makes each image; one of a choice stands for all of it."""
    found: dict[str, LabelsToImage] = {}
    for _, op in _single(ops, ()):
        if isinstance(op, LabelsToImage):
            found.setdefault(op.image, op.replace(probability=1.0))
    return tuple(found.values())


def _needed(makers: tuple[LabelsToImage, ...], op: SimpleOp) -> tuple[LabelsToImage, ...]:
    """The makers without which an op cannot be seen."""
    if isinstance(op, LabelOp):
        return ()
    if isinstance(op, LabelsToImage):
        return tuple(maker for maker in makers if maker.image != op.image)
    return makers


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
