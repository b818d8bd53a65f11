"""Reading source voxels at the coordinates of a block: nearest, linear, cubic, label-linear.

`source` is the flattened source; `base`, the weights and `inside` come from `coordinates`; `steps`
(uint64: along y and z) lead from a voxel to its upper neighbours and are 0 on axes of one voxel.
Unsigned indices spare the wrap-around test that signed ones would cost at every load.
"""

import numpy as np

from millimorph.kernels._jit import kernel, prefetch
from millimorph.kernels.corners import corner_pair
from millimorph.kernels.placing import LANES, nearest_corner

ONE = np.uint64(1)
LOOK = 4
CHUNK = 512
GLANCE = 1024
INSIDE = np.uint8(1)
AT_TOP = np.uint8(2)


@kernel
def fetch_ahead(source, base, step_z):
    """Bring the cache lines of a block on their way, so that sampling does not wait for each.

    A row that runs obliquely through a large source meets a new line every few voxels and no
    hardware prefetcher follows it.
    """
    for i in range(0, len(base), LOOK):
        b = np.uint64(base[i])
        prefetch(source, b)
        prefetch(source, b + step_z)


@kernel
def linear(source, base, wx, wy, wz, inside, steps, fill, out):
    """Trilinear interpolation in float32: along z and y in pairs, then along x.

    The first loop loads and leaves one pair per voxel, the second is vectors throughout.
    """
    step_y, step_z = steps[0], steps[1]
    pairs = np.empty(2 * CHUNK, np.float32)
    for start in range(0, len(out), CHUNK):
        stop = min(start + CHUNK, len(out))
        bases, vs, ws = base[start:stop], wy[start:stop], wz[start:stop]
        for i in range(stop - start):
            weights = (vs[i], ws[i])
            corner_pair(source, np.uint64(bases[i]), (step_y, step_z), weights, pairs, 2 * i)
        finish_pairs(pairs, wx[start:stop], inside[start:stop], fill, out[start:stop])


@kernel
def bilinear(source, base, wx, wy, inside, step_y, fill, out):
    """Linear interpolation of a source of one slice, in float32."""
    pairs = np.empty(2 * CHUNK, np.float32)
    for start in range(0, len(out), CHUNK):
        stop = min(start + CHUNK, len(out))
        bases, vs = base[start:stop], wy[start:stop]
        for i in range(stop - start):
            b = np.uint64(bases[i])
            b1 = b + step_y
            v = vs[i]
            a0 = np.float32(source[b])
            a1 = np.float32(source[b + ONE])
            c0 = np.float32(source[b1])
            c1 = np.float32(source[b1 + ONE])
            pairs[2 * i] = a0 + v * (c0 - a0)
            pairs[2 * i + 1] = a1 + v * (c1 - a1)
        finish_pairs(pairs, wx[start:stop], inside[start:stop], fill, out[start:stop])


@kernel
def finish_pairs(pairs, wx, inside, fill, out):
    """Interpolate along x; write the fill where the voxel is outside."""
    for i in range(len(out)):
        low = pairs[2 * i]
        value = low + wx[i] * (pairs[2 * i + 1] - low)
        out[i] = value if inside[i] & INSIDE else fill


@kernel
def finish_upper_border(source, base, wx, wy, wz, inside, steps, out):
    """Linear interpolation again where the upper neighbour has weight 1, now exactly.

    In float32, a + 1 (b - a) need not be b. Few voxels are such; the others cost a glance.
    """
    for start in range(0, len(out), GLANCE):
        stop = min(start + GLANCE, len(out))
        few = inside[start:stop]
        flags = np.uint8(0)
        for i in range(len(few)):
            flags |= few[i]
        if flags & AT_TOP:
            places = (base[start:stop], wx[start:stop], wy[start:stop], wz[start:stop])
            exactly(source, places, few, steps, out[start:stop])


@kernel
def exactly(source, places, inside, steps, out):
    """Interpolate those voxels exactly whose upper neighbour has weight 1."""
    base, wx, wy, wz = places
    step_y, step_z = steps[0], steps[1]
    for i in range(len(out)):
        if inside[i] != INSIDE | AT_TOP:
            continue
        b = np.uint64(base[i])
        u, v, w = wx[i], wy[i], wz[i]
        low = exact_plane(source, b, step_z, v, w, step_y)
        up = exact_plane(source, b + ONE, step_z, v, w, step_y)
        out[i] = exact_lerp(low, up, u)


@kernel
def exact_plane(source, b, step_z, v, w, step_y):
    """Interpolate along z and y at one x."""
    low = exact_lerp(np.float32(source[b]), np.float32(source[b + step_z]), w)
    b1 = b + step_y
    up = exact_lerp(np.float32(source[b1]), np.float32(source[b1 + step_z]), w)
    return exact_lerp(low, up, v)


@kernel
def exact_lerp(a, b, weight):
    """Between a and b, and exactly b at weight 1."""
    return b if weight == np.float32(1.0) else a + weight * (b - a)


@kernel
def nearest(source, base, wx, wy, wz, inside, steps, fill, out):
    """The voxel at floor(index + 0.5), in the source's own type.

    The first loop, of vectors, finds the voxels; the second loads them. `base` and the weights have
    LANES entries to spare behind the last voxel's.
    """
    unsigned = base.dtype.type
    step = (unsigned(steps[0]), unsigned(steps[1]))
    weights = (wx, wy, wz)
    voxels = np.empty(CHUNK + LANES, base.dtype)
    for start in range(0, len(out), CHUNK):
        stop = min(start + CHUNK, len(out))
        for i in range(0, stop - start, LANES):
            nearest_corner(base, weights, step, start + i, voxels, i)
        pick(source, voxels[: stop - start], inside[start:stop], fill, out[start:stop])


@kernel
def pick(source, base, inside, fill, out):
    """The voxels at known places."""
    for i in range(len(out)):
        voxel = source[np.uint64(base[i])]
        out[i] = voxel if inside[i] & INSIDE else fill


@kernel
def label_linear(source, base, wx, wy, wz, inside, steps, fill, out):
    """The label whose trilinear weights sum highest; of equal sums the lower label."""
    one = np.float32(1.0)
    step_y, step_z = steps[0], steps[1]
    labels = np.empty(8, source.dtype)
    weights = np.empty(8, np.float32)
    for i in range(len(out)):
        if not inside[i] & INSIDE:
            out[i] = fill
            continue
        b = np.uint64(base[i])
        at = (b, b + step_y, b + step_z, b + step_z + step_y)
        first = source[b]
        same = True
        for pair in range(4):
            labels[2 * pair] = source[at[pair]]
            labels[2 * pair + 1] = source[at[pair] + ONE]
            same &= (labels[2 * pair] == first) & (labels[2 * pair + 1] == first)
        if same:
            out[i] = first
            continue
        u, v, w = wx[i], wy[i], wz[i]
        for n in range(8):
            along_x = u if n & 1 else one - u
            along_y = v if n & 2 else one - v
            along_z = w if n & 4 else one - w
            weights[n] = along_x * along_y * along_z
        best = first
        highest = np.float32(-1.0)
        for n in range(8):
            total = np.float32(0.0)
            for other in range(8):
                if labels[other] == labels[n]:
                    total += weights[other]
            if total > highest or (total == highest and labels[n] < best):
                highest = total
                best = labels[n]
        out[i] = best


@kernel
def cubic_weights(t):
    """The four cubic B-spline weights at the fraction t, in float32."""
    one = np.float32(1.0)
    sixth = np.float32(1.0 / 6.0)
    half = np.float32(0.5)
    third2 = np.float32(2.0 / 3.0)
    s = one - t
    return (
        s * s * s * sixth,
        third2 - t * t * (one - half * t),
        third2 - s * s * (one - half * s),
        t * t * t * sixth,
    )


@kernel
def cubic(coefficients, base, wx, wy, wz, inside, steps, slices, fill, out):
    """Cubic B-spline from coefficients that are extended by mirroring; `base` is the first tap."""
    step_y, step_z = steps[0], steps[1]
    for i in range(len(out)):
        if not inside[i] & INSIDE:
            out[i] = fill
            continue
        x0, x1, x2, x3 = cubic_weights(wx[i])
        along_y = cubic_weights(wy[i])
        along_z = cubic_weights(wz[i])
        r0, r1, r2, r3 = (np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0))
        plane = np.uint64(base[i])
        for c in range(slices):
            at = plane
            wc = along_z[c] if slices > 1 else np.float32(1.0)
            for b in range(4):
                weight = wc * along_y[b]
                r0 += weight * coefficients[at]
                r1 += weight * coefficients[at + np.uint64(1)]
                r2 += weight * coefficients[at + np.uint64(2)]
                r3 += weight * coefficients[at + np.uint64(3)]
                at += step_y
            plane += step_z
        out[i] = x0 * r0 + x1 * r1 + x2 * r2 + x3 * r3


@kernel
def round_to_integer(values, low, high, out):
    """Round float32 values to the nearest integer (halves to even), saturating at [low, high]."""
    for i in range(len(out)):
        out[i] = min(max(np.rint(values[i]), low), high)


@kernel
def round_to_wide_integer(values, low, high, out):
    """The same for types of 32 and 64 bits, whose limits float32 does not hold."""
    bottom, top = np.float64(low), np.float64(high)
    for i in range(len(out)):
        rounded = np.rint(np.float64(values[i]))
        if rounded >= top:
            out[i] = high
        elif rounded <= bottom:
            out[i] = low
        else:
            out[i] = rounded


@kernel
def fill_outside(inside, fill, out):
    """Write a fill that float32 does not hold, in the output's own type."""
    for i in range(len(out)):
        out[i] = out[i] if inside[i] & INSIDE else fill


@kernel
def swap_values(values, one, other):
    """Exchange two values in place."""
    for i in range(len(values)):
        value = values[i]
        if value == one:
            values[i] = other
        elif value == other:
            values[i] = one
