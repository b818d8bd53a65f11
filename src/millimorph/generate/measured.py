"""What is measured of a sample when it is made: the block `measured` of its sidecar.

Only what is the same whenever, wherever and by whomever the sample is made; `measuring` says how.
"""

from pydantic import BaseModel, ConfigDict

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MeasuredMap(_Fact):
    """The map of target to source points on a coarse lattice over the target grids.

    `largest_displacement_mm` is that between a target point and its source point.
    """

    jacobian_min: float
    jacobian_max: float
    jacobian_negative_share: float
    largest_displacement_mm: float


class MeasuredGrid(_Fact):
    """Where voxels lie: the array's `shape`, and `affine` row by row, index (x, y, z) to LPS mm."""

    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    affine: tuple[float, ...]


class MeasuredImage(_Fact):
    """An image of the sample.

    `resamples` counts how often its voxels were interpolated, `interpolation` says how: also "exact
    copy" and "painted". `quantiles` are voxel values at QUANTILES; None without a finite voxel.
    """

    grid: MeasuredGrid
    dtype: str
    resamples: int
    interpolation: str
    quantiles: tuple[float, ...] | None


class MeasuredLabels(_Fact):
    """A label map of the sample: the voxels of each label in the source and in the sample.

    `kept_share` is the volume of all labels but 0, after by before; None without any before.
    """

    grid: MeasuredGrid
    dtype: str
    resamples: int
    interpolation: str
    voxels_before: dict[str, int]
    voxels_after: dict[str, int]
    voxel_mm3_before: float
    voxel_mm3_after: float
    kept_share: float | None


class Measured(_Fact):
    """Everything that is measured of a sample; `map` is None of a case of points alone."""

    map: MeasuredMap | None
    images: dict[str, MeasuredImage]
    labels: dict[str, MeasuredLabels]
