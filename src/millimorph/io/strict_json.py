"""JSON as its standard has it: no key twice in an object, no NaN, no infinity, no 1e400."""

import json
import math
from typing import Any, NoReturn


def strict_json(text: str | bytes) -> Any:
    """Return the data of a JSON text; ValueError, or RecursionError where it is nested too deep."""
    return json.loads(
        text,
        object_pairs_hook=_unique,
        parse_constant=_refuse_number,
        parse_float=_finite,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key!r} is there twice")
        content[key] = value
    return content


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number
