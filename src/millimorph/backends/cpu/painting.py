"""Images painted from label maps, piece by piece."""

from typing import Any

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.labels import label_counts
from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.scene import Scene
from millimorph.images import LabelMap
from millimorph.program import Painting

Array = npt.NDArray[Any]

_LARGEST_TABLE = 1 << 20


def paint(step: Painting, source: LabelMap, scene: Scene, write: Write) -> None:
    """Hand over the painted voxels."""
    from millimorph.kernels import pointwise

    flat = source.array.reshape(-1)
    known = tuple(label_counts(flat))
    by_label = known[-1] - known[0] < _LARGEST_TABLE
    columns = np.array(known) - known[0] if by_label else np.arange(len(known))
    table = np.zeros((2, columns[-1] + 1), np.float32)
    table[:, columns] = np.array([step.normal_of(label) for label in known], np.float32).T
    means, deviations = table
    ordered = np.array(known, np.int64)
    key, high_words = np.array(step.noise, np.uint32)

    def paint_piece(first: int) -> None:
        labels = flat[first : first + PIECE_VOXELS].astype(np.int64)
        places = labels - known[0] if by_label else np.searchsorted(ordered, labels)
        values = np.zeros(len(labels), np.float32)
        pointwise.gaussian_noise(values, np.uint64(first), np.float32(1.0), key, high_words)
        values *= deviations[places]
        values += means[places]
        write(0, first, values)

    in_threads(scene.threads, range(0, len(flat), PIECE_VOXELS), paint_piece)
