"""Pointwise steps on runs of voxels that are in the cache, and the type they are stored in."""

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu import fields, levels, modality, noise, patches
from millimorph.backends.scene import Where
from millimorph.program import Applied
from millimorph.program.fields import FieldStep
from millimorph.program.levels import LevelCurve
from millimorph.program.modality import ModalityField
from millimorph.program.noise import NoiseStep
from millimorph.program.patches import PatchFill
from millimorph.program.steps import Pointwise

Array = npt.NDArray[Any]

WIDE_BYTES = 4


def apply_all(steps: Sequence[Applied], values: npt.NDArray[np.float32], where: Where) -> None:
    """Apply the steps that are for this channel to all runs, in order and in place."""
    for step in steps_for(where.channel, steps):
        apply(step, values, where)


def steps_for(channel: int, steps: Sequence[Applied]) -> list[Pointwise]:
    """The steps that are for a channel."""
    return [one.step for one in steps if one.channels is None or channel in one.channels]


def apply(step: Pointwise, values: npt.NDArray[np.float32], where: Where) -> None:
    """Apply one step to all runs in place."""
    if isinstance(step, LevelCurve):
        levels.apply(step, values, where)
    elif isinstance(step, NoiseStep):
        noise.apply(step, values, where)
    elif isinstance(step, FieldStep):
        fields.apply(step, values, where)
    elif isinstance(step, ModalityField):
        for run, place in where.split(values):
            modality.apply(step, run, place)
    elif isinstance(step, PatchFill):
        for run, place in where.split(values):
            patches.apply(step, run, place)
    else:
        assert_never(step)


def is_narrow(kind: np.dtype[Any]) -> bool:
    """Whether float32 holds the limits of a type exactly: float32 itself and short integers."""
    return kind == np.float32 or (kind.kind != "f" and kind.itemsize < WIDE_BYTES)


def store(values: Array, out: Array) -> None:
    """Write float32 values in the output's type: integers rounded and saturated."""
    from millimorph.kernels import sampling

    if out.dtype.kind != "f":
        kind = out.dtype.type
        limits = np.iinfo(kind)
        if out.dtype.itemsize < WIDE_BYTES:
            low, high = np.float32(limits.min), np.float32(limits.max)
            sampling.round_to_integer(values, low, high, out)
        else:
            sampling.round_to_wide_integer(values, kind(limits.min), kind(limits.max), out)
    elif out is not values:
        out[...] = values
