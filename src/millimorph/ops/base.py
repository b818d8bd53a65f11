"""What every op has: an id, a probability, and parameters that are numbers or distributions."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, StringConstraints

from millimorph.distributions import Choice, Distribution, Parameter
from millimorph.parameters import Coordinate, Drawn, PerAxis, Range, Rule, given_schema
from millimorph.values import Value, mistake

PerAxisParameter = Parameter | tuple[Parameter, ...]
WholeParameter = int | Choice
PerAxisWhole = WholeParameter | tuple[WholeParameter, ...]

Centre = Annotated[
    tuple[float, ...] | None,
    PerAxis(Range(unit="mm", constant=True), single=False, optional=True),
]

Identifier = Annotated[
    str,
    StringConstraints(strict=True, max_length=200, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"),
]


class Op(Value):
    """An operation. Left without an id, it gets its name, then name_2, … in the pipeline's order.

    `probability` (0 to 1, a number) is how often the op takes part; it is a coordinate of the
    design like the op's parameters. The random numbers of an op belong to its id, so give ids
    before inserting another op of the same name in front of it.
    """

    ALWAYS_SPELLED: ClassVar[tuple[str, ...]] = ("op",)

    id: Identifier | None = None
    probability: Annotated[float, Range(low=0.0, high=1.0, constant=True)] = 1.0

    def coordinates(self, dimension: int) -> tuple[Coordinate, ...]:
        """The coordinates of the parameters, in the order of the fields."""
        return tuple(
            coordinate
            for name, rule in rules(type(self)).items()
            for coordinate in rule.coordinates(name, getattr(self, name), dimension)
        )

    def with_numbers(self, dimension: int, drawn: Drawn) -> Self:
        """The realised op: numbers in place of distributions, one per axis where axes matter."""
        numbers = {
            name: rule.realise(name, getattr(self, name), dimension, drawn)
            for name, rule in rules(type(self)).items()
        }
        return self.replace(**numbers, probability=1.0)

    def is_realised(self) -> bool:
        """Whether the op holds numbers only, has its id and is certain to take part."""
        if self.id is None or self.probability != 1.0:
            return False
        return not any(_holds_distribution(value) for _, value in self) and all(
            isinstance(getattr(self, name), tuple | None)
            for name, rule in rules(type(self)).items()
            if isinstance(rule, PerAxis)
        )

    def implied_dimensions(self) -> dict[str, int]:
        """The dimension that each per-axis list has numbers for, by field."""
        return {
            name: rule.layout.dimension(len(getattr(self, name)))
            for name, rule in rules(type(self)).items()
            if isinstance(rule, PerAxis) and isinstance(getattr(self, name), tuple)
        }


@functools.cache
def rules(kind: type[Op]) -> dict[str, Rule]:
    """The rule of each field of an op that has one, in the order of the fields."""
    found = {}
    for name, field in kind.model_fields.items():
        for entry in field.metadata:
            if isinstance(entry, Rule) and name != "probability":
                found[name] = entry
    return found


def prefer(given: Any, chosen: str, instead_of: str) -> Any:
    """The given fields, where naming `chosen` alone switches off the default of `instead_of`."""
    if not isinstance(given, Mapping):
        return given
    if given.get(chosen) is None or instead_of in given:
        return given
    return {**given, instead_of: None}


def check_one_of(op: Op, first: str, second: str) -> None:
    """Refuse both or neither of two fields that say the same thing in two ways."""
    if (getattr(op, first) is None) == (getattr(op, second) is None):
        raise mistake(f"takes exactly one of {first} and {second}")


def not_both(first: str, second: str) -> ConfigDict:
    """What the JSON Schema of an op says of two such fields."""
    return ConfigDict(
        json_schema_extra={"not": {"allOf": [given_schema(first), given_schema(second)]}}
    )


def _holds_distribution(value: object) -> bool:
    if isinstance(value, tuple):
        return any(_holds_distribution(entry) for entry in value)
    return isinstance(value, Distribution)
