"""Which images, channels and label maps an op acts on; left out, all of them."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from millimorph.ops.base import Op
from millimorph.parameters import Checked
from millimorph.values import shown, whole


@dataclass(frozen=True)
class RoleNames(Checked):
    """Role names of a case, at least one, none twice; None is all."""

    def parse(self, given: Any) -> tuple[str, ...] | None:
        """The names as a tuple."""
        if given is None:
            return None
        is_list = isinstance(given, list | tuple) and len(given) > 0
        if not is_list or not all(isinstance(name, str) and name for name in given):
            raise ValueError(f"must be a list of role names such as [ct], got {shown(given)}")
        if len(set(given)) < len(given):
            raise ValueError(f"must name each role once, got {shown(given)}")
        return tuple(given)

    def schema(self) -> dict[str, Any]:
        """An array of strings, or null."""
        names = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
        return {"anyOf": [{**names, "uniqueItems": True}, {"type": "null"}]}


@dataclass(frozen=True)
class ChannelNumbers(Checked):
    """Channel numbers from 0, at least one, none twice; None is all."""

    def parse(self, given: Any) -> tuple[int, ...] | None:
        """The numbers as a tuple, ascending."""
        if given is None:
            return None
        message = f"must be a list of channel numbers such as [0, 2], got {shown(given)}"
        if not isinstance(given, list | tuple) or not given:
            raise ValueError(message)
        try:
            numbers = sorted(whole(entry) for entry in given)
        except ValueError:
            raise ValueError(message) from None
        if numbers[0] < 0 or len(set(numbers)) < len(numbers):
            raise ValueError(f"must be different numbers from 0 up, got {shown(given)}")
        return tuple(numbers)

    def schema(self) -> dict[str, Any]:
        """An array of integers, or null."""
        numbers = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
        return {"anyOf": [{**numbers, "uniqueItems": True}, {"type": "null"}]}


class ImageOp(Op):
    """An op on the grey levels of images.

    `images`: the role names of the images it changes; left out, all. `channels`: the channels of
    each, from 0; left out, all.
    """

    MAKES_FLOAT: ClassVar[bool] = False
    """Whether results are stored as float32 whatever the image's type."""

    images: Annotated[tuple[str, ...] | None, RoleNames()] = None
    channels: Annotated[tuple[int, ...] | None, ChannelNumbers()] = None

    def makes_float(self) -> bool:
        """Whether this op's results are stored as float32."""
        return self.MAKES_FLOAT


class LabelOp(Op):
    """An op on label maps; `labels`: the role names of those it changes; left out, all."""

    labels: Annotated[tuple[str, ...] | None, RoleNames()] = None
