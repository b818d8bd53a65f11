"""Steps that map grey levels to grey levels, whatever the voxel's place."""

from dataclasses import dataclass

from millimorph.program.amounts import Amount
from millimorph.program.regions import Foreground, WholeImage


@dataclass(frozen=True)
class Place:
    """A grey level, or a position in the robust range: 0 at its lower end, 1 at its upper."""

    number: float
    in_robust_range: bool = False

    def __str__(self) -> str:
        return f"{self.number:.4g}{' of the way up the robust range' * self.in_robust_range}"


@dataclass(frozen=True)
class PowerCurve:
    """Grey levels to a power between the original image's minimum and maximum.

    `inverted`: the power of the distance from the maximum.
    """

    exponent: float
    inverted: bool = False

    def __str__(self) -> str:
        return f"{'inverted ' * self.inverted}gamma {self.exponent:.4g}"


@dataclass(frozen=True)
class Shift:
    """Add an amount."""

    amount: Amount

    def __str__(self) -> str:
        return f"brightness {self.amount}"


@dataclass(frozen=True)
class Line:
    """Multiply, then add."""

    scale: float
    shift: float

    def __str__(self) -> str:
        return f"levels times {self.scale:.4g} plus {self.shift:.4g}"


@dataclass(frozen=True)
class Limits:
    """Hold levels between two limits; None: no limit."""

    low: float | None
    high: float | None

    def __str__(self) -> str:
        below = "" if self.low is None else f" from {self.low:.4g}"
        above = "" if self.high is None else f" to {self.high:.4g}"
        return f"levels held{below}{above}"


@dataclass(frozen=True)
class WindowLine:
    """What lies in a window becomes low to high, the rest low or high."""

    level: Place
    width: Amount
    low: float
    high: float

    def __str__(self) -> str:
        return f"window {self.level}, {self.width} wide, to {self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True)
class Inversion:
    """Reflect levels about one of them; None: the middle of the original image's range."""

    about: float | None

    def __str__(self) -> str:
        return "inversion" if self.about is None else f"inversion about {self.about:.4g}"


@dataclass(frozen=True)
class SigmoidCurve:
    """From low to high along a logistic curve; None: the original's minimum and maximum.

    `midpoint`: a level, or the part of the original image of which it is the median.
    """

    alpha: Amount
    midpoint: float | WholeImage | Foreground
    low: float | None
    high: float | None

    def __str__(self) -> str:
        own = isinstance(self.midpoint, float)
        middle = f"{self.midpoint:.4g}" if own else f"the median of the {self.midpoint}"
        return f"sigmoid about {middle}, alpha {self.alpha}"


@dataclass(frozen=True)
class MonotoneCurve:
    """A monotone cubic from the original image's minimum to its maximum, through equal steps.

    `heights` are its values there as fractions of the range, from 0 to 1; levels beyond stay.
    """

    heights: tuple[float, ...]

    def __str__(self) -> str:
        return "intensity curve through " + ", ".join(f"{h:.3g}" for h in self.heights[1:-1])


@dataclass(frozen=True)
class PowerWithMoments:
    """A power between minimum and maximum; then mean and deviation are brought back.

    All four are those of the voxels of the moment, channel by channel.
    """

    exponent: float
    inverted: bool

    def __str__(self) -> str:
        return f"{PowerCurve(self.exponent, self.inverted)} that keeps mean and deviation"


@dataclass(frozen=True)
class ContrastChange:
    """Multiply the distance from the mean of the voxels of the moment, channel by channel.

    `held`: between their minimum and maximum.
    """

    factor: float
    held: bool

    def __str__(self) -> str:
        return f"contrast {self.factor:.4g}{' within the range' * self.held}"


LevelCurve = (
    PowerCurve | Shift | Line | Limits | WindowLine | Inversion | SigmoidCurve | MonotoneCurve
)
"""Steps that each voxel takes by itself."""

LevelPass = PowerWithMoments | ContrastChange
"""Steps that measure the voxels of the moment first."""
