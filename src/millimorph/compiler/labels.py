"""Ops on label maps, as steps."""

from millimorph.ops.labels import ShapeOp
from millimorph.program import LabelStep, Remapping


def label_steps(op: ShapeOp, dtype: str) -> tuple[LabelStep, ...]:  # noqa: ARG001
    """The steps of one op; none where its parameters change nothing."""
    pairs = tuple((old, new) for old, new in op.pairs if old != new)
    return (Remapping(pairs),) if pairs else ()
