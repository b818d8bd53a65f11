"""All ops on voxels, applied after the one resample in the listed order.

Amplitudes are in the image's own units (HU for CT). A `_fraction` is relative to the robust range,
the 1st to the 99th percentile, of the original image; behind an op that makes floats (ZScore,
Rescale, Window) of the image as that op left it.
"""

from millimorph.ops.fields import FieldOp
from millimorph.ops.fourier import FourierOp
from millimorph.ops.histograms import HistogramOp
from millimorph.ops.labels import ShapeOp
from millimorph.ops.levels import LevelOp
from millimorph.ops.modality import ModalityOp
from millimorph.ops.neighbourhoods import NeighbourhoodOp
from millimorph.ops.noise import NoiseOp
from millimorph.ops.painting import PaintOp
from millimorph.ops.patches import PatchOp
from millimorph.ops.stencils import StencilOp

IntensityOp = (
    LevelOp
    | HistogramOp
    | NoiseOp
    | FieldOp
    | PatchOp
    | StencilOp
    | NeighbourhoodOp
    | FourierOp
    | ModalityOp
    | ShapeOp
    | PaintOp
)

__all__ = ["IntensityOp"]
