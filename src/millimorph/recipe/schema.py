"""JSON Schema of pipeline files, for editors and forms."""

import copy
from typing import Any, get_args

from millimorph.ops import IntensityOp, OneOf, SomeOf, SpatialOp
from millimorph.parameters import DISTRIBUTION_REFERENCE
from millimorph.recipe.pipeline import Pipeline
from millimorph.recipe.reference import Reference
from millimorph.recipe.sampling import ROLE_SAMPLING_SCHEMA, ImageSampling, LabelSampling
from millimorph.spelling import distribution_schema
from millimorph.values import Value, spelled

_CHOICES: tuple[type[Value], ...] = (OneOf, SomeOf)
_LISTS: dict[str, tuple[type[Value], ...]] = {
    "spatial": get_args(SpatialOp),
    "intensity": get_args(IntensityOp),
}


def pipeline_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what a pipeline file may hold.

    What a schema cannot say, such as low ≤ high or the number of an ITK transform's parameters, is
    checked when the file is loaded.
    """
    schema = Pipeline.model_json_schema()
    definitions = schema["$defs"]
    for kind in (*_LISTS["spatial"], *_LISTS["intensity"], *_CHOICES):
        _finish(definitions[kind.__name__], kind)
        definitions[kind.__name__].setdefault("required", []).insert(0, "op")
    for plain in (Reference, ImageSampling, LabelSampling):
        _finish(definitions[plain.__name__], plain)
    _finish(schema, Pipeline)
    for name, kinds in _LISTS.items():
        _add_list(definitions, name, kinds)
        schema["properties"][name]["items"] = {"$ref": f"#/$defs/{name}_op"}
    for choice in _CHOICES:
        del definitions[choice.__name__]
    schema["properties"]["sampling"]["additionalProperties"] = ROLE_SAMPLING_SCHEMA
    definitions["distribution"] = distribution_schema()
    _resolve(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "millimorph pipeline",
    }


def _finish(schema: dict[str, Any], kind: type[Value]) -> None:
    """Defaults as files spell them."""
    for name, field in kind.model_fields.items():
        entry = schema["properties"][name]
        entry.pop("title", None)
        if "default" in entry:
            entry["default"] = spelled(field.default)


def _add_list(definitions: dict[str, Any], name: str, kinds: tuple[type[Value], ...]) -> None:
    """The definition of an op of one list, and of the choices among such ops."""
    alternatives = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]
    for choice in _CHOICES:
        own = copy.deepcopy(definitions[choice.__name__])
        own["properties"]["ops"] = {
            "type": "array",
            "items": {"$ref": f"#/$defs/{name}_op"},
            "minItems": 1,
        }
        definitions[f"{name}_{choice.__name__}"] = own
        alternatives.append({"$ref": f"#/$defs/{name}_{choice.__name__}"})
    definitions[f"{name}_op"] = {"oneOf": alternatives}


def _resolve(schema: Any) -> None:
    """Point the rules' references to the definition of distributions."""
    entries = schema.values() if isinstance(schema, dict) else schema
    for entry in entries if isinstance(schema, dict | list) else ():
        _resolve(entry)
    if isinstance(schema, dict) and schema.get("$ref") == DISTRIBUTION_REFERENCE:
        schema["$ref"] = "#/$defs/distribution"
