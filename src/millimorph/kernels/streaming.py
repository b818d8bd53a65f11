"""Writing past the caches, for outputs so large that none of them stays there.

An ordinary store first reads the line it goes to. Changes no value.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from millimorph.kernels._jit import kernel

LINE = 16
_VECTOR = ir.VectorType(ir.FloatType(), LINE)


@kernel
def stream(values, target):
    """Copy float32 values, whole cache lines of the target at a time."""
    count = len(values)
    first = min(np.int64(until_line(target)), count)
    for i in range(first):
        target[i] = values[i]
    last = first + (count - first) // LINE * LINE
    for i in range(first, last, LINE):
        stream_line(values, target, i)
    for i in range(last, count):
        target[i] = values[i]


@intrinsic
def until_line(_typing_context, target):
    """How many float32 values lie between the start of an array and the next cache line."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.ptrtoint(data, ir.IntType(64))
        beyond = builder.and_(builder.neg(address), ir.Constant(ir.IntType(64), 4 * LINE - 1))
        return builder.lshr(beyond, ir.Constant(ir.IntType(64), 2))

    return types.int64(target), generate


@intrinsic
def stream_line(_typing_context, values, target, index):
    """Copy one cache line; `target[index]` lies at the start of one."""

    def generate(context, builder, signature, arguments):
        source, goal = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data
            for n in (0, 1)
        )
        taken = builder.bitcast(builder.gep(source, [arguments[2]]), _VECTOR.as_pointer())
        put = builder.bitcast(builder.gep(goal, [arguments[2]]), _VECTOR.as_pointer())
        store = builder.store(builder.load(taken, align=4), put, align=4 * LINE)
        one = ir.Constant(ir.IntType(32), 1)
        store.set_metadata("nontemporal", builder.module.add_metadata([one]))
        return context.get_dummy_value()

    return types.void(values, target, index), generate
