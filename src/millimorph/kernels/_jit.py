"""How every kernel is compiled: strict IEEE arithmetic, no GIL, kept on disk between processes.

No fast-math, so no reordering and no contraction to FMA: the same bits on every x86-64 CPU.
Packing of neighbouring scalar operations into vectors (SLP) is off in Numba by default; it changes
no result and makes the eight-neighbour interpolation about a third faster.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from platformdirs import user_cache_dir

numba.config.SLP_VECTORIZE = 1  # type: ignore[attr-defined] # set by the module itself


def _cache_folder() -> str:
    """Where compiled kernels are kept: a folder of their own for each version of the sources.

    Numba looks only at the file of a kernel to see whether it changed, not at the kernels it calls.
    NUMBA_CACHE_DIR is respected. Where the folder cannot be written nothing is kept: a place that
    others can write to would be no safe place for code.
    """
    sources = hashlib.blake2b(digest_size=8)
    for file in sorted(Path(__file__).parent.glob("*.py")):
        sources.update(file.read_bytes())
    given = numba.config.CACHE_DIR  # type: ignore[attr-defined] # set by the module itself
    folder = Path(given or user_cache_dir("millimorph")) / sources.hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(folder) if os.access(folder, os.W_OK) else ""


_FOLDER = _cache_folder()


def kernel(function: Callable[..., object]) -> Any:
    """Compile `function` on its first call for the types it meets."""
    outside = numba.config.CACHE_DIR  # type: ignore[attr-defined] # set by the module itself
    numba.config.CACHE_DIR = _FOLDER or outside  # type: ignore[attr-defined] # same
    try:
        return njit(nogil=True, cache=bool(_FOLDER), error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = outside  # type: ignore[attr-defined] # same


def inlined(function: Callable[..., object]) -> Any:
    """Compile `function` into each kernel that calls it, as if it were written there.

    A kernel that is called has been optimised by itself before: the pairs that its scalar
    operations were packed into keep a loop of its caller from becoming vectors. For arithmetic on
    scalars inside hot loops this makes a factor of five.
    """
    return njit(nogil=True, error_model="numpy", inline="always")(function)


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
