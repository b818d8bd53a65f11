"""Steps on label maps. `values` are the labels a step is for; None: all but 0 and `into`."""

from dataclasses import dataclass
from typing import Literal

Labels = tuple[int, ...] | None
Connectivity = Literal["corners", "faces"]


@dataclass(frozen=True)
class Remapping:
    """Give labels other numbers, all at once; labels that are not listed stay."""

    pairs: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return "labels " + ", ".join(f"{old} -> {new}" for old, new in self.pairs)


@dataclass(frozen=True)
class OneHotCoding:
    """One channel of 0 and 1 for each label, in the order of `values` (None: ascending)."""

    values: Labels

    def __str__(self) -> str:
        if self.values is None:
            return "one channel for each label that occurs"
        return f"one channel for each of {len(self.values)} labels"


@dataclass(frozen=True)
class LargestParts:
    """Turn all but the largest connected part of each label into another label."""

    values: Labels
    connectivity: Connectivity
    into: int

    def __str__(self) -> str:
        return f"the largest part of {_named(self.values)}, joined by {self.connectivity}"


@dataclass(frozen=True)
class Ball:
    """A radius, with the spacing (x, y, z) in which it is measured, and what counts as within."""

    radius: float
    spacing: tuple[float, ...]
    unit: Literal["mm", "voxels"]

    @property
    def limit(self) -> float:
        """The largest squared distance within."""
        return self.radius * self.radius * (1.0 + 1e-9)

    def squares(self, axis: int, size: int) -> tuple[float, ...]:
        """Squared distances of 0, 1, ... voxels along an axis of a size, as far as they count."""
        found = [0.0]
        for k in range(1, size):
            length = k * self.spacing[axis]
            if length * length > self.limit:
                break
            found.append(length * length)
        return tuple(found)

    def __str__(self) -> str:
        return f"{self.radius:.3g} {self.unit}"


@dataclass(frozen=True)
class Erosion:
    """Turn what is within a ball of another label into a label; each keeps at least a share."""

    ball: Ball
    values: Labels
    into: int
    kept_at_least: float

    def __str__(self) -> str:
        return f"{_named(self.values)} eroded by {self.ball}"


@dataclass(frozen=True)
class Dilation:
    """Let labels grow by a ball over others, which keep a share; each gains at most a share."""

    ball: Ball
    values: Labels
    into: tuple[int, ...]
    grown_at_most: float
    kept_at_least: float

    def __str__(self) -> str:
        return f"{_named(self.values)} dilated by {self.ball}"


def _named(values: Labels) -> str:
    if values is None:
        return "every label"
    return f"label{'' if len(values) == 1 else 's'} {', '.join(str(value) for value in values)}"


LabelStep = Remapping | OneHotCoding | LargestParts | Erosion | Dilation
