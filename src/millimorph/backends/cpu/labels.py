"""Steps on label maps, and images painted from them."""

import numpy as np

from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write
from millimorph.backends.scene import Scene
from millimorph.images import LabelMap
from millimorph.program import GaussianMixture, LabelStep


def changed(step: LabelStep, source: LabelMap, scene: Scene) -> LabelMap:  # noqa: ARG001
    """Return the label map with the step applied."""
    array = source.array.copy()
    for old, new in step.pairs:
        array[source.array == array.dtype.type(old)] = array.dtype.type(new)
    return source.with_array(array)


def paint(step: GaussianMixture, source: LabelMap, scene: Scene, write: Write) -> None:  # noqa: ARG001
    """Hand over the painted voxels, piece by piece."""
    from millimorph.kernels import pointwise

    flat = source.array.reshape(-1)
    known = np.array([label for label, _, _ in step.classes], flat.dtype)
    order = np.argsort(known)
    means = np.array([mean for _, mean, _ in step.classes], np.float32)[order]
    deviations = np.array([sd for _, _, sd in step.classes], np.float32)[order]
    key, high_words = np.array(step.stream, np.uint32)
    for first in range(0, len(flat), PIECE_VOXELS):
        labels = flat[first : first + PIECE_VOXELS]
        at = np.minimum(np.searchsorted(known[order], labels), len(known) - 1)
        listed = known[order][at] == labels
        values = np.zeros(len(labels), np.float32)
        pointwise.gaussian_noise(values, np.uint64(first), np.float32(1.0), key, high_words)
        mean = np.where(listed, means[at], np.float32(0.0))
        values = mean + values * np.where(listed, deviations[at], np.float32(0.0))
        write(0, first, values)
