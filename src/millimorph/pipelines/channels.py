"""Ops that take part for each channel, or each image of a case, by themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

from millimorph.distributions import Choice, Uniform
from millimorph.errors import PipelineError
from millimorph.ops import AnyOp, OneOf, SomeOf


@dataclass(frozen=True)
class Part:
    """What one op is for, as its fields `images` and `channels`."""

    images: tuple[str, ...] | None = None
    channels: tuple[int, ...] | None = None


Make = Callable[[Part], AnyOp]


def parts(channels: int, images: tuple[str, ...] | None) -> tuple[Part, ...]:
    """One part for each named image, else for each channel; all that there is, for one channel."""
    if images is not None:
        if channels != 1 or not images:
            raise PipelineError(
                f"either channels of one image, or names of images, got channels={channels}, "
                f"images={images}"
            )
        return tuple(Part(images=(name,)) for name in images)
    if channels < 1:
        raise PipelineError(f"channels must be at least 1, got {channels}")
    if channels == 1:
        return (Part(),)
    return tuple(Part(channels=(number,)) for number in range(channels))


def each(name: str, make: Make, of: tuple[Part, ...], probability: float) -> AnyOp:
    """All parts are changed or none is, each with numbers of its own."""
    if len(of) == 1:
        return make(of[0]).replace(id=name, probability=probability)
    return SomeOf(
        id=name, ops=tuple(make(part) for part in of), count=len(of), probability=probability
    )


def some(name: str, make: Make, of: tuple[Part, ...], probability: float) -> AnyOp:
    """If at all, each part is changed with probability 1/2, whether or not others are.

    So the number of parts that change has the binomial distribution.
    """
    n = len(of)
    if n == 1:
        return make(of[0]).replace(id=name, probability=probability / 2.0)
    count = Choice(tuple(range(n + 1)), tuple(comb(n, k) for k in range(n + 1)))
    ops = tuple(make(part) for part in of)
    return SomeOf(id=name, ops=ops, count=count, probability=probability)


def below_or_above(make: Callable[[Uniform], AnyOp], low: float, high: float) -> OneOf:
    """Half of all draws uniform from low to 1, half from 1 to high."""
    return OneOf(ops=(make(Uniform(low, 1.0)), make(Uniform(1.0, high))))
