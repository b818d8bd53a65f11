"""Steps that make an image from a label map."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey, uniform

Bounds = tuple[float, float]

_LABELS = 2**34  # more than there are, negative ones too


@dataclass(frozen=True)
class GreyClass:
    """Labels that share one normal distribution; its mean and deviation lie between bounds."""

    labels: tuple[int, ...]
    means: Bounds
    deviations: Bounds


@dataclass(frozen=True)
class GaussianMixture:
    """Each voxel is drawn from the normal distribution of its label.

    A label in no class is one by itself, with the bounds `means` and `deviations`. `draws` is the
    stream of means and deviations: elements 2 L and 2 L + 1 are those of the class whose first
    label is L. `noise` is that of the voxels.
    """

    classes: tuple[GreyClass, ...]
    means: Bounds
    deviations: Bounds
    draws: StreamKey
    noise: StreamKey

    def normal_of(self, label: int) -> tuple[float, float]:
        """Mean and standard deviation of a label's voxels."""
        for one in self.classes:
            if label in one.labels:
                return self._drawn(one.labels[0], one.means, one.deviations)
        return self._drawn(label, self.means, self.deviations)

    def _drawn(self, label: int, means: Bounds, deviations: Bounds) -> tuple[float, float]:
        first = 2 * (label % _LABELS)
        return (
            _between(means, uniform(self.draws, first)),
            _between(deviations, uniform(self.draws, first + 1)),
        )

    def __str__(self) -> str:
        text = (
            f"each label from a normal distribution, mean {_range(self.means)}, standard deviation "
            f"{_range(self.deviations)}"
        )
        count = len(self.classes)
        if not count:
            return text
        return f"{text}, {count} class{'' if count == 1 else 'es'} of labels"


def _between(bounds: Bounds, share: float) -> float:
    low, high = bounds
    return min(max(low + share * (high - low), low), high)


def _range(bounds: Bounds) -> str:
    return f"{bounds[0]:.4g} to {bounds[1]:.4g}"


Painting = GaussianMixture
