"""Ops that change only the target grid, so that just what is asked for is computed."""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.ops.base import Op, PerAxisParameter, PerAxisWhole, check_one_of, not_both, prefer
from millimorph.parameters import PerAxis, Range, Whole

Size = Annotated[
    PerAxisWhole | None,
    PerAxis(Whole(low=1), together=True, optional=True),
]


class Crop(Op):
    """A smaller target grid: only what is asked for is computed.

    `size`: (x, y, z) in voxels, at most the grid's; or instead `fraction`, 0 to 1 of each axis.
    `position`: where along each axis the crop lies, from 0 (lowest index) to 1 (highest).
    """

    model_config = not_both("size", "fraction")

    op: Literal["crop"] = "crop"
    size: Size = None
    fraction: Annotated[
        PerAxisParameter | None,
        PerAxis(Range(0.0, 1.0, above_low=True), together=True, optional=True),
    ] = 0.75
    position: Annotated[PerAxisParameter, PerAxis(Range(0.0, 1.0))] = 0.5

    @model_validator(mode="before")
    @classmethod
    def _size_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="size", instead_of="fraction")

    @model_validator(mode="after")
    def _one_extent(self) -> Self:
        check_one_of(self, "size", "fraction")
        return self


class Pad(Op):
    """A larger target grid, filled with each image's fill value.

    `size`: the smallest size (x, y, z) in voxels, the added voxels split evenly and an odd one at
    the upper end; or instead `margin`, the voxels added at both ends of each axis.
    """

    model_config = not_both("size", "margin")

    op: Literal["pad"] = "pad"
    size: Size = None
    margin: Annotated[
        PerAxisWhole | None,
        PerAxis(Whole(low=0), together=True, optional=True),
    ] = 8

    @model_validator(mode="before")
    @classmethod
    def _size_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="size", instead_of="margin")

    @model_validator(mode="after")
    def _one_extent(self) -> Self:
        check_one_of(self, "size", "margin")
        return self
