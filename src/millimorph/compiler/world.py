"""Where the ops of a recipe act: the reference grid of a case and its dimension.

Numbers in a recipe may be for three axes while a case is two-dimensional; then its x and y
components and its angle about z count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.images import Case
from millimorph.recipe import Recipe

Number = TypeVar("Number", int, float)


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

    def per_axis(self, values: Sequence[Number] | Number, name: str) -> tuple[Number, ...]:
        """One number for each axis of the case."""
        if not isinstance(values, Sequence):
            return (values,) * self.dimension
        if len(values) < self.dimension:
            raise self._too_few(name, len(values))
        return tuple(values[: self.dimension])

    def angles(self, values: Sequence[float] | float, name: str) -> tuple[float, ...]:
        """Angles about x, y, z, or in two dimensions the one about z."""
        if not isinstance(values, Sequence):
            return (values,) * (3 if self.dimension == 3 else 1)
        if self.dimension == 2:
            return (values[-1],)
        if len(values) < self.dimension:
            raise self._too_few(name, len(values))
        return tuple(values)

    def _too_few(self, name: str, count: int) -> CompileError:
        return CompileError(
            f'{name} has {count} numbers, case "{self.case.id}" is {self.dimension}D; '
            f"draw the recipe from a pipeline for {self.dimension}D (its field dimension)"
        )
