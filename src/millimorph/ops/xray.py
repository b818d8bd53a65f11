"""Ops on X-ray projections, which lie in the grid's x-y planes; in 3D each plane is a picture."""

from typing import Annotated, Literal

from millimorph.distributions import Choice, Parameter, Uniform
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Range, Word

Share = Annotated[Parameter, Range(low=0.0, high=2.0, above_low=True)]
Shift = Annotated[Parameter, Range(low=-1.0, high=1.0)]


class XrayCollimation(ImageOp):
    """Blades that leave a field open and cover the rest of the picture.

    `shape`: of the field: rectangle, octagon (a rectangle with cut corners, as of an iris) or
    ellipse. `width_fraction`, `height_fraction`: its extent along x and y relative to the
    picture's, above 0 to 2. `shift_x_fraction`, `shift_y_fraction`: its centre's place relative to
    the picture's centre, in widths and heights of the picture. `rotation_deg`: of the blades, from
    x towards y. `penumbra_mm`: width of the soft edge, in which the picture goes over linearly; 0
    is sharp. `border`: the grey level outside, in the image's own units; left out, the smallest of
    the original, which viewers show black.

    Approximate: nothing is seen through the blades, and the scatter that they spare is not taken
    off. Source: DICOM PS3.3 C.8.7.3 (X-ray collimator) and C.7.6.11 (display shutter).
    """

    op: Literal["xray_collimation"] = "xray_collimation"
    shape: Annotated[str | Choice, Word(("rectangle", "octagon", "ellipse"))] = "rectangle"
    width_fraction: Share = Uniform(0.7, 0.95)
    height_fraction: Share = Uniform(0.7, 0.95)
    shift_x_fraction: Shift = Uniform(-0.03, 0.03)
    shift_y_fraction: Shift = Uniform(-0.03, 0.03)
    rotation_deg: Annotated[Parameter, Range(-360.0, 360.0, unit="degrees")] = Uniform(-3.0, 3.0)
    penumbra_mm: Annotated[Parameter, Range(low=0.0, unit="mm")] = Uniform(1.0, 4.0)
    border: Annotated[Parameter | None, Range(optional=True)] = None


class XrayScatter(ImageOp):
    """Scattered radiation: a veil of widely blurred primary radiation, which takes contrast away.

    `scatter_to_primary`: added scatter over primary radiation, on the average of the picture.
    `spread_mm`: SD of the Gaussian by which the primary is blurred. `scale`: what grey levels are:
    "log" (the usual radiograph, bright where the patient absorbs): proportional to the logarithm of
    absorption, the original's range from minimum to maximum being `log_range` (a natural
    logarithm); or "linear": proportional to radiation, 0 being none. The result, (primary +
    scatter_to_primary * blurred) / (1 + scatter_to_primary), has the exposure of the original.

    Approximate: one Gaussian for all thicknesses, no grid, no noise of the scattered photons, the
    display's own curve ignored. The blur mirrors the picture at its edges.
    Source: Boone and Seibert 1988, Medical Physics 15:721.
    SciPy's FFT is used.
    """

    op: Literal["xray_scatter"] = "xray_scatter"
    scatter_to_primary: Annotated[Parameter, Range(low=0.0)] = Uniform(0.3, 1.5)
    spread_mm: Annotated[Parameter, Range(low=0.0, above_low=True, unit="mm")] = Uniform(20.0, 50.0)
    scale: Annotated[str | Choice, Word(("log", "linear"))] = "log"
    log_range: Annotated[Parameter, Range(low=0.0, high=10.0, above_low=True)] = 3.0


XrayOp = XrayCollimation | XrayScatter
