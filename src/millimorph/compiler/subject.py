"""What an intensity op is compiled for: one image as it lies after the resample."""

from collections.abc import Mapping
from dataclasses import dataclass

from millimorph.compiler.world import number
from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.kernels.philox import StreamKey
from millimorph.program import Amount
from millimorph.recipe import Recipe


@dataclass(frozen=True)
class Subject:
    """One image: its name, the type it is kept in, channels and grid; label maps beside it.

    `dtype` is the original's, or float32 behind an op that makes floats.
    `labels` are the grids of the label maps after the resample.
    """

    recipe: Recipe
    name: str
    dtype: str
    channels: int
    grid: ImageGrid
    nan: float | None
    labels: Mapping[str, ImageGrid]

    def stream(self, op_id: str | None) -> StreamKey:
        """The key of an op's random numbers; images of a case get numbers of their own."""
        return self.recipe.stream(f"{op_id}/{self.name}")

    def check_mask(self, op_id: str | None, role: str) -> None:
        """Refuse a mask that is no label map on the image's grid."""
        if role not in self.labels:
            known = ", ".join(self.labels) or "none"
            raise CompileError(f'{op_id} asks for the label map "{role}"; the case has {known}')
        if self.labels[role] != self.grid:
            raise CompileError(
                f'{op_id} asks for the label map "{role}" on {self.labels[role].describe()}, but '
                f'"{self.name}" lies on {self.grid.describe()}; give the pipeline a reference, '
                "so that both lie on one grid"
            )


def amount(absolute: object, fraction: object) -> Amount:
    """An amplitude of which one spelling is given: grey levels, or a fraction of the range."""
    if absolute is not None:
        return Amount(number(absolute))
    return Amount(number(fraction), of_robust_range=True)
