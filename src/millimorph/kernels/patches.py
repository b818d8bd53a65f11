"""Boxes of float32 voxels that are overwritten run by run.

A box is (x, y, z of its first voxel, x, y, z behind its last one).
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.pointwise import gaussian_noise


@kernel
def fill_boxes(values, first, shape, boxes, fill, noise):
    """Overwrite the voxels of a run that lie in boxes (n, 6), in place.

    The run starts at linear index `first` of a volume whose rows have `shape` = (nx, ny) voxels and
    slices. `noise` = (deviation, counter of the run's first voxel, key, high): unless the deviation
    is 0, normal noise is added to the fill.
    """
    nx, ny = shape
    deviation, counter, key, high = noise
    end = first + len(values)
    for b in range(len(boxes)):
        x0, y0, z0, x1, y1, z1 = boxes[b]
        for z in range(max(z0, first // (nx * ny)), min(z1, (end - 1) // (nx * ny) + 1)):
            for y in range(y0, y1):
                row = (z * ny + y) * nx
                low = max(row + x0, first) - first
                up = min(row + x1, end) - first
                if low < up:
                    part = values[low:up]
                    part[:] = fill
                    if deviation > np.float32(0.0):
                        gaussian_noise(part, counter + np.uint64(low), deviation, key, high)
