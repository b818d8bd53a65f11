"""Volumes as planes across one grid axis, and passes that work plane by plane."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import Write, in_threads, write_channel

Float32 = npt.NDArray[np.float32]
Work = Callable[[int, Float32], Float32]
"""Takes a plane's number and the plane (rows, columns), gives a new plane."""


def as_planes(channel: Float32, axis: int) -> Float32:
    """A channel (z, y, x) as planes (plane, row, column) across axis 0 x, 1 y or 2 z."""
    return np.ascontiguousarray(np.moveaxis(channel, 2 - axis, 0))


def write_planes(
    number: int, planes: Float32, axis: int, work: Work, threads: int, write: Write
) -> None:
    """Hand over a channel whose planes are what `work` makes of them, in threads."""
    if axis == 2:
        voxels = planes[0].size

        def hand_over(plane: int) -> None:
            write(number, plane * voxels, work(plane, planes[plane]).reshape(-1))

        in_threads(threads, range(len(planes)), hand_over)
        return
    out = np.empty_like(planes)

    def keep(plane: int) -> None:
        out[plane] = work(plane, planes[plane])

    in_threads(threads, range(len(planes)), keep)
    write_channel(number, np.ascontiguousarray(np.moveaxis(out, 0, 2 - axis)), write)
