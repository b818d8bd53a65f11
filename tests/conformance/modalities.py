"""Small images and every op on the physics of modalities, for the tests of that family."""

import numpy as np
from worlds import OBLIQUE, PERMUTED, turn

import millimorph as mm

PLACE_MM = (60.0, 50.0, 10.0)


def grid_about_the_place(size, spacing_mm, direction=None) -> mm.ImageGrid:
    """Put a grid so that PLACE_MM lies a little off its centre."""
    d = len(size)
    direction = np.eye(d) if direction is None else direction
    half = 0.45 * (np.array(size) - 1) * spacing_mm
    return mm.ImageGrid(size, spacing_mm, np.array(PLACE_MM[:d]) - direction @ half, direction)


GRIDS = {
    "plane": grid_about_the_place((34, 27), (6.0, 7.5)),
    "turned plane": grid_about_the_place((29, 31), (5.0, 5.0), turn(32) @ np.diag([1, -1])),
    "anisotropic": grid_about_the_place((31, 24, 5), (5.0, 6.5, 14.0)),
    "oblique": grid_about_the_place((23, 28, 6), (6.0, 6.0, 4.0), OBLIQUE),
    "permuted": grid_about_the_place((7, 26, 22), (4.0, 6.0, 6.5), PERMUTED),
}

CT_OPS = {
    "dose noise": mm.CtDoseNoise(dose_fraction=0.2),
    "rings": mm.CtRings(count=5, width_mm=9.0, amplitude_hu=50.0),
    "off-centre rings": mm.CtRings(count=3, width_mm=7.0, centre_mm=PLACE_MM),
    "streaks": mm.CtMetalStreaks(radius_mm=6.0, length_mm=9.0),
    "streaks at a place": mm.CtMetalStreaks(places_mm=[PLACE_MM], radius_mm=4.0, length_mm=6.0),
    "cupping": mm.CtCupping(depth_hu=50.0),
    "soft kernel": mm.CtKernelChange(sharpness=0.7),
    "sharp kernel": mm.CtKernelChange(sharpness=1.6, mtf50_per_mm=0.04),
}
PICTURE_OPS = {
    "collimation": mm.XrayCollimation(rotation_deg=11.0, penumbra_mm=20.0),
    "octagon": mm.XrayCollimation(shape="octagon", penumbra_mm=15.0, border=-7.0),
    "ellipse": mm.XrayCollimation(shape="ellipse", penumbra_mm=15.0),
    "scatter": mm.XrayScatter(scatter_to_primary=1.2),
    "scatter on radiation": mm.XrayScatter(scatter_to_primary=0.6, scale="linear"),
    "vignette": mm.Vignette(),
    "vignette at a place": mm.Vignette(corner_fraction=0.4, centre_mm=PLACE_MM),
    "highlights": mm.SpecularHighlights(count=5, size_fraction=0.2),
}
ULTRASOUND_OPS = {
    "speckle": mm.UltrasoundSpeckle(across_mm=15.0, along_mm=9.0, looks=2),
    "speckle of amplitudes": mm.UltrasoundSpeckle(scale="linear", looks=1),
    "attenuation": mm.UltrasoundAttenuation(),
    "attenuation in a sector": mm.UltrasoundAttenuation(
        apex_mm=(90.0, -60.0, 10.0), face_mm=40.0, scale="linear"
    ),
    "shadow": mm.UltrasoundShadow(width_mm=40.0, edge_mm=15.0),
    "shadow in a sector": mm.UltrasoundShadow(
        width_mm=40.0, edge_mm=15.0, apex_mm=(90.0, -60.0, 10.0), scale="linear"
    ),
}
PET_OPS = {
    "counts": mm.PetCounts(full_dose_counts=4.0, filter_fwhm_mm=12.0),
    "point spread": mm.PetPointSpread(fwhm_mm=14.0),
}
COLOUR_OPS = {"jitter": mm.ColourJitter(hue_deg=40.0, saturation=1.3, contrast=0.8)}
OPS = {**CT_OPS, **PICTURE_OPS, **ULTRASOUND_OPS, **PET_OPS, **COLOUR_OPS}

IDENTITIES = {
    "full dose": mm.CtDoseNoise(dose_fraction=1.0),
    "no noise": mm.CtDoseNoise(full_dose_noise_hu=0.0),
    "flat rings": mm.CtRings(amplitude_hu=0.0),
    "no cup": mm.CtCupping(depth_hu=0.0),
    "the same kernel": mm.CtKernelChange(sharpness=1.0),
    "no scatter": mm.XrayScatter(scatter_to_primary=0.0),
    "no falloff": mm.Vignette(corner_fraction=1.0),
    "no jitter": mm.ColourJitter(brightness=1.0, contrast=1.0, saturation=1.0, hue_deg=0.0),
    "no speckle": mm.UltrasoundSpeckle(strength=0.0),
    "compensated": mm.UltrasoundAttenuation(attenuation_db_per_cm_mhz=0.5, slider_error_db=0.0),
    "no shadow": mm.UltrasoundShadow(shadow_db=0.0, echo_db=0.0),
    "all counts": mm.PetCounts(dose_fraction=1.0),
    "a point": mm.PetPointSpread(fwhm_mm=0.0),
    "takes no part": mm.CtMetalStreaks(probability=0.0),
}


def body(grid: mm.ImageGrid, dtype: str = "float32", channels: int | None = None) -> mm.ScalarImage:
    """Draw an ellipse of soft tissue with a dense rod in it, in air, in HU."""
    shape = (1, *grid.shape)[-3:]
    z, y, x = (2.0 * (k + 0.5) / n - 1.0 for k, n in zip(np.indices(shape), shape, strict=True))
    voxels = np.where((x / 0.8) ** 2 + (y / 0.7) ** 2 + (0.2 * z) ** 2 < 1.0, 40.0, -1000.0)
    voxels = np.where((x - 0.3) ** 2 + (y + 0.2) ** 2 < 0.03, 900.0, voxels)
    noise = np.random.default_rng(7).normal(0.0, 12.0, (channels or 1, *shape))
    voxels = (voxels + noise).reshape(*((channels,) if channels else ()), *grid.shape)
    return mm.ScalarImage(voxels.astype(dtype), grid)


def light(grid: mm.ImageGrid, dtype: str = "float32", channels: int | None = None):
    """Map the same body to grey levels from 0 to 250, as of a picture or activity."""
    hu = body(grid, "float32", channels).array
    return mm.ScalarImage(((hu + 1000.0) * 0.13).clip(0, 250).astype(dtype), grid)


def image_for(
    op: object, grid: mm.ImageGrid, dtype: str, channels: int | None = None
) -> mm.ScalarImage:
    """Draw what an op is for: HU for CT, grey levels for the others, three channels for colour."""
    if isinstance(op, mm.ColourJitter):
        channels = 3
    make = body if str(op.op).startswith("ct_") else light
    return make(grid, dtype, channels)


def changed(
    image: mm.ScalarImage,
    *ops: object,
    backend: str = "cpu",
    index: int = 0,
    threads: int = 1,
) -> np.ndarray:
    """Apply ops as sample `index` does."""
    case = mm.Case(id="p01", images={"scan": image})
    pipeline = mm.Pipeline(intensity=ops, images=mm.ImageSampling(fill=0.0))
    return (
        mm.augment(case, pipeline, seed=4, index=index, backend=backend, threads=threads)
        .images["scan"]
        .array
    )
