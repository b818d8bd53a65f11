"""Which voxels a step measures before it changes all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WholeImage:
    """All voxels."""

    def __str__(self) -> str:
        return "image"


@dataclass(frozen=True)
class Foreground:
    """The voxels above Otsu's threshold; all voxels of a constant image."""

    def __str__(self) -> str:
        return "foreground"


@dataclass(frozen=True)
class Mask:
    """The voxels that have one of some labels (None: any label above 0) in a label map."""

    role: str
    labels: tuple[int, ...] | None = None

    def __str__(self) -> str:
        if self.labels is None:
            return f"mask {self.role}"
        return f"mask {self.role} {', '.join(str(label) for label in self.labels)}"


Region = WholeImage | Foreground | Mask
