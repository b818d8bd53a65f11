"""Steps that measure the voxels of the moment first, each channel by itself."""

from dataclasses import dataclass

from millimorph.program.regions import Region


@dataclass(frozen=True)
class RangeScaling:
    """Bring the levels between two quantiles of a region linearly to the range low to high.

    `fractions` are the quantiles' ranks, 0 to 1; equal quantiles give way to the extremes, and
    equal extremes become `low`. `clip` holds what lies beyond the range at its ends.
    """

    region: Region
    fractions: tuple[float, float]
    low: float
    high: float
    clip: bool

    def __str__(self) -> str:
        first, last = (f"{100.0 * fraction:.4g}" for fraction in self.fractions)
        clipped = ", clipped" if self.clip else ""
        return (
            f"percentiles {first} and {last} of the {self.region} become "
            f"{self.low:.4g} and {self.high:.4g}{clipped}"
        )


@dataclass(frozen=True)
class MomentScaling:
    """Subtract a region's mean and divide by its standard deviation, if that is not 0."""

    region: Region

    def __str__(self) -> str:
        return f"z-score over the {self.region}"


@dataclass(frozen=True)
class Equalization:
    """Spread the whole numbers of a region over the range low to high (None: its own extremes).

    `counted` is the integer type that voxels are rounded to before they are counted.
    """

    region: Region
    counted: str
    low: float | None
    high: float | None

    def __str__(self) -> str:
        low = "its least" if self.low is None else f"{self.low:.4g}"
        high = "its greatest" if self.high is None else f"{self.high:.4g}"
        return f"histogram of the {self.region} equalised from {low} to {high}"


@dataclass(frozen=True)
class QuantileCurve:
    """Bring a region's quantiles at `fractions` (0 to 1, ascending) to `levels`, linear between.

    Levels that several quantiles share take the mean; the least and the greatest, the ends.
    Beyond, the outer pieces go on, or (`evenly`) the slope from the first to the last quantile.
    `blend` is the share of the change that is made. A region of one level changes nothing.
    """

    region: Region
    fractions: tuple[float, ...]
    levels: tuple[float, ...]
    evenly: bool
    blend: float = 1.0

    def __str__(self) -> str:
        blend = "" if self.blend == 1.0 else f", {self.blend:.4g} of the way"
        return (
            f"{len(self.levels)} quantiles of the {self.region} become {self.levels[0]:.4g} … "
            f"{self.levels[-1]:.4g}{blend}"
        )


HistogramStep = RangeScaling | MomentScaling | Equalization | QuantileCurve
