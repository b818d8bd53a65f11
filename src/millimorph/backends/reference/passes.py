"""The traversals after the resample, in float64."""

from typing import assert_never

import numpy as np

from millimorph.backends.reference import (
    fourier,
    histograms,
    labels,
    levels,
    modality,
    neighbourhoods,
    painting,
    patches,
    stencils,
)
from millimorph.backends.reference.pointwise import apply_all, as_type
from millimorph.backends.reference.sampling import AnyArray, Floats
from millimorph.backends.scene import Scene, Where
from millimorph.images import LabelMap, ScalarImage
from millimorph.program import LabelPass, Paint, VolumePass, VolumeStep
from millimorph.program.fourier import FourierStep
from millimorph.program.histograms import HistogramStep
from millimorph.program.levels import LevelPass
from millimorph.program.modality import ModalityPass
from millimorph.program.neighbourhoods import Neighbourhood
from millimorph.program.patches import PatchMove
from millimorph.program.stencils import Stencil


def run_volume_pass(stage: VolumePass, image: ScalarImage, scene: Scene) -> ScalarImage:
    """Change an image by a pass and the pointwise steps behind it."""
    volume = image.channel_arrays.astype(np.float64)
    volume = volume.reshape(len(volume), *(1, *scene.grid.shape)[-3:])
    chosen = list(range(len(volume)) if stage.channels is None else stage.channels)
    result = volume.copy()
    if stage.step is not None:
        result[chosen] = _run(stage.step, volume[chosen], scene)
    return ScalarImage(
        _finished(stage, result, scene).reshape(image.array.shape), image.grid, image.frames
    )


def run_paint(stage: Paint, source: LabelMap, scene: Scene) -> ScalarImage:
    """Make an image from a label map."""
    volume = painting.painted(stage.step, source)
    return ScalarImage(as_type(volume, np.dtype(stage.written)), scene.grid)


def run_label_pass(stage: LabelPass, source: LabelMap) -> LabelMap:
    """Change a label map."""
    return labels.changed(stage, source)


def _finished(stage: VolumePass, volume: Floats, scene: Scene) -> AnyArray:
    channels = [
        apply_all(stage.pointwise, channel, Where(number, 0, scene))
        for number, channel in enumerate(volume)
    ]
    return as_type(np.stack(channels), np.dtype(stage.written))


def _run(step: VolumeStep, volume: Floats, scene: Scene) -> Floats:
    if isinstance(step, Stencil):
        return stencils.run(step, volume, scene)
    if isinstance(step, Neighbourhood):
        return neighbourhoods.run(step, volume, scene)
    if isinstance(step, FourierStep):
        return fourier.run(step, volume, scene)
    if isinstance(step, HistogramStep):
        return histograms.run(step, volume, scene)
    if isinstance(step, LevelPass):
        return levels.run(step, volume, scene)
    if isinstance(step, ModalityPass):
        return modality.run(step, volume, scene)
    if isinstance(step, PatchMove):
        return patches.run(step, volume, scene)
    assert_never(step)
