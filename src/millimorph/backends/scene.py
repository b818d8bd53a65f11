"""What a step may look at beside the voxels it changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage


class Rules(Protocol):
    """What is asked of an original image: its name in messages, and what replaces NaN."""

    @property
    def name(self) -> str:
        """The role."""

    @property
    def nan(self) -> float | None:
        """The value in place of NaN; None: NaN is an error."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The grid of the voxels, the original image, and the label maps made so far.

    `is_between_passes`: whether the voxels of the moment are an earlier pass's, which nobody else
    holds, so that they may be changed in place.
    """

    name: str
    grid: ImageGrid
    original: ScalarImage | LabelMap
    nan: float | None = None
    labels: Mapping[str, LabelMap] = field(default_factory=dict)
    threads: int = 1
    is_between_passes: bool = False


@dataclass(frozen=True)
class Where:
    """The place of runs of voxels of equal length, one behind the other: those of one channel.

    `first` is the linear index of the first voxel of the first run, `step` leads from run to run.
    """

    channel: int
    first: int
    scene: Scene
    step: int = 0
    count: int = 1

    @property
    def first_of_all(self) -> int:
        """The linear index of the first voxel over all channels: the counter of its noise."""
        return self.channel * self.scene.grid.voxel_count + self.first

    @property
    def runs(self) -> tuple[int, int, int]:
        """First, step and count."""
        return self.first, self.step, self.count

    @property
    def runs_of_all(self) -> tuple[int, int, int]:
        """First, step and count, the first as `first_of_all`."""
        return self.first_of_all, self.step, self.count

    def split(
        self, values: npt.NDArray[np.float32]
    ) -> Iterator[tuple[npt.NDArray[np.float32], "Where"]]:
        """The runs one by one, each with its place."""
        for number, part in enumerate(values.reshape(self.count, -1)):
            yield part, Where(self.channel, self.first + number * self.step, self.scene)
