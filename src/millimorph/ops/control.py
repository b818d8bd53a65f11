"""Ops that choose among others; what they choose is a coordinate of the design like the rest."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from millimorph.distributions import Choice
from millimorph.errors import PipelineError
from millimorph.ops.base import Op, WholeParameter
from millimorph.ops.intensity import IntensityOp
from millimorph.ops.spatial import SpatialOp
from millimorph.parameters import Listed, Range, Whole
from millimorph.values import as_list, mistake

SimpleOp = SpatialOp | IntensityOp

Ops = Annotated[
    tuple[Annotated["SpatialOp | IntensityOp | OneOf | SomeOf", Field(discriminator="op")], ...],
    BeforeValidator(as_list),
]


class OneOf(Op):
    """Exactly one of some ops, all spatial or all intensity.

    `weights`: one number for each op; left out, all are equally likely. An op's own probability
    still applies when it is chosen. The ids of the ops are prefixed by this op's id and a dot.
    """

    op: Literal["one_of"] = "one_of"
    ops: Ops
    weights: Annotated[
        tuple[float, ...] | None, Listed(Range(low=0.0, constant=True), optional=True)
    ] = None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        _check_members(self.ops)
        try:
            self.choice(tuple(f"{k}" for k in range(len(self.ops))))
        except PipelineError as error:
            raise mistake(str(error).replace("choice: ", "weights: "), "weights") from None
        return self

    def choice(self, names: tuple[str, ...]) -> Choice:
        """The distribution of the chosen op's name."""
        return Choice(names, self.weights)

    def is_realised(self) -> bool:
        """Never: a recipe holds the chosen op in its place."""
        return False


class SomeOf(Op):
    """A subset of some ops, all spatial or all intensity, applied in the listed order.

    `count`: how many, a whole number or a choice of such; every subset of that size is equally
    likely. The ids of the ops are prefixed by this op's id and a dot.
    """

    op: Literal["some_of"] = "some_of"
    ops: Ops
    count: Annotated[WholeParameter, Whole(low=0)]

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        _check_members(self.ops)
        largest = self.count.bounds[1] if isinstance(self.count, Choice) else self.count
        if largest > len(self.ops):
            raise mistake(f"count {largest:g} is more than the {len(self.ops)} ops", "count")
        return self

    def is_realised(self) -> bool:
        """Never: a recipe holds the chosen ops in its place."""
        return False


AnyOp = SpatialOp | IntensityOp | OneOf | SomeOf


def is_spatial(op: Op) -> bool:
    """Whether an op moves anatomy or the grid; a choice is what its ops are."""
    if isinstance(op, OneOf | SomeOf):
        return is_spatial(op.ops[0])
    return isinstance(op, SpatialOp)


def _check_members(ops: tuple[AnyOp, ...]) -> None:
    if not ops:
        raise mistake("ops must hold at least one op", "ops")
    if len({is_spatial(op) for op in ops}) > 1:
        raise mistake("ops must be all spatial or all intensity", "ops")
