"""The frozen base of everything that a person writes, its plain data and how a mistake is told."""

import difflib
import hashlib
import json
import math
import numbers
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from millimorph.errors import PipelineError

Path = tuple[str | int, ...]


class Value(BaseModel):
    """A frozen value with named fields; unknown names and values out of range are refused.

    Raises:
        PipelineError: when built from fields that are unknown, missing or not allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            told = "; ".join(problem.text() for problem in problems(error))
            raise PipelineError(f"{type(self).__name__}: {told}") from None

    # Nested values are then built by pydantic itself, which keeps the place of a mistake.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_keys(cls, given: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        unknown = [] if not isinstance(given, Mapping) else given.keys() - cls.model_fields.keys()
        if not unknown:
            return check(given)
        mistakes = [
            mistake(f"unknown key {shown(key)}{hint(key, cls.model_fields)}", key=str(key))
            for key in given
            if key in unknown
        ]
        try:
            check({key: value for key, value in given.items() if key not in unknown})
        except ValidationError as error:
            mistakes += [mistake(p.message, p.key, p.place) for p in problems(error)]
        raise collected(mistakes)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [(name, value) for name, value in self if value != default_of(type(self), name)]

    def __str__(self) -> str:
        return repr(self)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked like a new one."""
        return type(self)(**{**dict(self), **changes})


@dataclass(frozen=True)
class Problem:
    """One mistake: the path to the mapping that holds it, its key there, and what is wrong."""

    place: Path
    key: str | None
    message: str

    def text(self) -> str:
        """`place: message`, the place spelled as in a pipeline file."""
        return f"{spelled_path(self.place)}: {self.message}" if self.place else self.message


def mistake(message: str, key: str | None = None, place: Path = ()) -> PydanticCustomError:
    """The error that a validator raises for a value as a whole, or for a key at a place in it."""
    context = {"message": message, "key": key, "place": place}
    return PydanticCustomError("mistake", "{message}", context)


def default_of(kind: type[BaseModel], name: str) -> Any:
    """A field's default; nothing is equal to that of a field without one."""
    return kind.model_fields[name].get_default(call_default_factory=True)


def collected(mistakes: list[PydanticCustomError], place: Path = ()) -> ValidationError:
    """Several mistakes at once, found at a place further down."""
    details = [InitErrorDetails(type=one, loc=place, input=None) for one in mistakes]
    return ValidationError.from_exception_data("mistakes", details)


def problems(error: ValidationError) -> list[Problem]:
    """What is wrong, mistake by mistake, in the field's words."""
    return [_problem(detail) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails) -> Problem:
    location, context = tuple(detail["loc"]), detail.get("ctx", {})
    match detail["type"]:
        case "mistake":
            place = location + context["place"]
            return Problem(place, context["key"], context["message"])
        case "missing":
            return Problem(location[:-1], None, f'"{location[-1]}" is missing')
        case "union_tag_not_found":
            return Problem(location, None, '"op" is missing')
        case "union_tag_invalid":
            known = [word.strip(" '") for word in context["expected_tags"].split(",")]
            tag = context["tag"]
            return Problem(location, "op", f"unknown op {shown(tag)}{hint(tag, known)}")
        case "model_type" | "model_attributes_type":
            return Problem(location, None, f"must be a mapping, got {shown(detail['input'])}")
        case _:
            return _field_problem(location, _field_message(detail))


def _field_problem(location: Path, message: str) -> Problem:
    fields = [
        k for k, part in enumerate(location) if isinstance(part, str) and not _tag(location, k)
    ]
    if not fields:
        return Problem(location, None, message)
    key = location[fields[-1] :]
    return Problem(location[: fields[-1]], str(key[0]), f"{spelled_path(key)} {message}")


_EXPECTED = {
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "bool_type": "true or false",
    "string_type": "a text",
}


def _field_message(detail: ErrorDetails) -> str:
    got = f"got {shown(detail['input'])}"
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "literal_error":
            return f"must be {detail['ctx']['expected']}, {got}"
        case kind if kind in _EXPECTED:
            return f"must be {_EXPECTED[kind]}, {got}"
        case "string_pattern_mismatch":
            return f"may hold letters, digits, _, - and, between these, dots; {got}"
        case _:
            return f"is not allowed ({detail['msg']}), {got}"


def _tag(path: Path, k: int) -> bool:
    """Whether part k only tells which op an entry of a list is: a word right after an index."""
    return k > 0 and isinstance(path[k], str) and isinstance(path[k - 1], int)


def without_tags(path: Path) -> Path:
    """The path as keys and indices of the plain data."""
    return tuple(part for k, part in enumerate(path) if not _tag(path, k))


def spelled_path(path: Path) -> str:
    """`spatial[0] (one_of).ops[1]`, as an error names a place."""
    text = ""
    for k, part in enumerate(path):
        if isinstance(part, int):
            text += f"[{part}]"
        elif _tag(path, k):
            text += f" ({part})"
        else:
            text += f".{part}" if text else part
    return text


def hint(word: object, known: Iterable[str]) -> str:
    """The nearest right word, or all of them when none is near."""
    words = list(known)
    near = difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known are {', '.join(words)}"


def shown(value: object, limit: int = 60) -> str:
    """A value as an error quotes it: JSON where it can be, cut when long."""
    try:
        text = json.dumps(spelled(value), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def as_list(value: object) -> object:
    """A list or tuple as it is; nothing else that can be iterated passes for a list."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list, got {shown(value)}")  # noqa: TRY004 (for pydantic)
    return value


def number(value: object) -> float:
    """A finite float from any real number but a bool; minus zero becomes zero."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(f"must be a number, got {shown(value)}")  # noqa: TRY004 (for pydantic)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise ValueError(f"must be a finite number, got {shown(value)}")
    return result + 0.0


def whole(value: object) -> int:
    """An int from any whole number but a bool."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(f"must be a whole number, got {shown(value)}")  # noqa: TRY004 (for pydantic)
    if isinstance(value, numbers.Integral):
        return operator.index(value)
    result = number(value)
    if result != math.floor(result):
        raise ValueError(f"must be a whole number, got {shown(value)}")
    return int(result)


def plain(value: object) -> Any:
    """All of a value as JSON data, defaults included."""
    if isinstance(value, Value):
        return _keyed(value, {name: plain(field) for name, field in value})
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    return value.as_data() if hasattr(value, "as_data") else value


def spelled(value: object) -> Any:
    """A value as a person would write it: only what differs from the defaults, 40 for 40.0."""
    if isinstance(value, Value):
        return _spelled_fields(value)
    if isinstance(value, Mapping):
        return {name: spelled(entry) for name, entry in value.items()}
    if isinstance(value, tuple | list):
        return [spelled(entry) for entry in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return spelled(value.as_data()) if hasattr(value, "as_data") else value


def _spelled_fields(value: Value) -> dict[str, Any]:
    always = getattr(type(value), "ALWAYS_SPELLED", ())
    kind = type(value)
    written = {
        name: spelled(field)
        for name, field in value
        if name in always or (field is not None and field != default_of(kind, name))
    }
    return _keyed(value, written)


def _keyed(value: Value, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, under the value's keyword where files name its kind so."""
    keyword = getattr(type(value), "KEYWORD", None)
    return fields if keyword is None else {keyword: fields}


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, floats by repr, ASCII, no NaN."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON text, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()
