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

from millimorph.backends.scene import Rules
from millimorph.images import (
    LabelMap,
    ScalarImage,
    background_value,
    check_finite,
    otsu_threshold,
)
from millimorph.kernels import foreground
from millimorph.kernels.elementary import exp
from millimorph.program import Amount, Sampled

Source = ScalarImage | LabelMap
Array = npt.NDArray[Any]
Value = TypeVar("Value")

TRUNCATE = 4.0
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
                source, ("background", sample.nan), lambda: background_value(clean(source, sample))
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


def gaussian_taps(sd: float) -> npt.NDArray[np.float32]:
    """Half of a normalised Gaussian of `sd` voxels, the centre first, cut at 4 sd."""
    radius = int(TRUNCATE * sd + 0.5)
    taps = [1.0] + [float(exp(-0.5 * (n / sd) * (n / sd))) for n in range(1, radius + 1)]
    total = taps[0]
    for tap in taps[1:]:
        total += 2.0 * tap
    return np.array([tap / total for tap in taps], np.float32)


def smoothed(source: Source, sample: Sampled) -> Array:
    """The voxels (c, z, y, x), smoothed in float32 if the sample asks for it."""
    deviations = sample.smoothing_mm
    if deviations is None:
        return clean(source, sample)

    def make() -> Array:
        voxels = clean(source, sample).astype(np.float32)
        for channel in voxels:
            for axis, (sd_mm, spacing) in enumerate(
                zip(deviations, source.grid.spacing_mm, strict=True)
            ):
                if sd_mm > 0.0:
                    channel[...] = convolved(channel, gaussian_taps(sd_mm / spacing), axis)
        return voxels

    return remember(source, ("smooth", deviations, sample.nan), make)


def convolved(
    volume: npt.NDArray[np.float32], taps: npt.NDArray[np.float32], axis: int
) -> npt.NDArray[np.float32]:
    """One volume (z, y, x) convolved along x (0), y (1) or z (2)."""
    from millimorph.kernels import filters

    nz, ny, nx = volume.shape
    out = np.empty_like(volume)
    if axis == 0:
        filters.convolve_rows(volume.reshape(-1, nx), taps, out.reshape(-1, nx))
    elif axis == 1:
        filters.convolve_lines(volume, taps, out)
    else:
        filters.convolve_lines(volume.reshape(1, nz, ny * nx), taps, out.reshape(1, nz, ny * nx))
    return out


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
