"""The coordinates of a pipeline's ops, and the ops that a point of them gives.

Coordinates are named `<op id>.<field>`, with `.<axis>` where an axis has its own; also
`<op id>.probability` for whether an op takes part, `<op id>.branch` for what a OneOf chooses,
`<op id>.count` for how many a SomeOf chooses, and `<op id>.rank` for each of its ops, of which
those of the lowest ranks are chosen.
"""

from millimorph.designs import Branches, Joint, Space, Subset
from millimorph.distributions import Choice, UnitInterval
from millimorph.errors import PipelineError
from millimorph.ops import AnyOp, OneOf, SimpleOp, SomeOf
from millimorph.parameters import Coordinate, Drawn
from millimorph.values import number, shown, whole

TAKES_PART, LEFT_OUT = 1.0, 0.0


def ops_space(ops: tuple[AnyOp, ...], dimension: int) -> Joint:
    """The space of all coordinates of ops with ids, in their order."""
    parts: list[Space] = []
    for op in ops:
        part = _op_space(op, dimension)
        parts += part.parts if isinstance(part, Joint) else (part,)
    return Joint(tuple(parts))


def _op_space(op: AnyOp, dimension: int) -> Space:
    if op.probability == 0.0:
        return Joint(())
    inner = _certain_space(op, dimension)
    if op.probability == 1.0:
        return inner
    presence = _presence(op)
    applied, left_out = presence.distribution.levels(2)
    return Branches(presence, ((applied, inner), (left_out, Joint(()))))


def _certain_space(op: AnyOp, dimension: int) -> Space:
    match op:
        case OneOf():
            return _one_of_space(op, dimension)
        case SomeOf():
            return _some_of_space(op, dimension)
        case _:
            own = op.coordinates(dimension)
            return Joint(tuple(Coordinate(f"{op.id}.{c.name}", c.distribution) for c in own))


def _one_of_space(op: OneOf, dimension: int) -> Space:
    weights = op.weights or (1.0,) * len(op.ops)
    possible = [one for one, weight in zip(op.ops, weights, strict=True) if weight > 0.0]
    branch = op.choice(tuple(str(one.id) for one in op.ops))
    options = zip(branch.levels(1), (_op_space(one, dimension) for one in possible), strict=True)
    return Branches(Coordinate(f"{op.id}.branch", branch), tuple(options))


def _some_of_space(op: SomeOf, dimension: int) -> Space:
    ranks = tuple(Coordinate(f"{one.id}.rank", UnitInterval()) for one in op.ops)
    parts = tuple(_op_space(one, dimension) for one in op.ops)
    if not isinstance(op.count, Choice):
        return Subset(None, ((0.5, op.count),), ranks, parts)
    levels = op.count.levels(1)
    counts = tuple((unit, whole(op.count.quantile(unit))) for unit in levels)
    return Subset(Coordinate(f"{op.id}.count", op.count), counts, ranks, parts)


def _presence(op: AnyOp) -> Coordinate:
    weights = (op.probability, 1.0 - op.probability)
    return Coordinate(f"{op.id}.probability", Choice((TAKES_PART, LEFT_OUT), weights))


def realised(ops: tuple[AnyOp, ...], dimension: int, drawn: Drawn) -> tuple[SimpleOp, ...]:
    """The ops that take part, with numbers in place of distributions and choices."""
    return tuple(one for op in ops for one in _realised_op(op, dimension, drawn))


def _realised_op(op: AnyOp, dimension: int, drawn: Drawn) -> tuple[SimpleOp, ...]:
    if not _takes_part(op, drawn):
        return ()
    match op:
        case OneOf():
            return realised((_branch(op, drawn),), dimension, drawn)
        case SomeOf():
            return realised(_subset(op, drawn), dimension, drawn)
        case _:
            return (op.with_numbers(dimension, lambda name: drawn(f"{op.id}.{name}")),)


def _takes_part(op: AnyOp, drawn: Drawn) -> bool:
    if op.probability in {0.0, 1.0}:
        return op.probability == 1.0
    value = drawn(f"{op.id}.probability")
    if value not in {TAKES_PART, LEFT_OUT}:
        raise PipelineError(f"{op.id}.probability must be 1 (takes part) or 0, got {shown(value)}")
    return value == TAKES_PART


def _branch(op: OneOf, drawn: Drawn) -> AnyOp:
    name = drawn(f"{op.id}.branch")
    for one in op.ops:
        if one.id == name:
            return one
    ids = ", ".join(str(one.id) for one in op.ops)
    raise PipelineError(f"{op.id}.branch must be one of {ids}; got {shown(name)}")


def _subset(op: SomeOf, drawn: Drawn) -> tuple[AnyOp, ...]:
    count = op.count
    if isinstance(count, Choice):
        count = whole(drawn(f"{op.id}.count"))
    ranks = [number(drawn(f"{one.id}.rank")) for one in op.ops]
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    return tuple(op.ops[k] for k in sorted(order[:count]))
