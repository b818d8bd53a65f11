"""What a backend derives from a source once and reuses for all its samples.

Smoothed copies, spline coefficients, fill values and the check for NaN belong to the image they
come from and are forgotten with it.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.smoothing import smooth
from millimorph.backends.scene import Rules
from millimorph.images import (
    LabelMap,
    ScalarImage,
    check_finite,
    common_background,
    otsu_threshold,
)
from millimorph.kernels import foreground
from millimorph.program import Amount, Sampled

Source = ScalarImage | LabelMap
Array = npt.NDArray[Any]
Value = TypeVar("Value")

SPLINE_PAD = 2

_derived: WeakKeyDictionary[Source, dict[object, object]] = WeakKeyDictionary()
_lock = Lock()


def remember(source: Source, key: tuple[object, ...], make: Callable[[], Value]) -> Value:
    """The value made once for this source; of each kind (`key[0]`) the latest one is kept."""
    with _lock:
        kept = _derived.setdefault(source, {})
        found = kept.get(key[0])
    if isinstance(found, tuple) and found[0] == key:
        value: Value = found[1]
        return value
    value = make()
    with _lock:
        kept[key[0]] = (key, value)
    return value


def channels(source: Source) -> Array:
    """The voxels as (c, z, y, x), a view; one slice in two dimensions."""
    array = source.channel_arrays
    return array if array.ndim == 4 else array[:, None]


def clean(source: Source, rules: Rules) -> Array:
    """The voxels (c, z, y, x), all finite: NaN replaced by the declared value, or an error."""
    voxels = channels(source)
    if isinstance(source, LabelMap) or voxels.dtype.kind != "f":
        return voxels
    if rules.nan is None:
        remember(source, ("finite",), lambda: source.check_finite(rules.name))
        return voxels
    replacement = voxels.dtype.type(rules.nan)

    def make() -> Array:
        mended = np.where(np.isnan(voxels), replacement, voxels)
        check_finite(mended.reshape(source.array.shape), source.grid, rules.name)
        return mended

    return remember(source, ("nan", rules.nan), make)


def before_swaps(label: int, swaps: tuple[tuple[int, int], ...]) -> int:
    """The label that the swaps turn into this one: what outside labels are filled with."""
    for one, other in reversed(swaps):
        label = {one: other, other: one}.get(label, label)
    return label


def fill_number(source: Source, sample: Sampled) -> float:
    """The number written outside the source; for `edge` it is never used."""
    match sample.fill:
        case float() | int() if sample.swaps:
            return float(before_swaps(int(sample.fill), sample.swaps))
        case "edge":
            return 0.0
        case "background":
            return remember(
                source, ("background", sample.nan), lambda: common_background(clean(source, sample))
            )
        case "minimum":
            return value_range(source, sample)[0]
        case number:
            return float(number)


def value_range(source: Source, rules: Rules) -> tuple[float, float]:
    """Minimum and maximum of the source."""

    def make() -> tuple[float, float]:
        voxels = clean(source, rules)
        return float(np.min(voxels)), float(np.max(voxels))

    return remember(source, ("range", rules.nan), make)


def robust_limits(source: Source, rules: Rules) -> tuple[float, float]:
    """The 1st and the 99th percentile of the source, as ranks without interpolation."""

    def make() -> tuple[float, float]:
        voxels = clean(source, rules).reshape(-1)
        low, high = int(0.01 * (voxels.size - 1)), int(0.99 * (voxels.size - 1))
        ranked = np.partition(voxels, (low, high))
        return float(ranked[low]), float(ranked[high])

    return remember(source, ("robust", rules.nan), make)


def robust_range(source: Source, rules: Rules) -> float:
    """From the 1st to the 99th percentile of the source."""
    low, high = robust_limits(source, rules)
    return high - low


def median(source: Source, rules: Rules) -> float:
    """The median of the source."""
    return remember(
        source, ("median", rules.nan), lambda: foreground.median(clean(source, rules).reshape(-1))
    )


def foreground_median(source: Source, rules: Rules) -> float:
    """The median of what lies above Otsu's threshold; of all of a constant source."""

    def make() -> float:
        voxels = clean(source, rules).reshape(-1)
        above = voxels[voxels > otsu_threshold(voxels)]
        return foreground.median(above if above.size else voxels)

    return remember(source, ("foreground median", rules.nan), make)


def grey_levels(amount: Amount, source: Source, rules: Rules) -> float:
    """An amplitude in grey levels of the original image."""
    return amount.number * (robust_range(source, rules) if amount.of_robust_range else 1.0)


def smoothed(source: Source, sample: Sampled) -> Array:
    """The voxels (c, z, y, x), smoothed in float32 if the sample asks for it."""
    deviations = sample.smoothing_mm
    if deviations is None:
        return clean(source, sample)

    def make() -> Array:
        spacing = source.grid.spacing_mm
        sd_voxels = [sd / step for sd, step in zip(deviations, spacing, strict=True)]
        voxels = clean(source, sample).astype(np.float32, copy=False)
        return np.stack([smooth(channel, sd_voxels) for channel in voxels])

    return remember(source, ("smooth", deviations, sample.nan), make)


def spline_coefficients(source: Source, sample: Sampled) -> npt.NDArray[np.float32]:
    """Cubic B-spline coefficients (c, z, y, x), two mirrored voxels beyond each end.

    A source of one slice has no extra slices.
    """
    return remember(
        source,
        ("spline", sample.smoothing_mm, sample.nan),
        lambda: _coefficients(smoothed(source, sample)),
    )


def _coefficients(voxels: Array) -> npt.NDArray[np.float32]:
    from millimorph.kernels import filters

    count, nz, ny, nx = voxels.shape
    pad = SPLINE_PAD
    pz = 0 if nz == 1 else pad
    padded = np.zeros((count, nz + 2 * pz, ny + 2 * pad, nx + 2 * pad), np.float32)
    for channel, volume in zip(voxels, padded, strict=True):
        inner = volume[pz : pz + nz]
        inner[:, pad : pad + ny, pad : pad + nx] = channel
        filters.prefilter_lines(inner.reshape(nz, -1))
        for plane in inner:
            filters.prefilter_lines(plane[pad : pad + ny])
            filters.prefilter_rows(plane[pad : pad + ny], pad, nx)
        filters.mirror_borders(volume, (pz, pad, pad))
    return padded
