"""Label maps: connected parts, and distances between labels, for all labels at once.

Maps are int32 or int64 (z, y, x). Squared distances are float64 sums ((x + y) + z) of what the
tables of squares hold.
"""

import numpy as np

from millimorph.kernels._jit import kernel


@kernel
def parts(labels, wanted, earlier, number):
    """Number the connected parts of equal wanted labels in the order of their first voxels.

    `wanted` (uint8) and `number` (int32 or int64) have the shape of `labels`; voxels that are not
    wanted get -1. `earlier` holds the offsets (n, 3) in (z, y, x) of the neighbours that come
    before a voxel. Returns how many parts there are. Union by the lowest index, paths halved.
    """
    nz, ny, nx = labels.shape
    flat = number.reshape(-1)
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                i = (z * ny + y) * nx + x
                flat[i] = i if wanted[z, y, x] != 0 else -1
                if flat[i] < 0:
                    continue
                for offset in earlier:
                    a, b, c = z + offset[0], y + offset[1], x + offset[2]
                    inside = a >= 0 and 0 <= b < ny and 0 <= c < nx
                    if inside and wanted[a, b, c] != 0 and labels[a, b, c] == labels[z, y, x]:
                        _join(flat, i, (a * ny + b) * nx + c)
    count = 0
    for i in range(len(flat)):
        above = flat[i]
        if above == i:
            flat[i] = count
            count += 1
        elif above >= 0:
            flat[i] = flat[above]
    return count


@kernel
def _join(parent, one, other):
    """Put two voxels into one part."""
    a = _first(parent, one)
    b = _first(parent, other)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


@kernel
def _first(parent, i):
    """The lowest index of a voxel's part."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def part_sizes(number, sizes, firsts):
    """Count the voxels of each part, and find its first one."""
    for i in range(len(number)):
        part = number[i]
        if part >= 0:
            if sizes[part] == 0:
                firsts[part] = i
            sizes[part] += 1


@kernel
def depths_along(labels, before, squares, after):
    """Squared distance to the nearest voxel of another label, one more axis taken into account.

    Arrays are (outer, n, inner) with the axis in the middle; `before` has the distances over the
    axes done so far (inf: none within reach), `squares[k]` is the squared length of k voxels.
    """
    outer, n, inner = labels.shape
    for o in range(outer):
        for i in range(n):
            for x in range(inner):
                own = labels[o, i, x]
                best = before[o, i, x]
                for k in range(1, len(squares)):
                    square = squares[k]
                    if square >= best:
                        break
                    for j in (i - k, i + k):
                        if 0 <= j < n:
                            same = labels[o, j, x] == own
                            found = (before[o, j, x] + square) if same else square
                            best = min(best, found)
                after[o, i, x] = best


@kernel
def nearest_along(before, squares, label, after, chosen):
    """Squared distance to the nearest source and its label, one more axis taken into account.

    Shapes as in `depths_along`; `before` is 0 at sources and inf where there is none yet, `label`
    is that of the nearest so far. Of equally near ones the lowest label is chosen.
    """
    outer, n, inner = label.shape
    for o in range(outer):
        for i in range(n):
            for x in range(inner):
                best = before[o, i, x]
                own = label[o, i, x]
                for k in range(1, len(squares)):
                    square = squares[k]
                    if square > best:
                        break
                    for j in (i - k, i + k):
                        if 0 <= j < n:
                            found = before[o, j, x] + square
                            lower = found == best and label[o, j, x] < own
                            if found < best or (lower and found < np.inf):
                                best = found
                                own = label[o, j, x]
                after[o, i, x] = best
                chosen[o, i, x] = own
