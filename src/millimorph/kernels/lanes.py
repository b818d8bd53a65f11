"""Sums over pairs of neighbours for sixteen voxels at once, spelled out as LLVM vectors.

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
        value = self.builder.extract_value(self.weights, number)
        first = self.builder.insert_element(
            ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        return self.builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), zeros)

    def load(self, data, index):
        """The voxels from an index on."""
        return self.builder.load(self._place(data, index), align=4)

    def store(self, values):
        """Write the result."""
        self.builder.store(values, self._place(self.out, self.at), align=4)

    def plus_pairs(self, total, first_weight):
        """The total and four weighted pairs, added one after the other."""
        for pair in range(PAIRS):
            low = self.load(self.source, self.builder.extract_value(self.before, pair))
            high = self.load(self.source, self.builder.extract_value(self.after, pair))
            both = self.builder.fadd(low, high)
            weighted = self.builder.fmul(self.weight(first_weight + pair), both)
            total = self.builder.fadd(total, weighted)
        return total

    def _place(self, data, index):
        place = self.builder.gep(data, [index])
        return self.builder.bitcast(place, _VECTOR.as_pointer())
