"""Images painted from label maps, piece by piece."""

import numpy as np

from millimorph.backends.cpu.labels import label_counts
from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.scene import Scene
from millimorph.images import LabelMap
from millimorph.program import Painting

_LARGEST_TABLE = 4096


def paint(step: Painting, source: LabelMap, scene: Scene, write: Write) -> None:
    """Hand over the painted voxels."""
    from millimorph.kernels import pointwise

    flat = source.array.reshape(-1)
    low, high = int(flat.min()), int(flat.max())
    dense = high - low < _LARGEST_TABLE
    known = tuple(range(low, high + 1)) if dense else tuple(label_counts(flat))
    table = np.array([step.normal_of(label) for label in known], np.float32)
    means, deviations = np.ascontiguousarray(table.T)
    ordered = np.array(known, np.int64)
    key, high_words = np.array(step.noise, np.uint32)

    def paint_piece(first: int) -> None:
        labels = flat[first : first + PIECE_VOXELS].astype(np.int64)
        places = labels - low if dense else np.searchsorted(ordered, labels)
        values = np.zeros(len(labels), np.float32)
        pointwise.gaussian_noise(values, np.uint64(first), np.float32(1.0), key, high_words)
        values *= deviations[places]
        values += means[places]
        write(0, first, values)

    in_threads(scene.threads, range(0, len(flat), PIECE_VOXELS), paint_piece)
