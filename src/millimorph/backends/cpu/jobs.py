"""What the compiled backend samples: flattened sources, outputs, and the rules of their indices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import buffers
from millimorph.backends.cpu.sources import (
    SPLINE_PAD,
    Source,
    clean,
    fill_number,
    smoothed,
    spline_coefficients,
)
from millimorph.backends.scene import Scene
from millimorph.program import Resample, Sampled

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Taps:
    """How base indices are formed and neighbours reached in an array of one source."""

    frame: npt.NDArray[np.int32]
    strides: Array
    steps: npt.NDArray[np.uint64]

    @property
    def key(self) -> bytes:
        """Equal for arrays that can share base indices and weights."""
        return self.frame.tobytes() + self.strides.tobytes()


@dataclass(frozen=True)
class Job:
    """One array to sample: flattened channels (c, n), the output (c, n) and the fill."""

    sample: Sampled
    source: Source
    flat: Array
    out: Array
    fill: float
    taps: Taps
    slices: int
    scene: Scene

    @property
    def is_changed(self) -> bool:
        """Whether voxels are more than read: steps are applied, or another type is written."""
        return bool(self.sample.pointwise) or self.sample.stored is not None

    @property
    def fill_is_rounded(self) -> bool:
        """Whether float32 does not hold the fill."""
        with np.errstate(over="ignore"):
            return float(np.float32(self.fill)) != self.fill


def make_job(sample: Sampled, source: Source, stage: Resample) -> Job:
    """Prepare one array of a stage; what its source derives is made once and kept with it."""
    voxels = clean(source, sample)
    fill = fill_number(source, sample)
    out = buffers.empty((len(voxels), stage.target.voxel_count), np.dtype(sample.written))
    if sample.interpolation == "cubic":
        array: Array = spline_coefficients(source, sample)
    elif sample.interpolation == "linear":
        array = smoothed(source, sample)
    else:
        array = voxels
    taps = _taps(
        voxels.shape[1:], array, edge=sample.fill == "edge", cubic=sample.interpolation == "cubic"
    )
    if array.shape[3] == 1:
        array = np.repeat(array, 2, axis=3)
    flat = np.ascontiguousarray(array).reshape(len(array), -1)
    scene = Scene(sample.name, stage.target, source, sample.nan)
    return Job(sample, source, flat, out, fill, taps, voxels.shape[1], scene)


def _taps(shape: tuple[int, ...], array: Array, *, edge: bool, cubic: bool) -> Taps:
    """Index rules for a source of `shape` (z, y, x) that is read from `array` (c, z, y, x)."""
    frame = np.zeros((3, 4), np.int32)
    nz, ny, nx = array.shape[1:]
    width = max(nx, 2)
    kind = np.uint32 if width * ny * nz < 2**32 else np.uint64
    strides = np.array([1, width, width * ny, 0], kind)
    for axis, size in enumerate(reversed(shape)):
        frame[axis] = size, 0, max(size - 2, 0), int(size > 1)
        if cubic and (axis < 2 or size > 1):
            if not edge:
                frame[axis] = size, -1, size - 1, 1
            strides[3] += strides[axis] * kind(SPLINE_PAD - 1)
    rows = width if cubic or ny > 1 else 0
    planes = width * ny if cubic or nz > 1 else 0
    return Taps(frame, strides, np.array([rows, planes], np.uint64))
