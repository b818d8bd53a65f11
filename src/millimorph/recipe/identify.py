"""The ids of a pipeline's ops, which key their coordinates and their random numbers.

An op without an id gets its name, or name_2, name_3, … when the name is taken, in the order of the
spatial and then the intensity ops. Ops of probability 0 come last, so adding one renames no other.
The ops of a choice are numbered within it and get its id and a dot as a prefix.
"""

from millimorph.ops import AnyOp, OneOf, SomeOf


def with_ids(
    spatial: tuple[AnyOp, ...], intensity: tuple[AnyOp, ...]
) -> tuple[tuple[AnyOp, ...], tuple[AnyOp, ...]]:
    """Both lists with every id filled."""
    named = _named((*spatial, *intensity), prefix="")
    return named[: len(spatial)], named[len(spatial) :]


def _named(ops: tuple[AnyOp, ...], prefix: str) -> tuple[AnyOp, ...]:
    taken = {op.id for op in ops if op.id is not None}
    names: dict[int, str] = {}
    for k in sorted(range(len(ops)), key=lambda k: ops[k].probability == 0.0):
        name = ops[k].id or _free_name(ops[k].op, taken)
        taken.add(name)
        names[k] = f"{prefix}{name}"
    return tuple(_with_id(op, names[k]) for k, op in enumerate(ops))


def _free_name(name: str, taken: set[str]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _with_id(op: AnyOp, name: str) -> AnyOp:
    if isinstance(op, OneOf | SomeOf):
        return op.model_copy(update={"id": name, "ops": _named(op.ops, prefix=f"{name}.")})
    return op.model_copy(update={"id": name})
