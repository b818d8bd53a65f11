"""A volume in panels that hold whole lines along one axis and fit the cache.

Lines along x or y: a panel is some slices, (z, y, x). Lines along z: a panel is some rows of every
slice, (y, z, x). Panels are the same for any number of threads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import buffers
from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads

Float32 = npt.NDArray[np.float32]
Make = Callable[[int, slice], Float32]
"""The result for a channel and a run of slices or rows, as a panel."""

PANEL_VOXELS = 32768


class Shape(NamedTuple):
    """The shape of a volume."""

    channels: int
    nz: int
    ny: int
    nx: int


@dataclass(frozen=True)
class Panels:
    """The panels of a volume for lines along x (0), y (1) or z (2)."""

    shape: Shape
    axis: int

    @property
    def along(self) -> int:
        """The axis of a panel on which lines lie, from the end."""
        return -1 if self.axis == 0 else -2

    @property
    def lines(self) -> int:
        """How many voxels a line has."""
        return self.shape[3 - self.axis]

    @property
    def count(self) -> int:
        """How many slices or rows the panels share."""
        return self.shape.ny if self.axis == 2 else self.shape.nz

    @property
    def rows_shape(self) -> tuple[int, int]:
        """Voxels in a row, and rows in a slice of a panel."""
        return self.shape.nx, self.shape.nz if self.axis == 2 else self.shape.ny

    def cuts(self) -> list[slice]:
        """The runs of slices or rows."""
        nx, rows = self.rows_shape
        step = max(1, PANEL_VOXELS // (nx * rows))
        return [slice(k, min(k + step, self.count)) for k in range(0, self.count, step)]

    def of(self, channel: Float32, cut: slice) -> Float32:
        """The panel of a channel (z, y, x), a view."""
        return channel[:, cut].transpose(1, 0, 2) if self.axis == 2 else channel[cut]

    def rows(self, cut: slice) -> tuple[int, int]:
        """The rows of a panel, counted through all panels."""
        rows = self.rows_shape[1]
        return cut.start * rows, cut.stop * rows

    def ordered(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A map (3, 4) of voxel indices x, y, z as one of x, row in a slice, slice of a panel."""
        return matrix[:, [0, 2, 1, 3]].copy() if self.axis == 2 else matrix


def by_panels(panels: Panels, make: Make, threads: int, write: Write) -> None:
    """Make every panel and hand it over in contiguous pieces."""
    channels = range(panels.shape.channels)
    items = [(channel, cut) for channel in channels for cut in panels.cuts()]
    if panels.axis < 2:
        in_slice = panels.shape.ny * panels.shape.nx

        def hand_over(item: tuple[int, slice]) -> None:
            channel, cut = item
            values = make(channel, cut).reshape(-1)
            for start in range(0, len(values), PIECE_VOXELS):
                piece = values[start : start + PIECE_VOXELS]
                write(channel, cut.start * in_slice + start, piece)

        in_threads(threads, items, hand_over)
        return
    out = buffers.empty(panels.shape, np.float32)

    def put(item: tuple[int, slice]) -> None:
        channel, cut = item
        out[channel][:, cut] = make(channel, cut).transpose(1, 0, 2)

    in_threads(threads, items, put)
    flat = out.reshape(panels.shape.channels, -1)
    pieces = [(c, first) for c in channels for first in range(0, flat.shape[1], PIECE_VOXELS)]
    in_threads(
        threads,
        pieces,
        lambda item: write(*item, flat[item[0], item[1] : item[1] + PIECE_VOXELS]),
    )
