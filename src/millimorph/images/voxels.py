"""Scalar images and label maps: arrays in (z, y, x) order with a place in the patient."""

from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import ImageError, LabelError
from millimorph.geometry import ImageGrid

IMAGE_DTYPES = (
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
    "float64",
)
LABEL_RANGE = (-(2**31), 2**32 - 1)

_Image = TypeVar("_Image", "ScalarImage", "LabelMap")


@dataclass(frozen=True)
class FrameAxis:
    """The time axis of a series: frame k was taken at origin_s + k * spacing_s seconds."""

    spacing_s: float = 1.0
    origin_s: float = 0.0

    def __post_init__(self) -> None:
        spacing, origin = float(self.spacing_s), float(self.origin_s)
        if not (np.isfinite(spacing) and np.isfinite(origin) and spacing > 0):
            raise ImageError(
                f"a frame axis needs a positive spacing and a finite origin in seconds, got "
                f"spacing_s={spacing!r}, origin_s={origin!r}"
            )
        object.__setattr__(self, "spacing_s", spacing)
        object.__setattr__(self, "origin_s", origin)


@dataclass(frozen=True, eq=False, repr=False)
class ScalarImage:
    """Intensities on a grid; the array is seen read-only and copied only if it has to be.

    `array` is (z, y, x) or (y, x), or has one leading axis: channels, or time frames if `frames` is
    given. Real integers of 8 to 64 bits, float32 and float64 are kept as they are. Two images are
    equal only if they are the same object. NaN is looked for by `check_finite`, not here. A copy is
    made only of an array that is not C-contiguous or has the other byte order; so do not change the
    array afterwards, because what was derived from it is remembered.

    Raises ImageError for another type, and for a shape that does not fit the grid.
    """

    array: NDArray[Any]
    grid: ImageGrid
    frames: FrameAxis | None = None

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.dtype.name not in IMAGE_DTYPES:
            raise ImageError(
                f"an image holds integers of 8 to 64 bits, float32 or float64, got "
                f"{array.dtype.name}; convert the array first"
            )
        object.__setattr__(self, "array", _placed(array, self.grid, self.frames, "image"))

    def with_array(self, array: NDArray[Any]) -> "ScalarImage":
        """Return the same image with other voxels; the spatial shape must stay the same."""
        return _with_array(self, array)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.grid.dimension

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the voxels."""
        return self.array.dtype

    @property
    def channels(self) -> int:
        """Length of the leading axis; 1 if there is none."""
        return _channels(self)

    @property
    def channel_arrays(self) -> NDArray[Any]:
        """The voxels as (c, z, y, x) or (c, y, x), a read-only view."""
        return _channel_arrays(self)

    def check_finite(self, name: str = "image") -> None:
        """Raise ImageError with the count and the first index if a voxel is NaN or infinite."""
        check_finite(self.array, self.grid, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.array, self.grid, self.frames)

    def __repr__(self) -> str:
        return _repr(self)


@dataclass(frozen=True, eq=False, repr=False)
class LabelMap:
    """Integer labels on a grid, exact from -2^31 to 2^32-1; the type is kept.

    `array` is (z, y, x) or (y, x), or has one leading axis: one map per channel (one-hot), or time
    frames if `frames` is given. Read-only and copied as in ScalarImage.

    Raises LabelError for values that are no integers of that range (floats: see `from_floats`) and
    ImageError for a shape that does not fit the grid.
    """

    array: NDArray[Any]
    grid: ImageGrid
    frames: FrameAxis | None = None

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.dtype.kind == "f":
            raise LabelError(
                f"labels are integers, got {array.dtype.name}; if all are whole numbers use "
                f"LabelMap.from_floats(array, grid)"
            )
        if array.dtype.name not in IMAGE_DTYPES:
            raise LabelError(f"labels are integers of 8 to 64 bits, got {array.dtype.name}")
        placed = _placed(array, self.grid, self.frames, "label map")
        _check_label_range(placed, self.grid)
        object.__setattr__(self, "array", placed)

    @classmethod
    def from_floats(
        cls, array: NDArray[Any], grid: ImageGrid, frames: FrameAxis | None = None
    ) -> Self:
        """Make a label map of floats that are all whole numbers, in the smallest fitting type.

        Raises LabelError with the first value that is not whole, not finite or out of range.
        """
        floats = _placed(np.asarray(array), grid, frames, "label map")
        if floats.dtype.kind != "f":
            return cls(floats, grid, frames)
        whole = np.isfinite(floats) & (np.rint(floats) == floats)
        if not whole.all():
            raise LabelError(
                f"labels must be whole numbers, got {_first(~whole, floats, grid)}; a label map "
                f"must not be interpolated or scaled"
            )
        _check_label_range(floats, grid)
        smallest, largest = float(floats.min()), float(floats.max())
        return cls(floats.astype(_label_dtype(smallest, largest)), grid, frames)

    def with_array(self, array: NDArray[Any]) -> "LabelMap":
        """Return the same label map with other labels; the spatial shape must stay the same."""
        return _with_array(self, array)

    def labels(self) -> tuple[int, ...]:
        """Return the values that occur, sorted."""
        if self.array.dtype.itemsize == 1:
            counts = np.bincount(self.array.reshape(-1).view(np.uint8), minlength=256)
            present = np.flatnonzero(counts).astype(np.uint8).view(self.array.dtype)
            return tuple(sorted(int(value) for value in present))
        return tuple(int(value) for value in np.unique(self.array))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.grid.dimension

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the labels."""
        return self.array.dtype

    @property
    def channels(self) -> int:
        """Length of the leading axis; 1 if there is none."""
        return _channels(self)

    @property
    def channel_arrays(self) -> NDArray[Any]:
        """The labels as (c, z, y, x) or (c, y, x), a read-only view."""
        return _channel_arrays(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.array, self.grid, self.frames)

    def __repr__(self) -> str:
        return _repr(self)


def check_finite(array: NDArray[Any], grid: ImageGrid, name: str) -> None:
    """Raise ImageError with the count and the first index (x, y, z) of NaN or infinite voxels.

    Also of float64 voxels beyond what float32 holds, in which voxels are computed.
    """
    if array.dtype.kind != "f":
        return
    finite = np.isfinite(array)
    if not finite.all():
        count = int(array.size - np.count_nonzero(finite))
        raise ImageError(
            f'image "{name}" has {count} of {array.size} voxels that are NaN or infinite, the '
            f"first is {_first(~finite, array, grid)}; mend the image or declare a value for NaN"
        )
    limit = float(np.finfo(np.float32).max)
    if array.dtype.itemsize > np.dtype(np.float32).itemsize:
        beyond = (array > limit) | (array < -limit)
        if beyond.any():
            raise ImageError(
                f'image "{name}" has {np.count_nonzero(beyond)} of {array.size} voxels beyond '
                f"{limit:.3g}, which float32 cannot hold, the first is "
                f"{_first(beyond, array, grid)}; scale the image down"
            )


def _placed(
    array: NDArray[Any], grid: ImageGrid, frames: FrameAxis | None, what: str
) -> NDArray[Any]:
    """Check an array against its grid and return it contiguous, native and read-only."""
    if not isinstance(grid, ImageGrid):
        raise ImageError(f"the grid of a {what} must be an ImageGrid, got {type(grid).__name__}")
    spatial = array.shape[-grid.dimension :]
    extra = array.ndim - grid.dimension
    if extra not in (0, 1):
        raise ImageError(
            f"a {what} on a {grid.dimension}D grid has {grid.dimension} axes, or one more for "
            f"channels or frames; got an array of shape {array.shape}"
        )
    if spatial != grid.shape:
        raise ImageError(
            f"the {what} has size {tuple(reversed(spatial))} in (x, y, z), its grid {grid.size}; "
            f"arrays are in (z, y, x) order"
        )
    if array.size == 0:
        raise ImageError(
            f"a {what} needs at least one channel, got an array of shape {array.shape}"
        )
    if frames is not None and extra == 0:
        raise ImageError(f"a {what} with frames needs a leading axis, got shape {array.shape}")
    native = array.dtype.newbyteorder("=")
    if array.dtype == native and array.flags.c_contiguous:
        placed = array.view(np.ndarray)
    else:
        placed = np.array(array, dtype=native, order="C")
    placed.flags.writeable = False
    return placed


def _with_array(image: _Image, array: NDArray[Any]) -> _Image:
    frames = image.frames if np.ndim(array) > image.dimension else None
    return type(image)(array, image.grid, frames)


def _channels(image: ScalarImage | LabelMap) -> int:
    return int(image.array.shape[0]) if image.array.ndim > image.dimension else 1


def _channel_arrays(image: ScalarImage | LabelMap) -> NDArray[Any]:
    return image.array if image.array.ndim > image.dimension else image.array[np.newaxis]


def _label_dtype(smallest: float, largest: float) -> str:
    for name in ("uint8", "uint16", "uint32", "int16", "int32", "int64"):
        if np.iinfo(name).min <= smallest and largest <= np.iinfo(name).max:
            return name
    raise LabelError(f"no integer type holds labels from {smallest} to {largest}")


def _check_label_range(array: NDArray[Any], grid: ImageGrid) -> None:
    if array.dtype.itemsize <= 4 and array.dtype.kind != "f":
        return
    low, high = LABEL_RANGE
    bad = (array < low) | (array > high)
    if bad.any():
        raise LabelError(f"labels must lie from {low} to {high}, got {_first(bad, array, grid)}")


def _first(bad: NDArray[np.bool_], array: NDArray[Any], grid: ImageGrid) -> str:
    """Name the first marked voxel: its value and its index in (x, y, z)."""
    position = np.unravel_index(int(np.argmax(bad)), bad.shape)
    index = tuple(int(i) for i in reversed(position[-grid.dimension :]))
    where = f" of channel {int(position[0])}" if len(position) > grid.dimension else ""
    axes = "(x, y)" if grid.dimension == 2 else "(x, y, z)"
    return f"{array[position].item()!r} at index {axes} = {index}{where}"


def _repr(image: ScalarImage | LabelMap) -> str:
    size = "×".join(str(n) for n in image.grid.size)
    spacing = "×".join(f"{step:g}" for step in image.grid.spacing_mm)
    axis = "frames" if image.frames else "channels"
    leading = f", {image.channels} {axis}" if image.array.ndim > image.dimension else ""
    return f"{type(image).__name__}({size} voxels, {spacing} mm{leading}, {image.dtype})"
