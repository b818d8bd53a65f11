"""Pointwise steps on whole channels, and the type they are stored in."""

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np

from millimorph.backends.reference import fields, levels, modality, noise, patches
from millimorph.backends.reference.sampling import AnyArray, Floats
from millimorph.backends.scene import Where
from millimorph.program import Applied
from millimorph.program.fields import FieldStep
from millimorph.program.levels import LevelCurve
from millimorph.program.modality import ModalityField
from millimorph.program.noise import NoiseStep
from millimorph.program.patches import PatchFill


def apply_all(steps: Sequence[Applied], values: Floats, where: Where) -> Floats:
    """Apply the steps that are for this channel, in order."""
    for applied in steps:
        if applied.channels is None or where.channel in applied.channels:
            values = _applied(applied, values, where)
    return values


def _applied(applied: Applied, values: Floats, where: Where) -> Floats:
    step = applied.step
    if isinstance(step, LevelCurve):
        return levels.apply(step, values, where)
    if isinstance(step, NoiseStep):
        return noise.apply(step, values, where)
    if isinstance(step, FieldStep):
        return fields.apply(step, values, where)
    if isinstance(step, ModalityField):
        return modality.apply(step, values, where)
    if isinstance(step, PatchFill):
        return patches.apply(step, values, where)
    assert_never(step)


def as_type(values: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
    """Bring values to a type: integers are rounded to nearest (half to even) and saturate."""
    if dtype.kind == "f" or values.dtype == dtype:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    rounded = np.rint(values.astype(np.float64))
    result = np.full(rounded.shape, limits.min, dtype=dtype)
    fits = (rounded > float(limits.min)) & (rounded < float(limits.max))
    result[fits] = rounded[fits].astype(dtype)
    result[rounded >= float(limits.max)] = limits.max
    return result
