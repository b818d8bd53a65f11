"""How every kernel is compiled: strict IEEE arithmetic, no GIL, kept on disk between processes.

No fast-math, so no reordering and no contraction to FMA: the same bits on every x86-64 CPU.
Packing of neighbouring scalar operations into vectors (SLP) is off in Numba by default; it changes
no result and makes the eight-neighbour interpolation about a third faster.
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

numba.config.SLP_VECTORIZE = 1  # type: ignore[attr-defined] # set by the module itself


def kernel(function: Callable[..., object]) -> Any:
    """Compile `function` on its first call for the types it meets."""
    return njit(nogil=True, cache=True, error_model="numpy")(function)


@intrinsic
def prefetch(_typing_context, array, index):
    """Ask for the cache line of `array[index]` (one axis, contiguous); changes no value."""

    def generate(context, builder, signature, arguments):
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(view.data, [arguments[1]]), byte)
        read, into_l2, voxels = word(0), word(2), word(1)
        builder.call(call, [place, read, into_l2, voxels])
        return context.get_dummy_value()

    return types.void(array, index), generate
