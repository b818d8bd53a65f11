"""Where the ops of a recipe act: the reference grid of a case and its dimension.

Numbers in a recipe may be for three axes while a case is two-dimensional; then its x and y
components and its angle about z count.
"""

from dataclasses import dataclass

from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.images import Case
from millimorph.recipe import Recipe


def number(value: object) -> float:
    """A parameter of a recipe, which holds numbers only."""
    if isinstance(value, int | float):
        return float(value)
    raise CompileError(f"a recipe holds numbers, got {value!r}; compile takes what draw() makes")


def numbers(value: object) -> tuple[float, ...] | float:
    """A parameter of a recipe: one number, or one for each axis."""
    return tuple(number(v) for v in value) if isinstance(value, tuple) else number(value)


def per_axis(parameter: object, name: str, dimension: int) -> tuple[float, ...]:
    """One number for each axis; of those for three axes the first two in two dimensions."""
    values = numbers(parameter)
    if not isinstance(values, tuple):
        return (values,) * dimension
    if len(values) < dimension:
        raise _too_few(name, len(values), dimension)
    return values[:dimension]


def _too_few(name: str, count: int, dimension: int) -> CompileError:
    return CompileError(
        f"{name} has {count} numbers, the case is {dimension}D; draw the recipe from a pipeline "
        f"for {dimension}D (its field dimension)"
    )


@dataclass(frozen=True)
class World:
    """A recipe, its case and the reference grid about which the ops turn."""

    recipe: Recipe
    case: Case
    reference: ImageGrid

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.reference.dimension

    @property
    def centre_mm(self) -> tuple[float, ...]:
        """The centre of the reference grid."""
        return self.reference.centre_mm

    def centre(self, given_mm: tuple[float, ...] | None, op_id: str | None) -> tuple[float, ...]:
        """A given centre, or that of the reference grid."""
        if given_mm is None:
            return self.centre_mm
        return self.per_axis(given_mm, f"{op_id}.centre_mm")

    def per_axis(self, parameter: object, name: str) -> tuple[float, ...]:
        """One number for each axis of the case."""
        return per_axis(parameter, name, self.dimension)

    def whole_per_axis(self, parameter: object, name: str) -> tuple[int, ...]:
        """One whole number for each axis of the case."""
        return tuple(int(value) for value in self.per_axis(parameter, name))

    def angles(self, parameter: object, name: str) -> tuple[float, ...]:
        """Angles about x, y, z, or in two dimensions the one about z."""
        values = numbers(parameter)
        if not isinstance(values, tuple):
            return (values,) * (3 if self.dimension == 3 else 1)
        if self.dimension == 2:
            return (values[-1],)
        if len(values) < self.dimension:
            raise _too_few(name, len(values), self.dimension)
        return values
