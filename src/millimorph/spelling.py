"""How files spell a distribution: a mapping with one key, and the JSON Schema of that."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from millimorph.distributions import (
    Choice,
    Distribution,
    LogUniform,
    Normal,
    TruncatedNormal,
    Uniform,
)
from millimorph.errors import PipelineError
from millimorph.values import hint, shown

_KINDS: dict[str, type[Distribution]] = {
    kind.keyword: kind for kind in (Uniform, LogUniform, Normal, TruncatedNormal, Choice)
}


def read_distribution(data: Mapping[Any, Any]) -> Distribution:
    """The distribution that a file's mapping spells.

    Raises:
        PipelineError: for an unknown name, a wrong number of numbers, or values out of range.
    """
    if len(data) != 1:
        raise PipelineError(
            "must be a number or a distribution, which has one key, such as "
            f"{{uniform: [low, high]}}; got the keys {', '.join(map(str, data)) or 'none'}"
        )
    ((keyword, content),) = data.items()
    kind = _KINDS.get(keyword) if isinstance(keyword, str) else None
    if kind is None:
        raise PipelineError(f"has an unknown distribution {shown(keyword)}{hint(keyword, _KINDS)}")
    if kind is Choice:
        return _read_choice(content)
    names = [field.name for field in fields(kind)]
    if not isinstance(content, list | tuple) or len(content) != len(names):
        raise PipelineError(f"{keyword} takes [{', '.join(names)}], got {shown(content)}")
    return kind(*content)


def distribution_schema() -> dict[str, Any]:
    """JSON Schema of a distribution as files spell it."""
    choices = {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 1}
    weighted = {
        "type": "object",
        "properties": {
            "values": choices,
            "weights": {"type": "array", "items": {"type": "number", "minimum": 0}},
        },
        "required": ["values"],
        "additionalProperties": False,
    }
    contents: dict[str, Any] = {Choice.keyword: {"anyOf": [choices, weighted]}}
    for keyword, kind in _KINDS.items():
        if kind is not Choice:
            names = [field.name for field in fields(kind)]
            contents[keyword] = {
                "type": "array",
                "items": {"type": "number"},
                "minItems": len(names),
                "maxItems": len(names),
                "description": f"[{', '.join(names)}]",
            }
    return {
        "description": "A distribution: one of the keys, with its numbers.",
        "type": "object",
        "properties": contents,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _read_choice(content: object) -> Choice:
    if not isinstance(content, Mapping):
        return Choice(content)  # type: ignore[arg-type]
    known = ("values", "weights")
    for key in content:
        if key not in known:
            raise PipelineError(f"choice: unknown key {shown(key)}{hint(key, known)}")
    if "values" not in content:
        raise PipelineError('choice: "values" is missing')
    return Choice(content["values"], content.get("weights"))
