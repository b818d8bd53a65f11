"""Short words for what a recipe does, as they stand above the pictures of a sample."""

from collections.abc import Mapping, Sequence
from typing import Any

from millimorph.geometry import ImageGrid
from millimorph.recipe import Recipe
from millimorph.report.measure import oblique_deg
from millimorph.values import spelled

# Of several endings that fit, the last one counts.
_UNITS = {
    "_deg": " deg",
    "_mm": " mm",
    "_hu": " HU",
    "_db": " dB",
    "_mhz": " MHz",
    "_voxels": " voxels",
    "_per_mm": " per mm",
    "_db_per_cm_mhz": " dB/cm/MHz",
}
_OF_EACH_AXIS = ("rotation_deg", "translation_mm", "shear", "position", "centre_mm", "parameters")
_UNINTERESTING = frozenset(
    {"op", "id", "probability", "centre_mm", "control_spacing_mm", "control_points", "label_pairs",
     "versor", "unit", "lock_border", "allow_folding"}
)  # fmt: skip
_STILL: dict[str, float] = {"scale": 1.0, "gamma": 1.0, "strength": 1.0}
_MOST_NUMBERS = 7
_LARGE = 1000.0
_OBLIQUE_FROM_DEG = 0.01


def caption_of(recipe: Recipe, dimension: int) -> str:
    """The ops of a recipe with their main numbers: `affine rotation 3, -2, 8 deg; gamma 1.2`."""
    ops = [describe_op(spelled(op), dimension) for op in (*recipe.spatial, *recipe.intensity)]
    return "; ".join(ops) if ops else "nothing changed but the grid"


def describe_op(op: Mapping[str, Any], dimension: int) -> str:
    """One op's name with those of its numbers that change something in 2D or 3D."""
    name = str(op["op"]).replace("_", " ")
    words = [
        _described(field, _in_dimension(field, value, dimension), name)
        for field, value in op.items()
        if field not in _UNINTERESTING
    ]
    shown = ", ".join(word for word in words if word)
    return f"{name} {shown}".strip()


def _in_dimension(field: str, value: Any, dimension: int) -> Any:
    """The numbers that count in 2D of those for three axes; one number where all are equal."""
    if not isinstance(value, list) or not value:
        return value
    if dimension == 2 and len(value) == 3:
        value = value[-1:] if field == "rotation_deg" else value[:2]
    alike = field not in _OF_EACH_AXIS and len({str(entry) for entry in value}) == 1
    return value[:1] if alike else value


def describe_numbers(op: Mapping[str, Any], fields: Sequence[str], dimension: int) -> str:
    """Some fields of an op with their numbers, also where they change nothing."""
    name = str(op["op"]).replace("_", " ")
    words = [_written(field, _in_dimension(field, op[field], dimension), name) for field in fields]
    return ", ".join(words)


def _described(field: str, value: Any, op_name: str) -> str:
    """A field in words; none where it stands still or is long."""
    still = _STILL.get(field, 0.0)
    numbers = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if all(number == still for number in numbers) or not _is_short(numbers):
        return ""
    return _written(field, value, op_name)


def _written(field: str, value: Any, op_name: str) -> str:
    title, unit = field, ""
    for ending, text in _UNITS.items():
        if field.endswith(ending):
            title, unit = field.removesuffix(ending), text
    if field.endswith("_fraction"):
        title, unit, value = field.removesuffix("_fraction"), " %", _times(value, 100.0)
    numbers = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    written = ", ".join(_number(number) for number in numbers)
    title = title.replace("_", " ")
    if value is True:
        return title
    return f"{written}{unit}" if title in {op_name, "axis", "kind"} else f"{title} {written}{unit}"


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, list):
        return [_times(entry, factor) for entry in value]
    return value * factor if isinstance(value, int | float) else value


def _is_short(numbers: Sequence[Any]) -> bool:
    plain = all(isinstance(number, int | float | str) for number in numbers)
    return plain and 0 < len(numbers) <= _MOST_NUMBERS


def _number(value: float | str | bool) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= _LARGE else f"{value:.3g}"


def grid_words(grid: ImageGrid) -> str:
    """Size, spacing and, in 3D, orientation."""
    size = " x ".join(str(n) for n in grid.size)
    spacing = " x ".join(f"{s:.3g}" for s in grid.spacing_mm)
    words = f"{size} voxels of {spacing} mm"
    if grid.dimension == 2:
        return words
    angle = oblique_deg(grid)
    oblique = f", oblique by {angle:.3g} deg" if angle >= _OBLIQUE_FROM_DEG else ""
    return f"{words} · {grid.orientation}{oblique}"
