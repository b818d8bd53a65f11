"""Quantiles of images, and the landmarks of a standard scale learnt from a set of images."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, repeat, zip_longest
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from millimorph.errors import ImageError
from millimorph.images.foreground import otsu_threshold
from millimorph.images.voxels import LabelMap, ScalarImage

DECILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)
Over = Literal["image", "foreground"]


def histogram_quantiles(
    image: ScalarImage, count: int = 65, over: Over = "image", mask: LabelMap | None = None
) -> tuple[float, ...]:
    """Return `count` grey levels at equal steps of rank, from the least to the greatest.

    This is what `HistogramMatching` asks of the image that it matches to. `over`: "image", all
    voxels, or "foreground", those above Otsu's threshold. `mask`: a label map on the same grid, of
    which only the voxels above 0 count. Quantiles lie on the line between two ranks.

    Raises ImageError for NaN or infinite voxels, more than one channel, a mask on another grid or
    an empty one, and a count below 2.
    """
    if count < 2:
        raise ImageError(
            f"quantiles go from the least to the greatest: count 2 or more, got {count}"
        )
    fractions = [k / (count - 1) for k in range(count)]
    return _quantiles(_measured(image, over, mask, "the image"), fractions)


def fit_histogram_landmarks(
    images: Iterable[ScalarImage],
    percentiles: Sequence[float] = DECILES,
    scale: tuple[float, float] = (0.0, 100.0),
    over: Over = "image",
    masks: Iterable[LabelMap] | None = None,
) -> tuple[float, ...]:
    """Return the landmarks of `HistogramStandardization` for images of one kind, such as T1 heads.

    Each image's percentiles (0 to 100, ascending; the default is that of the op) are brought
    linearly to `scale`, the first to its low and the last to its high end; the landmarks are the
    means over the images. `over` and `masks`, one for each image: what is measured, as in
    `histogram_quantiles`; give the op the same. Images are taken one by one, so a generator that
    reads files will do.

    Raises ImageError as `histogram_quantiles` does, for no image at all, for an image whose first
    and last percentile are the same, and for percentiles or a scale that do not ascend. Source:
    Nyúl, Udupa and Zhang 2000, IEEE Trans. Med. Imag. 19:143.
    """
    _check_ascending(percentiles, "percentiles")
    _check_ascending(scale, "scale")
    fractions = [float(percentile) / 100.0 for percentile in percentiles]
    if fractions[0] < 0.0 or fractions[-1] > 1.0:
        raise ImageError(f"percentiles lie from 0 to 100, got {list(percentiles)}")
    found = [
        _on_scale(_quantiles(_measured(image, over, mask, f"image {k}"), fractions), scale, k)
        for k, (image, mask) in enumerate(_paired(images, masks))
    ]
    if not found:
        raise ImageError("landmarks are fitted to at least one image, got none")
    return tuple(math.fsum(levels) / len(found) for levels in zip(*found, strict=True))


def _paired(
    images: Iterable[ScalarImage], masks: Iterable[LabelMap] | None
) -> Iterator[tuple[ScalarImage, LabelMap | None]]:
    if masks is None:
        yield from zip(images, repeat(None), strict=False)
        return
    for k, (image, mask) in enumerate(zip_longest(images, masks)):
        if image is None or mask is None:
            raise ImageError(f"masks are one for each image, but there is no {k}-th of one of them")
        yield image, mask


def _measured(image: ScalarImage, over: Over, mask: LabelMap | None, name: str) -> NDArray[Any]:
    """The voxels of an image that count, (n,)."""
    if image.channels > 1:
        raise ImageError(
            f"{name} has {image.channels} channels or frames, which are measured one by one: give "
            "image.with_array(image.array[0])"
        )
    image.check_finite(name)
    values = image.array.reshape(-1)
    if mask is not None:
        return _masked(values, image, mask, name)
    if over == "image":
        return values
    above = values[values > np.float64(otsu_threshold(values))]
    return above if above.size else values


def _masked(values: NDArray[Any], image: ScalarImage, mask: LabelMap, name: str) -> NDArray[Any]:
    if mask.grid != image.grid:
        raise ImageError(
            f"the mask of {name} lies on {mask.grid.describe()}, the image on "
            f"{image.grid.describe()}; call resample(mask, onto=image.grid) first"
        )
    inside = (mask.channel_arrays > 0).any(axis=0).reshape(-1)
    if not inside.any():
        raise ImageError(f"the mask of {name} has no voxel above 0")
    return values[inside]


def _quantiles(values: NDArray[Any], fractions: Sequence[float]) -> tuple[float, ...]:
    ordered, last = np.sort(values), values.size - 1
    found = []
    for fraction in fractions:
        below = math.floor(fraction * last)
        lower, upper = float(ordered[below]), float(ordered[min(below + 1, last)])
        found.append(lower + (upper - lower) * (fraction * last - below) + 0.0)
    return tuple(found)


def _on_scale(
    levels: tuple[float, ...], scale: tuple[float, float], number: int
) -> tuple[float, ...]:
    first, last = levels[0], levels[-1]
    if first == last:
        raise ImageError(
            f"image {number} has the grey level {first:g} from the first percentile to the last; "
            "leave it out, or measure over the foreground or a mask"
        )
    low, high = float(scale[0]), float(scale[1])
    inner = (low + (level - first) / (last - first) * (high - low) for level in levels[1:-1])
    return (low, *inner, high)


def _check_ascending(numbers: Sequence[float], name: str) -> None:
    if len(numbers) < 2 or any(b <= a for a, b in pairwise(numbers)):
        raise ImageError(f"{name} must be 2 or more ascending numbers, got {list(numbers)}")
