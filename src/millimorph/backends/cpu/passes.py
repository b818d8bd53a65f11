"""The traversals after the resample: steps that look beyond a voxel, paintings, label steps."""

from collections.abc import Sequence
from typing import assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import (
    buffers,
    fourier,
    histograms,
    labels,
    levels,
    modality,
    neighbourhoods,
    painting,
    patches,
    pieces,
    stencils,
)
from millimorph.backends.cpu.announce import tell_of_compiling
from millimorph.backends.cpu.pieces import Write
from millimorph.backends.cpu.pointwise import apply_all, store
from millimorph.backends.cpu.sources import channels
from millimorph.backends.scene import Scene, Where
from millimorph.images import LabelMap, ScalarImage
from millimorph.program import Applied, LabelPass, Paint, VolumePass, VolumeStep
from millimorph.program.fourier import FourierStep
from millimorph.program.histograms import HistogramStep
from millimorph.program.levels import LevelPass
from millimorph.program.modality import ModalityPass
from millimorph.program.neighbourhoods import Neighbourhood
from millimorph.program.patches import PatchMove
from millimorph.program.stencils import Stencil

Float32 = npt.NDArray[np.float32]


def run_volume_pass(stage: VolumePass, image: ScalarImage, scene: Scene) -> ScalarImage:
    """Change an image by a pass and the pointwise steps behind it."""
    tell_of_compiling()
    volume = channels(image).astype(np.float32, copy=False)
    chosen = tuple(range(len(volume))) if stage.channels is None else stage.channels
    others = [channel for channel in range(len(volume)) if channel not in chosen]
    in_place = (
        bool(others) and scene.is_between_passes and stage.written == image.dtype == np.float32
    )
    if in_place:
        out = _writable(volume).reshape(len(volume), -1)
    else:
        out = buffers.empty((len(volume), scene.grid.voxel_count), np.dtype(stage.written))
    write = writer(stage.pointwise, scene, out)
    for other in others:
        if not in_place:
            pieces.write_channel(other, volume[other].copy(), write)
        elif any(step.channels is None or other in step.channels for step in stage.pointwise):
            pieces.write_channel(other, out[other], write)
    if stage.step is None:
        for channel in chosen:
            pieces.write_channel(channel, volume[channel].copy(), write)
    elif not others:
        _run(stage.step, volume, scene, write)
    else:
        _run(
            stage.step,
            volume[list(chosen)],
            scene,
            lambda channel, first, values: write(chosen[channel], first, values),
        )
    return ScalarImage(out.reshape(image.array.shape), image.grid, image.frames)


def _writable(volume: Float32) -> Float32:
    """The same voxels without the protection that images have."""
    view = volume.view()
    view.flags.writeable = True
    return view


def run_paint(stage: Paint, source: LabelMap, scene: Scene) -> ScalarImage:
    """Make an image from a label map."""
    tell_of_compiling()
    out = buffers.empty((1, scene.grid.voxel_count), np.dtype(stage.written))
    painting.paint(stage.step, source, scene, writer((), scene, out))
    return ScalarImage(out.reshape(scene.grid.shape), scene.grid)


def run_label_pass(stage: LabelPass, source: LabelMap) -> LabelMap:
    """Change a label map."""
    tell_of_compiling()
    return labels.changed(stage, source)


def writer(steps: Sequence[Applied], scene: Scene, out: npt.NDArray[np.generic]) -> Write:
    """What takes the pieces of a result: it applies the steps and stores them in `out` (c, n)."""

    def write(channel: int, first: int, values: Float32) -> None:
        apply_all(steps, values, Where(channel, first, scene))
        store(values, out[channel, first : first + len(values)])

    return write


def _run(step: VolumeStep, volume: Float32, scene: Scene, write: Write) -> None:
    if isinstance(step, Stencil):
        stencils.run(step, volume, scene, write)
    elif isinstance(step, Neighbourhood):
        neighbourhoods.run(step, volume, scene, write)
    elif isinstance(step, FourierStep):
        fourier.run(step, volume, scene, write)
    elif isinstance(step, HistogramStep):
        histograms.run(step, volume, scene, write)
    elif isinstance(step, LevelPass):
        levels.run(step, volume, scene, write)
    elif isinstance(step, ModalityPass):
        modality.run(step, volume, scene, write)
    elif isinstance(step, PatchMove):
        patches.run(step, volume, scene, write)
    else:
        assert_never(step)
