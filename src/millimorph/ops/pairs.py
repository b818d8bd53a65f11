"""The label pairs that a left/right reflection swaps."""

from typing import Annotated, Any

from millimorph.parameters import Checked
from millimorph.values import shown, whole

LARGEST_LABEL = 2**32 - 1

Pair = tuple[int, int] | tuple[str, str]


class PairRule(Checked):
    """Pairs of labels or of landmark names; none may be in two pairs."""

    def parse(self, given: Any) -> tuple[Pair, ...] | None:
        """The pairs as tuples, or None where nothing was declared."""
        if given is None:
            return None
        if not isinstance(given, list | tuple):
            raise ValueError(  # noqa: TRY004 (for pydantic)
                f"must be a list of pairs such as [[2, 3]], got {shown(given)}"
            )
        pairs = tuple(_pair(entry) for entry in given)
        seen: set[int | str] = set()
        for member in (member for pair in pairs for member in pair):
            if member in seen:
                raise ValueError(f"must name each label once, got {shown(member)} twice")
            seen.add(member)
        return pairs

    def schema(self) -> dict[str, Any]:
        """A list of pairs of integers or of strings."""
        label = {"type": "integer", "minimum": 0, "maximum": LARGEST_LABEL}
        kinds = (label, {"type": "string", "minLength": 1})
        pairs = [{"type": "array", "items": k, "minItems": 2, "maxItems": 2} for k in kinds]
        return {"anyOf": [{"type": "array", "items": {"anyOf": pairs}}, {"type": "null"}]}


LabelPairs = Annotated[tuple[Pair, ...] | None, PairRule()]


def _pair(given: Any) -> Pair:
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ValueError(f"must be a list of pairs such as [[2, 3]], got the entry {shown(given)}")
    first, second = given
    if isinstance(first, str) and isinstance(second, str) and first and second:
        return first, second
    try:
        numbers = whole(first), whole(second)
    except ValueError:
        raise ValueError(f"must pair two labels or two names, got {shown(given)}") from None
    if min(numbers) < 0 or max(numbers) > LARGEST_LABEL:
        raise ValueError(f"must have labels from 0 to {LARGEST_LABEL}, got {shown(given)}")
    return numbers
