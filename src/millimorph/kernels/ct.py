"""Parallel rays through planes of water equivalents, their backprojection, and rings.

A plane (rows, columns) is read in mm from its middle; a ray of direction (c, s) and offset u passes
u (c, s) and runs along (-s, c). Sums run in one fixed order, in float32 unless said.
"""

import numpy as np

from millimorph.kernels._jit import kernel
from millimorph.kernels.pointwise import exp32

HALF = np.float32(0.5)
ONE = np.float32(1.0)
ZERO = np.float32(0.0)


@kernel
def coarse_water(planes, block, out):
    """Means over blocks (planes, rows, columns) of the density 1 + HU / 1000, at least 0.

    What a block lacks beyond the edge of a plane counts as air; planes that are missing do not.
    """
    bp, br, bc = block
    count, rows, columns = planes.shape
    for p in range(out.shape[0]):
        last = min((p + 1) * bp, count)
        scale = ONE / np.float32((last - p * bp) * br * bc)
        for r in range(out.shape[1]):
            for c in range(out.shape[2]):
                total = ZERO
                for z in range(p * bp, last):
                    for y in range(r * br, min((r + 1) * br, rows)):
                        line = planes[z, y]
                        for x in range(c * bc, min((c + 1) * bc, columns)):
                            total += max(ONE + np.float32(1e-3) * line[x], ZERO)
                out[p, r, c] = total * scale


@kernel
def project(padded, steps, wanted, lines):
    """Sum samples of a plane along the rays that are wanted, for every direction.

    `padded` has a border of zeros, (rows + 2, columns + 2). For direction a, `steps[a]` holds, as
    (column, row) counted with the border, the first sample of the first ray, what leads to the next
    ray and what to the next sample. Bilinear; outside is 0. `wanted` and `lines` (directions,
    rays); a ray has as many samples as there are rays.
    """
    rows, columns = padded.shape
    flat = padded.reshape(-1)
    width, stride, one = np.int32(columns), np.uintp(columns), np.uintp(1)
    most_x, most_y = np.float32(columns - 1), np.float32(rows - 1)
    last_x, last_y = np.int32(columns - 2), np.int32(rows - 2)
    samples = lines.shape[1]
    bases = np.empty(samples, np.uint32)
    weights = np.empty((2, samples), np.float32)
    places = np.empty((2, samples), np.float32)
    sums = np.empty(samples, np.float32)
    for a in range(len(lines)):
        rays = 0
        for j in range(samples):
            if wanted[a, j]:
                places[0, rays] = steps[a, 0] + np.float32(j) * steps[a, 2]
                places[1, rays] = steps[a, 1] + np.float32(j) * steps[a, 3]
                sums[rays] = ZERO
                rays += 1
        for i in range(samples):
            dx, dy = np.float32(i) * steps[a, 4], np.float32(i) * steps[a, 5]
            for k in range(rays):
                x = min(max(places[0, k] + dx, ZERO), most_x)
                y = min(max(places[1, k] + dy, ZERO), most_y)
                left = min(np.int32(x), last_x)
                upper = min(np.int32(y), last_y)
                weights[0, k] = x - np.float32(left)
                weights[1, k] = y - np.float32(upper)
                bases[k] = np.uint32(upper * width + left)
            for k in range(rays):
                at = np.uintp(bases[k])
                under = at + stride
                wx = weights[0, k]
                near = flat[at]
                near += wx * (flat[at + one] - near)
                far = flat[under]
                far += wx * (flat[under + one] - far)
                sums[k] += near + weights[1, k] * (far - near)
        rays = 0
        for j in range(samples):
            lines[a, j] = ZERO
            if wanted[a, j]:
                lines[a, j] = sums[rays]
                rays += 1


@kernel
def chords(pins, directions, offsets, radius, lines):
    """Add the chords of circles, averaged over eight parts of a ray's width.

    `pins` (n, 2) mm (row, column), `directions` (directions, 2) cosine and sine, `offsets` of the
    rays in mm, evenly spaced; `lines` (directions, rays) float32.
    """
    step = offsets[1] - offsets[0]
    for a in range(len(directions)):
        for k in range(len(pins)):
            passing = pins[k, 1] * directions[a, 0] + pins[k, 0] * directions[a, 1]
            for j in range(len(offsets)):
                aside = offsets[j] - passing
                if abs(aside) < radius + step:
                    total = 0.0
                    for part in range(8):
                        off = aside + step * (np.float64(part) - 3.5) / 8.0
                        total += np.sqrt(max(radius * radius - off * off, 0.0))
                    lines[a, j] += np.float32(0.25 * total)


@kernel
def exposure(lines, scale, most):
    """Turn sums into exp(path), paths held at `most`, in place."""
    flat = lines.reshape(-1)
    for i in range(len(flat)):
        flat[i] = exp32(min(scale * flat[i], most))


@kernel
def ramp_filtered(line, taps, out):
    """Convolve with Ramachandran and Lakshminarayanan's ramp: 1/4, and -taps[n] at odd n."""
    count = len(line)
    for j in range(count):
        out[j] = ZERO
    for m in range(count):
        value = line[m]
        if value != ZERO:
            out[m] += np.float32(0.25) * value
            for n in range(1, m + 1, 2):
                out[m - n] -= value * taps[n]
            for n in range(1, count - m, 2):
                out[m + n] -= value * taps[n]


@kernel
def back_project(lines, first, across, down, out):
    """Sum over directions of each line at a pixel's offset, linear between rays.

    For direction a, pixel (0, 0) lies at ray first[a], and a column adds across[a], a row down[a].
    """
    rows, columns = out.shape
    most = np.int32(lines.shape[1] - 2)
    one = np.uintp(1)
    bases = np.empty(columns, np.uint32)
    weights = np.empty(columns, np.float32)
    for r in range(rows):
        row = out[r]
        for c in range(columns):
            row[c] = ZERO
        for a in range(len(first)):
            line = lines[a]
            start = first[a] + np.float32(r) * down[a]
            step = across[a]
            for c in range(columns):
                at = max(start + np.float32(c) * step, ZERO)
                base = min(np.int32(at), most)
                weights[c] = at - np.float32(base)
                bases[c] = np.uint32(base)
            for c in range(columns):
                base = np.uintp(bases[c])
                low = line[base]
                row[c] += low + weights[c] * (line[base + one] - low)


@kernel
def lattice_place(index, block, count):
    """The lower neighbour of a voxel among `count` blocks, and the upper one's weight."""
    at = (np.float32(index) + HALF) / np.float32(block) - HALF
    at = min(max(at, ZERO), np.float32(count - 1))
    base = min(np.int64(at), max(count - 2, 0))
    return base, at - np.float32(base)


@kernel
def spread(coarse, plane, block, out):
    """One plane of a lattice of blocks at full size, linear between blocks, held at the ends."""
    bp, br, bc = block
    count, rows, columns = coarse.shape
    p, wp = lattice_place(plane, bp, count)
    p1 = min(p + 1, count - 1)
    line = np.empty(columns, np.float32)
    bases = np.empty(out.shape[1], np.uint32)
    weights = np.empty(out.shape[1], np.float32)
    for c in range(out.shape[1]):
        base, weights[c] = lattice_place(c, bc, columns)
        bases[c] = base
    beyond = np.uint32(columns - 1)
    for r in range(out.shape[0]):
        q, wr = lattice_place(r, br, rows)
        q1 = min(q + 1, rows - 1)
        for c in range(columns):
            near = coarse[p, q, c] + wr * (coarse[p, q1, c] - coarse[p, q, c])
            far = coarse[p1, q, c] + wr * (coarse[p1, q1, c] - coarse[p1, q, c])
            line[c] = near + wp * (far - near)
        for c in range(out.shape[1]):
            low = line[bases[c]]
            high = line[min(bases[c] + np.uint32(1), beyond)]
            out[r, c] = low + weights[c] * (high - low)


@kernel
def squares_near(field, spacing, centre, pins, within):
    """Sum of squares and count of pixels of a plane that lie between two radii of some pin.

    `spacing` and `centre` are (row, column), `pins` (n, 2) mm (row, column) from the middle; within
    (least, most) mm of the nearest pin. In float64.
    """
    total = 0.0
    count = 0
    for r in range(field.shape[0]):
        y = np.float32(spacing[0] * (np.float32(r) - centre[0]))
        for c in range(field.shape[1]):
            x = np.float32(spacing[1] * (np.float32(c) - centre[1]))
            nearest = np.float32(1e30)
            for k in range(len(pins)):
                dy = y - pins[k, 0]
                dx = x - pins[k, 1]
                nearest = min(nearest, dy * dy + dx * dx)
            if within[0] * within[0] < nearest < within[1] * within[1]:
                total += np.float64(field[r, c]) * np.float64(field[r, c])
                count += 1
    return total, count


@kernel
def rings(values, first, size, frame, table, least):
    """Add a table of heights by radius to voxels that are not below `least`.

    `frame` (3, 2) float32: for x, y, z the centre's index and the spacing in steps of the table, 0
    along the axis across the planes. `table` (planes, radii), its last column 0.
    """
    nx, ny = size[0], size[1]
    last = np.uint32(table.shape[1] - 1)
    far = np.float32(table.shape[1] - 1)
    flat, width = table.reshape(-1), np.uintp(table.shape[1])
    n = 0
    while n < len(values):
        at = first + n
        x0 = at % nx
        row = at // nx
        y, z = row % ny, row // ny
        count = min(nx - x0, len(values) - n)
        dy = (np.float32(y) - frame[1, 0]) * frame[1, 1]
        dz = (np.float32(z) - frame[2, 0]) * frame[2, 1]
        rest = dy * dy + dz * dz
        along_x = frame[0, 1] == ZERO
        plane = y if frame[1, 1] == ZERO else z
        run = values[n : n + count]
        for i in range(count):
            dx = (np.float32(x0 + i) - frame[0, 0]) * frame[0, 1]
            radius = min(np.sqrt(dx * dx + rest), far)
            base = np.uint32(radius)
            start = np.uintp(x0 + i if along_x else plane) * width
            low = flat[start + np.uintp(base)]
            high = flat[start + np.uintp(min(base + np.uint32(1), last))]
            height = low + (radius - np.float32(base)) * (high - low)
            run[i] += height if run[i] >= least else ZERO
        n += count
