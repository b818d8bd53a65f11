"""Ops on boxes of voxels, as steps: the boxes are drawn here, from the op's key.

A box is uniform among its places wholly inside the image. Edges and places are whole voxels.
"""

import math
from collections.abc import Sequence
from typing import assert_never, cast

from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number, per_axis
from millimorph.errors import CompileError
from millimorph.kernels.philox import StreamKey, uniforms
from millimorph.ops.patches import Cutout, PatchOp, Swap
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.patches import Box, BoxAveraging, BoxFill, BoxSwaps, Statistic

TRIES = 16
"""How often two boxes are drawn until they do not overlap; then they lie at two ends."""


def patch_steps(op: PatchOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    match op:
        case Cutout():
            boxes = _boxes(op, subject)
            if not boxes:
                return ()
            if op.fill == "box_mean":
                return (BoxAveraging(boxes),)
            fill = cast("Statistic", op.fill) if isinstance(op.fill, str) else number(op.fill)
            return (BoxFill(boxes, fill, subject.stream(op.id)),)
        case Swap():
            pairs = _pairs(op, subject)
            return (BoxSwaps(pairs),) if pairs else ()
        case _:
            assert_never(op)


def _boxes(op: Cutout, subject: Subject) -> tuple[Box, ...]:
    """Boxes of any edges between the least and the longest."""
    size = subject.grid.size
    longest = _edges(op, subject)
    least = number(op.least_share)
    count = int(number(op.count))
    drawn = uniforms(_places(op, subject), 2 * len(size) * count).tolist()
    found = []
    for k in range(count):
        own = drawn[2 * len(size) * k : 2 * len(size) * (k + 1)]
        shares = [least + (1.0 - least) * u for u in own[: len(size)]]
        edges = [
            min(n, max(1, math.floor(share * edge + 0.5)))
            for share, edge, n in zip(shares, longest, size, strict=True)
        ]
        found.append(_box(own[len(size) :], edges, size))
    return tuple(found)


def _pairs(op: Swap, subject: Subject) -> tuple[tuple[Box, Box], ...]:
    """Pairs of boxes of the same edges that do not overlap."""
    size = subject.grid.size
    edges = [
        min(n, max(1, math.floor(edge + (0.0 if op.size_mm is None else 0.5))))
        for edge, n in zip(_edges(op, subject), size, strict=True)
    ]
    count = int(number(op.count))
    if not count or subject.grid.voxel_count == 1:
        return ()
    if all(2 * edge > n for edge, n in zip(edges, size, strict=True)):
        told = " x ".join(str(edge) for edge in edges)
        raise CompileError(
            f'{op.id}: two boxes of {told} voxels do not fit side by side into "{subject.name}", '
            f"{subject.grid.describe()}; give a smaller size"
        )
    stream = _places(op, subject)
    return tuple(_pair(stream, k, edges, size) for k in range(count))


def _pair(stream: StreamKey, k: int, edges: Sequence[int], size: Sequence[int]) -> tuple[Box, Box]:
    """Pair number k: the first of its draws without overlap."""
    d = len(size)
    for attempt in range(TRIES):
        drawn = uniforms(stream, 2 * d, start=2 * d * (TRIES * k + attempt)).tolist()
        one, other = _box(drawn[:d], edges, size), _box(drawn[d:], edges, size)
        if _apart(one, other):
            return one, other
    along = max(range(d), key=lambda axis: size[axis] / edges[axis])
    starts = [list(one.first), list(other.first)]
    starts[0][along], starts[1][along] = 0, size[along] - edges[along]
    return _at(starts[0], edges), _at(starts[1], edges)


def _edges(op: PatchOp, subject: Subject) -> tuple[float, ...]:
    """The given edges in voxels along x, y, z."""
    grid = subject.grid
    if op.size_mm is not None:
        lengths = per_axis(op.size_mm, f"{op.id}.size_mm", grid.dimension)
        return tuple(mm / s for mm, s in zip(lengths, grid.spacing_mm, strict=True))
    shares = per_axis(op.size_fraction, f"{op.id}.size_fraction", grid.dimension)
    return tuple(share * n for share, n in zip(shares, grid.size, strict=True))


def _places(op: PatchOp, subject: Subject) -> StreamKey:
    """The key of the boxes, apart from that of the voxels' noise."""
    return subject.stream(f"{op.id}/boxes")


def _box(drawn: Sequence[float], edges: Sequence[int], size: Sequence[int]) -> Box:
    """The box that uniform numbers choose among all places."""
    starts = [math.floor(u * (n - edge + 1)) for u, edge, n in zip(drawn, edges, size, strict=True)]
    return _at(starts, edges)


def _at(starts: Sequence[int], edges: Sequence[int]) -> Box:
    return Box(tuple(starts), tuple(s + e for s, e in zip(starts, edges, strict=True)))


def _apart(one: Box, other: Box) -> bool:
    return any(
        last <= first
        for a, b in ((one, other), (other, one))
        for last, first in zip(a.last, b.first, strict=True)
    )
