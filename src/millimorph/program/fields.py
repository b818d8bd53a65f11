"""Steps that change grey levels by a field over the image; places are in voxels along its axes."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey
from millimorph.program.amounts import Amount


@dataclass(frozen=True)
class GaussianShape:
    """exp(-sum of ((i - centre) / sd)² / 2) over the axes x, y, z, at voxel index i."""

    centre: tuple[float, ...]
    sd: tuple[float, ...]

    def __str__(self) -> str:
        centre = ", ".join(f"{c:.4g}" for c in self.centre)
        return f"sd {' x '.join(f'{s:.3g}' for s in self.sd)} voxels about ({centre})"


@dataclass(frozen=True)
class ProductAndSum:
    """Multiply by one Gaussian and add another, each of a peak value.

    What is multiplied is the distance from `black` (None: the original image's minimum).
    """

    factor: GaussianShape
    factor_peak: float
    term: GaussianShape
    term_peak: Amount
    black: float | None

    def __str__(self) -> str:
        return (
            f"times a Gaussian of peak {self.factor_peak:.4g}, {self.factor}, "
            f"plus one of peak {self.term_peak}, {self.term}"
        )


@dataclass(frozen=True)
class RandomBias:
    """Multiply by the exponential of a cubic B-spline with normal control values.

    Control value number m, x fastest, is `control_sd` times the normal quantile of the stream's
    uniform number m. `points` are their numbers along x, y, z, every `spacing_voxels`, the lattice
    centred on the image. `black` as in ProductAndSum.
    """

    control_sd: float
    points: tuple[int, ...]
    spacing_voxels: tuple[float, ...]
    black: float | None
    stream: StreamKey

    def __str__(self) -> str:
        points = " x ".join(str(n) for n in self.points)
        spacing = " x ".join(f"{s:.3g}" for s in self.spacing_voxels)
        return (
            f"bias field of {points} control points every {spacing} voxels, "
            f"sd {self.control_sd:.3g} each"
        )


@dataclass(frozen=True)
class GradientAddition:
    """Add a Gaussian, brought to 0 at its least voxel and to `strength` at its greatest."""

    shape: GaussianShape
    strength: Amount

    def __str__(self) -> str:
        return f"brightness gradient up to {self.strength}, {self.shape}"


@dataclass(frozen=True)
class LocalPowerCurve:
    """Blend in a power curve between the original's minimum and maximum by a Gaussian's share.

    The share is brought to 0 at its least voxel and to 1 at its greatest.
    """

    shape: GaussianShape
    exponent: float

    def __str__(self) -> str:
        return f"local gamma {self.exponent:.4g}, {self.shape}"


FieldStep = ProductAndSum | RandomBias | GradientAddition | LocalPowerCurve
