"""Steps on B-mode ultrasound; places are in mm along the grid's axes from its first voxel."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey

Place = tuple[float, float, float]


@dataclass(frozen=True)
class Beams:
    """Beams along y from the first row (`apex_mm` None), or from an apex; depth 0 at `face_mm`."""

    spacing_mm: Place
    apex_mm: Place | None
    face_mm: float


@dataclass(frozen=True)
class Echoes:
    """Decibels between the original's minimum and maximum; None: grey levels are amplitudes."""

    dynamic_range_db: float | None


@dataclass(frozen=True)
class SpeckleField:
    """Multiply by speckle of `sd_voxels` (x, y, z), its logarithm scaled by `strength`.

    It is made on a periodic volume of `field` (x, y, z) voxels, at least the image's.
    """

    field: tuple[int, int, int]
    sd_voxels: Place
    looks: int
    strength: float
    echoes: Echoes
    stream: StreamKey

    def __str__(self) -> str:
        noun = "look" if self.looks == 1 else "looks"
        return f"speckle of {self.looks} {noun}, strength {self.strength:.3g} (SciPy FFT)"


@dataclass(frozen=True)
class DepthGain:
    """Change echoes by `slope_db_per_mm` times depth, plus sliders evenly down to `deepest_mm`."""

    beams: Beams
    slope_db_per_mm: float
    sliders_db: tuple[float, ...]
    deepest_mm: float
    echoes: Echoes

    def __str__(self) -> str:
        return f"depth gain {10.0 * self.slope_db_per_mm:+.3g} dB per cm"


@dataclass(frozen=True)
class Surface:
    """A reflecting surface across the beams, and over what width its sides fade."""

    centre_mm: Place
    half_width_mm: float
    edge_mm: float


@dataclass(frozen=True)
class ShadowSector:
    """Darken echoes behind a surface by `shadow_db`, and brighten the surface by `echo_db`."""

    beams: Beams
    surface: Surface
    shadow_db: float
    echo_db: float
    echoes: Echoes

    def __str__(self) -> str:
        return f"shadow of {self.shadow_db:.3g} dB, {2.0 * self.surface.half_width_mm:.3g} mm wide"


UltrasoundField = DepthGain | ShadowSector
UltrasoundPass = SpeckleField
