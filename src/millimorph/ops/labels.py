"""Ops on label maps: their numbers, their form, their shape."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Choice, Parameter, Uniform
from millimorph.ops.base import check_one_of, not_both, prefer
from millimorph.ops.pairs import LARGEST_LABEL
from millimorph.ops.selection import LabelOp
from millimorph.parameters import Checked, Range, Whole, Word
from millimorph.values import mistake, shown, whole

MOST_MM = 100.0
MOST_VOXELS = 50.0


class NewLabels(Checked):
    """Pairs [old, new] of labels; no old label twice."""

    def parse(self, given: Any) -> tuple[tuple[int, int], ...]:
        """The pairs as tuples."""
        message = f"must be a list of pairs [old, new] such as [[3, 2], [7, 0]], got {shown(given)}"
        if not isinstance(given, list | tuple) or not given:
            raise ValueError(message)
        try:
            pairs = tuple((whole(old), whole(new)) for old, new in given)
        except (TypeError, ValueError):
            raise ValueError(message) from None
        if min(min(pair) for pair in pairs) < 0 or max(max(p) for p in pairs) > LARGEST_LABEL:
            raise ValueError(f"must have labels from 0 to {LARGEST_LABEL}, got {shown(given)}")
        if len({old for old, _ in pairs}) < len(pairs):
            raise ValueError(f"must list each old label once, got {shown(given)}")
        return pairs

    def schema(self) -> dict[str, Any]:
        """An array of pairs of integers."""
        label = {"type": "integer", "minimum": 0, "maximum": LARGEST_LABEL}
        pair = {"type": "array", "items": label, "minItems": 2, "maxItems": 2}
        return {"type": "array", "items": pair, "minItems": 1}


@dataclass(frozen=True)
class LabelValues(Checked):
    """A list of labels, at least one, none twice."""

    optional: bool = False

    def parse(self, given: Any) -> tuple[int, ...] | None:
        """The labels as a tuple, in their order."""
        if given is None and self.optional:
            return None
        message = f"must be a list of labels such as [2, 41], got {shown(given)}"
        if not isinstance(given, list | tuple) or not given:
            raise ValueError(message)
        try:
            labels = tuple(whole(entry) for entry in given)
        except ValueError:
            raise ValueError(message) from None
        if min(labels) < 0 or max(labels) > LARGEST_LABEL:
            raise ValueError(f"must have labels from 0 to {LARGEST_LABEL}, got {shown(given)}")
        if len(set(labels)) < len(labels):
            raise ValueError(f"must list each label once, got {shown(given)}")
        return labels

    def schema(self) -> dict[str, Any]:
        """An array of integers, or null."""
        label = {"type": "integer", "minimum": 0, "maximum": LARGEST_LABEL}
        labels = {"type": "array", "items": label, "minItems": 1, "uniqueItems": True}
        return {"anyOf": [labels, {"type": "null"}]} if self.optional else labels


Values = Annotated[tuple[int, ...] | None, LabelValues(optional=True)]
OneLabel = Annotated[int, Whole(low=0, high=LARGEST_LABEL, constant=True)]
Share = Annotated[Parameter, Range(0.0, 1.0)]


class Remap(LabelOp):
    """Give labels other numbers, all at once; a label that is not listed stays what it is.

    `pairs`: [old, new] for each label that changes. A map whose type cannot hold a new label gets
    the smallest type that can.
    """

    op: Literal["remap"] = "remap"
    pairs: Annotated[tuple[tuple[int, int], ...], NewLabels()]


class OneHot(LabelOp):
    """Make of a label map one channel for each label, uint8: 1 where the label is, else 0.

    `values`: the labels, in the order of the channels; 0 may be one of them, and one that does not
    occur has a channel without ones. Left out, the labels of the map but 0, ascending: then maps of
    different cases may differ in their channels, so list them for training.

    Raises CompileError for a map that has channels or frames already, and LabelError for a map of
    nothing but 0 when `values` is left out.
    """

    op: Literal["one_hot"] = "one_hot"
    values: Values = None


class KeepLargest(LabelOp):
    """Keep of each label its largest connected part; of equal ones the one that comes first.

    `values`: the labels that it is for; left out, all but 0 and `into`. `connectivity`: "corners",
    voxels that share a face, an edge or a corner are one part (26 neighbours, in 2D 8); or "faces"
    (6, in 2D 4). `into`: the label that the other parts become. Channels are done by themselves.

    With `values=[0]` and an `into`, holes of the background are filled.
    """

    op: Literal["keep_largest"] = "keep_largest"
    values: Values = None
    connectivity: Annotated[str | Choice, Word(("corners", "faces"))] = "corners"
    into: OneLabel = 0

    @model_validator(mode="after")
    def _apart(self) -> Self:
        _check_apart(self.values, (self.into,))
        return self


class Erode(LabelOp):
    """Take from each label the voxels that lie within a radius of a voxel of another label.

    Distances are between voxel centres; the border of the image is no other label. A distance that
    exceeds the radius by less than a part in 10^9 counts as equal to it.

    `radius_mm`: 0 to 100, in physical space; or `radius_voxels`: 0 to 50, in voxels along each axis
    whatever their spacing. One of the two; left out, 1 to 2 voxels. `values`: the labels that it is
    for; left out, all but 0 and `into`. `into`: the label that the taken voxels become.
    `kept_at_least`: the share (0 to 1) of its voxels that each label keeps; where the radius would
    take more, it ends at the distance at which that many are left. Channels are done by themselves.
    """

    model_config = not_both("radius_mm", "radius_voxels")

    op: Literal["erode"] = "erode"
    radius_mm: Annotated[Parameter | None, Range(0.0, MOST_MM, unit="mm", optional=True)] = None
    radius_voxels: Annotated[
        Parameter | None, Range(0.0, MOST_VOXELS, unit="voxels", optional=True)
    ] = Uniform(1.0, 2.0)
    values: Values = None
    into: OneLabel = 0
    kept_at_least: Share = 0.5

    @model_validator(mode="before")
    @classmethod
    def _mm_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="radius_mm", instead_of="radius_voxels")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        check_one_of(self, "radius_mm", "radius_voxels")
        _check_apart(self.values, (self.into,))
        return self


class Dilate(LabelOp):
    """Let labels grow over the voxels of some others that lie within a radius of theirs.

    A voxel takes the nearest label, of equally near ones the lowest. Distances are as in Erode.

    `radius_mm` or `radius_voxels` as in Erode. `values`: the labels that grow; left out, all but 0
    and those of `into`. `into`: the labels over which they may grow; left out, the background 0
    only. `grown_at_most`: the share of its voxels (0 up) that a label may gain: 1, the default,
    doubles it; where the radius would give more, it ends at the distance below which that many are
    gained. `kept_at_least`: the share (0 to 1) of its voxels that a label of `into` other than 0
    keeps, likewise. Channels are done by themselves.
    """

    model_config = not_both("radius_mm", "radius_voxels")

    op: Literal["dilate"] = "dilate"
    radius_mm: Annotated[Parameter | None, Range(0.0, MOST_MM, unit="mm", optional=True)] = None
    radius_voxels: Annotated[
        Parameter | None, Range(0.0, MOST_VOXELS, unit="voxels", optional=True)
    ] = Uniform(1.0, 2.0)
    values: Values = None
    into: Annotated[tuple[int, ...], LabelValues()] = (0,)
    grown_at_most: Annotated[Parameter, Range(low=0.0)] = 1.0
    kept_at_least: Share = 0.5

    @model_validator(mode="before")
    @classmethod
    def _mm_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="radius_mm", instead_of="radius_voxels")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        check_one_of(self, "radius_mm", "radius_voxels")
        _check_apart(self.values, self.into)
        return self


def _check_apart(values: tuple[int, ...] | None, into: tuple[int, ...]) -> None:
    shared = sorted(set(values or ()) & set(into))
    if shared:
        raise mistake(f"has label {shared[0]} both in values and as into", "into")


ShapeOp = Remap | OneHot | KeepLargest | Erode | Dilate
"""Ops that change label maps."""
