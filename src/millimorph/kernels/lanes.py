"""Sums over pairs of neighbours and polynomials for sixteen voxels at once, as LLVM vectors.

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

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_HALF = ir.VectorType(ir.FloatType(), LANES // 2)


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
def cubic_lanes(_typing_context, coefficients, at, places, first, outs):
    """Set `[first:first + 16]` of three arrays to cubic polynomials of `places[first:first + 16]`.

    All flat float32 arrays, `outs` a tuple; each polynomial has four coefficients, the constant
    first, from `coefficients[at]` on.
    """
    return types.void(coefficients, at, places, first, outs), _cubics(_VECTOR)


@intrinsic
def cubic_half_lanes(_typing_context, coefficients, at, places, first, outs):
    """As `cubic_lanes`, for eight numbers."""
    return types.void(coefficients, at, places, first, outs), _cubics(_HALF)


def _cubics(kind):
    """What writes cubic polynomials in lanes of a kind."""

    def generate(context, builder, signature, arguments):
        source, where = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data
            for n in (0, 2)
        )
        t = builder.load(_place(builder, where, arguments[3], kind), align=4)
        values = []
        for number in range(len(signature.args[4])):
            powers = (ir.Constant(arguments[1].type, 4 * number + power) for power in (3, 2, 1, 0))
            value, *lower = (
                _in_all_lanes(
                    builder,
                    builder.load(builder.gep(source, [builder.add(arguments[1], power)])),
                    kind,
                )
                for power in powers
            )
            for coefficient in lower:
                value = builder.fadd(builder.fmul(value, t), coefficient)
            values.append(value)
        for number, value in enumerate(values):
            out = builder.extract_value(arguments[4], number)
            data = context.make_array(signature.args[4][number])(context, builder, out).data
            builder.store(value, _place(builder, data, arguments[3], kind), align=4)
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


def _in_all_lanes(builder, value, kind=_VECTOR):
    """One number in all lanes."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None)
    return builder.shuffle_vector(first, nothing, zeros)


def _place(builder, data, index, kind=_VECTOR):
    """The numbers of all lanes from an index on."""
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


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
