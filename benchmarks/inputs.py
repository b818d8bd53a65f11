"""The image and the numbers of the maps that every contender works on; NumPy only."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROTATION_DEG = (10.0, -7.0, 5.0)
SCALE = 1.05
TRANSLATION_MM = (3.0, -2.0, 1.0)
CONTROL_POINTS = 10
MAGNITUDE_MM = 6.0
LABEL_COUNT = 12
GAMMA = 1.3
NOISE_STD = 0.3
BIAS_STD = 0.3
BLUR_SIGMA_MM = 1.0
MOTION_DEG = 5.0
MOTION_MM = 4.0
CHANNELS = 4


def source_array(size: int) -> NDArray[np.float32]:
    """Return a (size, size, size) image of smooth structures and noise, positive everywhere.

    Zero is left to the fill value, so that a result shows which voxels came from outside.
    """
    phase = np.linspace(0.0, 2.0 * math.pi, size)
    wave = np.sin(3.0 * phase) + np.cos(7.0 * phase)
    smooth = wave[:, None, None] * wave[None, ::-1, None] + np.roll(wave, size // 3)
    noise = np.random.default_rng(7).uniform(0.0, 0.5, (size, size, size))
    return (smooth + noise + 10.0).astype(np.float32)


def label_array(size: int) -> NDArray[np.int16]:
    """Return a (size, size, size) label map of nested boxes, labels 1 to LABEL_COUNT."""
    to_edge = np.minimum(np.arange(size), np.arange(size)[::-1])
    depth = np.minimum(np.minimum(to_edge[:, None, None], to_edge[None, :, None]), to_edge)
    return (1 + depth * 2 * LABEL_COUNT // (size + 2)).astype(np.int16)


@dataclass(frozen=True)
class Job:
    """One peer's work: its name in `peer_worker.WORKS`, the edge length and the map it applies.

    `index_map` is the 3 × 4 map of x, y, z voxel indices from target to source, row by row, for
    the peers that take a matrix.
    """

    work: str
    size: int
    index_map: tuple[float, ...]
    at_least_s: float
