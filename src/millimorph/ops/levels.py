"""Ops that map grey levels to grey levels, whatever the voxel's place."""

from typing import Annotated, Literal

from millimorph.distributions import LogUniform, Parameter
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Range


class Gamma(ImageOp):
    """Grey levels to a power: between the image's minimum and maximum, x becomes x ** gamma.

    `gamma`: above 0; below 1 brightens, above 1 darkens, 1 changes nothing.
    """

    op: Literal["gamma"] = "gamma"
    gamma: Annotated[Parameter, Range(low=0.0, above_low=True)] = LogUniform(0.7, 1.5)


LevelOp = Gamma
