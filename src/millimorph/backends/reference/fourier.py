"""The definition of the steps on spatial frequencies: the whole k-space, complex, in float64."""

from typing import assert_never

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene
from millimorph.geometry import ImageGrid
from millimorph.program.fourier import FourierStep, FrequencyBox, LineComb, SegmentMix, WaveSum
from millimorph.transforms import AffineTransform

Spectrum = npt.NDArray[np.complex128]

_SPACE = (0, 1, 2)


def run(step: FourierStep, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    return np.stack([_changed(step, channel, scene) for channel in volume])


def _changed(step: FourierStep, channel: Floats, scene: Scene) -> Floats:
    match step:
        case SegmentMix():
            return _mixed(step, channel, scene.grid)
        case LineComb():
            return _combed(step, channel)
        case FrequencyBox():
            return _boxed(step, channel)
        case WaveSum():
            return _waved(step, channel)
        case _:
            assert_never(step)


def _mixed(step: SegmentMix, channel: Floats, grid: ImageGrid) -> Floats:
    k_space = _k_space(channel)
    for pose in step.poses:
        lines = slice(pose.first, pose.last)
        moved = _k_space(_moved(channel, pose.pull, grid))
        _lines_first(k_space, step.axis)[lines] = _lines_first(moved, step.axis)[lines]
    return _image(k_space)


def _combed(step: LineComb, channel: Floats) -> Floats:
    low = float(np.min(channel))
    k_space = _k_space(channel - low)
    lines = _lines_first(k_space, step.axis)
    frequency = np.arange(len(lines)) - len(lines) // 2
    comb = (frequency % step.period == 0).astype(np.float64)
    gain = 1.0 + step.gain * (comb / comb.mean() - 1.0)
    gain[np.abs(frequency) < step.restored] = 1.0
    lines *= gain[:, None, None]
    return low + _image(k_space)


def _boxed(step: FrequencyBox, channel: Floats) -> Floats:
    k_space = _k_space(channel)
    for axis, cycles in enumerate(step.cycles):
        lines = _lines_first(k_space, axis)
        frequency = np.arange(len(lines)) - len(lines) // 2
        if cycles is not None:
            lines[np.abs(frequency) > cycles] = 0.0
    return _image(k_space)


def _waved(step: WaveSum, channel: Floats) -> Floats:
    k_space = _k_space(channel)
    largest = np.max(np.abs(_k_space(channel - np.min(channel))))
    for wave in step.waves:
        cycles = (*wave.cycles, 0)[2::-1]
        place = tuple((k + n // 2) % n for k, n in zip(cycles, channel.shape, strict=True))
        k_space[place] += step.intensity * largest * np.exp(2j * np.pi * wave.phase)
    return _image(k_space)


def _k_space(channel: Floats) -> Spectrum:
    """The spectrum with frequency 0 of n voxels at n // 2."""
    return np.fft.fftshift(np.fft.fftn(channel, axes=_SPACE), axes=_SPACE)


def _image(k_space: Spectrum) -> Floats:
    """The real part of the image."""
    return np.fft.ifftn(np.fft.ifftshift(k_space, axes=_SPACE), axes=_SPACE).real.copy()


def _lines_first(k_space: Spectrum, axis: int) -> Spectrum:
    """A view whose first axis is x (0), y (1) or z (2)."""
    return np.moveaxis(k_space, 2 - axis, 0)


def _moved(channel: Floats, pull: AffineTransform, grid: ImageGrid) -> Floats:
    """Every voxel looked up where it came from, linearly; beyond the border the edge goes on."""
    index = np.stack(np.unravel_index(np.arange(grid.voxel_count), grid.shape)[::-1], axis=1)
    found = grid.indices(pull.map_points(grid.points_mm(index.astype(np.float64))))
    values = ndimage.map_coordinates(
        channel.reshape(grid.shape), found[:, ::-1].T, order=1, mode="nearest"
    )
    return np.asarray(values).reshape(channel.shape)
