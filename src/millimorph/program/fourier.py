"""Steps on the spatial frequencies of the voxels; axes are 0, 1, 2 for x, y, z of the grid.

Line k of an axis of n voxels stands for frequency k - n // 2, in cycles over the n voxels.
"""

from dataclasses import dataclass

from millimorph.transforms import AffineTransform

_NAMES = "xyz"


@dataclass(frozen=True)
class Pose:
    """Lines [first, last) of k-space come from the anatomy seen through a map of world points."""

    first: int
    last: int
    pull: AffineTransform


@dataclass(frozen=True)
class SegmentMix:
    """Lines along an axis come from moved copies; those of no pose from the image itself."""

    axis: int
    poses: tuple[Pose, ...]

    def __str__(self) -> str:
        parts = ", ".join(f"{pose.first} to {pose.last - 1}" for pose in self.poses)
        return (
            f"motion: k-space lines {parts} along {_NAMES[self.axis]} from moved copies (SciPy FFT)"
        )


@dataclass(frozen=True)
class LineComb:
    """Every `period`-th line is stronger and the others weaker: copies of the image.

    Each copy has `gain` of the image above its minimum. Lines nearer than `restored` to the central
    one are left as they are.
    """

    axis: int
    period: int
    gain: float
    restored: int

    def __str__(self) -> str:
        count = self.period - 1
        noun = "ghost" if count == 1 else "ghosts"
        along = f"along {_NAMES[self.axis]}"
        return f"{count} {noun} {along}, each {self.gain:.3g} of the image (SciPy FFT)"


@dataclass(frozen=True)
class Wave:
    """A cosine with whole numbers of cycles over the grid along x, y, z, and a phase in turns."""

    cycles: tuple[int, ...]
    phase: float


@dataclass(frozen=True)
class WaveSum:
    """Add cosines; their amplitude is `intensity` times the mean above the minimum."""

    waves: tuple[Wave, ...]
    intensity: float

    def __str__(self) -> str:
        noun = "spike" if len(self.waves) == 1 else "spikes"
        return (
            f"{len(self.waves)} k-space {noun} of {self.intensity:.3g} of the largest coefficient"
        )


@dataclass(frozen=True)
class FrequencyBox:
    """Keep the frequencies up to `cycles` along x, y, z; None: all of an axis."""

    cycles: tuple[int | None, ...]

    def __str__(self) -> str:
        kept = " x ".join("all" if k is None else str(k) for k in self.cycles)
        return f"k-space cut beyond {kept} cycles over the image (SciPy FFT)"


FourierStep = SegmentMix | LineComb | WaveSum | FrequencyBox
