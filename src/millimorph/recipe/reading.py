"""YAML 1.2 and JSON text as plain data that remembers its lines. Nothing in a text is executed.

Only mappings with text keys, lists, texts, numbers, true, false and null are read. Tags, merge
keys, doubled keys and aliases that expand without measure are refused, with their line.
"""

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn

from millimorph.errors import PipelineError
from millimorph.values import Path, shown

LARGEST_TEXT = 10_000_000
LARGEST_YAML = 1_000_000
_LARGEST_DEPTH = 40
_LARGEST_COUNT = 300_000

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = {f"{_TAG}{kind}" for kind in ("str", "timestamp", "value")}
_TRUE = {"true", "True", "TRUE"}
_BASES = {"0b": 2, "0o": 8, "0x": 16}


@dataclass(frozen=True)
class Located:
    """Plain data and the line (from 1) of every key and entry, by its path."""

    data: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest place around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def read_yaml(text: str, name: str) -> Located:
    """Data of one YAML document.

    Raises:
        PipelineError: `name:line: …` for text that is not YAML or holds what is not plain data.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(text) > LARGEST_YAML:
        raise PipelineError(
            f"{name}: YAML of {len(text)} characters, at most {LARGEST_YAML} are read; write it as "
            "JSON"
        )
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise PipelineError(f"{name}:{line}: not YAML: {error.problem}") from None
    except RecursionError:
        raise PipelineError(f"{name}: nested too deeply") from None
    except (YAMLError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise PipelineError(f"{name}: not YAML: {first}") from None
    if root is None:
        raise PipelineError(f"{name}: is empty")
    reader = _Reader(name)
    return Located(reader.value(root, ()), reader.lines)


def read_json(text: str, name: str) -> Located:
    """Data of a JSON text.

    Raises:
        PipelineError: `name:line: …` for text that is not JSON or doubles a key.
    """
    if not text.strip():
        raise PipelineError(f"{name}: is empty")
    doubled: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                doubled.append(key)
            found[key] = value
        return found

    try:
        found = json.loads(text, object_pairs_hook=mapping)
    except json.JSONDecodeError as error:
        raise PipelineError(f"{name}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise PipelineError(f"{name}: nested too deeply") from None
    except ValueError as error:
        raise PipelineError(f"{name}: not JSON: {error}") from None
    if doubled:
        _json_lines(text, name)
        raise PipelineError(f"{name}: the key {shown(doubled[0])} is given twice")
    return Located(found, {})


def with_lines(located: Located, text: str, name: str) -> Located:
    """Located data with the lines of a JSON text, which are only looked for after a mistake."""
    if located.lines:
        return located
    try:
        return Located(located.data, _json_lines(text, name))
    except PipelineError:
        return located


def _json_lines(text: str, name: str) -> dict[Path, int]:
    # JSON is YAML but for tabs, which it has only between its tokens.
    return read_yaml(text.replace("\t", " "), name).lines


@dataclass
class _Reader:
    """Turns YAML's nodes into data; the counts end what aliases expand without measure."""

    name: str
    lines: dict[Path, int] = field(default_factory=dict)

    def value(self, node: Any, path: Path) -> Any:
        """The data of a node, whose place is path."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > _LARGEST_DEPTH:
            self._refuse(node, "nested too deeply")
        if len(self.lines) > _LARGEST_COUNT:
            self._refuse(
                node, f"over {_LARGEST_COUNT} values, every alias counted; write it as JSON"
            )
        kind = node.tag.removeprefix(_TAG) if isinstance(node.tag, str) else ""
        if kind == "map" and isinstance(node.value, list):
            return self._mapping(node, path)
        if kind == "seq" and isinstance(node.value, list):
            return [self.value(entry, (*path, k)) for k, entry in enumerate(node.value)]
        if isinstance(node.value, str):
            return self._scalar(node)
        return self._refuse(node, f"the tag {node.tag} is not read; only plain data is")

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                self._refuse(key_node, "merge keys (<<) are not read; write the keys out")
            key = self._scalar(key_node) if isinstance(key_node.value, str) else None
            if not isinstance(key, str):
                self._refuse(key_node, "a key must be a text; put quotes around it")
            if key in found:
                self._refuse(key_node, f"the key {shown(key)} is given twice")
            self.lines[*path, key] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: Any) -> Any:
        kind, text = node.tag, node.value
        if kind in _TEXT_TAGS:
            return text
        if kind == f"{_TAG}null":
            return None
        if kind == f"{_TAG}bool":
            return text in _TRUE
        try:
            if kind == f"{_TAG}int":
                return _integer(text)
            if kind == f"{_TAG}float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self._refuse(node, f"{shown(text)} is no number that can be read")
        return self._refuse(node, f"the tag {kind} is not read; only plain data is")

    def _refuse(self, node: Any, message: str) -> NoReturn:
        raise PipelineError(f"{self.name}:{node.start_mark.line + 1}: {message}")


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    base = _BASES.get(digits[:2])
    return sign * (int(digits) if base is None else int(digits[2:], base))
