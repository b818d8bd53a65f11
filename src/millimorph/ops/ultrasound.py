"""Ops on B-mode ultrasound in the grid's x-y planes: depth runs along y from the first row.

`apex_mm` makes beams diverge from a point in LPS mm (a sector or curved probe); depth then starts
`face_mm` from it. Left out, beams are parallel to y (a linear probe).
`scale`: what grey levels are: "log" (the usual picture): proportional to the logarithm of the echo,
the original's range from minimum to maximum being `dynamic_range_db`; or "linear": proportional to
the echo's amplitude. Voxels at the original's minimum, such as those around the sector, stay, and
in "log" no voxel falls below it.
"""

from typing import Annotated, Literal

from millimorph.distributions import Choice, Parameter, Uniform
from millimorph.ops.base import Centre, WholeParameter
from millimorph.ops.selection import ImageOp
from millimorph.parameters import Range, Whole, Word

Scale = Annotated[str | Choice, Word(("log", "linear"))]
DynamicRange = Annotated[Parameter, Range(low=0.0, above_low=True, unit="dB")]
Cell = Annotated[Parameter, Range(low=0.0, above_low=True, unit="mm")]
Face = Annotated[Parameter, Range(low=0.0, unit="mm")]

MOST_LOOKS = 64


class UltrasoundSpeckle(ImageOp):
    """Correlated multiplicative speckle: the amplitude of interfering random echoes.

    `across_mm`, `along_mm`, `elevation_mm`: full width at half maximum of the resolution cell along
    x (across the beams), y (along them) and z (in 3D), above 0. `looks`: how many independent
    pictures are averaged in intensity, 1 to 64; the amplitude then has Nakagami's law with m =
    looks, and 1 is Rayleigh's. `strength`: 1 is fully developed speckle (5.6 dB SD for one look),
    less the same with its logarithm scaled; 0 changes nothing. The mean logarithm of the speckle is
    0, so that brightness stays.

    Approximate: the cell is the same at every depth and does not follow diverging beams; the
    speckle that the image already has stays in it.
    Sources: Wagner 1983, IEEE Transactions on Sonics and Ultrasonics 30:156; Shankar 2000, IEEE
    Transactions on Ultrasonics, Ferroelectrics and Frequency Control 47:727 (Nakagami).
    SciPy's FFT is used.
    """

    op: Literal["ultrasound_speckle"] = "ultrasound_speckle"
    across_mm: Cell = Uniform(1.0, 2.5)
    along_mm: Cell = Uniform(0.4, 1.0)
    elevation_mm: Cell = Uniform(1.5, 3.0)
    looks: Annotated[WholeParameter, Whole(low=1, high=MOST_LOOKS)] = Choice((1, 2, 4))
    strength: Annotated[Parameter, Range(low=0.0, high=1.0)] = Uniform(0.4, 0.8)
    scale: Scale = "log"
    dynamic_range_db: DynamicRange = 60.0


class UltrasoundAttenuation(ImageOp):
    """Tissue that attenuates otherwise than the time-gain compensation presumes.

    `attenuation_db_per_cm_mhz`: of the tissue, one way. `compensated_db_per_cm_mhz`: what the
    compensation presumes. `frequency_mhz`: of the pulse. An echo from depth d changes by
    2 * (compensated - attenuation) * frequency * d decibels. `slider_error_db`: each of 8 sliders
    of the compensation, evenly spaced over the depth, is off by a number drawn evenly between plus
    and minus this; between sliders it is linear.

    Approximate: one coefficient for the whole picture, no broadening of the pulse.
    Source: Szabo 2014, Diagnostic Ultrasound Imaging, 2nd edition, chapter 4.
    """

    op: Literal["ultrasound_attenuation"] = "ultrasound_attenuation"
    attenuation_db_per_cm_mhz: Annotated[Parameter, Range(low=0.0, unit="dB/cm/MHz")] = Uniform(
        0.4, 0.8
    )
    compensated_db_per_cm_mhz: Annotated[Parameter, Range(low=0.0, unit="dB/cm/MHz")] = 0.5
    frequency_mhz: Annotated[Parameter, Range(low=0.0, above_low=True, unit="MHz")] = 3.5
    slider_error_db: Annotated[Parameter, Range(low=0.0, unit="dB")] = Uniform(1.0, 5.0)
    apex_mm: Centre = None
    face_mm: Face = 0.0
    scale: Scale = "log"
    dynamic_range_db: DynamicRange = 60.0


class UltrasoundShadow(ImageOp):
    """The acoustic shadow behind a stone, a rib or a gas bubble, with the echo of its surface.

    `across_fraction` and `depth_fraction`: the middle of the surface, as fractions of the picture's
    width and height from its first column and row; or `centre_mm`, a point in LPS mm. `width_mm`:
    of the surface, across the beams; it is rounded, a quarter of the width deeper at its sides.
    `edge_mm`: over which the shadow's sides fade. `shadow_db`: how much darker it is behind the
    surface, reached 2 mm behind. `echo_db`: how much brighter the surface itself is, over 3 mm.

    Approximate: no reverberation and no dirty shadow; beams go straight.
    Source: Kremkau and Taylor 1986, Journal of Ultrasound in Medicine 5:227.
    """

    op: Literal["ultrasound_shadow"] = "ultrasound_shadow"
    across_fraction: Annotated[Parameter, Range(low=0.0, high=1.0)] = Uniform(0.3, 0.7)
    depth_fraction: Annotated[Parameter, Range(low=0.0, high=1.0)] = Uniform(0.2, 0.5)
    centre_mm: Centre = None
    width_mm: Annotated[Parameter, Range(low=0.0, above_low=True, unit="mm")] = Uniform(5.0, 20.0)
    edge_mm: Annotated[Parameter, Range(low=0.0, unit="mm")] = Uniform(2.0, 5.0)
    shadow_db: Annotated[Parameter, Range(low=0.0, unit="dB")] = Uniform(10.0, 30.0)
    echo_db: Annotated[Parameter, Range(low=0.0, unit="dB")] = Uniform(6.0, 15.0)
    apex_mm: Centre = None
    face_mm: Face = 0.0
    scale: Scale = "log"
    dynamic_range_db: DynamicRange = 60.0


UltrasoundOp = UltrasoundSpeckle | UltrasoundAttenuation | UltrasoundShadow
