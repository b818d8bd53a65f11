"""A pipeline's plain data as YAML that a person would write; no library is asked."""

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
_NOT_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"}


def in_order(data: Any) -> Any:
    """The data with each op's keys in reading order: op and id first, probability last."""
    if isinstance(data, list):
        return [in_order(entry) for entry in data]
    if not isinstance(data, dict):
        return data
    rank = {"op": -2, "id": -1, "probability": 1} if "op" in data else {}
    keys = sorted(data, key=lambda key: rank.get(key, 0))
    return {key: in_order(data[key]) for key in keys}


def yaml_text(data: dict[str, Any]) -> str:
    """YAML 1.2 (which YAML 1.1 reads alike) of a pipeline: ops in blocks, everything else flat."""
    return "\n".join(_block(in_order(data), indent="")) + "\n"


def _block(mapping: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in mapping.items():
        if _holds_ops(value):
            lines.append(f"{indent}{_scalar(key)}:")
            for op in value:
                first, *rest = _block(op, f"{indent}    ")
                lines += [f"{indent}  - {first.lstrip()}", *rest]
        else:
            lines.append(f"{indent}{_scalar(key)}: {_flow(value)}")
    return lines


def _holds_ops(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(op, dict) and "op" in op for op in value)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(entry) for entry in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
        return value if plain else _quoted(value)
    if isinstance(value, float):
        # YAML 1.1 takes 1e-06 for a text.
        mantissa, exponent, power = repr(value).partition("e")
        return f"{mantissa}.0{exponent}{power}" if exponent and "." not in mantissa else repr(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Double-quoted; beyond the basic plane YAML's escape differs from JSON's."""
    escaped = [
        f"\\U{ord(letter):08X}" if ord(letter) > 0xFFFF else json.dumps(letter)[1:-1]
        for letter in text
    ]
    return '"' + "".join(escaped) + '"'
