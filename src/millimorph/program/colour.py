"""Steps on photographs."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey

Row = tuple[float, float, float]


@dataclass(frozen=True)
class CornerFalloff:
    """Multiply by 1 / (1 + r^2 / f^2)^2, r from a place in mm of the grid's axes x and y."""

    centre_mm: tuple[float, float]
    spacing_mm: tuple[float, float]
    inverse_square_focus: float

    def __str__(self) -> str:
        return f"vignette, focal length {self.inverse_square_focus**-0.5:.4g} mm"


@dataclass(frozen=True)
class ColourTurn:
    """Multiply (red, green, blue) by a matrix and add `pivot` of the original's middle."""

    matrix: tuple[Row, Row, Row]
    pivot: float

    def __str__(self) -> str:
        return "colour jitter " + "; ".join(
            " ".join(f"{c:.3f}" for c in row) for row in self.matrix
        )


@dataclass(frozen=True)
class Highlights:
    """Ellipses of `level` (None: the original's maximum) at bright places of each picture."""

    count: int
    half_axis_mm: float
    edge_fraction: float
    level: float | None
    spacing_mm: tuple[float, float]
    stream: StreamKey

    def __str__(self) -> str:
        noun = "highlight" if self.count == 1 else "highlights"
        return f"{self.count} {noun} up to {2.0 * self.half_axis_mm:.3g} mm long"


ColourField = CornerFalloff
ColourPass = ColourTurn | Highlights
