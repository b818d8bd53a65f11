"""The bilateral filter (Tomasi and Manduchi 1998) on runs of float32 voxels.

Every neighbour is weighted by a Gaussian of its place, from a table, and by a Gaussian of its grey
level's distance, from a polynomial; sums run over the neighbourhood in one order.
"""

import numpy as np

from millimorph.kernels._jit import inlined, kernel

# exp(-u) for u from 0 to 1/4 is the cubic 1 + t (C1 + t (C2 - t)), t = STRETCH u, of least relative
# error; its 32nd power is exp(-32 u) within 9e-5.
STRETCH = 0.5277248
C1 = np.float32(-1.8946339)
C2 = np.float32(1.7843707)
CUT = np.float32(0.25 * STRETCH)
SCALE = (STRETCH / 64.0) ** 0.5
"""A distance in range sigmas times this is the root of t."""


@inlined
def closeness(t):
    """The Gaussian at a scaled squared distance; from four standard deviations on 0."""
    value = np.float32(1.0) + t * (C1 + t * (C2 - t))
    value = value * value
    value = value * value
    value = value * value
    value = value * value
    value = value * value
    return value if t < CUT else np.float32(0.0)


@kernel
def filter_rows(padded, domain, first, out):
    """Write what the filter adds to some rows of one slice to `out` (rows, nx).

    `padded` (nz + 2 rz, ny + 2 ry, nx + 2 rx): grey levels in range sigmas times SCALE, edges
    repeated. `domain` (2 rz + 1, 2 ry + 1, rx + 1): the weights of the places, along x from the
    centre. `first`: slice and row of out[0].
    """
    height, width = padded.shape[1:]
    rows, nx = out.shape
    nk, nj, ni = domain.shape
    flat = padded.reshape(-1)
    count = rows * width - 2 * (ni - 1)
    corner = (first[0] * height + first[1]) * width + ni - 1
    start = corner + (nk // 2 * height + nj // 2) * width
    centre = flat[start : start + count]
    norm = np.zeros(count, np.float32)
    total = np.zeros(count, np.float32)
    for k in range(nk):
        for j in range(nj):
            at = corner + (k * height + j) * width
            add_neighbour(centre, flat[at : at + count], domain[k, j, 0], norm, total)
            for i in range(1, ni):
                left, right = flat[at - i : at - i + count], flat[at + i : at + i + count]
                add_pair(centre, (left, right), domain[k, j, i], norm, total)
    for row in range(rows):
        for i in range(nx):
            at = row * width + i
            out[row, i] = total[at] / norm[at]


@kernel
def add_neighbour(centre, neighbours, place, norm, total):
    """Add one neighbour of each voxel: its weight, and its weighted difference."""
    for i in range(len(centre)):
        d = neighbours[i] - centre[i]
        weight = place * closeness(d * d)
        norm[i] += weight
        total[i] += weight * d


@kernel
def add_pair(centre, neighbours, place, norm, total):
    """Add two neighbours of each voxel, whose places weigh the same."""
    left, right = neighbours
    for i in range(len(centre)):
        d = left[i] - centre[i]
        e = right[i] - centre[i]
        v = closeness(d * d)
        w = closeness(e * e)
        norm[i] += place * (v + w)
        total[i] += place * (v * d + w * e)
