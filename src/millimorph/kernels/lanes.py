"""Weighted sums of neighbours and of control values for sixteen voxels at once, as LLVM vectors.

LLVM's own vectoriser gives up on this many places in one loop. Each lane computes what a scalar
would, in the same order, with strict IEEE operations, so the bits do not depend on how wide the
vectors of a CPU are.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
"""Voxels that one call makes; it reads and writes all of them."""

PAIRS = 4
"""Pairs of neighbours that one call adds."""

BAND = 5
"""Control values that sixteen voxels depend on where a cell of a cubic spline has as many."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)


@intrinsic
def start_lanes(_typing_context, out, at, source, centre, before, after, weights):
    """Set `out[at:at + 16]` to the centre's weight times its voxels plus those of four pairs.

    `out`, `source`: flat float32 arrays; `before`, `after`: the four places (a tuple) where the
    neighbours of the first voxel lie; `weights`: the centre's and the four of the pairs (a tuple).
    """

    def generate(context, builder, signature, arguments):
        lanes = _Lanes(context, builder, signature, arguments)
        total = builder.fmul(lanes.weight(0), lanes.load(lanes.source, arguments[3]))
        lanes.store(lanes.plus_pairs(total, first_weight=1))
        return context.get_dummy_value()

    return types.void(out, at, source, centre, before, after, weights), generate


@intrinsic
def add_lanes(_typing_context, out, at, source, before, after, weights):
    """Add four more pairs to `out[at:at + 16]`; `weights`: theirs alone."""

    def generate(context, builder, signature, arguments):
        lanes = _Lanes(context, builder, signature, arguments)
        lanes.store(lanes.plus_pairs(lanes.load(lanes.out, arguments[1]), first_weight=0))
        return context.get_dummy_value()

    return types.void(out, at, source, before, after, weights), generate


@intrinsic
def band_lanes(_typing_context, values, place, weights, at, outs, to):
    """Set `[to:to + 16]` of three arrays to weighted sums of five numbers each.

    All flat float32 arrays, `outs` a tuple. `place` = (first, pitch): those of the first array lie
    at `values[first:first + 5]`, those of the next `pitch` further. `weights[at:]` hold, for each
    of the five, one weight per lane.
    """
    return types.void(values, place, weights, at, outs, to), _bands(BAND, is_first=True)


@intrinsic
def add_band_lane(_typing_context, values, place, weights, at, outs, to):
    """Add one more weighted number to `[to:to + 16]` of three arrays; as `band_lanes`."""
    return types.void(values, place, weights, at, outs, to), _bands(1, is_first=False)


def _bands(count, *, is_first):
    """What writes or adds weighted sums of `count` numbers."""

    def generate(context, builder, signature, arguments):
        source, table = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data
            for n in (0, 2)
        )
        first, pitch = (builder.extract_value(arguments[1], n) for n in (0, 1))
        weights = []
        for number in range(count):
            at = builder.add(arguments[3], ir.Constant(arguments[3].type, number * LANES))
            weights.append(builder.load(_place(builder, table, at), align=4))
        sums = []
        for number, kind in enumerate(signature.args[4]):
            out = builder.extract_value(arguments[4], number)
            data = context.make_array(kind)(context, builder, out).data
            target = _place(builder, data, arguments[5])
            total = None if is_first else builder.load(target, align=4)
            for place, weight in enumerate(weights):
                index = builder.add(first, ir.Constant(first.type, place))
                value = builder.load(builder.gep(source, [index]))
                term = builder.fmul(weight, _in_all_lanes(builder, value))
                total = term if total is None else builder.fadd(total, term)
            sums.append((total, target))
            first = builder.add(first, pitch)
        for total, target in sums:
            builder.store(total, target, align=4)
        return context.get_dummy_value()

    return generate


@intrinsic
def blend_lanes(_typing_context, source, first, step, weights, out, to):
    """Set `out[to:to + 16]` to the weighted sum of sixteen numbers at each of four places.

    `source`, `out`: flat float32 arrays; the places are `first`, `first + step`, ...; `weights`:
    four numbers.
    """

    def generate(context, builder, signature, arguments):
        data, target = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data
            for n in (0, 4)
        )
        place, total = arguments[1], None
        for number in range(4):
            values = builder.load(_place(builder, data, place), align=4)
            weight = _in_all_lanes(builder, builder.extract_value(arguments[3], number))
            term = builder.fmul(weight, values)
            total = term if total is None else builder.fadd(total, term)
            place = builder.add(place, arguments[2])
        builder.store(total, _place(builder, target, arguments[5]), align=4)
        return context.get_dummy_value()

    return types.void(source, first, step, weights, out, to), generate


def _in_all_lanes(builder, value):
    """One number in all lanes."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    return builder.shuffle_vector(first, nothing, zeros)


def _place(builder, data, index):
    """The numbers of all lanes from an index on."""
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


class _Lanes:
    """The arguments of one call: out, at, source, …, before, after, weights."""

    def __init__(self, context, builder, signature, arguments):
        self.builder = builder
        self.out = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        self.source = context.make_array(signature.args[2])(context, builder, arguments[2]).data
        self.at = arguments[1]
        self.before, self.after, self.weights = arguments[-3:]

    def weight(self, number):
        """One weight in all lanes."""
        return _in_all_lanes(self.builder, self.builder.extract_value(self.weights, number))

    def load(self, data, index):
        """The voxels from an index on."""
        return self.builder.load(_place(self.builder, data, index), align=4)

    def store(self, values):
        """Write the result."""
        self.builder.store(values, _place(self.builder, self.out, self.at), align=4)

    def plus_pairs(self, total, first_weight):
        """The total and four weighted pairs, added one after the other."""
        for pair in range(PAIRS):
            low = self.load(self.source, self.builder.extract_value(self.before, pair))
            high = self.load(self.source, self.builder.extract_value(self.after, pair))
            both = self.builder.fadd(low, high)
            weighted = self.builder.fmul(self.weight(first_weight + pair), both)
            total = self.builder.fadd(total, weighted)
        return total
