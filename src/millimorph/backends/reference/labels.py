"""The definition of the steps on label maps, and of the images painted from them."""

import numpy as np

from millimorph.backends.reference.noise import normal_numbers
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene
from millimorph.images import LabelMap
from millimorph.program import LabelStep, Painting


def changed(step: LabelStep, source: LabelMap, scene: Scene) -> LabelMap:  # noqa: ARG001
    """Return the label map with the step applied."""
    array = source.array.copy()
    for old, new in step.pairs:
        array[source.array == old] = new
    return source.with_array(array)


def painted(step: Painting, source: LabelMap, scene: Scene) -> Floats:  # noqa: ARG001
    """Return the painted voxels (1, z, y, x)."""
    values = np.zeros(source.array.shape)
    normal = normal_numbers(step.stream, 0, values.size).reshape(values.shape)
    for label, mean, deviation in step.classes:
        inside = source.array == label
        values[inside] = mean + deviation * normal[inside]
    return values.reshape(1, *values.shape[-source.dimension :])
