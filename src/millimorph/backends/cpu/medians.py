"""Medians of windows: exchanges where the window is small, sliding bit sets where it is large."""

import itertools
from collections.abc import Iterator

import numpy as np

from millimorph.backends.cpu.pieces import PIECE_VOXELS, in_threads, write_channel
from millimorph.backends.cpu.windows import (
    Float32,
    PerAxis,
    WriteRun,
    along_zyx,
    edges_repeated,
    write_rows,
)
from millimorph.kernels.networks import median_network
from millimorph.program.neighbourhoods import MedianFilter

MOST_EXCHANGED = 125
"""The largest window, in voxels, that exchanges are faster for."""

BLOCK_EDGES = {1: 4096, 2: 64, 3: 24}
"""The edge of a block in which ranks are counted, by how many axes the window reaches along."""


def write_medians(step: MedianFilter, channel: Float32, threads: int, write: WriteRun) -> None:
    """Hand over the medians of a channel (z, y, x)."""
    radius = along_zyx(step.radius)
    padded = edges_repeated(channel, radius)
    rz, ry, rx = radius
    depth, width = (2 * rz + 1) * (2 * ry + 1), 2 * rx + 1
    if depth * width <= MOST_EXCHANGED:
        _exchange(channel, padded, radius, threads, write)
    else:
        _slide(channel, padded, radius, threads, write)


def _exchange(
    channel: Float32, padded: Float32, radius: PerAxis, threads: int, write: WriteRun
) -> None:
    from millimorph.kernels import median

    rz, ry, rx = radius
    network = median_network((2 * rz + 1) * (2 * ry + 1), 2 * rx + 1)
    steps = network.column, network.window, network.place

    def make(first: tuple[int, int], out: Float32) -> None:
        median.network_rows(padded, (rx, ry, rz), steps, first, out)

    write_rows(channel, PIECE_VOXELS, threads, make, write)


def _slide(
    channel: Float32, padded: Float32, radius: PerAxis, threads: int, write: WriteRun
) -> None:
    out = np.empty_like(channel)
    edge = BLOCK_EDGES[sum(r > 0 for r in radius)]
    edges = [edge if r > 0 else 1 for r in radius]

    def work(corner: tuple[int, ...]) -> None:
        inner = tuple(slice(c, c + e) for c, e in zip(corner, edges, strict=True))
        outer = tuple(
            slice(c, min(c + e, n) + 2 * r)
            for c, e, n, r in zip(corner, edges, channel.shape, radius, strict=True)
        )
        out[inner] = _slid(padded[outer], radius)

    in_threads(threads, _corners(channel.shape, edges), work)
    write_channel(0, out, lambda _, first, values: write(first, values))


def _corners(shape: tuple[int, ...], edges: list[int]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(0, n, e) for n, e in zip(shape, edges, strict=True)))


def _slid(block: Float32, radius: PerAxis) -> Float32:
    """The medians inside a block (z, y, x) with its margins, sliding along the widest axis."""
    from millimorph.kernels import median

    along = max((1, 0, 2), key=lambda axis: radius[axis])
    moved = np.ascontiguousarray(np.moveaxis(block, along, 0))
    flat = moved.reshape(-1) + np.float32(0.0)  # one zero, so that equal voxels have equal bits
    order = np.argsort(flat)
    ranks = np.empty(flat.size, np.uint32)
    ranks[order] = np.arange(flat.size, dtype=np.uint32)
    reach = (radius[along], *(r for axis, r in enumerate(radius) if axis != along))
    shape = [n - 2 * r for n, r in zip(moved.shape, reach, strict=True)]
    out = np.empty(shape, np.float32)
    median.slide(ranks.reshape(moved.shape), flat[order], reach, out)
    return np.moveaxis(out, 0, along)
