"""The stages of a program: each is one traversal of the voxels it names, or moves points."""

from dataclasses import dataclass
from typing import Literal

from millimorph.geometry import ImageGrid
from millimorph.program.steps import LabelStep, Painting, Pointwise, VolumeStep
from millimorph.transforms import Transform

Role = Literal["images", "labels"]
Interpolation = Literal["nearest", "linear", "cubic", "label_linear"]
Fill = float | Literal["background", "minimum", "edge"]


@dataclass(frozen=True)
class Applied:
    """A pointwise step and the channels it changes; None: all."""

    step: Pointwise
    channels: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.step}{channels_text(self.channels)}"


@dataclass(frozen=True)
class Sampled:
    """One array of the case and how it is read.

    `smoothing_mm` is the standard deviation, per source axis, of the Gaussian that precedes
    downsampling; `swaps` are pairs of labels that change places; `lost_swaps` are pairs of which
    the type holds only the first, an error where that label occurs; `nan` replaces NaN (None:
    error); `pointwise` steps are applied in order to each block of voxels before it leaves the
    cache; `stored` is the type written (None: the array's own); `becomes_original` as in
    VolumePass.
    """

    role: Role
    name: str
    interpolation: Interpolation
    fill: Fill
    dtype: str
    channels: int = 1
    smoothing_mm: tuple[float, ...] | None = None
    swaps: tuple[tuple[int, int], ...] = ()
    lost_swaps: tuple[tuple[int, int], ...] = ()
    nan: float | None = None
    pointwise: tuple[Applied, ...] = ()
    stored: str | None = None
    becomes_original: bool = False

    @property
    def written(self) -> str:
        """The type of the voxels that the stage leaves."""
        return self.stored or self.dtype


@dataclass(frozen=True)
class LatticeCopy:
    """A map of target to source voxels without interpolation.

    Source index along axis `k` = `signs[k]` * target index along axis `axes[k]` + `offsets[k]`;
    all in x, y, z order.
    """

    axes: tuple[int, ...]
    signs: tuple[int, ...]
    offsets: tuple[int, ...]


@dataclass(frozen=True)
class Resample:
    """Pull the samples, which share the source grid, onto the target grid in one traversal."""

    samples: tuple[Sampled, ...]
    source: ImageGrid
    target: ImageGrid
    source_from_target: Transform
    copy: LatticeCopy | None = None


@dataclass(frozen=True)
class VolumePass:
    """Change one image by a step that looks beyond the voxel, if any, then by pointwise steps.

    Between passes voxels are float32; `written` is the type that this pass leaves. `channels` are
    those that the step changes (None: all). `nan` is as in Sampled, for what the step asks of the
    original image. `becomes_original`: what this pass leaves has another scale, and later steps ask
    it, not the image that was read.
    """

    name: str
    step: VolumeStep | None
    grid: ImageGrid
    count: int
    written: str
    channels: tuple[int, ...] | None = None
    pointwise: tuple[Applied, ...] = ()
    nan: float | None = None
    becomes_original: bool = False


@dataclass(frozen=True)
class Paint:
    """Make an image from a label map; it is the original of the steps that follow."""

    name: str
    labels: str
    step: Painting
    grid: ImageGrid
    written: str


@dataclass(frozen=True)
class LabelPass:
    """Change one label map; `written` is the type that it leaves."""

    name: str
    step: LabelStep
    grid: ImageGrid
    written: str


@dataclass(frozen=True)
class MovePoints:
    """Push landmarks and boxes with the inverse of the map, then rename the mirrored ones.

    `landmarks` and `boxes` are the roles; `renames` are pairs of names within them.
    """

    landmarks: tuple[str, ...]
    boxes: tuple[str, ...]
    source_from_target: Transform
    renames: tuple[tuple[str, str], ...] = ()


Stage = Resample | VolumePass | Paint | LabelPass | MovePoints


def channels_text(channels: tuple[int, ...] | None) -> str:
    """What a step says of the channels it is for."""
    if channels is None:
        return ""
    noun = "channel" if len(channels) == 1 else "channels"
    return f" ({noun} {', '.join(str(c) for c in channels)})"
