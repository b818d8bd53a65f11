"""The grids on which the arrays of a case will lie."""

import math
from typing import TypeVar

import numpy as np

from millimorph.compiler.maps import quarter_turn
from millimorph.compiler.world import World
from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid, reference_grid
from millimorph.images import Case
from millimorph.kernels import smallmatrix
from millimorph.ops import Crop, Pad, QuarterTurn
from millimorph.recipe import Recipe

Cut = TypeVar(
    "Cut", tuple[int, ...] | None, tuple[float, ...] | None, float | tuple[float, ...] | None
)


def reference_of(recipe: Recipe, case: Case) -> ImageGrid:
    """The grid about whose centre the ops act: the recipe's reference, else the case's own grid."""
    wanted = recipe.reference
    if wanted is None:
        return case.grid
    if wanted.like is not None:
        return case.grid_of(wanted.like)
    d = case.dimension
    return reference_grid(
        [part.grid for part in (case.images or case.labels).values()] or [case.grid],
        size=_cut(wanted.size, d),
        spacing_mm=_cut(wanted.spacing_mm, d),
        size_x=wanted.size_x,
        extent_mm=_cut(wanted.extent_mm, d),
        alignment=wanted.alignment,
    )


def _cut(values: Cut, dimension: int) -> Cut:
    """The numbers for the axes of a case, where there are numbers for axes."""
    return values[:dimension] if isinstance(values, tuple) else values


def target_of(source: ImageGrid, world: World) -> ImageGrid:
    """The target of an array: the reference or its own grid, turned, cropped and padded."""
    grid = source if world.recipe.reference is None else world.reference
    for op in world.recipe.spatial:
        if isinstance(op, QuarterTurn) and world.recipe.reference is None:
            grid = _turned(grid, op, world)
        elif isinstance(op, Crop):
            grid = _cropped(grid, op, world)
        elif isinstance(op, Pad):
            grid = _padded(grid, op, world)
    return grid


def _turned(grid: ImageGrid, op: QuarterTurn, world: World) -> ImageGrid:
    """The grid goes where its anatomy goes, its sizes and spacings to the axes nearest to theirs.

    So the turn is an exact copy of every grid along the reference's axes, wherever it lies.
    """
    turn = quarter_turn(op, world)
    own = smallmatrix.matmul(smallmatrix.inverse(grid.direction), turn.linear)
    own = smallmatrix.matmul(own, grid.direction)
    axes = [int(np.argmax(np.abs(row))) for row in own]
    if len(set(axes)) < grid.dimension:
        axes = list(range(grid.dimension))
    size = tuple(grid.size[a] for a in axes)
    spacing = tuple(grid.spacing_mm[a] for a in axes)
    (centre,) = turn.map_points([grid.centre_mm])
    at_origin = ImageGrid(size, spacing, None, grid.direction)
    shift = centre - np.array(at_origin.centre_mm)
    return ImageGrid(size, spacing, shift.tolist(), grid.direction)


def _cropped(grid: ImageGrid, op: Crop, world: World) -> ImageGrid:
    position = world.per_axis(op.position, f"{op.id}.position")
    if op.size is not None:
        size = world.whole_per_axis(op.size, f"{op.id}.size")
    else:
        shares = world.per_axis(op.fraction, f"{op.id}.fraction")
        size = tuple(
            max(1, math.floor(f * n + 0.5)) for f, n in zip(shares, grid.size, strict=True)
        )
    if any(wanted > present for wanted, present in zip(size, grid.size, strict=True)):
        raise CompileError(
            f"{op.id} asks for {size} voxels of a grid of {grid.size}; crop to at most that, or pad"
        )
    lower = tuple(
        math.floor(p * (present - wanted) + 0.5)
        for p, present, wanted in zip(position, grid.size, size, strict=True)
    )
    return grid.cropped(lower, size)


def _padded(grid: ImageGrid, op: Pad, world: World) -> ImageGrid:
    if op.margin is not None:
        margin = world.whole_per_axis(op.margin, f"{op.id}.margin")
        size = tuple(n + 2 * m for n, m in zip(grid.size, margin, strict=True))
        return grid.cropped(tuple(-m for m in margin), size)
    least = world.whole_per_axis(op.size, f"{op.id}.size")
    size = tuple(max(n, wanted) for n, wanted in zip(grid.size, least, strict=True))
    lower = tuple(-((wanted - n) // 2) for wanted, n in zip(size, grid.size, strict=True))
    return grid.cropped(lower, size)
