"""Ops that look at a neighbourhood of each voxel."""

from typing import Annotated, Literal

from millimorph.distributions import Uniform
from millimorph.ops.base import PerAxisParameter
from millimorph.ops.selection import ImageOp
from millimorph.parameters import PerAxis, Range


class GaussianBlur(ImageOp):
    """Convolve with a Gaussian whose standard deviation is in mm; edges are repeated.

    `sigma_mm`: one for all axes, or one for each grid axis x, y, z; 0 leaves an axis alone.
    """

    op: Literal["gaussian_blur"] = "gaussian_blur"
    sigma_mm: Annotated[PerAxisParameter, PerAxis(Range(low=0.0, unit="mm"), together=True)] = (
        Uniform(0.5, 1.5)
    )


StencilOp = GaussianBlur
