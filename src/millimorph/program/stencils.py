"""Steps that look at a neighbourhood of each voxel."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GaussianSmoothing:
    """Convolve with a Gaussian of `sd_voxels` (x, y, z), cut at 4 sd; edges are repeated."""

    sd_voxels: tuple[float, ...]

    def __str__(self) -> str:
        return "Gaussian blur of " + " x ".join(f"{sd:.3g}" for sd in self.sd_voxels) + " voxels"


Stencil = GaussianSmoothing
