"""A pipeline: what may vary. It touches no image."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from millimorph.designs import Design, DesignRule
from millimorph.ops import AnyOp, OneOf, QuarterTurn, SimpleOp, SomeOf, is_spatial
from millimorph.parameters import Whole
from millimorph.recipe.identify import with_ids
from millimorph.recipe.reference import Reference
from millimorph.recipe.sampling import ImageSampling, LabelSampling, RoleSampling
from millimorph.values import Path, Value, as_list, digest, mistake, spelled_path

PIPELINE_SCHEMA_VERSION = 1
LARGEST_SEED = 2**64 - 1

_Ops = Annotated[tuple[Annotated[AnyOp, Field(discriminator="op")], ...], BeforeValidator(as_list)]


class Pipeline(Value):
    """Spatial ops in the order in which the anatomy moves, then intensity ops in their order.

    `dimension`: 2 or 3; left out, told by the per-axis lists of the reference and the ops, else 3.
    `reference`: the grid of the results; left out, every image keeps its own. `images`, `labels`:
    how they are sampled; `sampling`: exceptions by role name. `design` and `seed`: which recipes
    are drawn unless `draw` is told otherwise.

    Raises:
        PipelineError: unknown or missing fields, values out of range, ops in the wrong list,
            doubled ids, and per-axis lists for different dimensions.
    """

    ALWAYS_SPELLED: ClassVar[tuple[str, ...]] = ("schema_version",)

    schema_version: Annotated[int, Whole(low=1, high=PIPELINE_SCHEMA_VERSION, constant=True)] = 1
    dimension: Annotated[
        Literal[2, 3] | None, Whole(low=2, high=3, constant=True, optional=True)
    ] = None
    reference: Reference | None = None
    images: ImageSampling = Field(default_factory=ImageSampling)
    labels: LabelSampling = Field(default_factory=LabelSampling)
    sampling: dict[str, RoleSampling] = Field(default_factory=dict)
    spatial: _Ops = ()
    intensity: _Ops = ()
    design: Annotated[Design | None, DesignRule()] = None
    seed: Annotated[int, Whole(low=0, high=LARGEST_SEED, constant=True)] = 0

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        self._check_lists()
        self._check_dimensions()
        self._check_ids()
        return self

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON text of all fields, defaults included."""
        return digest(self)

    @property
    def axes(self) -> int:
        """How many axes recipes have numbers for: 2 or 3."""
        told = self._told_dimensions()
        return told[0][1] if told else 3

    @property
    def single_ops(self) -> tuple[SimpleOp, ...]:
        """The ops of both lists in their order, those of choices one by one."""
        return tuple(op for _, op in self._all_ops() if not isinstance(op, OneOf | SomeOf))

    def _told_dimensions(self) -> list[tuple[str, int]]:
        """Each place that tells the dimension, with what it tells."""
        told: list[tuple[str, int]] = []
        if self.dimension is not None:
            told.append(("dimension", self.dimension))
        if self.reference is not None:
            found = self.reference.implied_dimensions()
            told += [(f"reference.{name}", d) for name, d in found.items()]
        for place, op in self._all_ops():
            found = op.implied_dimensions()
            told += [(f"{spelled_path(place)} ({op.op}).{name}", d) for name, d in found.items()]
        return told

    def _all_ops(self) -> Iterator[tuple[Path, AnyOp]]:
        return _walk_both(self.spatial, self.intensity)

    def _check_ids(self) -> None:
        seen: set[str] = set()
        for place, op in _walk_both(*with_ids(self.spatial, self.intensity)):
            name = str(op.id)
            if name in seen:
                raise mistake(f'has the id "{name}" of another op', "id", (*place, op.op))
            seen.add(name)

    def _check_lists(self) -> None:
        for name, ops in (("spatial", self.spatial), ("intensity", self.intensity)):
            for k, op in enumerate(ops):
                kind = "spatial" if is_spatial(op) else "intensity"
                if kind != name:
                    raise mistake(f"belongs under {kind}, not {name}", None, (name, k, op.op))

    def _check_dimensions(self) -> None:
        told = self._told_dimensions()
        for name, dimension in told[1:]:
            if dimension != told[0][1]:
                raise mistake(
                    f"{told[0][0]} is for {told[0][1]}D and {name} for {dimension}D; give lists "
                    "of one dimension"
                )
        for place, op in self._all_ops():
            if self.axes == 2 and isinstance(op, QuarterTurn) and op.axis != "k":
                raise mistake('axis must be "k" in 2D', "axis", (*place, op.op))


def _walk_both(
    spatial: tuple[AnyOp, ...], intensity: tuple[AnyOp, ...]
) -> Iterator[tuple[Path, AnyOp]]:
    yield from _walk(spatial, ("spatial",))
    yield from _walk(intensity, ("intensity",))


def _walk(ops: tuple[AnyOp, ...], place: Path) -> Iterator[tuple[Path, AnyOp]]:
    for k, op in enumerate(ops):
        yield (*place, k), op
        if isinstance(op, OneOf | SomeOf):
            yield from _walk(op.ops, (*place, k, op.op, "ops"))
