"""How steps on windows traverse a channel: a padded copy, and runs of rows of one slice."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import in_threads

Float32 = npt.NDArray[np.float32]
WriteRun = Callable[[int, Float32], None]
MakeRows = Callable[[tuple[int, int], Float32], None]
"""Writes the rows of an array (rows, nx) that begin with a slice and a row."""

PerAxis = tuple[int, int, int]


def along_zyx(radius: tuple[int, ...]) -> PerAxis:
    """A radius along x, y and perhaps z, along z, y, x."""
    x, y, z = (*radius, 0)[:3]
    return z, y, x


def edges_repeated(channel: Float32, radius: PerAxis) -> Float32:
    """A copy (z, y, x) with `radius` more voxels at each end of each axis."""
    return np.pad(channel, [(r, r) for r in radius], mode="edge")


def write_rows(
    channel: Float32, voxels: int, threads: int, make: MakeRows, write: WriteRun
) -> None:
    """Make and hand over a result of a channel's shape, about `voxels` of one slice at a time."""
    _, ny, nx = channel.shape

    def work(piece: tuple[int, int, int]) -> None:
        z, first, last = piece
        out = np.empty((last - first, nx), np.float32)
        make((z, first), out)
        write((z * ny + first) * nx, out.reshape(-1))

    in_threads(threads, _pieces(channel.shape, voxels), work)


def _pieces(shape: tuple[int, ...], voxels: int) -> Iterator[tuple[int, int, int]]:
    nz, ny, nx = shape
    rows = max(1, voxels // nx)
    for z in range(nz):
        for first in range(0, ny, rows):
            yield z, first, min(first + rows, ny)
