"""Ops on X-ray projections and photographs, against closed forms and SciPy."""

import modalities
import numpy as np
import pytest
from scipy import ndimage

import millimorph as mm

GRID = mm.ImageGrid((61, 41), (0.5, 1.0))


def picture(seed=3, channels=None, grid=GRID):
    shape = (*((channels,) if channels else ()), *grid.shape)
    voxels = np.random.default_rng(seed).uniform(0.0, 255.0, shape)
    voxels.ravel()[:2] = 0.0, 255.0
    return mm.ScalarImage(voxels.astype(np.float32), grid)


def places_mm(grid=GRID):
    rows, columns = np.indices(grid.shape)
    return columns * grid.spacing_mm[0], rows * grid.spacing_mm[1]


STILL = {"shift_x_fraction": 0.0, "shift_y_fraction": 0.0}


def test_blades_leave_the_field_and_cover_the_rest():
    """No bit of the open field changes; a turned rectangle, sharp edges."""
    image = picture()
    op = mm.XrayCollimation(
        width_fraction=0.6, height_fraction=0.5, rotation_deg=20.0, penumbra_mm=0.0, **STILL
    )
    result = modalities.changed(image, op)
    x, y = places_mm()
    x, y = x - 15.0, y - 20.0
    angle = np.deg2rad(20.0)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    is_open = (np.abs(u) <= 0.3 * 30.5) & (np.abs(v) <= 0.25 * 41.0)
    np.testing.assert_array_equal(result, np.where(is_open, image.array, 0.0))


def test_a_penumbra_goes_over_linearly():
    flat = mm.ScalarImage(np.full(GRID.shape, 100.0, np.float32), GRID)
    op = mm.XrayCollimation(
        width_fraction=0.5, height_fraction=2.0, rotation_deg=0.0, penumbra_mm=6.0, border=0.0,
        **STILL,
    )  # fmt: skip
    row = modalities.changed(flat, op)[20]
    outside = np.abs(np.arange(61) * 0.5 - 15.0) - 0.25 * 30.5
    np.testing.assert_allclose(row, 100.0 * np.clip(0.5 - outside / 6.0, 0, 1), atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "share"), [("octagon", 2 * np.sqrt(2) - 2), ("ellipse", np.pi / 4)]
)
def test_fields_have_the_area_of_their_shape(shape, share):
    """A regular octagon fills 82.8 % of its square, a circle 78.5 %."""
    grid = mm.ImageGrid((200, 200))
    flat = mm.ScalarImage(np.ones(grid.shape, np.float32), grid)
    op = mm.XrayCollimation(
        shape=shape, width_fraction=0.8, height_fraction=0.8, border=0.0, **STILL
    )
    assert modalities.changed(flat, op).mean() == pytest.approx(0.64 * share, rel=0.01)


def test_scatter_on_radiation_is_a_wide_blur():
    """By SciPy's Gaussian filter with mirrored edges."""
    image = picture()
    op = mm.XrayScatter(scatter_to_primary=0.8, spread_mm=3.0, scale="linear")
    blurred = ndimage.gaussian_filter(
        image.array.astype(np.float64), (3.0, 6.0), mode="reflect", truncate=8
    )
    expected = (image.array + 0.8 * blurred) / 1.8
    np.testing.assert_allclose(modalities.changed(image, op), expected, atol=0.01)


def test_scatter_takes_contrast_from_small_details():
    """A small dense detail of density d is left with -ln((exp(-d) + s) / (1 + s))."""
    grid = mm.ImageGrid((101, 101))
    voxels = np.zeros(grid.shape, np.float32)
    voxels[50, 50], voxels[0, 0] = 0.4, 1.0
    op = mm.XrayScatter(scatter_to_primary=1.5, spread_mm=30.0, log_range=2.0)
    result = modalities.changed(mm.ScalarImage(voxels, grid), op)
    kept = -np.log((np.exp(-0.8) + 1.5) / 2.5) / 2.0
    assert result[50, 50] - result[50, 53] == pytest.approx(kept, rel=0.005)
    assert kept < 0.4 / 2.0


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_an_even_field_keeps_its_level_under_scatter(scale):
    voxels = np.full(GRID.shape, 40.0, np.float32)
    voxels[0, 0] = 41.0
    image = mm.ScalarImage(voxels, GRID)
    op = mm.XrayScatter(scatter_to_primary=2.0, scale=scale)
    np.testing.assert_allclose(modalities.changed(image, op)[1:], 40.0, atol=0.01)


def test_a_vignette_follows_the_fourth_power_of_the_cosine():
    image = picture(channels=3)
    result = modalities.changed(image, mm.Vignette(corner_fraction=0.4, **STILL))
    x, y = places_mm()
    radius = np.hypot(x - 15.0, y - 20.0)
    half_diagonal = 0.5 * np.hypot(30.5, 41.0)
    focus = half_diagonal / np.sqrt(0.4**-0.5 - 1.0)
    np.testing.assert_allclose(
        result, image.array * np.cos(np.arctan(radius / focus)) ** 4, rtol=2e-6, atol=1e-5
    )
    corner = np.cos(np.arctan(half_diagonal / focus)) ** 4
    assert corner == pytest.approx(0.4)


YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]]
)


def test_colours_turn_in_the_chroma_plane():
    """Against the matrices of YIQ, inverted by NumPy."""
    image = picture(channels=3)
    op = mm.ColourJitter(brightness=0.9, contrast=1.2, saturation=1.4, hue_deg=50.0)
    angle = np.deg2rad(50.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    chroma = np.eye(3)
    chroma[1:, 1:] = 1.4 * turn
    pixels = image.array.reshape(3, -1).astype(np.float64)
    contrasted = 127.5 + 1.2 * (0.9 * pixels - 127.5)
    expected = np.linalg.inv(YIQ) @ chroma @ YIQ @ contrasted
    result = modalities.changed(image, op).reshape(3, -1)
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_without_saturation_a_picture_is_its_luma():
    image = picture(channels=3)
    op = mm.ColourJitter(brightness=1.0, contrast=1.0, saturation=0.0, hue_deg=70.0)
    luma = np.tensordot(YIQ[0], image.array.astype(np.float64), axes=1)
    np.testing.assert_allclose(modalities.changed(image, op), np.stack([luma] * 3), atol=1e-3)


def test_grey_has_no_hue():
    grey = np.stack([picture().array] * 3)
    image = mm.ScalarImage(grey, GRID)
    op = mm.ColourJitter(brightness=1.0, contrast=1.0, saturation=1.7, hue_deg=123.0)
    np.testing.assert_allclose(modalities.changed(image, op), grey, atol=1e-3)


def test_highlights_are_white_small_and_lie_on_bright_places():
    grid = mm.ImageGrid((200, 160))
    ramp = np.stack([np.linspace(10, 200, 200) * np.ones((160, 1))] * 3)
    image = mm.ScalarImage(ramp.astype(np.uint8), grid)
    op = mm.SpecularHighlights(count=10, size_fraction=0.03, level=250.0)
    result = modalities.changed(image, op)
    painted = (result == 250).all(axis=0)
    touched = (result != image.array).any(axis=0)
    assert 10 < painted.sum() < touched.sum() < 0.03 * touched.size
    assert np.flatnonzero(touched.any(axis=0)).min() > 100
    count = ndimage.label(touched, np.ones((3, 3)))[1]
    assert 1 < count <= 10


def test_pictures_of_a_series_have_highlights_of_their_own():
    grid = mm.ImageGrid((60, 50, 3))
    voxels = np.random.default_rng(2).uniform(0, 99, (3, 3, 50, 60))
    image = mm.ScalarImage(voxels.astype(np.float32), grid)
    spots = modalities.changed(image, mm.SpecularHighlights(size_fraction=0.05)) != image.array
    assert spots.any(axis=(0, 2, 3)).all()
    assert not np.array_equal(spots[:, 0], spots[:, 1])
