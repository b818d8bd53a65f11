"""Steps on spatial frequencies: SciPy's real FFT along one axis at a time, panel by panel.

Mixing or weighting whole lines of k-space commutes with the transforms along the other axes, so
only the one along the lines is made. The real part of the image belongs to the even part of the
weights, (w(k) + w(-k)) / 2, so half of a spectrum is enough: frequencies 0 to n // 2.
"""

import math
from functools import lru_cache
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import buffers
from millimorph.backends.cpu.index_map import lift
from millimorph.backends.cpu.jobs import Job, make_job
from millimorph.backends.cpu.panels import Float32, Panels, Shape, by_panels
from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.cpu.statistics import moments
from millimorph.backends.scene import Scene
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.kernels import smallmatrix
from millimorph.kernels.elementary import cos, sin
from millimorph.program import Resample, Sampled
from millimorph.program.fourier import FourierStep, FrequencyBox, LineComb, SegmentMix, WaveSum
from millimorph.transforms import AffineTransform

Float64 = npt.NDArray[np.float64]
Complex64 = npt.NDArray[np.complex64]


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
    """Add what the lines of each pose change; the image's own spectrum is not needed."""
    from millimorph.kernels import fourier

    panels = Panels(Shape(*volume.shape), step.axis)
    job = _source(volume, scene)
    sources = [_read_only(flat) for flat in job.flat]
    rules = (job.taps.frame, job.taps.strides, job.taps.steps, job.slices)
    matrices = [panels.ordered(_index_map(pose.pull, scene.grid)) for pose in step.poses]
    weights = segment_weights(step, panels.lines)

    def mixed(channel: int, cut: slice) -> Float32:
        still = panels.of(volume[channel], cut)
        changes = np.empty((len(matrices), *still.shape), np.float32)
        for matrix, change in zip(matrices, changes, strict=True):
            flat = change.reshape(-1)
            rows = panels.rows(cut)
            fourier.moved_rows(matrix, rows, panels.rows_shape, rules, sources[channel], flat)
        changes -= still
        spectra = _spectrum(changes, panels)
        total = spectra[0]
        _scale(total, weights[0], panels)
        for spectrum, weight in zip(spectra[1:], weights[1:], strict=True):
            _scale(spectrum, weight, panels)
            total += spectrum
        image = _image(total, panels)
        image += still
        return image

    by_panels(panels, mixed, scene.threads, write)


def _source(volume: Float32, scene: Scene) -> Job:
    """The volume as the samplers read it."""
    grid = scene.grid
    still = ScalarImage(volume.reshape(len(volume), *grid.shape), grid)
    sample = Sampled("images", scene.name, "linear", "edge", "float32", channels=len(volume))
    stage = Resample((sample,), grid, grid, AffineTransform.identity(grid.dimension))
    return make_job(sample, still, stage)


def _read_only(flat: Float32) -> Float32:
    """A view of one type for the compiler, whatever made the array."""
    view = flat.view()
    view.flags.writeable = False
    return view


def _index_map(pull: AffineTransform, grid: ImageGrid) -> Float64:
    """A map of world points as one (3, 4) of voxel indices."""
    to_world = smallmatrix.matmul(pull.matrix, grid.world_from_index)
    return lift(smallmatrix.matmul(grid.index_from_world, to_world))


@lru_cache(maxsize=8)
def segment_weights(step: SegmentMix, lines: int) -> tuple[Float32, ...]:
    """Even parts of what each pose gives to frequencies 0 to lines // 2."""
    frequencies = np.arange(lines // 2 + 1)
    weights = []
    for pose in step.poses:
        inside = np.zeros(lines, np.float32)
        inside[pose.first : pose.last] = 1.0
        above = inside[(lines // 2 + frequencies) % lines]
        below = inside[(lines // 2 - frequencies) % lines]
        weights.append(np.float32(0.5) * (above + below))
    return tuple(weights)


def _comb(step: LineComb, volume: Float32, scene: Scene, write: Write) -> None:
    panels = Panels(Shape(*volume.shape), step.axis)
    weight = comb_weight(step, panels.lines)
    offsets = [(np.float32(1.0) - weight[0]) * np.min(channel) for channel in volume]

    def combed(channel: int, cut: slice) -> Float32:
        spectrum = _spectrum(panels.of(volume[channel], cut), panels)
        _scale(spectrum, weight, panels)
        image = _image(spectrum, panels)
        image += offsets[channel]
        return image

    by_panels(panels, combed, scene.threads, write)


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
    """Axis after axis; all but the last result are kept."""
    todo = [(axis, kept) for axis, kept in enumerate(step.cycles) if kept is not None]
    for place, (axis, kept) in enumerate(todo):
        panels = Panels(Shape(*volume.shape), axis)
        last = place == len(todo) - 1
        out = volume if last else buffers.empty(volume.shape, np.float32)
        keep = write if last else _keeper(out)
        _cut(panels, kept, volume, keep, scene.threads)
        volume = out


def _keeper(out: Float32) -> Write:
    flat = out.reshape(len(out), -1)

    def keep(channel: int, first: int, values: Float32) -> None:
        flat[channel, first : first + len(values)] = values

    return keep


def _cut(panels: Panels, kept: int, volume: Float32, write: Write, threads: int) -> None:
    """Take the frequencies above `kept` away along one axis."""

    def cut_off(channel: int, cut: slice) -> Float32:
        spectrum = _spectrum(panels.of(volume[channel], cut), panels)
        np.moveaxis(spectrum, panels.along, 0)[kept + 1 :] = 0.0
        return _image(spectrum, panels)

    by_panels(panels, cut_off, threads, write)


def _spectrum(panel: Float32, panels: Panels) -> Complex64:
    """The spectrum of a panel (…, p, q, r) along its lines."""
    from scipy import fft

    spectrum: Complex64 = fft.rfft(panel, axis=panels.along, workers=1)
    return spectrum


def _image(spectrum: Complex64, panels: Panels) -> Float32:
    from scipy import fft

    image: Float32 = fft.irfft(spectrum, n=panels.lines, axis=panels.along, workers=1)
    return image


def _scale(spectrum: Complex64, weight: Float32, panels: Panels) -> None:
    """Multiply each line by a real weight, in place."""
    parts = spectrum.view(np.float32)
    parts *= np.repeat(weight, 2) if panels.along == -1 else weight[:, None]


def _waves(step: WaveSum, volume: Float32, scene: Scene, write: Write) -> None:
    from millimorph.kernels import fourier

    shape = Shape(*volume.shape)
    rows = shape.nz * shape.ny
    per_piece = max(1, PIECE_VOXELS // shape.nx)
    found = [moments(channel, scene.threads) for channel in volume]
    tables = [wave_tables(step, shape, step.intensity * (m.mean - m.low)) for m in found]

    def add(item: tuple[int, int]) -> None:
        channel, first = item
        values = volume[channel].reshape(rows, shape.nx)[first : first + per_piece].copy()
        for along_x, along_y, along_z in tables[channel]:
            fourier.add_wave(values, first, shape.ny, along_x, along_y, along_z)
        write(channel, first * shape.nx, values.reshape(-1))

    items = [(c, first) for c in range(shape.channels) for first in range(0, rows, per_piece)]
    in_threads(scene.threads, items, add)


def wave_tables(
    step: WaveSum, shape: Shape, amplitude: float
) -> list[tuple[Float32, Float32, Float32]]:
    """Cosine and sine (2, n) along x, y, z of each wave, the amplitude with x, the phase with z."""
    made = []
    for wave in step.waves:
        kx, ky, kz = (*wave.cycles, 0)[:3]
        along_x = amplitude * _circle(kx, shape.nx, 0.0)
        along_y, along_z = _circle(ky, shape.ny, 0.0), _circle(kz, shape.nz, wave.phase)
        x, y, z = (along.astype(np.float32) for along in (along_x, along_y, along_z))
        made.append((x, y, z))
    return made


def _circle(cycles: int, count: int, phase: float) -> Float64:
    """Cosine and sine (2, count) of whole cycles over an axis; the phase is in turns."""
    turns = (cycles * np.arange(count)) % count / count + phase
    angle = 2.0 * math.pi * turns
    return np.stack([cos(angle), sin(angle)])
