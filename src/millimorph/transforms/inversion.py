"""Newton's method for the points that a map sends to given points, for many points at once."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from millimorph.geometry import FloatArray
from millimorph.kernels import smallmatrix

PointFunction: TypeAlias = Callable[[FloatArray], FloatArray]

_ITERATIONS = 60
_HALVINGS = 14
_SUFFICIENT = 1e-4


def lengths(vectors: FloatArray) -> FloatArray:
    """Euclidean lengths (n,) of vectors (n, d), summed in the order of the axes."""
    total = vectors[:, 0] * vectors[:, 0]
    for axis in range(1, vectors.shape[1]):
        total = total + vectors[:, axis] * vectors[:, axis]
    return np.sqrt(total)


def newton_inverse(
    map_points: PointFunction,
    jacobians: PointFunction,
    targets: FloatArray,
    start: FloatArray,
    tolerance_mm: float,
) -> tuple[FloatArray, FloatArray]:
    """Points (n, d) that map to the targets, and the distances (n,) by which they miss.

    Newton steps with halving until the miss shrinks. Points that stall are started again one
    displacement away, back along their displacement first and then along each axis.
    """
    points, misses = _descend(map_points, jacobians, targets, start, tolerance_mm)
    for restart in range(2 * targets.shape[1] + 1):
        stalled = np.flatnonzero(~(misses <= tolerance_mm))
        if stalled.size == 0:
            break
        wanted = targets[stalled]
        first = _restart(restart, wanted, wanted - map_points(wanted))
        again, missed = _descend(map_points, jacobians, wanted, first, tolerance_mm)
        better = missed < misses[stalled]
        points[stalled[better]] = again[better]
        misses[stalled[better]] = missed[better]
    return points, misses


def _restart(number: int, targets: FloatArray, back: FloatArray) -> FloatArray:
    """Other places to start from, one displacement away from the targets."""
    if number == 0:
        return targets + back
    axis, side = divmod(number - 1, 2)
    start = targets.copy()
    start[:, axis] += lengths(back) if side == 0 else -lengths(back)
    return start


def _descend(
    map_points: PointFunction,
    jacobians: PointFunction,
    targets: FloatArray,
    start: FloatArray,
    tolerance_mm: float,
) -> tuple[FloatArray, FloatArray]:
    points = np.array(start)
    rests = targets - map_points(points)
    misses = lengths(rests)
    active = np.flatnonzero(misses > tolerance_mm)
    for _ in range(_ITERATIONS):
        if active.size == 0:
            break
        steps = _steps(jacobians(points[active]), rests[active])
        moved = _search(map_points, (points, rests, misses), (targets, active), steps)
        active = active[moved]
        active = active[misses[active] > tolerance_mm]
    return points, misses


def _steps(jacobians: FloatArray, rests: FloatArray) -> FloatArray:
    """Newton steps; where the Jacobian is singular, the rest itself."""
    steps = smallmatrix.solve(jacobians, rests)
    finite = np.isfinite(lengths(steps))
    return np.where(finite[:, np.newaxis], steps, rests)


def _search(
    map_points: PointFunction,
    state: tuple[FloatArray, FloatArray, FloatArray],
    wanted: tuple[FloatArray, np.typing.NDArray[np.intp]],
    steps: FloatArray,
) -> np.typing.NDArray[np.bool_]:
    """Move the active points along their steps in place; tells which of them came nearer."""
    points, rests, misses = state
    targets, active = wanted
    moved = np.zeros(active.size, dtype=np.bool_)
    share = 1.0
    for _ in range(_HALVINGS):
        waiting = np.flatnonzero(~moved)
        if waiting.size == 0:
            break
        chosen = active[waiting]
        trial = points[chosen] + share * steps[waiting]
        rest = targets[chosen] - map_points(trial)
        miss = lengths(rest)
        nearer = miss <= (1.0 - _SUFFICIENT * share) * misses[chosen]
        points[chosen[nearer]] = trial[nearer]
        rests[chosen[nearer]] = rest[nearer]
        misses[chosen[nearer]] = miss[nearer]
        moved[waiting[nearer]] = True
        share *= 0.5
    return moved
