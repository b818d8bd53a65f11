"""The space that a pipeline's coordinates span, with the branches in which some do not matter.

The points of a regular grid over a space are numbered from 0. The last coordinate varies fastest.
A coordinate counts only where it matters: an op that is left out, or a branch that is not chosen,
adds no points by its parameters. Options come in their listed order; of a subset's ops, the first
is taken, with each of its points in turn, before it is left out.
"""

from dataclasses import dataclass
from typing import TypeAlias

from millimorph.parameters import Coordinate

CHOSEN_RANK, OTHER_RANK = 0.25, 0.75


@dataclass(frozen=True)
class Joint:
    """All of the parts, each with every point of the others."""

    parts: "tuple[Space, ...]"


@dataclass(frozen=True)
class Branches:
    """A coordinate that picks one option: (its coordinate's value in [0, 1], its space)."""

    coordinate: Coordinate
    options: "tuple[tuple[float, Space], ...]"


@dataclass(frozen=True)
class Subset:
    """The parts of the smallest ranks; how many is fixed or (with its value in [0, 1]) drawn."""

    count: Coordinate | None
    counts: tuple[tuple[float, int], ...]
    ranks: tuple[Coordinate, ...]
    parts: "tuple[Space, ...]"


Space: TypeAlias = Coordinate | Joint | Branches | Subset
UnitPoint: TypeAlias = dict[str, float]


def coordinates(space: Space) -> tuple[Coordinate, ...]:
    """All coordinates in order, whether or not a branch is chosen."""
    match space:
        case Coordinate():
            return (space,)
        case Joint(parts):
            return tuple(c for part in parts for c in coordinates(part))
        case Branches(coordinate, options):
            inner = (c for _, option in options for c in coordinates(option))
            return (coordinate, *inner)
        case Subset(count, _, ranks, parts):
            first = () if count is None else (count,)
            return (*first, *ranks, *(c for part in parts for c in coordinates(part)))


def grid_size(space: Space, levels: int) -> int:
    """The number of points of the regular grid with `levels` values for each distribution."""
    match space:
        case Coordinate():
            return len(space.distribution.levels(levels))
        case Joint(parts):
            total = 1
            for part in parts:
                total *= grid_size(part, levels)
            return total
        case Branches(_, options):
            return sum(grid_size(option, levels) for _, option in options)
        case Subset(_, counts, _, parts):
            sizes = [grid_size(part, levels) for part in parts]
            return sum(_ways(sizes, count) for _, count in counts)


def grid_point(space: Space, levels: int, index: int) -> UnitPoint:
    """The point of that number, 0 ≤ index < grid_size: each coordinate that matters, in [0, 1]."""
    match space:
        case Coordinate():
            return {space.name: space.distribution.levels(levels)[index]}
        case Joint(parts):
            return _joint_point(parts, levels, index)
        case Branches(coordinate, options):
            for unit, option in options:
                size = grid_size(option, levels)
                if index < size:
                    return {coordinate.name: unit, **grid_point(option, levels, index)}
                index -= size
        case Subset(count, counts, _, parts):
            sizes = [grid_size(part, levels) for part in parts]
            for unit, number in counts:
                ways = _ways(sizes, number)
                if index < ways:
                    first = {} if count is None else {count.name: unit}
                    return {**first, **_subset_point(space, levels, number, index)}
                index -= ways
    raise IndexError(index)


def _joint_point(parts: tuple[Space, ...], levels: int, index: int) -> UnitPoint:
    point: UnitPoint = {}
    for part in reversed(parts):
        index, digit = divmod(index, grid_size(part, levels))
        point = {**grid_point(part, levels, digit), **point}
    return point


def _subset_point(space: Subset, levels: int, count: int, index: int) -> UnitPoint:
    sizes = [grid_size(part, levels) for part in space.parts]
    point: UnitPoint = {}
    for k, (rank, part) in enumerate(zip(space.ranks, space.parts, strict=True)):
        others = _ways(sizes[k + 1 :], count - 1) if count else 0
        taken = sizes[k] * others
        if index < taken:
            digit, index = divmod(index, others)
            point |= {rank.name: CHOSEN_RANK, **grid_point(part, levels, digit)}
            count -= 1
        else:
            index -= taken
            point[rank.name] = OTHER_RANK
    return point


def _ways(sizes: list[int], count: int) -> int:
    """The points of all subsets of `count` parts: an elementary symmetric polynomial."""
    ways = [1] + [0] * count
    for size in sizes:
        for k in range(count, 0, -1):
            ways[k] += ways[k - 1] * size
    return ways[count]
