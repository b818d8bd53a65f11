"""Amplitudes that may be relative to the original image."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Amount:
    """A number of grey levels, or of robust ranges (1st to 99th percentile) of the original."""

    number: float
    of_robust_range: bool = False

    def __str__(self) -> str:
        unit = " of the robust range" if self.of_robust_range else ""
        return f"{self.number:.4g}{unit}"
