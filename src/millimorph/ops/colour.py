"""Ops on photographs, as of endoscopes and fundus cameras, in the grid's x-y planes.

Grey levels are light, 0 being black. In 3D each plane is a picture.
"""

from typing import Annotated, Literal

from millimorph.distributions import Choice, Parameter, Uniform
from millimorph.ops.base import Centre, WholeParameter
from millimorph.ops.selection import ImageOp
from millimorph.ops.xray import Shift
from millimorph.parameters import Range, Whole

MOST_HIGHLIGHTS = 1000


class ColourJitter(ImageOp):
    """Brightness, contrast, saturation and hue of a picture of three channels: red, green, blue.

    `brightness`: factor on all channels, 0 up. `contrast`: factor on the distance from the middle
    of the original's range. `saturation`: factor on the distance from grey. `hue_deg`: turns
    colours at constant luma. 1, 1, 1 and 0 change nothing. They are applied in this order, as one
    matrix and offset per voxel: saturation and hue scale and turn the chroma plane of YIQ, whose
    luma is 0.299 R + 0.587 G + 0.114 B. Results are not clipped, but by an integer type.

    Approximate: acts on the stored values, whatever their gamma. Raises CompileError unless the
    image, or the chosen `channels`, are three.
    Source: the NTSC colour space of 1953.
    """

    op: Literal["colour_jitter"] = "colour_jitter"
    brightness: Annotated[Parameter, Range(low=0.0)] = Uniform(0.85, 1.15)
    contrast: Annotated[Parameter, Range(low=0.0)] = Uniform(0.95, 1.15)
    saturation: Annotated[Parameter, Range(low=0.0)] = Uniform(0.75, 1.25)
    hue_deg: Annotated[Parameter, Range(-360.0, 360.0, unit="degrees")] = Uniform(-10.0, 10.0)


class Vignette(ImageOp):
    """Darkening towards the corners by the cosine-fourth law of a lens.

    `corner_fraction`: the light that is left half a diagonal from the centre, above 0 to 1; 1
    changes nothing. `shift_x_fraction`, `shift_y_fraction`: the centre's place relative to the
    picture's centre, in widths and heights of the picture. `centre_mm`: the centre instead, in LPS
    mm.

    A voxel is multiplied by 1 / (1 + (r / f)^2)^2, which is cos^4 of the angle at the focal
    length f. Source: Goldman 2010, IEEE Transactions on Pattern Analysis 32:2276.
    """

    op: Literal["vignette"] = "vignette"
    corner_fraction: Annotated[Parameter, Range(low=0.0, high=1.0, above_low=True)] = Uniform(
        0.3, 0.7
    )
    shift_x_fraction: Shift = Uniform(-0.1, 0.1)
    shift_y_fraction: Shift = Uniform(-0.1, 0.1)
    centre_mm: Centre = None


class SpecularHighlights(ImageOp):
    """Mirror reflections of the lamp on wet tissue: small saturated spots with soft edges.

    `count`: how many in each picture. `size_fraction`: the longest half axis, relative to the
    shorter side of the picture; each spot has 0.15 + 0.85 u^3 times that, u drawn evenly, half axes
    of a ratio from 1 to 4 in any direction, and three lobes of up to 28 %. `edge_fraction`: width
    of the soft edge, relative to the half axes. `level`: the grey level of all channels within, in
    the image's own units; left out, the largest of the original. Each lies at the brightest of 16
    drawn places.

    Approximate: surfaces are not modelled; brightness stands for facing the lamp.
    Source: Arnold 2010, EURASIP Journal on Image and Video Processing 2010:814319 (their look).
    """

    op: Literal["specular_highlights"] = "specular_highlights"
    count: Annotated[WholeParameter, Whole(low=1, high=MOST_HIGHLIGHTS)] = Choice((10, 25, 50))
    size_fraction: Annotated[Parameter, Range(low=0.0, high=1.0, above_low=True)] = Uniform(
        0.01, 0.025
    )
    edge_fraction: Annotated[Parameter, Range(low=0.0)] = 0.5
    level: Annotated[Parameter | None, Range(optional=True)] = None


ColourOp = ColourJitter | Vignette | SpecularHighlights
