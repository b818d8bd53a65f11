"""Steps that overwrite or exchange boxes of voxels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from millimorph.kernels.philox import StreamKey

Corner = tuple[int, ...]
Statistic = Literal["mean", "minimum", "noise"]


@dataclass(frozen=True)
class Box:
    """The voxels from index `first` up to, and without, `last` along x, y, z."""

    first: Corner
    last: Corner

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box in an array (z, y, x); one slice in two dimensions."""
        (x0, y0, z0), (x1, y1, z1) = _solid(self.first, 0), _solid(self.last, 1)
        return slice(z0, z1), slice(y0, y1), slice(x0, x1)


@dataclass(frozen=True)
class BoxFill:
    """Overwrite boxes with a grey level, or with what the original image's channel has.

    "mean" and "minimum" are the channel's; "noise" is normal with its mean and standard deviation.
    """

    boxes: tuple[Box, ...]
    fill: float | Statistic
    stream: StreamKey

    @cached_property
    def corners(self) -> npt.NDArray[np.int64]:
        """The boxes (n, 6): x, y, z of the first voxel, x, y, z behind the last one."""
        found = [(*_solid(box.first, 0), *_solid(box.last, 1)) for box in self.boxes]
        return np.array(found, np.int64)

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


def _solid(corner: Corner, idle: int) -> tuple[int, int, int]:
    """A corner in three dimensions."""
    x, y, z = (*corner, idle)[:3]
    return x, y, z


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


PatchFill = BoxFill
PatchMove = BoxAveraging | BoxSwaps
