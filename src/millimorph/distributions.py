"""A distribution is its inverse CDF: it turns a coordinate in [0, 1] into a value.

The bits of a value are the same on every CPU. In files a distribution is a mapping with one key:
`{uniform: [low, high]}`, `{log_uniform: [low, high]}`, `{normal: [mean, sd]}`,
`{truncated_normal: [mean, sd, low, high]}`, `{choice: [a, b]}` or
`{choice: {values: [a, b], weights: [3, 1]}}`.
"""

import functools
import itertools
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, ClassVar

from millimorph.errors import PipelineError
from millimorph.kernels import elementary
from millimorph.values import number, shown

SMALLEST_UNIT = 2.0**-53
"""The smallest coordinate that a design draws; the largest is 1 - 2**-53."""


@dataclass(frozen=True)
class Uniform:
    """Equally likely between low and high.

    Raises:
        PipelineError: when low > high.
    """

    low: float
    high: float
    keyword: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        _own_numbers(self)
        _check_order(self, self.low, self.high)

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high

    def quantile(self, u: float) -> float:
        """The value at coordinate u, from low at 0 to high at 1."""
        return _clamped(self.low + _unit(u) * (self.high - self.low), self.low, self.high, u)

    def levels(self, count: int) -> tuple[float, ...]:
        """Coordinates of a regular grid, both ends included; one level is the middle."""
        return _levels_with_ends(count, self.low, self.high)

    def as_data(self) -> dict[str, Any]:
        """As in files: `{uniform: [low, high]}`."""
        return {self.keyword: [self.low, self.high]}


@dataclass(frozen=True)
class LogUniform:
    """Equally likely on a logarithmic scale between low and high, both above 0.

    Raises:
        PipelineError: when low ≤ 0 or low > high.
    """

    low: float
    high: float
    keyword: ClassVar[str] = "log_uniform"

    def __post_init__(self) -> None:
        _own_numbers(self)
        if self.low <= 0.0:
            raise PipelineError(
                f"{_shown(self)}: low must be above 0; for values around 0 use uniform"
            )
        _check_order(self, self.low, self.high)

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high

    def quantile(self, u: float) -> float:
        """The value at coordinate u, from low at 0 to high at 1."""
        start, end = elementary.log(self.low), elementary.log(self.high)
        value = elementary.exp(start + _unit(u) * (end - start))
        return _clamped(value, self.low, self.high, u)

    def levels(self, count: int) -> tuple[float, ...]:
        """Coordinates of a regular grid, both ends included; one level is the middle."""
        return _levels_with_ends(count, self.low, self.high)

    def as_data(self) -> dict[str, Any]:
        """As in files: `{log_uniform: [low, high]}`."""
        return {self.keyword: [self.low, self.high]}


@dataclass(frozen=True)
class Normal:
    """The normal distribution, without limits.

    Raises:
        PipelineError: when sd ≤ 0.
    """

    mean: float
    sd: float
    keyword: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        _own_numbers(self)
        _check_sd(self, self.sd)

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value that a design can draw: mean ± 8.2 sd."""
        return self.quantile(SMALLEST_UNIT), self.quantile(1.0 - SMALLEST_UNIT)

    def quantile(self, u: float) -> float:
        """The value at coordinate u, strictly between 0 and 1."""
        if not 0.0 < _unit(u) < 1.0:
            raise PipelineError(f"{_shown(self)} has no end; its coordinate must not be {u}")
        return self.mean + self.sd * elementary.normal_quantile(u)

    def levels(self, count: int) -> tuple[float, ...]:
        """Coordinates in the middles of `count` equally likely parts."""
        return _levels_in_middles(count)

    def as_data(self) -> dict[str, Any]:
        """As in files: `{normal: [mean, sd]}`."""
        return {self.keyword: [self.mean, self.sd]}


@dataclass(frozen=True)
class TruncatedNormal:
    """The normal distribution of mean and sd, given that the value lies between low and high.

    Raises:
        PipelineError: when sd ≤ 0, low ≥ high, or the limits lie over 30 sd from the mean on the
            same side.
    """

    mean: float
    sd: float
    low: float
    high: float
    keyword: ClassVar[str] = "truncated_normal"
    FARTHEST_SD: ClassVar[float] = 30.0

    def __post_init__(self) -> None:
        _own_numbers(self)
        _check_sd(self, self.sd)
        if self.low >= self.high:
            raise PipelineError(f"{_shown(self)}: low must be below high")
        nearest = max(self.low - self.mean, self.mean - self.high)
        if nearest > self.FARTHEST_SD * self.sd:
            raise PipelineError(
                f"{_shown(self)}: the limits lie over {self.FARTHEST_SD:g} sd from the mean; "
                "use uniform"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high

    def quantile(self, u: float) -> float:
        """The value at coordinate u, from low at 0 to high at 1."""
        start = (self.low - self.mean) / self.sd
        end = (self.high - self.mean) / self.sd
        if start > 0.0:
            standard = -_standard_truncated(-end, -start, 1.0 - _unit(u))
        else:
            standard = _standard_truncated(start, end, _unit(u))
        return _clamped(self.mean + self.sd * standard, self.low, self.high, u)

    def levels(self, count: int) -> tuple[float, ...]:
        """Coordinates of a regular grid, both ends included; one level is the middle."""
        return _levels_with_ends(count, self.low, self.high)

    def as_data(self) -> dict[str, Any]:
        """As in files: `{truncated_normal: [mean, sd, low, high]}`."""
        return {self.keyword: [self.mean, self.sd, self.low, self.high]}


@dataclass(frozen=True)
class Choice:
    """One of the given numbers or words, equally likely or by weight.

    Raises:
        PipelineError: when there is no value, a value is doubled, or the weights do not fit.
    """

    values: tuple[float | str, ...]
    weights: tuple[float, ...] | None = None
    keyword: ClassVar[str] = "choice"

    def __post_init__(self) -> None:
        values = tuple(_word_or_number(value) for value in _listed(self.values, "choice: values"))
        object.__setattr__(self, "values", values)
        if not values or len(set(values)) < len(values):
            raise PipelineError(f"choice needs values that differ, got {shown(values)}")
        if self.weights is None:
            return
        given = _listed(self.weights, "choice: weights")
        weights = tuple(_number(weight, "choice: each weight") for weight in given)
        object.__setattr__(self, "weights", weights)
        fits = len(weights) == len(values) and min(weights) >= 0.0
        if not (fits and 0.0 < list(itertools.accumulate(weights))[-1] < math.inf):
            raise PipelineError(
                f"choice: needs one weight for each of its {len(values)} values, none below 0 and "
                f"not all 0; got {shown(weights)}"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value; only for numbers."""
        values = [value for value in self.values if not isinstance(value, str)]
        return min(values), max(values)

    def quantile(self, u: float) -> float | str:
        """The value at coordinate u: the first whose cumulated share exceeds u."""
        parts = self._parts()
        for value, _, end in parts:
            if _unit(u) < end:
                return value
        return parts[-1][0]

    def levels(self, count: int) -> tuple[float, ...]:  # noqa: ARG002 (one level per value)
        """Coordinates that give each value of positive weight once, whatever the count."""
        return tuple(0.5 * (start + end) for _, start, end in self._parts())

    def as_data(self) -> dict[str, Any]:
        """As in files: `{choice: [a, b]}`, or with weights a mapping of values and weights."""
        if self.weights is None:
            return {self.keyword: list(self.values)}
        return {self.keyword: {"values": list(self.values), "weights": list(self.weights)}}

    def _parts(self) -> list[tuple[float | str, float, float]]:
        """Each value of positive weight with the part of [0, 1] that gives it."""
        weights = self.weights or (1.0,) * len(self.values)
        ends = list(itertools.accumulate(weights, initial=0.0))
        return [
            (value, start / ends[-1], end / ends[-1])
            for value, start, end in zip(self.values, ends[:-1], ends[1:], strict=True)
            if end > start
        ]


Distribution = Uniform | LogUniform | Normal | TruncatedNormal | Choice
Parameter = float | Distribution


@dataclass(frozen=True)
class UnitInterval:
    """The coordinate itself; its levels are the middles of equal parts, so no two coincide."""

    def quantile(self, u: float) -> float:
        """The coordinate u."""
        return _unit(u)

    def levels(self, count: int) -> tuple[float, ...]:
        """Coordinates in the middles of `count` equal parts."""
        return _levels_in_middles(count)


def _shown(distribution: Distribution) -> str:
    return f"{distribution.keyword} {shown(astuple(distribution))}"


def _own_numbers(distribution: Uniform | LogUniform | Normal | TruncatedNormal) -> None:
    for field in fields(distribution):
        value = _number(getattr(distribution, field.name), f"{distribution.keyword}: {field.name}")
        object.__setattr__(distribution, field.name, value)


def _number(value: object, name: str) -> float:
    try:
        return number(value)
    except ValueError as error:
        raise PipelineError(f"{name} {error}") from None


def _word_or_number(value: object) -> float | str:
    return value if isinstance(value, str) else _number(value, "choice: each value")


def _listed(value: object, name: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise PipelineError(f"{name} must be a list, got {shown(value)}")
    return tuple(value)


def _check_order(distribution: Distribution, low: float, high: float) -> None:
    if low > high:
        raise PipelineError(f"{_shown(distribution)}: low must not be above high; swap them")
    if not math.isfinite(high - low):
        raise PipelineError(f"{_shown(distribution)}: high - low is too large")


def _check_sd(distribution: Distribution, sd: float) -> None:
    if sd <= 0.0:
        raise PipelineError(f"{_shown(distribution)}: sd must be above 0")


def _unit(u: float) -> float:
    if not 0.0 <= u <= 1.0:
        raise PipelineError(f"a coordinate of a design lies from 0 to 1, got {u}")
    return u


def _clamped(value: float, low: float, high: float, u: float) -> float:
    """The value kept between the limits, which the ends of [0, 1] give exactly."""
    if u in {0.0, 1.0}:
        return high if u else low
    return min(max(value, low), high)


def _levels_with_ends(count: int, low: float, high: float) -> tuple[float, ...]:
    if count == 1 or low == high:
        return (0.5,)
    return tuple(k / (count - 1) for k in range(count))


def _levels_in_middles(count: int) -> tuple[float, ...]:
    return tuple((k + 0.5) / count for k in range(count))


def _standard_truncated(start: float, end: float, u: float) -> float:
    """Quantile of the standard normal between start ≤ 0 and end, each tail kept by its own mass."""
    below = _lower_tail(start)
    if end <= 0.0:
        share = below + u * (_lower_tail(end) - below)
        return elementary.normal_quantile(share)
    above = _lower_tail(-end)
    mass = (1.0 - below) - above
    share = below + u * mass
    if share <= 0.5:
        return elementary.normal_quantile(share)
    return -elementary.normal_quantile(above + (1.0 - u) * mass)


@functools.lru_cache(maxsize=4096)
def _lower_tail(x: float) -> float:
    """The standard normal distribution function at x ≤ 0: the largest p whose quantile is ≤ x."""
    return _largest(lambda p: elementary.normal_quantile(p) <= x, 0.5)


def _largest(holds: Callable[[float], bool], top: float) -> float:
    """The largest positive float up to `top` that holds, by bisection in the floats' order."""
    low, high = 0, _order(top)
    if holds(top):
        return top
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(_float(middle)) else (low, middle)
    return _float(low)


def _order(x: float) -> int:
    rank: int = struct.unpack("<q", struct.pack("<d", x))[0]
    return rank


def _float(rank: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<q", rank))[0]
    return value
