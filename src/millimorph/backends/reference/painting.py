"""The definition of the images painted from label maps, in float64."""

import numpy as np

from millimorph.backends.reference.noise import normal_numbers
from millimorph.backends.reference.sampling import Floats
from millimorph.images import LabelMap
from millimorph.program import Painting


def painted(step: Painting, source: LabelMap) -> Floats:
    """Return the painted voxels in the shape of the label map's grid."""
    values = np.zeros(source.array.shape)
    normal = normal_numbers(step.noise, 0, values.size).reshape(values.shape)
    for label in source.labels():
        mean, deviation = step.normal_of(label)
        inside = source.array == label
        values[inside] = mean + deviation * normal[inside]
    return values.reshape(source.grid.shape)
