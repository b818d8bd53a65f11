"""Steps on spatial frequencies: SciPy's real FFT along one axis at a time, panel by panel.

Mixing or weighting whole lines of k-space commutes with the transforms along the other axes, so
only the one along the lines is made. A panel holds whole lines and fits the cache; panels are the
same for any number of threads, and so are the bits. The real part of the image belongs to the
weights' even part, (w(k) + w(-k)) / 2, so half of a spectrum is enough.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import buffers
from millimorph.backends.cpu.blocks import BLOCK_VOXELS, sample_rows
from millimorph.backends.cpu.index_map import index_map
from millimorph.backends.cpu.jobs import make_job
from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.cpu.statistics import moments
from millimorph.backends.scene import Scene
from millimorph.images import ScalarImage
from millimorph.kernels.elementary import cos, sin
from millimorph.program import Resample, Sampled
from millimorph.program.fourier import FourierStep, FrequencyBox, LineComb, SegmentMix, WaveSum
from millimorph.transforms import AffineTransform

Float32 = npt.NDArray[np.float32]
Complex64 = npt.NDArray[np.complex64]
Where = tuple[slice, ...]
Make = Callable[[int, Where], Float32]

PANEL_VOXELS = 65536


def run(step: FourierStep, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels, piece by piece; `volume` (c, z, y, x) is left as it is."""
    match step:
        case SegmentMix():
            _mix(step, volume, scene, write)
        case LineComb():
            _comb(step, volume, scene, write)
        case FrequencyBox():
            _box(step, volume, scene, write)
        case WaveSum():
            _waves(step, volume, scene, write)
        case _:
            assert_never(step)


def _mix(step: SegmentMix, volume: Float32, scene: Scene, write: Write) -> None:
    still = ScalarImage(volume.reshape(len(volume), *scene.grid.shape), scene.grid)
    copies = [
        volume,
        *(_moved(still, pose.pull, scene).reshape(volume.shape) for pose in step.poses),
    ]
    weights = segment_weights(step, volume.shape[3 - step.axis])

    def mixed(channel: int, where: Where) -> Float32:
        total = _spectrum(copies[0][channel][where], step.axis)
        _scale(total, weights[0], step.axis)
        for copy, weight in zip(copies[1:], weights[1:], strict=True):
            spectrum = _spectrum(copy[channel][where], step.axis)
            _scale(spectrum, weight, step.axis)
            total += spectrum
        return _image(total, step.axis, volume.shape[3 - step.axis])

    _by_panels(volume.shape, step.axis, mixed, scene, write)


def _moved(still: ScalarImage, pull: AffineTransform, scene: Scene) -> Float32:
    """All channels seen through a map, sampled linearly; the edge goes on beyond the border."""
    grid = scene.grid
    sample = Sampled("images", scene.name, "linear", "edge", "float32", channels=still.channels)
    stage = Resample((sample,), grid, grid, pull)
    job = make_job(sample, still, stage)
    mapping = index_map(stage)
    shape = (grid.size[0], grid.size[1])
    rows = grid.voxel_count // shape[0]
    per_block = max(1, BLOCK_VOXELS // shape[0])
    blocks = [(row, min(row + per_block, rows)) for row in range(0, rows, per_block)]
    sample_rows([job], mapping, shape, blocks[0])
    in_threads(scene.threads, blocks[1:], lambda block: sample_rows([job], mapping, shape, block))
    return job.out


@lru_cache(maxsize=8)
def segment_weights(step: SegmentMix, lines: int) -> tuple[Float32, ...]:
    """Even parts of what the image itself, then each pose gives to frequencies 0 to lines // 2."""
    frequencies = np.arange(lines // 2 + 1)
    weights = []
    for pose in step.poses:
        inside = np.zeros(lines, np.float32)
        inside[pose.first : pose.last] = 1.0
        above = inside[(lines // 2 + frequencies) % lines]
        below = inside[(lines // 2 - frequencies) % lines]
        weights.append(np.float32(0.5) * (above + below))
    rest = np.ones(len(frequencies), np.float32)
    for weight in weights:
        rest -= weight
    return (rest, *weights)


def _comb(step: LineComb, volume: Float32, scene: Scene, write: Write) -> None:
    lines = volume.shape[3 - step.axis]
    weight = comb_weight(step, lines)
    offsets = [(np.float32(1.0) - weight[0]) * np.min(channel) for channel in volume]

    def combed(channel: int, where: Where) -> Float32:
        spectrum = _spectrum(volume[channel][where], step.axis)
        _scale(spectrum, weight, step.axis)
        image = _image(spectrum, step.axis, lines)
        image += offsets[channel]
        return image

    _by_panels(volume.shape, step.axis, combed, scene, write)


@lru_cache(maxsize=8)
def comb_weight(step: LineComb, lines: int) -> Float32:
    """The gain of frequencies 0 to lines // 2; the mean over all lines is 1."""
    centre = lines // 2
    count = sum((line - centre) % step.period == 0 for line in range(lines))
    frequencies = np.arange(centre + 1)
    stronger = step.gain * (lines / count)
    weight = 1.0 - step.gain + stronger * (frequencies % step.period == 0)
    weight[: step.restored] = 1.0
    return np.asarray(weight, np.float32)


def _box(step: FrequencyBox, volume: Float32, scene: Scene, write: Write) -> None:
    in_slices = [axis for axis in (0, 1) if step.cycles[axis] is not None]
    across = len(step.cycles) == 3 and step.cycles[2] is not None

    def within(channel: int, where: Where) -> Float32:
        panel: Float32 = volume[channel][where]
        for axis in in_slices:
            panel = _cut(panel, axis, step.cycles[axis])
        return panel

    if not across:
        _by_panels(volume.shape, 0, within, scene, write)
        return
    middle = volume
    if in_slices:
        middle = buffers.empty(volume.shape, np.float32)
        flat = middle.reshape(len(volume), -1)

        def keep(channel: int, first: int, values: Float32) -> None:
            flat[channel, first : first + len(values)] = values

        _by_panels(volume.shape, 0, within, scene, keep)
    _by_panels(
        volume.shape,
        2,
        lambda channel, where: _cut(middle[channel][where], 2, step.cycles[2]),
        scene,
        write,
    )


def _cut(panel: Float32, axis: int, kept: int | None) -> Float32:
    """A panel without the frequencies above `kept`."""
    if kept is None:
        return panel
    spectrum = _spectrum(panel, axis)
    np.moveaxis(spectrum, 2 - axis, 0)[kept + 1 :] = 0.0
    return _image(spectrum, axis, panel.shape[2 - axis])


def _spectrum(panel: Float32, axis: int) -> Complex64:
    """The spectrum along x (0), y (1) or z (2) of a panel (z, y, x), frequencies 0 to n // 2."""
    from scipy import fft

    spectrum: Complex64 = fft.rfft(panel, axis=2 - axis, workers=1)
    return spectrum


def _image(spectrum: Complex64, axis: int, lines: int) -> Float32:
    from scipy import fft

    image: Float32 = fft.irfft(spectrum, n=lines, axis=2 - axis, workers=1)
    return image


def _scale(spectrum: Complex64, weight: Float32, axis: int) -> None:
    """Multiply each line by a real weight, in place."""
    parts = spectrum.view(np.float32).reshape(*spectrum.shape, 2)
    shape = [1, 1, 1, 1]
    shape[2 - axis] = len(weight)
    parts *= weight.reshape(shape)


def _by_panels(shape: tuple[int, ...], axis: int, make: Make, scene: Scene, write: Write) -> None:
    """Make panels of whole lines along an axis, and hand them over in contiguous pieces.

    Panels of lines along x or y are some slices, those of lines along z some rows of each slice.
    """
    count, nz, ny, nx = shape
    if axis < 2:
        cuts = _cuts(nz, ny * nx)

        def hand_over(item: tuple[int, slice]) -> None:
            channel, cut = item
            _write_run(channel, cut.start * ny * nx, make(channel, (cut,)).reshape(-1), write)

        in_threads(scene.threads, [(c, cut) for c in range(count) for cut in cuts], hand_over)
        return
    out = buffers.empty(shape, np.float32)

    def put(item: tuple[int, slice]) -> None:
        channel, cut = item
        out[channel][:, cut] = make(channel, (slice(None), cut))

    items = [(c, cut) for c in range(count) for cut in _cuts(ny, nz * nx)]
    in_threads(scene.threads, items, put)
    flat = out.reshape(count, -1)
    pieces = [(c, first) for c in range(count) for first in range(0, nz * ny * nx, PIECE_VOXELS)]
    in_threads(
        scene.threads,
        pieces,
        lambda item: write(*item, flat[item[0], item[1] : item[1] + PIECE_VOXELS]),
    )


def _cuts(count: int, voxels: int) -> list[slice]:
    """Runs of planes of so many voxels each that together are about a panel."""
    step = max(1, PANEL_VOXELS // voxels)
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]


def _write_run(channel: int, first: int, values: Float32, write: Write) -> None:
    for start in range(0, len(values), PIECE_VOXELS):
        write(channel, first + start, values[start : start + PIECE_VOXELS])


def _waves(step: WaveSum, volume: Float32, scene: Scene, write: Write) -> None:
    from millimorph.kernels import fourier

    ny, nx = volume.shape[2:]
    rows = volume.shape[1] * ny
    per_piece = max(1, PIECE_VOXELS // nx)
    tables = []
    for channel in volume:
        found = moments(channel, scene.threads)
        tables.append(
            wave_tables(step, volume.shape[1:], step.intensity * (found.mean - found.low))
        )

    def add(item: tuple[int, int]) -> None:
        channel, first = item
        values = volume[channel].reshape(rows, nx)[first : first + per_piece].copy()
        for along_x, along_y, along_z in tables[channel]:
            fourier.add_wave(values, first, ny, along_x, along_y, along_z)
        write(channel, first * nx, values.reshape(-1))

    items = [(c, first) for c in range(len(volume)) for first in range(0, rows, per_piece)]
    in_threads(scene.threads, items, add)


def wave_tables(
    step: WaveSum, shape: tuple[int, ...], amplitude: float
) -> list[tuple[Float32, Float32, Float32]]:
    """Cosine and sine (2, n) along x, y, z of each wave, the amplitude with x, the phase with z."""
    made = []
    for wave in step.waves:
        cycles = (*wave.cycles, 0)[:3]
        tables = []
        for axis, (turns, n) in enumerate(zip(cycles, reversed(shape), strict=True)):
            whole = (turns * np.arange(n)) % n
            phase = wave.phase if axis == 2 else 0.0
            angle = 2.0 * math.pi * (whole / n + phase)
            size = amplitude if axis == 0 else 1.0
            tables.append((size * np.stack([cos(angle), sin(angle)])).astype(np.float32))
        made.append((tables[0], tables[1], tables[2]))
    return made
