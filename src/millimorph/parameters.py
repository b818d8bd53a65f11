"""How a parameter is read, checked, named as a coordinate and drawn.

A rule annotates a field of an op: `Annotated[Parameter, Range(low=0.0)]`. It accepts what a person
writes, in Python or in a file, and says what the field's coordinates are called.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from millimorph.distributions import Choice, Distribution, UnitInterval
from millimorph.errors import PipelineError
from millimorph.spelling import read_distribution
from millimorph.values import number, plain, shown, whole

Drawn = Callable[[str], float | str]
"""Gives the value that was drawn for a coordinate's name."""

DISTRIBUTION_REFERENCE = "http://distribution"
"""Where a rule's JSON Schema refers to the schema of distributions."""


@dataclass(frozen=True)
class Coordinate:
    """What one number of a design's point decides: its name and its distribution."""

    name: str
    distribution: Distribution | UnitInterval


class Checked(ABC):
    """What a field accepts; annotates the field of a pydantic model."""

    @abstractmethod
    def parse(self, given: Any) -> Any:
        """The checked value; ValueError with `must be …, got …` otherwise."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON Schema of what files may hold."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse, serialization=core_schema.plain_serializer_function_ser_schema(plain)
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.schema()


class Rule(Checked):
    """What a field accepts whose numbers may be drawn."""

    @abstractmethod
    def entries(self, name: str, value: Any, dimension: int) -> tuple[tuple[str, Any], ...]:
        """Each number of the realised field, as the coordinate's name and what it is drawn from."""

    def coordinates(self, name: str, value: Any, dimension: int) -> tuple[Coordinate, ...]:
        """The coordinates of a field, in order; a name that several numbers share comes once."""
        named = dict(self.entries(name, value, dimension))
        return tuple(
            Coordinate(key, entry)
            for key, entry in named.items()
            if isinstance(entry, Distribution)
        )

    def realise(self, name: str, value: Any, dimension: int, drawn: Drawn) -> Any:
        """The field with numbers in place of distributions; None stays None."""
        if value is None:
            return None
        entries = self.entries(name, value, dimension)
        return tuple(_realised(key, entry, drawn) for key, entry in entries)


class SingleRule(Rule):
    """A rule for one number or word, or its distribution."""

    def entries(self, name: str, value: Any, dimension: int) -> tuple[tuple[str, Any], ...]:  # noqa: ARG002
        """The one entry, named like the field."""
        return ((name, value),)

    def realise(self, name: str, value: Any, dimension: int, drawn: Drawn) -> Any:  # noqa: ARG002
        """The number or word."""
        return _realised(name, value, drawn)


@dataclass(frozen=True)
class Range(SingleRule):
    """A number from low to high in `unit`, or a distribution of which every value is allowed."""

    low: float = -math.inf
    high: float = math.inf
    above_low: bool = False
    unit: str = ""
    constant: bool = False
    optional: bool = False

    def parse(self, given: Any) -> Any:
        """The number as float, or the distribution."""
        if given is None and self.optional:
            return None
        value = _read(given)
        if not isinstance(value, Distribution):
            self._check(value, None)
            return number(value)
        if self.constant:
            raise ValueError(f"must be {self.allowed()} and takes no distribution")
        if isinstance(value, Choice) and any(isinstance(word, str) for word in value.values):
            raise ValueError(f"must be {self.allowed()}, got words: {shown(value)}")
        for bound in value.bounds:
            self._check(bound, value)
        return value

    def _check(self, value: Any, source: Distribution | None) -> None:
        """Refuse a number out of range, which was given itself or is reached by a distribution."""
        try:
            found = number(value)
        except ValueError:
            distribution = "" if self.constant else ", or a distribution of such"
            message = f"must be {self.allowed()}{distribution}; got {shown(value)}"
            raise ValueError(message) from None
        if not self.low <= found <= self.high or (self.above_low and found == self.low):
            reached = "" if source is None else f"but {shown(source)} reaches "
            raise ValueError(f"must be {self.allowed()}, {reached or 'got '}{shown(value)}")

    def allowed(self) -> str:
        """The range in words."""
        unit = f" {self.unit}" if self.unit else ""
        lowest = f"above {self.low:g}" if self.above_low else f"from {self.low:g}"
        if math.isfinite(self.high):
            return f"a number {lowest} to {self.high:g}{unit}"
        if math.isfinite(self.low):
            return f"a number {lowest}{unit}{'' if self.above_low else ' up'}"
        return f"a number{f' in {self.unit}' if self.unit else ''}"

    def schema(self) -> dict[str, Any]:
        """A number within the limits, or a distribution."""
        numbers: dict[str, Any] = {"type": "number"}
        if math.isfinite(self.low):
            numbers["exclusiveMinimum" if self.above_low else "minimum"] = self.low
        if math.isfinite(self.high):
            numbers["maximum"] = self.high
        return _alternatives(numbers, constant=self.constant, optional=self.optional)


@dataclass(frozen=True)
class Whole(SingleRule):
    """A whole number from low to high, or a choice of such."""

    low: int
    high: int | None = None
    constant: bool = False
    optional: bool = False

    def parse(self, given: Any) -> Any:
        """The number as int, or the choice."""
        if given is None and self.optional:
            return None
        value = _read(given)
        if isinstance(value, Distribution):
            if self.constant or not isinstance(value, Choice):
                raise ValueError(f"must be {self.allowed()}, got {shown(value)}")
            for entry in value.values:
                self._checked(entry)
            return value
        return self._checked(value)

    def _checked(self, value: Any) -> int:
        try:
            result = whole(value)
        except ValueError:
            raise ValueError(f"must be {self.allowed()}, got {shown(value)}") from None
        if result < self.low or (self.high is not None and result > self.high):
            raise ValueError(f"must be {self.allowed()}, got {shown(value)}")
        return result

    def allowed(self) -> str:
        """The range in words."""
        upper = " up" if self.high is None else f" to {self.high}"
        also = "" if self.constant else ", or a choice of such"
        return f"a whole number from {self.low}{upper}{also}"

    def schema(self) -> dict[str, Any]:
        """An integer within the limits, or a distribution."""
        numbers: dict[str, Any] = {"type": "integer", "minimum": self.low}
        if self.high is not None:
            numbers["maximum"] = self.high
        return _alternatives(numbers, constant=self.constant, optional=self.optional)


@dataclass(frozen=True)
class Word(SingleRule):
    """One of some words, or a choice of such."""

    words: tuple[str, ...]

    def parse(self, given: Any) -> Any:
        """The word, or the choice."""
        value = _read(given)
        chosen = value.values if isinstance(value, Choice) else (value,)
        for word in chosen:
            if word not in self.words:
                raise ValueError(f"must be one of {', '.join(self.words)}; got {shown(word)}")
        return value

    def schema(self) -> dict[str, Any]:
        """One of the words, or a distribution."""
        return _alternatives({"enum": list(self.words)}, constant=False, optional=False)


@dataclass(frozen=True)
class Layout:
    """The names of a field's numbers, in 2D and in 3D."""

    flat: tuple[str, ...]
    solid: tuple[str, ...]

    def names(self, dimension: int) -> tuple[str, ...]:
        """The names in 2D or 3D."""
        return self.flat if dimension == 2 else self.solid

    def dimension(self, count: int) -> int:
        """The dimension in which the field has `count` numbers."""
        return 2 if count == len(self.flat) else 3


AXES = Layout(("x", "y"), ("x", "y", "z"))
ANGLES = Layout(("z",), ("x", "y", "z"))
SHEARS = Layout(("xy",), ("xy", "xz", "yz"))


@dataclass(frozen=True)
class PerAxis(Rule):
    """One value for all axes, or a list of one for each.

    `together`: one distribution is drawn once for all axes; otherwise once for each.
    `single`: whether one value for all axes is allowed at all.
    """

    rule: Range | Whole
    layout: Layout = AXES
    together: bool = False
    single: bool = True
    optional: bool = False

    def parse(self, given: Any) -> Any:
        """The one value, or a tuple of one for each axis."""
        if given is None and self.optional:
            return None
        if not isinstance(given, list | tuple):
            if self.single:
                return self.rule.parse(given)
            raise ValueError(f"must be a list of {self._counts()} numbers, got {shown(given)}")
        if len(given) not in {len(self.layout.flat), len(self.layout.solid)}:
            raise ValueError(f"must have {self._counts()} entries, got {shown(given)}")
        return _parsed_entries(self.rule, given)

    def _counts(self) -> str:
        flat, solid = len(self.layout.flat), len(self.layout.solid)
        return f"{flat} (2D: {', '.join(self.layout.flat)}) or {solid} (3D)"

    def entries(self, name: str, value: Any, dimension: int) -> tuple[tuple[str, Any], ...]:
        """One entry for each axis, such as rotation_deg.x."""
        labels = self.layout.names(dimension)
        if isinstance(value, tuple):
            pairs = zip(labels, value, strict=True)
            return tuple((f"{name}.{label}", entry) for label, entry in pairs)
        if self.together:
            return ((name, value),) * len(labels)
        return tuple((f"{name}.{label}", value) for label in labels)

    def schema(self) -> dict[str, Any]:
        """One value, or an array of one for each axis."""
        flat, solid = len(self.layout.flat), len(self.layout.solid)
        single = self.rule.schema()
        arrays = [
            {"type": "array", "items": single, "minItems": count, "maxItems": count}
            for count in dict.fromkeys((flat, solid))
        ]
        kinds = [single, *arrays] if self.single else arrays
        return {"anyOf": [*kinds, {"type": "null"}] if self.optional else kinds}


@dataclass(frozen=True)
class Listed(Rule):
    """A list of any length; entries are named by `prefix` and their number from `first`."""

    rule: Range
    prefix: str = ""
    first: int = 0
    optional: bool = False

    def parse(self, given: Any) -> Any:
        """The entries as a tuple, at least one."""
        if given is None and self.optional:
            return None
        if not isinstance(given, list | tuple) or not given:
            raise ValueError(f"must be a list with at least one entry, got {shown(given)}")
        return _parsed_entries(self.rule, given)

    def entries(self, name: str, value: Any, dimension: int) -> tuple[tuple[str, Any], ...]:  # noqa: ARG002
        """One entry for each of the list, such as coefficients.k1."""
        numbered = enumerate(value or (), start=self.first)
        return tuple((f"{name}.{self.prefix}{k}", entry) for k, entry in numbered)

    def schema(self) -> dict[str, Any]:
        """An array."""
        array = {"type": "array", "items": self.rule.schema(), "minItems": 1}
        return {"anyOf": [array, {"type": "null"}]} if self.optional else array


def given_schema(name: str) -> dict[str, Any]:
    """JSON Schema of a mapping in which a key is given, and not as null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _read(given: Any) -> Any:
    """What was given, with a file's mapping read as a distribution."""
    if isinstance(given, int | float | str) or not isinstance(given, Mapping):
        return given
    try:
        return read_distribution(given)
    except PipelineError as error:
        raise ValueError(str(error)) from None


def _parsed_entries(rule: Rule, given: list[Any] | tuple[Any, ...]) -> tuple[Any, ...]:
    parsed = []
    for k, entry in enumerate(given):
        try:
            parsed.append(rule.parse(entry))
        except ValueError as error:
            raise ValueError(f"entry {k} {error}") from None
    return tuple(parsed)


def _realised(name: str, entry: Any, drawn: Drawn) -> Any:
    return drawn(name) if isinstance(entry, Distribution) else entry


def _alternatives(single: dict[str, Any], *, constant: bool, optional: bool) -> dict[str, Any]:
    kinds = [single]
    if not constant:
        kinds.append({"$ref": DISTRIBUTION_REFERENCE})
    if optional:
        kinds.append({"type": "null"})
    return {"anyOf": kinds} if len(kinds) > 1 else single
