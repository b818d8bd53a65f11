"""Steps that map grey levels to grey levels, whatever the voxel's place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PowerCurve:
    """Grey levels to a power between the original image's minimum and maximum."""

    exponent: float

    def __str__(self) -> str:
        return f"gamma {self.exponent:.4g}"


LevelCurve = PowerCurve
