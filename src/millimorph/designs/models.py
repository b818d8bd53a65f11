"""The designs: which points of the unit hypercube of a pipeline's coordinates are drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, assert_never

from pydantic import ConfigDict, ValidationError, model_validator

from millimorph.errors import PipelineError
from millimorph.parameters import Checked, Whole, given_schema
from millimorph.values import Value, collected, hint, mistake, number, problems, shown

LARGEST_SOBOL_COUNT = 2**32

Count = Annotated[int, Whole(low=1, constant=True)]


class Random(Value):
    """Independent uniform points; point i depends on the seed, the case and i, never on the count.

    `count`: how many; left out, as many as are asked for.
    """

    KEYWORD: ClassVar[str] = "random"

    count: Annotated[int | None, Whole(low=1, constant=True, optional=True)] = None


class FullFactorial(Value):
    """Every combination of `levels` values of each parameter, the last varying fastest.

    The values of a bounded distribution include both ends; of an unbounded one they are the middles
    of equally likely parts; a choice gives each of its values, whatever `levels`. Parameters of an
    op that is left out, or of a branch that is not chosen, are not varied.

    `limit`: the largest number of images that is not refused.
    """

    KEYWORD: ClassVar[str] = "full_factorial"

    levels: Count = 3
    limit: Count = 10_000


class LatinHypercube(Value):
    """`count` points of which each coordinate has one in every n-th part (McKay 1979)."""

    KEYWORD: ClassVar[str] = "latin_hypercube"

    count: Count


class Sobol(Value):
    """`count` points of low discrepancy (Sobol 1967, Joe and Kuo 2008), randomly shifted.

    `count`: a power of two, at most 2**32. The shift of a coordinate belongs to its name, the
    sequence to its place among the coordinates.
    """

    model_config = ConfigDict(
        json_schema_extra={"properties": {"count": {"enum": [1 << k for k in range(33)]}}}
    )
    KEYWORD: ClassVar[str] = "sobol"

    count: Count

    @model_validator(mode="after")
    def _power_of_two(self) -> Self:
        if self.count > LARGEST_SOBOL_COUNT:
            raise mistake(f"count must be at most 2^32, got {self.count}", "count")
        below = 1 << (self.count.bit_length() - 1)
        if self.count != below:
            raise mistake(
                f"count must be a power of two, got {self.count}; the nearest are {below} and "
                f"{2 * below}",
                "count",
            )
        return self


@dataclass(frozen=True)
class Vectors(Checked):
    """A list of lists of numbers, all of one length; `unit`: each from 0 to 1, and no words."""

    unit: bool

    def parse(self, given: Any) -> Any:
        """The vectors as tuples, or None."""
        if given is None:
            return None
        if not isinstance(given, list | tuple) or not given:
            raise ValueError(f"must be a list of lists of numbers, got {shown(given)}")
        vectors = tuple(self._vector(vector) for vector in given)
        for k, vector in enumerate(vectors):
            if len(vector) != len(vectors[0]):
                raise ValueError(
                    f"must have lists of one length; the first has {len(vectors[0])} entries, "
                    f"number {k} has {len(vector)}"
                )
        return vectors

    def _vector(self, given: Any) -> tuple[float | str, ...]:
        if not isinstance(given, list | tuple):
            raise ValueError(  # noqa: TRY004 (for pydantic)
                f"must be a list of lists of numbers, got the entry {shown(given)}"
            )
        return tuple(self._entry(entry) for entry in given)

    def _entry(self, given: Any) -> float | str:
        if isinstance(given, str) and not self.unit:
            return given
        value = number(given)
        if self.unit and not 0.0 <= value <= 1.0:
            raise ValueError(f"must hold numbers from 0 to 1, got {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        """An array of arrays, or null."""
        entry: dict[str, Any] = {"type": ["number", "string"]}
        if self.unit:
            entry = {"type": "number", "minimum": 0, "maximum": 1}
        vectors = {"type": "array", "items": {"type": "array", "items": entry}, "minItems": 1}
        return {"anyOf": [vectors, {"type": "null"}]}


class Explicit(Value):
    """Given points, in the order of the pipeline's coordinates.

    `values`: parameter vectors, used as they are (1 or 0 for whether an op takes part, the id of
    the chosen op for a choice). `points`: points of the unit hypercube. One of the two.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [given_schema("points"), given_schema("values")]}
    )
    KEYWORD: ClassVar[str] = "explicit"

    points: Annotated[tuple[tuple[float, ...], ...] | None, Vectors(unit=True)] = None
    values: Annotated[tuple[tuple[float | str, ...], ...] | None, Vectors(unit=False)] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.points is None) == (self.values is None):
            raise mistake("takes exactly one of points and values")
        return self


Design = Random | FullFactorial | LatinHypercube | Sobol | Explicit

_KINDS: dict[str, type[Design]] = {
    kind.KEYWORD: kind for kind in (Random, FullFactorial, LatinHypercube, Sobol, Explicit)
}


def with_count(design: Design, count: int) -> Design:
    """The design with another number of points.

    Raises:
        PipelineError: for a full factorial or an explicit design, whose number follows from what
            they hold, and for a number that the design cannot have.
    """
    match design:
        case Random() | LatinHypercube() | Sobol():
            return design.replace(count=count)
        case FullFactorial() | Explicit():
            raise PipelineError(
                f"{design.KEYWORD}: its number of images is fixed, so a count of {count} does not "
                "apply; leave the count out or choose another design"
            )
        case _:
            assert_never(design)


@dataclass(frozen=True)
class DesignRule(Checked):
    """A design, in files a mapping from its name to its fields; None where optional."""

    def parse(self, given: Any) -> Design | None:
        """The design."""
        if given is None or isinstance(given, Design):
            return given
        if not isinstance(given, Mapping) or len(given) != 1:
            raise ValueError(
                f"must be one design with its fields, such as {{random: {{count: 100}}}}, got "
                f"{shown(given)}"
            )
        ((keyword, fields),) = given.items()
        if keyword not in _KINDS:
            raise mistake(f"unknown design {shown(keyword)}{hint(keyword, _KINDS)}", str(keyword))
        try:
            return _KINDS[keyword].model_validate({} if fields is None else fields)
        except ValidationError as error:
            mistakes = [mistake(p.message, p.key, p.place) for p in problems(error)]
            raise collected(mistakes, (keyword,)) from None

    def schema(self) -> dict[str, Any]:
        """One property, named like the design."""
        designs = {
            keyword: {"anyOf": [kind.model_json_schema(), {"type": "null"}]}
            for keyword, kind in _KINDS.items()
        }
        return {
            "description": "Which points are drawn: one design with its fields.",
            "type": ["object", "null"],
            "properties": designs,
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }
