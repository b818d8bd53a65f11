"""The definition of the steps on X-ray projections, in float64."""

import numpy as np
from scipy import fft

from millimorph.backends.reference.originals import original_voxels
from millimorph.backends.reference.sampling import Floats
from millimorph.backends.scene import Scene, Where
from millimorph.program.xray import XrayField, XrayPass


def apply(step: XrayField, values: Floats, where: Where) -> Floats:
    """One step on one whole channel (z, y, x)."""
    blades = step.blades
    _, rows, columns = np.indices(values.shape)
    x = columns * step.spacing_mm[0] - blades.centre_mm[0]
    y = rows * step.spacing_mm[1] - blades.centre_mm[1]
    u, v = x * blades.cosine + y * blades.sine, y * blades.cosine - x * blades.sine
    distance = _outside(np.abs(u), np.abs(v), blades.half_mm, blades.shape)
    if step.penumbra_mm > 0.0:
        share = np.clip(0.5 - distance / step.penumbra_mm, 0.0, 1.0)
    else:
        share = (distance <= 0.0).astype(np.float64)
    border = step.border
    if border is None:
        border = float(original_voxels(where.scene).min())
    return border + share * (values - border)


def _outside(u: Floats, v: Floats, half: tuple[float, float], shape: str) -> Floats:
    """How far places lie outside the field."""
    distance: Floats = np.maximum(u - half[0], v - half[1])
    if shape == "ellipse":
        distance = (np.hypot(u / half[0], v / half[1]) - 1.0) * min(half)
    elif shape == "octagon":
        cut = sum(half) - (2.0 - np.sqrt(2.0)) * min(half)
        distance = np.maximum(distance, (u + v - cut) / np.sqrt(2.0))
    return distance


def run(step: XrayPass, volume: Floats, scene: Scene) -> Floats:
    """One step on a whole image (c, z, y, x)."""
    if step.log_range is None:
        return _veiled(volume, step)
    voxels = original_voxels(scene)
    low, high = float(voxels.min()), float(voxels.max())
    if high == low:
        return volume
    per_level = step.log_range / (high - low)
    passing = np.exp(-(volume - low) * per_level)
    return low - np.log(_veiled(passing, step)) / per_level


def _veiled(primary: Floats, step: XrayPass) -> Floats:
    gains = [
        np.exp(-0.5 * (np.pi * sd * np.arange(n) / n) ** 2)
        for sd, n in zip(reversed(step.sd_voxels), primary.shape[2:], strict=True)
    ]
    axes = (2, 3)
    blurred: Floats = fft.idctn(fft.dctn(primary, axes=axes) * np.outer(*gains), axes=axes)
    return (primary + step.ratio * blurred) / (1.0 + step.ratio)
