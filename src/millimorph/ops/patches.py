"""Ops that overwrite or exchange boxes of the image; where the boxes lie belongs to the op's key.

Edges are given along the image's own axes after the resample, in mm or as fractions of the extent,
are rounded to voxels (a fraction of Swap down) and have at least one.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Choice, Parameter
from millimorph.ops.base import PerAxisParameter, WholeParameter, check_one_of, not_both, prefer
from millimorph.ops.selection import ImageOp
from millimorph.parameters import DISTRIBUTION_REFERENCE, PerAxis, Range, SingleRule, Whole
from millimorph.values import shown

MOST = 10_000
Count = Annotated[WholeParameter, Whole(low=0, high=MOST)]
SizeMm = Annotated[
    PerAxisParameter | None,
    PerAxis(Range(low=0.0, above_low=True, unit="mm"), together=True, optional=True),
]


@dataclass(frozen=True)
class LevelOrWord(SingleRule):
    """A grey level or one of some words, or a distribution of such."""

    words: tuple[str, ...]

    def parse(self, given: Any) -> Any:
        """The number as float, the word or the distribution."""
        if isinstance(given, str):
            self._check_word(given)
            return given
        if isinstance(given, Choice):
            for entry in given.values:
                if isinstance(entry, str):
                    self._check_word(entry)
            return given
        return Range().parse(given)

    def _check_word(self, word: str) -> None:
        if word not in self.words:
            known = ", ".join(self.words)
            raise ValueError(f"must be a number or one of {known}; got {shown(word)}")

    def schema(self) -> dict[str, Any]:
        """A number, one of the words, or a distribution."""
        kinds = [{"type": "number"}, {"enum": list(self.words)}, {"$ref": DISTRIBUTION_REFERENCE}]
        return {"anyOf": kinds}


class Cutout(ImageOp):
    """Overwrite random boxes, which may overlap; each lies wholly inside the image.

    `count`: how many boxes, 0 to 10 000. `size_fraction`: the longest edges, up to 1 of the extent,
    one for all axes or one for each; or instead `size_mm`. `least_share`: each edge of each box is
    uniform between this share (0 to 1) of the longest and the longest. `fill`: a grey level in the
    image's own units; or "mean" or "minimum" of the channel in the original image; "noise", normal
    with that channel's mean and standard deviation; or "box_mean", what the box itself holds on
    average, for which the image is traversed once more. All channels have the same boxes.

    Means are exact to 1e-6 of the range. Sources: DeVries 2017 (Cutout), Zhong 2017 (random
    erasing), Isensee 2021 (nnU-Net, blank rectangles of its DA5 training: 1 to 4 of "box_mean").
    """

    model_config = not_both("size_mm", "size_fraction")

    op: Literal["cutout"] = "cutout"
    count: Count = Choice((1, 2, 3, 4))
    size_fraction: Annotated[
        PerAxisParameter | None,
        PerAxis(Range(0.0, 1.0, above_low=True), together=True, optional=True),
    ] = 1 / 3
    size_mm: SizeMm = None
    least_share: Annotated[Parameter, Range(low=0.0, high=1.0)] = 0.3
    fill: Annotated[Parameter | str, LevelOrWord(("mean", "minimum", "noise", "box_mean"))] = "mean"

    @model_validator(mode="before")
    @classmethod
    def _mm_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="size_mm", instead_of="size_fraction")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        check_one_of(self, "size_mm", "size_fraction")
        return self


class Swap(ImageOp):
    """Exchange the contents of random boxes, pair after pair, for learning without labels.

    Label maps, landmarks and boxes of the case stay, so they fit the image no longer. `count`: how
    many pairs, 0 to 10 000. `size_fraction`: edges, up to 0.5 of the extent, one for all axes or
    one for each; or instead `size_mm`, edges of at most the whole axis. The two boxes of a pair do
    not overlap; later pairs may move what earlier ones moved. An image of one voxel stays as it is.

    Exact: every grey level is still there, elsewhere. Source: Chen 2019 (context restoration).

    Raises:
        CompileError: boxes of which no two fit side by side.
    """

    model_config = not_both("size_mm", "size_fraction")

    op: Literal["swap"] = "swap"
    count: Count = 10
    size_fraction: Annotated[
        PerAxisParameter | None,
        PerAxis(Range(0.0, 0.5, above_low=True), together=True, optional=True),
    ] = 0.1
    size_mm: SizeMm = None

    @model_validator(mode="before")
    @classmethod
    def _mm_alone(cls, given: Any) -> Any:
        return prefer(given, chosen="size_mm", instead_of="size_fraction")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        check_one_of(self, "size_mm", "size_fraction")
        return self


PatchOp = Cutout | Swap
