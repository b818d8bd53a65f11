"""Ops on label maps, and the one that makes an image from a label map."""

from typing import Annotated, Any, Literal

from millimorph.ops.pairs import LARGEST_LABEL
from millimorph.ops.selection import LabelOp
from millimorph.parameters import Checked
from millimorph.values import shown, whole


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


class Remap(LabelOp):
    """Give labels other numbers, all at once; a label that is not listed stays what it is.

    `pairs`: [old, new] for each label that changes.
    """

    op: Literal["remap"] = "remap"
    pairs: Annotated[tuple[tuple[int, int], ...], NewLabels()]


ShapeOp = Remap
"""Ops that change label maps."""
