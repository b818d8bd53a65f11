"""Recipe + grids -> Program: every spatial op becomes part of one map, every array one sampling.

The only layer that fuses. It looks at headers (grids, types, names), never at voxels.
"""

from millimorph.compiler.program import compile_recipe as compile  # noqa: A004 - the field's word
from millimorph.compiler.stages import resample_stage

__all__ = ["compile", "resample_stage"]
