"""How images and label maps are read between their voxels, and what lies outside them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from millimorph.parameters import Checked, Range, Whole
from millimorph.values import Value, hint, mistake, number, shown

_INTERPOLATIONS = ("nearest", "linear", "cubic", "label_linear")
FILL_WORDS = ("background", "minimum", "edge")


class _FillRule(Checked):
    """A number, or how to find one."""

    def parse(self, given: Any) -> float | str:
        """The number as float, or the word."""
        if isinstance(given, str) and given in FILL_WORDS:
            return given
        try:
            return number(given)
        except ValueError:
            words = ", ".join(FILL_WORDS)
            raise ValueError(f"must be a number or one of {words}; got {shown(given)}") from None

    def schema(self) -> dict[str, Any]:
        """A number or one of the words."""
        return {"anyOf": [{"type": "number"}, {"enum": list(FILL_WORDS)}]}


class ImageSampling(Value):
    """How intensity images are sampled.

    `interpolation`: cubic is the interpolating cubic B-spline. `fill`: the value outside, a number
    in the image's own units, the median of the background (below Otsu's threshold), the minimum, or
    the nearest edge. `antialias`: smooth before downsampling. `nan`: replaces NaN; left out, NaN is
    an error.
    """

    ALWAYS_SPELLED: ClassVar[tuple[str, ...]] = ("role",)

    role: Literal["images"] = "images"
    interpolation: Literal["linear", "nearest", "cubic"] = "linear"
    fill: Annotated[float | Literal["background", "minimum", "edge"], _FillRule()] = "background"
    antialias: Annotated[bool, Field(strict=True)] = True
    nan: Annotated[float | None, Range(constant=True, optional=True)] = None


class LabelSampling(Value):
    """How label maps are sampled; no label appears that is neither in the source nor the fill.

    `interpolation`: label_linear takes the label whose linear weights sum highest. `fill`: the
    label outside.
    """

    ALWAYS_SPELLED: ClassVar[tuple[str, ...]] = ("role",)

    role: Literal["labels"] = "labels"
    interpolation: Literal["nearest", "label_linear"] = "nearest"
    fill: Annotated[int, Whole(low=-(2**31), high=2**32 - 1, constant=True)] = 0


def _role_sampling(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    role = given.get("role", _told_role(given))
    if role == "labels":
        return LabelSampling.model_validate(given)
    if role == "images":
        return ImageSampling.model_validate(given)
    told = given.get("interpolation", "nearest")
    if role is None and told not in _INTERPOLATIONS:
        raise mistake(
            f"interpolation {shown(told)} is unknown{hint(told, _INTERPOLATIONS)}", "interpolation"
        )
    if role is None:
        raise mistake("fits images and labels alike; add role: images or role: labels")
    raise mistake(f'role must be "images" or "labels", got {shown(role)}', "role")


def _told_role(given: Mapping[Any, Any]) -> str | None:
    """Whose sampling the values can only be, if they tell."""
    if given.get("interpolation") == "label_linear":
        return "labels"
    spelled_for_images = given.get("interpolation") in {"linear", "cubic"}
    if spelled_for_images or {"antialias", "nan"} & given.keys():
        return "images"
    return "images" if given.get("fill") in FILL_WORDS else None


RoleSampling = Annotated[ImageSampling | LabelSampling, BeforeValidator(_role_sampling)]

ROLE_SAMPLING_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "allOf": [{"$ref": "#/$defs/ImageSampling"}],
            "anyOf": [
                *({"required": [name]} for name in ("role", "antialias", "nan")),
                {
                    "properties": {"interpolation": {"enum": ["linear", "cubic"]}},
                    "required": ["interpolation"],
                },
                {"properties": {"fill": {"enum": list(FILL_WORDS)}}, "required": ["fill"]},
            ],
        },
        {
            "allOf": [{"$ref": "#/$defs/LabelSampling"}],
            "anyOf": [
                {"required": ["role"]},
                {
                    "properties": {"interpolation": {"const": "label_linear"}},
                    "required": ["interpolation"],
                },
            ],
        },
    ]
}
"""JSON Schema of an entry of `sampling`, which must tell whose sampling it is."""
