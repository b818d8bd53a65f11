"""Steps on label maps, and images made from label maps."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey


@dataclass(frozen=True)
class Remapping:
    """Give labels other numbers, all at once; labels that are not listed stay."""

    pairs: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return "labels " + ", ".join(f"{old} -> {new}" for old, new in self.pairs)


@dataclass(frozen=True)
class GaussianMixture:
    """Each voxel is drawn from the normal distribution of its label.

    `classes` are (label, mean, standard deviation); other labels have mean and deviation 0.
    """

    classes: tuple[tuple[int, float, float], ...]
    stream: StreamKey

    def __str__(self) -> str:
        return f"a normal distribution for each of {len(self.classes)} labels"


LabelStep = Remapping
Painting = GaussianMixture
