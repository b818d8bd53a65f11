"""How every kernel is compiled: strict IEEE arithmetic, no GIL, kept on disk between processes.

No fast-math, so no reordering and no contraction to FMA: the same bits on every x86-64 CPU.
Packing of neighbouring scalar operations into vectors (SLP) is off in Numba by default; it changes
no result and makes the eight-neighbour interpolation about a third faster.
"""

from collections.abc import Callable
from typing import TypeVar

import numba
from numba import njit

numba.config.SLP_VECTORIZE = 1

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile `function` on its first call for the types it meets."""
    compiled: Function = njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled
