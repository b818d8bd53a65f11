"""What is patient and what is air: Otsu's threshold, the background value, the foreground's box."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import ImageError
from millimorph.images.voxels import ScalarImage
from millimorph.kernels import foreground


def otsu_threshold(array: NDArray[Any]) -> float:
    """Return Otsu's threshold: voxels above it are foreground, the others background.

    128 bins from the smallest to the largest value; the threshold is the upper edge of the bin that
    maximises the variance between the classes. Counts are integers and the criterion is compared
    exactly, so the bits are the same everywhere. It agrees with ITK's OtsuThresholdImageFilter
    within one bin; for 8-bit types ITK's bins span the type's range instead. A constant array has
    its value as threshold.

    Raises ImageError for an empty array and for NaN or infinite values.
    Source: Otsu 1979, IEEE Trans. SMC 9:62.
    """
    values = np.asarray(array)
    if values.size == 0:
        raise ImageError("Otsu's threshold needs at least one voxel, got an empty array")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImageError(
            "Otsu's threshold needs finite values, got NaN or infinite ones; fill them first"
        )
    return foreground.otsu(values)


def background_value(array: NDArray[Any]) -> float:
    """Return the median of the values that are not above Otsu's threshold.

    Raises ImageError for an empty array and for NaN or infinite values.
    """
    values = np.asarray(array)
    return foreground.median(values[values <= otsu_threshold(values)])


def common_background(channels: NDArray[Any]) -> float:
    """Return one background value for an image of several channels or frames (c, ...).

    The background is where their mean is not above Otsu's threshold; the value is the median of all
    channels there. One channel gives its `background_value`.

    Raises ImageError for an empty array and for NaN or infinite values.
    """
    if len(channels) == 1:
        return background_value(channels[0])
    mean = _mean(channels)
    return foreground.median(channels[:, mean <= otsu_threshold(mean)])


def crop_to_foreground(image: ScalarImage) -> tuple[ScalarImage, float]:
    """Return the image cut to the box of its foreground, and the value of its background.

    Foreground is what lies above Otsu's threshold; the background is the median of the rest. An
    image with several channels or frames is judged by their mean. A constant image is not cut.
    """
    image.check_finite()
    values = _mean_over_channels(image)
    inside = values > otsu_threshold(values)
    background = background_value(values)
    if not inside.any():
        return image, background
    lower, upper = [], []
    for axis in range(image.dimension):
        others = tuple(other for other in range(image.dimension) if other != axis)
        occupied = np.flatnonzero(inside.any(axis=others))
        lower.append(int(occupied[0]))
        upper.append(int(occupied[-1]) + 1)
    window: tuple[Any, ...] = tuple(map(slice, lower, upper))
    size = tuple(high - low for low, high in zip(lower, upper, strict=True))
    grid = image.grid.cropped(tuple(reversed(lower)), tuple(reversed(size)))
    return ScalarImage(image.array[(..., *window)], grid, image.frames), background


def _mean_over_channels(image: ScalarImage) -> NDArray[Any]:
    channels = image.channel_arrays
    return channels[0, ...] if len(channels) == 1 else _mean(channels)


def _mean(channels: NDArray[Any]) -> NDArray[Any]:
    total: NDArray[Any] = channels[0].astype(np.float64)
    for channel in channels[1:]:
        total += channel
    total /= len(channels)
    return total
