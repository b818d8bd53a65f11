"""Steps that overwrite or exchange boxes of voxels."""

from dataclasses import dataclass
from typing import Literal

from millimorph.kernels.philox import StreamKey

Corner = tuple[int, ...]
Statistic = Literal["mean", "minimum", "noise"]


@dataclass(frozen=True)
class Box:
    """The voxels from index `first` up to, and without, `last` along x, y, z."""

    first: Corner
    last: Corner


@dataclass(frozen=True)
class BoxFill:
    """Overwrite boxes with a grey level, or with what the original image's channel has.

    "mean" and "minimum" are the channel's; "noise" is normal with its mean and standard deviation.
    """

    boxes: tuple[Box, ...]
    fill: float | Statistic
    stream: StreamKey

    def __str__(self) -> str:
        fill = self.fill if isinstance(self.fill, str) else f"{self.fill:.4g}"
        return f"{_counted(len(self.boxes), 'box', 'boxes')} filled with {fill}"


@dataclass(frozen=True)
class BoxAveraging:
    """Overwrite boxes, one after another, with the mean of what they hold."""

    boxes: tuple[Box, ...]

    def __str__(self) -> str:
        return f"{_counted(len(self.boxes), 'box', 'boxes')} filled with its own mean"


@dataclass(frozen=True)
class BoxSwaps:
    """Exchange the contents of two boxes, pair after pair; the two of a pair do not overlap."""

    pairs: tuple[tuple[Box, Box], ...]

    def __str__(self) -> str:
        return f"{_counted(len(self.pairs), 'pair', 'pairs')} of boxes exchanged"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


PatchFill = BoxFill
PatchMove = BoxAveraging | BoxSwaps
