"""From a design and a space to the points: point i of a seed and a case, in any order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from millimorph.designs.models import (
    Design,
    Explicit,
    FullFactorial,
    LatinHypercube,
    Random,
    Sobol,
)
from millimorph.designs.spaces import Joint, Space, UnitPoint, coordinates, grid_point, grid_size
from millimorph.distributions import SMALLEST_UNIT
from millimorph.errors import PipelineError
from millimorph.kernels.philox import stream_key, uniforms
from millimorph.parameters import Coordinate, Drawn

_SOBOL_BITS = 32
_UNIT_BITS = 52
_SOBOL_BLOCK = 256


@dataclass(frozen=True)
class Origin:
    """Whose points: the seed and the case that key every random number."""

    seed: int
    case: str


@dataclass(frozen=True)
class Points:
    """The points of a design: how many (None: without end) and the values that point i gives."""

    count: int | None
    drawn: Callable[[int], Drawn]


def design_points(design: Design, space: Space, origin: Origin) -> Points:
    """The points of a design over a space.

    Raises:
        PipelineError: when a full factorial has more points than its limit, a Sobol sequence not
            enough dimensions, or an explicit vector not the right length.
    """
    found = coordinates(space)
    named = {coordinate.name: coordinate for coordinate in found}
    if len(named) < len(found):
        raise PipelineError("two parameters have one name; give the ops ids that do not overlap")
    match design:
        case Random():
            return Points(design.count, lambda i: _by_unit(named, _random_unit(origin, i)))
        case FullFactorial():
            _check_limit(design, space)
            return Points(
                grid_size(space, design.levels),
                lambda i: _by_unit(named, grid_point(space, design.levels, i).__getitem__),
            )
        case LatinHypercube():
            latin = _LatinHypercube(design.count, origin)
            return Points(design.count, lambda i: _by_unit(named, lambda name: latin.unit(i, name)))
        case Sobol():
            sobol = _Sobol(tuple(named), origin)
            return Points(design.count, lambda i: _by_unit(named, sobol.point(i).__getitem__))
        case Explicit():
            return _explicit(design, named)
        case _:
            assert_never(design)


def describe_grid(design: FullFactorial, space: Space) -> str:
    """The size of the full grid in words: `4 parameters × 3 values = 3^4 = 81 images`."""
    parts = space.parts if isinstance(space, Joint) else (space,)
    sizes = [grid_size(part, design.levels) for part in parts]
    total = _in_digits(grid_size(space, design.levels))
    total = f"{total} image{'' if total == '1' else 's'}"
    if not parts:
        return f"nothing varies: {total}"
    if not all(isinstance(part, Coordinate) for part in parts):
        count = len(coordinates(space))
        factors = " × ".join(_in_digits(size) for size in sizes)
        return f"{count} parameters in branches: {factors} = {total}"
    names = f"{len(parts)} parameter{'' if len(parts) == 1 else 's'}"
    if len(set(sizes)) == 1:
        return f"{names} × {sizes[0]} values = {sizes[0]}^{len(sizes)} = {total}"
    return f"{names} with {' × '.join(map(str, sizes))} values = {total}"


def _in_digits(number: int) -> str:
    most_digits = 50
    bits = number.bit_length()
    return str(number) if bits < 3 * most_digits else f"over 2^{bits - 1}"


def _check_limit(design: FullFactorial, space: Space) -> None:
    if grid_size(space, design.levels) > design.limit:
        raise PipelineError(
            f"full_factorial: {describe_grid(design, space)}, above the limit of {design.limit}; "
            "take fewer levels, fix some parameters, take a sample (random, latin_hypercube or "
            "sobol), or raise limit"
        )


def _by_unit(named: dict[str, Coordinate], unit: Callable[[str], float]) -> Drawn:
    return lambda name: named[name].distribution.quantile(unit(name))


def _random_unit(origin: Origin, index: int) -> Callable[[str], float]:
    def unit(name: str) -> float:
        key = stream_key("design", origin.seed, origin.case, index, name)
        return float(uniforms(key, 1)[0])

    return unit


class _LatinHypercube:
    """A permutation and jitters for each coordinate, keyed by its name and made when first used."""

    def __init__(self, count: int, origin: Origin) -> None:
        self._count = count
        self._origin = origin
        self._units: dict[str, npt.NDArray[np.float64]] = {}

    def unit(self, index: int, name: str) -> float:
        if name not in self._units:
            self._units[name] = self._coordinate(name)
        return float(self._units[name][index])

    def _coordinate(self, name: str) -> npt.NDArray[np.float64]:
        seed, case = self._origin.seed, self._origin.case
        order = uniforms(stream_key("latin_hypercube", "order", seed, case, name), self._count)
        place = uniforms(stream_key("latin_hypercube", "place", seed, case, name), self._count)
        units = (np.argsort(order, kind="stable") + place) / self._count
        return np.minimum(units, 1.0 - SMALLEST_UNIT)


class _Sobol:
    """SciPy's unscrambled points, whose bits are flipped by a mask keyed by the coordinate's name.

    Points are made in blocks; going on forwards costs nothing, going back starts over.
    """

    def __init__(self, names: tuple[str, ...], origin: Origin) -> None:
        from scipy.stats import qmc

        if len(names) > qmc.Sobol.MAXDIM:
            raise PipelineError(
                f"sobol: {len(names)} parameters vary, at most {qmc.Sobol.MAXDIM} can; use random "
                "or latin_hypercube"
            )
        self._names = names
        self._masks = [_mask(origin, name) for name in names]
        self._engine: Any = None
        if names:
            self._engine = qmc.Sobol(len(names), scramble=False, bits=_SOBOL_BITS)
        self._block = -1
        self._points: npt.NDArray[np.float64] = np.empty((0, len(names)))

    def point(self, index: int) -> UnitPoint:
        if self._engine is None:
            return {}
        block, row = divmod(index, _SOBOL_BLOCK)
        if block != self._block:
            self._go_to(block)
        scaled = (self._points[row] * 2.0**_SOBOL_BITS).astype(np.int64).tolist()
        return {
            name: _shifted(int(bits), mask)
            for name, bits, mask in zip(self._names, scaled, self._masks, strict=True)
        }

    def _go_to(self, block: int) -> None:
        made = self._block + 1
        if block < made:
            self._engine.reset()
            made = 0
        if block > made:
            self._engine.fast_forward((block - made) * _SOBOL_BLOCK)
        self._points = self._engine.random(_SOBOL_BLOCK)
        self._block = block


def _mask(origin: Origin, name: str) -> int:
    unit = uniforms(stream_key("sobol", origin.seed, origin.case, name), 1)[0]
    return int(unit * 2.0**_UNIT_BITS)


def _shifted(bits: int, mask: int) -> float:
    shifted = (bits << (_UNIT_BITS - _SOBOL_BITS)) ^ mask
    return (shifted + 0.5) / 2.0**_UNIT_BITS


def _explicit(design: Explicit, named: dict[str, Coordinate]) -> Points:
    vectors = design.points or design.values or ()
    if len(vectors[0]) != len(named):
        raise PipelineError(
            f"explicit: each list needs {len(named)} entries ({', '.join(named) or 'none'}), got "
            f"{len(vectors[0])}"
        )
    points = design.points
    if points is None:
        return Points(len(vectors), lambda i: dict(zip(named, vectors[i], strict=True)).__getitem__)
    return Points(
        len(points),
        lambda i: _by_unit(named, dict(zip(named, points[i], strict=True)).__getitem__),
    )
