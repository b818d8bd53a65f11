"""Steps that look at a neighbourhood of each voxel, in voxels."""

from dataclasses import dataclass
from typing import Literal

GaussianKernel = Literal["sampled", "discrete"]
SliceProfile = Literal["box", "triangle", "gaussian", "nearest"]
SliceInterpolation = Literal["linear", "cubic", "nearest"]


@dataclass(frozen=True)
class GaussianSmoothing:
    """Convolve with a Gaussian of `sd_voxels` (x, y, z); edges are repeated.

    The sampled kernel is cut at 4 sd, the discrete one as by ITK (millimorph.kernels.gaussian).
    """

    sd_voxels: tuple[float, ...]
    kernel: GaussianKernel = "sampled"

    def __str__(self) -> str:
        kind = " (discrete)" if self.kernel == "discrete" else ""
        return f"Gaussian blur of {_across(self.sd_voxels)} voxels{kind}"


@dataclass(frozen=True)
class UnsharpMask:
    """Add `amount` times what a sampled Gaussian of `sd_voxels` takes away."""

    sd_voxels: tuple[float, ...]
    amount: float
    keep_range: bool = False

    def __str__(self) -> str:
        kept = ", range kept" if self.keep_range else ""
        return f"unsharp mask of {_across(self.sd_voxels)} voxels by {self.amount:.3g}{kept}"


@dataclass(frozen=True)
class LaplacianSharpening:
    """Subtract `amount` times the sum of the second differences along all axes."""

    amount: float
    keep_range: bool = False

    def __str__(self) -> str:
        kept = ", range kept" if self.keep_range else ""
        return f"Laplacian sharpening by {self.amount:.3g}{kept}"


@dataclass(frozen=True)
class Slices:
    """Slices along one axis of an image: how many, how far apart and how thick, in voxels.

    They lie symmetrically about the centre of the image.
    """

    count: int
    spacing: float
    thickness: float

    def __str__(self) -> str:
        return f"{self.count} x {self.thickness:.3g}"

    def centre(self, number: int, size: int) -> float:
        """Where a slice lies on an axis of `size` voxels, as an index."""
        return 0.5 * (size - 1) + (number - 0.5 * (self.count - 1)) * self.spacing


@dataclass(frozen=True)
class LowerResolution:
    """Acquire slices along some axes (x, y, z; None: as it is), then resample them back."""

    axes: tuple[Slices | None, ...]
    profile: SliceProfile
    interpolation: SliceInterpolation

    def __str__(self) -> str:
        along = ", ".join(f"{k} {s}" for k, s in zip("xyz", self.axes, strict=False) if s)
        return f"slices of {self.profile} profile ({along} voxels), {self.interpolation} back"


def _across(sd_voxels: tuple[float, ...]) -> str:
    return " x ".join(f"{sd:.3g}" for sd in sd_voxels)


Stencil = GaussianSmoothing | UnsharpMask | LaplacianSharpening | LowerResolution
