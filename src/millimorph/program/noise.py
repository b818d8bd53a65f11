"""Steps that add random numbers, each a function of a key and the voxel alone.

`baseline` is the grey level of no signal; None: the original's minimum where negative, else 0.
"""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey
from millimorph.program.amounts import Amount


@dataclass(frozen=True)
class NormalNoise:
    """Add normal noise of a standard deviation."""

    deviation: Amount
    stream: StreamKey

    def __str__(self) -> str:
        return f"Gaussian noise {self.deviation}"


@dataclass(frozen=True)
class MagnitudeNoise:
    """The magnitude after normal noise on the real and the imaginary part: Rician noise."""

    deviation: Amount
    baseline: float | None
    stream: StreamKey

    def __str__(self) -> str:
        return f"Rician noise {self.deviation}"


@dataclass(frozen=True)
class ImpulseNoise:
    """Replace a share of the voxels by one of two levels; None: an end of the original's range."""

    density: float
    pepper: float | None
    salt: float | None
    stream: StreamKey

    def __str__(self) -> str:
        return f"salt and pepper in {self.density:.3g} of the voxels"


@dataclass(frozen=True)
class PoissonNoise:
    """Poisson noise: so many counts for a level of `level` above the baseline."""

    counts: float
    level: Amount
    baseline: float | None
    stream: StreamKey

    def __str__(self) -> str:
        return f"shot noise, {self.counts:.4g} counts for a level of {self.level}"


@dataclass(frozen=True)
class GammaNoise:
    """Multiply by gamma numbers of mean 1 and a standard deviation."""

    relative_deviation: float
    baseline: float | None
    stream: StreamKey

    def __str__(self) -> str:
        return f"speckle {self.relative_deviation:.4g}"


NoiseStep = NormalNoise | MagnitudeNoise | ImpulseNoise | PoissonNoise | GammaNoise
