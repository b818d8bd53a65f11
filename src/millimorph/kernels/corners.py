"""The eight neighbours of a voxel, interpolated along z and y, spelled out as LLVM vectors.

Voxels that lie beside each other along x are loaded in pairs, and pairs of two rows are worked on
together. Each lane computes what a scalar would, with strict IEEE operations, so the bits do not
depend on how wide the vectors of a CPU are.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_FLOAT = ir.FloatType()
_PAIR = ir.VectorType(_FLOAT, 2)
_FOUR = ir.VectorType(_FLOAT, 4)


@intrinsic
def corner_pair(_typing_context, source, place, steps, weights, out, at):
    """Set `out[at]` and `out[at + 1]` to the values at x and x + 1, interpolated along z and y.

    `source`: a flat array; `place`: the linear index (uint64) of the lowest neighbour; `steps`: how
    far it is to the next row and slice (a tuple of uint64); `weights`: those of the upper
    neighbours along y and z (a tuple of float32); `out`: a flat float32 array.
    """

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        result = context.make_array(signature.args[4])(context, builder, arguments[4]).data
        load = _Loads(builder, data, signature.args[0].dtype)
        step_y, step_z = _two(builder, arguments[2])
        along_y, along_z = _two(builder, arguments[3])
        next_row = builder.add(arguments[1], step_y)
        below = load.rows(arguments[1], next_row)
        above = load.rows(builder.add(arguments[1], step_z), builder.add(next_row, step_z))
        rows = _between(builder, below, above, _in_all(builder, along_z, _FOUR))
        low, high = (_part(builder, rows, lanes) for lanes in ((0, 1), (2, 3)))
        pair = _between(builder, low, high, _in_all(builder, along_y, _PAIR))
        to = builder.bitcast(builder.gep(result, [arguments[5]]), _PAIR.as_pointer())
        builder.store(pair, to, align=4)
        return context.get_dummy_value()

    return types.void(source, place, steps, weights, out, at), generate


class _Loads:
    """Loads of two voxels beside each other, as float32."""

    def __init__(self, builder, data, kind):
        self.builder, self.data, self.kind = builder, data, kind
        self.pair = ir.VectorType(data.type.pointee, 2)
        self.align = kind.bitwidth // 8

    def rows(self, place, next_row):
        """The pairs at two places, in one vector."""
        first, second = self._pair(place), self._pair(next_row)
        four = self.builder.shuffle_vector(first, second, _numbers((0, 1, 2, 3)))
        return self._as_floats(four)

    def _pair(self, place):
        at = self.builder.bitcast(self.builder.gep(self.data, [place]), self.pair.as_pointer())
        return self.builder.load(at, align=self.align)

    def _as_floats(self, four):
        if self.kind == types.float32:
            return four
        if self.kind == types.float64:
            return self.builder.fptrunc(four, _FOUR)
        if self.kind.signed:
            return self.builder.sitofp(four, _FOUR)
        return self.builder.uitofp(four, _FOUR)


def _between(builder, low, high, weight):
    """The value between two, in every lane."""
    return builder.fadd(low, builder.fmul(weight, builder.fsub(high, low)))


def _two(builder, pair):
    return builder.extract_value(pair, 0), builder.extract_value(pair, 1)


def _part(builder, values, lanes):
    return builder.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), _numbers(lanes))


def _in_all(builder, value, kind):
    """One number in all lanes."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, _numbers((0,) * kind.count))


def _numbers(lanes):
    kind = ir.VectorType(ir.IntType(32), len(lanes))
    return ir.Constant(kind, list(lanes))
