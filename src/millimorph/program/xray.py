"""Steps on X-ray projections."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Blades:
    """A field in mm of the grid's axes from its first voxel: centre, half extents, and turn."""

    shape: str
    centre_mm: tuple[float, float]
    half_mm: tuple[float, float]
    cosine: float
    sine: float


@dataclass(frozen=True)
class BladeShutter:
    """Cover what lies outside the blades with `border` (None: the original's minimum)."""

    blades: Blades
    spacing_mm: tuple[float, float]
    penumbra_mm: float
    border: float | None

    def __str__(self) -> str:
        width, height = (2.0 * half for half in self.blades.half_mm)
        return f"collimated, {self.blades.shape} of {width:.4g} x {height:.4g} mm"


@dataclass(frozen=True)
class ScatterVeil:
    """Add the primary radiation, blurred by `sd_voxels` (x, y), times `ratio`.

    `log_range` is what the original's range is in the logarithm of absorption; None: grey levels
    are proportional to radiation.
    """

    ratio: float
    sd_voxels: tuple[float, float]
    log_range: float | None

    def __str__(self) -> str:
        return f"scatter {self.ratio:.3g} of the primary (SciPy FFT)"


XrayField = BladeShutter
XrayPass = ScatterVeil
