"""From a pipeline, a design and a seed to recipes, one after the other."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from millimorph.designs import (
    Design,
    FullFactorial,
    Origin,
    Points,
    Random,
    Space,
    coordinates,
    describe_grid,
    design_points,
)
from millimorph.errors import PipelineError
from millimorph.ops import AnyOp
from millimorph.parameters import Coordinate
from millimorph.recipe.identify import with_ids
from millimorph.recipe.pipeline import Pipeline
from millimorph.recipe.recipe import Recipe
from millimorph.recipe.space import ops_space, realised


def draw(
    pipeline: Pipeline,
    design: Design | None = None,
    seed: int | None = None,
    case: str = "case",
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Recipe]:
    """Recipes start, start + 1, … of a case, made one by one as they are asked for.

    Left out, `design` and `seed` are the pipeline's, and the design is Random where it has none.
    Recipe i is the same whatever `start` and `stop` are. Recipes end at `stop` or with the design;
    a Random design without a count goes on for ever.

    Raises:
        PipelineError: before anything is drawn, a design that does not fit the pipeline, such as a
            full factorial above its limit; while drawing, explicit values that an op refuses.
    """
    if start < 0 or (stop is not None and stop < start):
        raise PipelineError(f"draw: needs 0 ≤ start ≤ stop, got start={start}, stop={stop}")
    origin = Origin(pipeline.seed if seed is None else seed, case)
    first = Recipe(
        case=case,
        seed=origin.seed,
        index=0,
        pipeline=pipeline.digest,
        reference=pipeline.reference,
        images=pipeline.images,
        labels=pipeline.labels,
        sampling=pipeline.sampling,
    )
    plan = _plan(pipeline, design, origin)
    ends = [end for end in (plan.points.count, stop) if end is not None]
    indices = range(start, min(ends)) if ends else itertools.count(start)
    return (_recipe(plan, first, index) for index in indices)


def coordinate_list(pipeline: Pipeline) -> tuple[Coordinate, ...]:
    """What a design decides for a pipeline, in the order of an Explicit design's vectors."""
    return coordinates(_space(pipeline))


def sample_count(pipeline: Pipeline, design: Design | None = None) -> int:
    """How many recipes a design has for a pipeline.

    Raises:
        PipelineError: a Random design without a count, and a design that does not fit.
    """
    count = _plan(pipeline, design, Origin(0, "case")).points.count
    if count is None:
        raise PipelineError("random: has no count, so it never ends; give it one")
    return count


def describe_design(pipeline: Pipeline, design: Design | None = None) -> str:
    """A design in one line; for a full factorial `4 parameters × 3 values = 3^4 = 81 images`."""
    chosen = design or pipeline.design or Random()
    if not isinstance(chosen, FullFactorial):
        parameters = len(coordinate_list(pipeline))
        return f"{chosen.KEYWORD} of {parameters} parameter{'' if parameters == 1 else 's'}"
    return describe_grid(chosen, _space(pipeline))


@dataclass(frozen=True)
class _Plan:
    """What all recipes of one draw share."""

    spatial: tuple[AnyOp, ...]
    intensity: tuple[AnyOp, ...]
    axes: int
    points: Points


def _plan(pipeline: Pipeline, design: Design | None, origin: Origin) -> _Plan:
    spatial, intensity = with_ids(pipeline.spatial, pipeline.intensity)
    chosen = design or pipeline.design or Random()
    points = design_points(chosen, _space(pipeline), origin)
    return _Plan(spatial, intensity, pipeline.axes, points)


def _space(pipeline: Pipeline) -> Space:
    spatial, intensity = with_ids(pipeline.spatial, pipeline.intensity)
    return ops_space((*spatial, *intensity), pipeline.axes)


def _recipe(plan: _Plan, first: Recipe, index: int) -> Recipe:
    drawn = plan.points.drawn(index)
    try:
        spatial = realised(plan.spatial, plan.axes, drawn)
        intensity = realised(plan.intensity, plan.axes, drawn)
    except (PipelineError, ValueError) as error:
        raise PipelineError(f"point {index} of the design: {error}") from None
    return first.replace(index=index, spatial=spatial, intensity=intensity)
