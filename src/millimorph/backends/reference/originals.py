"""What steps ask of the original image, in float64."""

import numpy as np

from millimorph.backends.reference.sampling import AnyArray
from millimorph.backends.scene import Rules, Scene
from millimorph.images import LabelMap, ScalarImage, check_finite
from millimorph.program import Amount


def without_nan(source: ScalarImage | LabelMap, rules: Rules) -> AnyArray:
    """Put the declared value in place of NaN; what is still not finite is an error."""
    voxels: AnyArray = source.array
    if isinstance(source, LabelMap):
        return voxels
    if rules.nan is not None and voxels.dtype.kind == "f":
        voxels = np.where(np.isnan(voxels), voxels.dtype.type(rules.nan), voxels)
    check_finite(voxels, source.grid, rules.name)
    return voxels


def original_voxels(scene: Scene) -> AnyArray:
    """The voxels of the original image, all finite."""
    return without_nan(scene.original, scene)


def grey_levels(amount: Amount, scene: Scene) -> float:
    """An amplitude in grey levels of the original image."""
    return amount.number * (_robust_range(scene) if amount.of_robust_range else 1.0)


def robust_limits(scene: Scene) -> tuple[float, float]:
    """The 1st and the 99th percentile of the original image, as ranks."""
    ranked = np.sort(original_voxels(scene), axis=None)
    last = ranked.size - 1
    return float(ranked[int(0.01 * last)]), float(ranked[int(0.99 * last)])


def _robust_range(scene: Scene) -> float:
    low, high = robust_limits(scene)
    return high - low
