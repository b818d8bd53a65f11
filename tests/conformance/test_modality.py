"""Ops on the physics of modalities: both backends agree, bits are kept, odd images are survived."""

import modalities
import numpy as np
import oracles
import pytest

import millimorph as mm

LIMIT_OF_RANGE = 3e-5


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        (name, grid)
        for name in modalities.OPS
        for grid in modalities.GRIDS
        if name in modalities.CT_OPS or grid in {"turned plane", "oblique"}
    ],
)
def test_cpu_agrees_with_the_reference(name, grid):
    """2D, 3D, anisotropic, oblique, and with the patient's axis along x, in float.

    Poisson counts of large mean are other ones for one voxel in eight thousand.
    """
    op = modalities.OPS[name]
    image = modalities.image_for(op, modalities.GRIDS[grid], "float32")
    slow, fast = (modalities.changed(image, op, backend=b) for b in ("reference", "cpu"))
    assert not np.array_equal(slow, image.array)
    limit = LIMIT_OF_RANGE * np.ptp(slow)
    if name == "counts":
        different = np.abs(fast - slow) > limit
        assert different.mean() < 0.02
        return
    oracles.check_close(fast, slow, limit, f"{name} on {grid}")


@pytest.mark.parametrize("name", modalities.OPS)
def test_cpu_agrees_on_integers_and_channels(name):
    """Two channels, of which the noise differs, and voxels rounded at the end."""
    op = modalities.OPS[name]
    image = modalities.image_for(op, modalities.GRIDS["anisotropic"], "int16", 2)
    slow, fast = (modalities.changed(image, op, backend=b) for b in ("reference", "cpu"))
    assert fast.dtype == np.int16
    assert (fast != slow).mean() < 0.02
    if name != "counts":
        oracles.check_close(fast, slow, 1.0, name)


def test_threads_change_no_bit():
    """With the patient's axis along x, too, where planes are no runs of voxels."""
    for grid in ("plane", "permuted"):
        for name, op in modalities.OPS.items():
            image = modalities.image_for(op, modalities.GRIDS[grid], "float32")
            one, many = (modalities.changed(image, op, threads=n) for n in (1, 7))
            oracles.check_equal(many, one, f"{name} on {grid}")


@pytest.mark.parametrize("name", modalities.IDENTITIES)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_parameters_that_change_nothing_change_no_bit(name, backend):
    image = modalities.light(modalities.GRIDS["plane"], "float32", 3)
    result = modalities.changed(image, modalities.IDENTITIES[name], backend=backend)
    oracles.check_equal(result, image.array, name)


@pytest.mark.parametrize("name", modalities.OPS)
@pytest.mark.parametrize("size", [(9, 8), (1, 1, 1), (1, 7, 3)])
def test_constant_images_and_single_voxels_stay_finite(name, size):
    """Nothing to measure a range or a path in: a finite result on both backends, no warning."""
    op, grid = modalities.OPS[name], mm.ImageGrid(size)
    shape = (3, *grid.shape) if name in modalities.COLOUR_OPS else grid.shape
    image = mm.ScalarImage(np.full(shape, 60.0, np.float32), grid)
    slow, fast = (modalities.changed(image, op, backend=b) for b in ("reference", "cpu"))
    assert np.isfinite(fast).all()
    oracles.check_close(fast, slow, 1e-5 * max(1.0, np.abs(slow).max()), name)


@pytest.mark.parametrize("name", modalities.CT_OPS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8"])
def test_types_that_cannot_hold_hu_are_refused(name, dtype):
    image = mm.ScalarImage(np.zeros((8, 9), dtype), mm.ImageGrid((9, 8)))
    with pytest.raises(mm.CompileError, match=f'"scan" is stored as {dtype}'):
        modalities.changed(image, modalities.CT_OPS[name])


@pytest.mark.parametrize("name", modalities.CT_OPS)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_padding_outside_the_scanner_stays(name, backend):
    """What lies below -1500 HU was never measured; no noise and no artefact belongs there."""
    voxels = modalities.body(modalities.GRIDS["plane"]).array.copy()
    voxels[:5, :5] = -2000.0
    image = mm.ScalarImage(voxels, modalities.GRIDS["plane"])
    result = modalities.changed(image, modalities.CT_OPS[name], backend=backend)
    np.testing.assert_array_equal(result[:5, :5], -2000.0)


@pytest.mark.parametrize("channels", [None, 2, 4])
def test_colours_need_three_channels(channels):
    image = modalities.light(modalities.GRIDS["plane"], "uint8", channels)
    with pytest.raises(mm.CompileError, match=f"has {channels or 1}; choose"):
        modalities.changed(image, mm.ColourJitter())


def test_three_chosen_channels_are_colours():
    """As of red, green, blue and opacity; the fourth keeps its bits."""
    image = modalities.light(modalities.GRIDS["plane"], "uint8", 4)
    result = modalities.changed(image, mm.ColourJitter(channels=[0, 1, 2], hue_deg=30.0))
    np.testing.assert_array_equal(result[3], image.array[3])
    assert (result[:3] != image.array[:3]).any()


def test_samples_and_images_differ_and_a_sample_repeats():
    """Drawn places and noise belong to the sample and the image."""
    for name, op in modalities.OPS.items():
        image = modalities.image_for(op, modalities.GRIDS["plane"], "float32")
        first, again, other = (modalities.changed(image, op, index=k) for k in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        fixed = name in {"cupping", "soft kernel", "sharp kernel", "point spread", "jitter"}
        fixed |= name in {"vignette at a place", "scatter", "scatter on radiation"}
        assert fixed or not np.array_equal(first, other), name


@pytest.mark.parametrize(
    ("file", "family"),
    [
        ("ct_torso/ct.nii.gz", modalities.CT_OPS),
        ("chest_xray.png", modalities.PICTURE_OPS),
        ("fundus_rgb.jpg", modalities.PICTURE_OPS | modalities.COLOUR_OPS),
    ],
)
def test_defaults_are_visible_on_real_images(shared_data, file, family):
    image = mm.read_image(shared_data / file)
    for kind in {type(op) for op in family.values()}:
        result = modalities.changed(image, kind())
        assert result.dtype == image.dtype
        difference = result.astype(np.float64) - image.array
        contrast = np.subtract(*np.percentile(image.array, [99, 1]))
        assert np.abs(difference).max() > 0.02 * contrast, kind.__name__
        assert np.abs(difference).mean() < 0.25 * contrast, kind.__name__
