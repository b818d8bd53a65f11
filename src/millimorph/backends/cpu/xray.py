"""Steps on X-ray projections, compiled."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from millimorph.backends.cpu.pieces import PIECE_VOXELS, Write, in_threads
from millimorph.backends.cpu.sources import value_range
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.elementary import exp
from millimorph.program.xray import XrayField, XrayPass

Float32 = npt.NDArray[np.float32]

PI_SQUARED = 9.869604401089358


def apply(step: XrayField, values: Float32, where: Where) -> None:
    """Change a run of voxels in place."""
    from millimorph.kernels import pictures

    shapes = {
        "rectangle": pictures.RECTANGLE,
        "octagon": pictures.OCTAGON,
        "ellipse": pictures.ELLIPSE,
    }
    blades = step.blades
    numbers = (*blades.centre_mm, *blades.half_mm, blades.cosine, blades.sine)
    field = (shapes[blades.shape], *(np.float32(number) for number in numbers))
    border = step.border
    if border is None:
        border = value_range(where.scene.original, where.scene)[0]
    spacing = np.float32(step.spacing_mm[0]), np.float32(step.spacing_mm[1])
    penumbra = np.float32(step.penumbra_mm)
    size = where.scene.grid.size[:2]
    pictures.shutter(values, where.first, size, spacing, field, penumbra, np.float32(border))


def run(step: XrayPass, volume: Float32, scene: Scene, write: Write) -> None:
    """Hand over the changed voxels; `volume` (c, z, y, x) is left as it is."""
    low, high = value_range(scene.original, scene)
    pictures = [(c, z) for c in range(volume.shape[0]) for z in range(volume.shape[1])]
    voxels = volume[0, 0].size

    def work(place: tuple[int, int]) -> None:
        picture = np.ascontiguousarray(volume[place])
        if step.log_range is None:
            out = _veiled_radiation(picture, step)
        elif high > low:
            out = _veiled_absorption(picture, step, low, step.log_range / (high - low))
        else:
            out = picture.copy()
        write(place[0], place[1] * voxels, out.reshape(-1))

    in_threads(scene.threads, pictures, work)


def _veiled_radiation(picture: Float32, step: XrayPass) -> Float32:
    ratio = np.float32(step.ratio)
    return (picture + ratio * blurred(picture, step.sd_voxels)) * np.float32(
        1.0 / (1.0 + step.ratio)
    )


def _veiled_absorption(picture: Float32, step: XrayPass, low: float, per_level: float) -> Float32:
    from millimorph.kernels import pictures

    flat = picture.reshape(-1)
    passing = np.empty_like(flat)
    scale, ratio = np.float32(per_level), np.float32(step.ratio)
    pictures.radiation(flat, np.float32(low), scale, passing)
    scattered = blurred(passing.reshape(picture.shape), step.sd_voxels).reshape(-1)
    out = np.empty_like(flat)
    for first in range(0, flat.size, PIECE_VOXELS):
        part = slice(first, first + PIECE_VOXELS)
        pictures.veil(flat[part], passing[part], scattered[part], scale, ratio, out[part])
    return out


def blurred(picture: Float32, sd_voxels: tuple[float, float]) -> Float32:
    """A picture (y, x) convolved with a wide Gaussian, mirrored at its edges."""
    from scipy import fft

    gains = gaussian_gains(sd_voxels, picture.shape)
    found: Float32 = fft.idctn(fft.dctn(picture, norm="ortho") * gains, norm="ortho")
    return found


@lru_cache(maxsize=8)
def gaussian_gains(sd_voxels: tuple[float, float], shape: tuple[int, int]) -> Float32:
    """What each cosine of a picture (rows, columns) is multiplied by."""
    factors = []
    for sd, count in zip(reversed(sd_voxels), shape, strict=True):
        wave = np.arange(count, dtype=np.float64) * (sd / count)
        factors.append(exp(-0.5 * PI_SQUARED * wave * wave))
    return (factors[0][:, None] * factors[1][None, :]).astype(np.float32)
