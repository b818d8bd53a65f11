"""Steps on computed tomograms in HU. `axis` (0 x, 1 y, 2 z) is the grid axis across the planes."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey

LEAST_HU = -1500.0
"""Voxels below this are padding outside the scanner's field; every step leaves them."""


@dataclass(frozen=True)
class Planes:
    """Which grid axis crosses the axial planes, and the spacing in mm along x, y, z."""

    axis: int
    spacing_mm: tuple[float, float, float]

    @property
    def axes(self) -> tuple[int, int]:
        """The grid axes along the columns and the rows of a plane."""
        return ((1, 2), (0, 2), (0, 1))[self.axis]

    @property
    def in_plane_mm(self) -> tuple[float, float]:
        """The spacing from column to column and from row to row."""
        column, row = self.axes
        return self.spacing_mm[column], self.spacing_mm[row]


@dataclass(frozen=True)
class QuantumNoise:
    """Noise of `deviation_hu` behind 300 mm of water; its spectrum peaks at `peak_per_mm`.

    It is made on periodic planes of `field` (rows, columns) voxels, at least the image's.
    """

    planes: Planes
    field: tuple[int, int]
    deviation_hu: float
    peak_per_mm: float
    stream: StreamKey

    def __str__(self) -> str:
        peak = f"peak at {self.peak_per_mm:.3g} per mm"
        return f"dose noise {self.deviation_hu:.4g} HU, {peak} (SciPy FFT)"


@dataclass(frozen=True)
class RingPattern:
    """Rings of `radii_mm` about a voxel index, SD of a channel's error `sd_mm`; heights drawn."""

    planes: Planes
    centre: tuple[float, float, float]
    radii_mm: tuple[float, ...]
    sd_mm: float
    amplitude_hu: float
    stream: StreamKey

    def __str__(self) -> str:
        return f"{len(self.radii_mm)} rings up to {self.amplitude_hu:.4g} HU"


@dataclass(frozen=True)
class PinShape:
    """The metal of a pin along the patient."""

    radius_mm: float
    length_mm: float
    metal_hu: float


@dataclass(frozen=True)
class PinStreaks:
    """Pins at `places` (voxel indices), or `count` drawn ones, and their streaks."""

    planes: Planes
    shape: PinShape
    streak_hu: float
    count: int
    places: tuple[tuple[float, float, float], ...] | None
    draws: StreamKey
    stream: StreamKey

    def __str__(self) -> str:
        noun = "pin" if self.count == 1 else "pins"
        return f"{self.count} metal {noun}, streaks of {self.streak_hu:.4g} HU"


@dataclass(frozen=True)
class HardeningCup:
    """Subtract the backprojected squares of paths, scaled to `depth_hu` at the deepest."""

    planes: Planes
    depth_hu: float

    def __str__(self) -> str:
        return f"cupping {self.depth_hu:.4g} HU deep"


@dataclass(frozen=True)
class KernelRatio:
    """Filter planes from one Gaussian transfer of half height at `mtf50_per_mm` to another.

    They are first brought to `field` (rows, columns) voxels by repeating the last row and column.
    """

    planes: Planes
    field: tuple[int, int]
    sharpness: float
    mtf50_per_mm: float

    def __str__(self) -> str:
        new = self.sharpness * self.mtf50_per_mm
        return (
            f"kernel from {self.mtf50_per_mm:.3g} to {new:.3g} per mm at half transfer (SciPy FFT)"
        )


CtField = RingPattern
CtPass = QuantumNoise | PinStreaks | HardeningCup | KernelRatio
