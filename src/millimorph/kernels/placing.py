"""Where sixteen neighbouring voxels of a row look in their source, spelled out as LLVM vectors.

LLVM's own vectoriser asks, before each run of voxels, whether any two of the arrays overlap; that
takes as long as the run itself. Each lane computes what a scalar would, in the same order, with
strict IEEE operations, so the bits do not depend on how wide the vectors of a CPU are.
"""

from functools import reduce

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16

_INT, _FLOAT = ir.IntType(32), ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTS = ir.VectorType(_INT, LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES)
_INSIDE, _AT_TOP = 1, 2


@intrinsic
def place_inside(_typing_context, line, first, rules, displaced, at, targets, to):
    """Write base index, weights and flags of 16 voxels, as if all neighbours were in the source.

    Returns (int32) whether one of them is not; then `place_anywhere` has to write them again.

    `line` = (remainders, slopes, whole voxels): the source index of the voxel that is `first + i`
    from the middle of a segment is, along x, y and z, whole + remainder + slope * (first + i).
    `displaced` (three float32 arrays, or none) is added to it, from `at` on. `rules` = (frame,
    strides, origin): three tuples of int32 for x, y, z, and the strides along y and z, as in
    `coordinates`; `targets` = (base, wx, wy, wz, inside) are written from `to` on.
    """

    def generate(context, builder, signature, arguments):
        voxels = _Voxels(context, builder, signature, arguments)
        beyond = ir.Constant(ir.VectorType(ir.IntType(1), LANES), None)
        for axis in range(3):
            below, weight = voxels.split(axis)
            voxels.store_weight(axis, weight)
            index = builder.add(below, voxels.whole(axis))
            last = builder.sub(voxels.frame(axis)[0], voxels.number(1))
            # An index below 0 is a large unsigned number.
            outside = builder.icmp_unsigned(">=", index, last)
            beyond = builder.or_(beyond, outside)
            voxels.add_to_base(axis, index)
        voxels.store_base()
        voxels.store_inside(ir.Constant(_BYTES, [_INSIDE] * LANES))
        return voxels.any(beyond)

    return types.int32(line, first, rules, displaced, at, targets, to), generate


@intrinsic
def place_anywhere(_typing_context, line, first, rules, displaced, at, targets, to):
    """Write base index, weights and flags of 16 voxels anywhere; as `place_inside`.

    Inside are the nearest indices from 0 to size - 1. At the upper border the upper neighbour has
    the whole weight.
    """

    def generate(context, builder, signature, arguments):
        voxels = _Voxels(context, builder, signature, arguments)
        inside, at_top = [], []
        for axis in range(3):
            below, weight = voxels.split(axis)
            size, low, high, top = voxels.frame(axis)
            index = builder.add(below, voxels.whole(axis))
            upper = builder.fcmp_ordered(">=", weight, voxels.fraction(0.5))
            nearest = builder.add(index, builder.zext(upper, _INTS))
            inside.append(builder.icmp_signed(">=", nearest, voxels.number(0)))
            inside.append(builder.icmp_signed("<", nearest, size))
            is_low = builder.icmp_signed("<", index, low)
            is_high = builder.icmp_signed(">", index, high)
            at_top.append(is_high)
            weight = builder.select(is_low, voxels.fraction(0.0), weight)
            weight = builder.select(is_high, builder.sitofp(top, _FLOATS), weight)
            voxels.store_weight(axis, weight)
            index = builder.select(is_low, low, builder.select(is_high, high, index))
            voxels.add_to_base(axis, index)
        voxels.store_base()
        voxels.store_inside(voxels.flags(inside, at_top))
        return context.get_dummy_value()

    return types.void(line, first, rules, displaced, at, targets, to), generate


@intrinsic
def place_nearest(_typing_context, line, first, rules, displaced, at, targets, to):
    """Write the linear index of the nearest voxel and whether it is inside, for 16 voxels anywhere.

    As `place_anywhere`; only `base` and `inside` of `targets` are written, the latter 0 or 1.
    """

    def generate(context, builder, signature, arguments):
        voxels = _Voxels(context, builder, signature, arguments)
        inside = []
        for axis in range(3):
            below, weight = voxels.split(axis)
            upper = builder.fcmp_ordered(">=", weight, voxels.fraction(0.5))
            nearest = builder.add(below, builder.zext(upper, _INTS))
            index = builder.add(nearest, voxels.whole(axis))
            size, *_ = voxels.frame(axis)
            # An index below 0 is a large unsigned number.
            inside.append(builder.icmp_unsigned("<", index, size))
            last = builder.sub(size, voxels.number(1))
            none = voxels.number(0)
            index = builder.select(builder.icmp_signed("<", index, none), none, index)
            index = builder.select(builder.icmp_signed(">", index, last), last, index)
            voxels.add_to_base(axis, index)
        voxels.store_base()
        voxels.store_inside(voxels.flags(inside, []))
        return context.get_dummy_value()

    return types.void(line, first, rules, displaced, at, targets, to), generate


@intrinsic
def nearest_corner(_typing_context, base, weights, steps, at, out, to):
    """Set `out[to:to + 16]` to the linear indices of the corners that are nearest.

    `base` and `weights` (three arrays, for x, y, z) are read from `at` on; `steps`: along y and z.
    A weight of one half goes to the upper neighbour.
    """

    def generate(context, builder, signature, arguments):
        def data(kind, value):
            return context.make_array(kind)(context, builder, value).data

        unsigned = ir.IntType(signature.args[0].dtype.bitwidth)
        indices = ir.VectorType(unsigned, LANES)
        align = unsigned.width // 8
        lowest = _lanes_at(builder, data(signature.args[0], arguments[0]), arguments[3], indices)
        place = builder.load(lowest, align=align)
        for axis in range(3):
            weight_data = data(signature.args[1][axis], builder.extract_value(arguments[1], axis))
            weight = builder.load(_lanes_at(builder, weight_data, arguments[3], _FLOATS), align=4)
            upper = builder.fcmp_ordered(">=", weight, ir.Constant(_FLOATS, [0.5] * LANES))
            step = ir.Constant(indices, [1] * LANES)
            if axis > 0:
                step = _in_all(builder, builder.extract_value(arguments[2], axis - 1), indices)
            place = builder.add(place, builder.select(upper, step, ir.Constant(indices, None)))
        target = _lanes_at(builder, data(signature.args[4], arguments[4]), arguments[5], indices)
        builder.store(place, target, align=align)
        return context.get_dummy_value()

    return types.void(base, weights, steps, at, out, to), generate


def _in_all(builder, value, kind):
    """One number in all lanes."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_INT, 0))
    zeros = ir.Constant(ir.VectorType(_INT, LANES), None)
    return builder.shuffle_vector(first, nothing, zeros)


def _lanes_at(builder, data, index, kind):
    """The numbers of all lanes from an index on."""
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


class _Voxels:
    """The arguments of one call, as vectors."""

    def __init__(self, context, builder, signature, arguments):
        self.builder, self.context = builder, context
        (self.line, self.first, self.rules, self.displaced, self.at, self.targets, self.to) = (
            arguments
        )
        self.kinds = signature.args
        strides = self.kinds[2][1]
        self.unsigned = ir.IntType(strides.dtype.bitwidth)
        self.indices = ir.VectorType(self.unsigned, LANES)
        self.base = _in_all(self.builder, builder.extract_value(self.rules, 2), self.indices)
        steps = ir.Constant(_FLOATS, [float(n) for n in range(LANES)])
        self.step = builder.fadd(_in_all(self.builder, self.first, _FLOATS), steps)

    def split(self, axis):
        """The whole voxels below, seen from the segment's, and the remainders."""
        remainder, slope = (self._of(self.line, part, axis, _FLOATS) for part in (0, 1))
        position = self.builder.fadd(remainder, self.builder.fmul(slope, self.step))
        if len(self.kinds[3]):
            data = self._data(self.displaced, self.kinds[3], axis)
            moved = self.builder.load(_lanes_at(self.builder, data, self.at, _FLOATS), align=4)
            position = self.builder.fadd(position, moved)
        kind = ir.FunctionType(_FLOATS, [_FLOATS])
        floor = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.floor.v16f32")
        below = self.builder.call(floor, [position])
        return self.builder.fptosi(below, _INTS), self.builder.fsub(position, below)

    def whole(self, axis):
        """The segment's whole voxels."""
        return self._of(self.line, 2, axis, _INTS)

    def frame(self, axis):
        """Size, lowest and highest base index, and the weight at the upper border."""
        numbers = self.builder.extract_value(self.builder.extract_value(self.rules, 0), axis)
        return [
            _in_all(self.builder, self.builder.extract_value(numbers, n), _INTS) for n in range(4)
        ]

    def number(self, value):
        """A whole number in all lanes."""
        return ir.Constant(_INTS, [value] * LANES)

    def fraction(self, value):
        """A number in all lanes."""
        return ir.Constant(_FLOATS, [value] * LANES)

    def add_to_base(self, axis, index):
        """Add what an axis contributes to the linear index."""
        step = index if self.indices == _INTS else self.builder.sext(index, self.indices)
        if axis > 0:
            step = self.builder.mul(self._of(self.rules, 1, axis - 1, self.indices), step)
        self.base = self.builder.add(self.base, step)

    def flags(self, inside, at_top):
        """One byte for each voxel."""
        builder = self.builder
        none = ir.Constant(_BYTES, None)
        is_inside = reduce(builder.and_, inside)
        flags = builder.select(is_inside, ir.Constant(_BYTES, [_INSIDE] * LANES), none)
        if not at_top:
            return flags
        is_at_top = reduce(builder.or_, at_top)
        top = builder.select(is_at_top, ir.Constant(_BYTES, [_AT_TOP] * LANES), none)
        return builder.or_(flags, top)

    def store_base(self):
        """Write the linear indices."""
        data = self._data(self.targets, self.kinds[5], 0)
        place = _lanes_at(self.builder, data, self.to, self.indices)
        self.builder.store(self.base, place, align=self.unsigned.width // 8)

    def store_weight(self, axis, weight):
        """Write the weights of the upper neighbours along an axis."""
        data = self._data(self.targets, self.kinds[5], 1 + axis)
        self.builder.store(weight, _lanes_at(self.builder, data, self.to, _FLOATS), align=4)

    def store_inside(self, flags):
        """Write the flags."""
        data = self._data(self.targets, self.kinds[5], 4)
        self.builder.store(flags, _lanes_at(self.builder, data, self.to, _BYTES), align=1)

    def any(self, lanes):
        """Whether something holds in one lane, as int32."""
        bits = self.builder.bitcast(lanes, ir.IntType(LANES))
        return self.builder.zext(bits, _INT)

    def _of(self, values, part, axis, kind):
        chosen = self.builder.extract_value(self.builder.extract_value(values, part), axis)
        return _in_all(self.builder, chosen, kind)

    def _data(self, arrays, kinds, number):
        value = self.builder.extract_value(arrays, number)
        return self.context.make_array(kinds[number])(self.context, self.builder, value).data
