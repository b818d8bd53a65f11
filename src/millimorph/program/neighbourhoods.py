"""Steps that rank or weigh the voxels of a window about each voxel; sizes in voxels (x, y, z)."""

from dataclasses import dataclass

from millimorph.program.amounts import Amount


@dataclass(frozen=True)
class MedianFilter:
    """The median of a window of 2 radius + 1 voxels; edges are repeated."""

    radius: tuple[int, ...]

    def __str__(self) -> str:
        return f"median of {_across(self.radius)} voxels"


@dataclass(frozen=True)
class BilateralFilter:
    """A mean weighted by Gaussians of place and of grey level; edges are repeated.

    The window has 2 radius + 1 voxels; a Gaussian of `sd_voxels` weighs its places (0: an axis
    that is left alone) and one of `range_sd`, cut at 4 sd, the distances to the centre's level.
    """

    radius: tuple[int, ...]
    sd_voxels: tuple[float, ...]
    range_sd: Amount

    def __str__(self) -> str:
        place = " x ".join(f"{sd:.3g}" for sd in self.sd_voxels)
        return f"bilateral filter of {place} voxels, levels {self.range_sd}"


@dataclass(frozen=True)
class AdaptiveEqualisation:
    """Stark's adaptive histogram equalisation; windows of 2 radius + 1 voxels end at the edges."""

    radius: tuple[int, ...]
    alpha: float
    beta: float

    def __str__(self) -> str:
        window = f"{_across(self.radius)} voxels"
        return f"adaptive equalisation in {window}, alpha {self.alpha:.3g}, beta {self.beta:.3g}"


def _across(radius: tuple[int, ...]) -> str:
    return " x ".join(str(2 * r + 1) for r in radius)


Neighbourhood = MedianFilter | BilateralFilter | AdaptiveEqualisation
