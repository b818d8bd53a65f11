"""Steps on positron emission tomograms."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey


@dataclass(frozen=True)
class ActivityNoise:
    """Poisson noise of `counts` per robust range of the original, smoothed by `sd_voxels`."""

    counts: float
    sd_voxels: tuple[float, ...]
    stream: StreamKey

    def __str__(self) -> str:
        return f"Poisson noise of {self.counts:.4g} counts, filtered"


PetPass = ActivityNoise
