"""Ops on CT follow the physics they state: closed forms of cylinders, circles and gratings."""

import modalities
import numpy as np
import pytest
from scipy import ndimage

import millimorph as mm
from millimorph.backends.cpu.ct import ring_profile

WATER_PER_MM = 0.0192


def disc(size, spacing_mm, radius_mm, slices=1):
    """Make a cylinder of water in air, its axis through the middle."""
    middle = 0.5 * (size - 1)
    y, x = np.indices((size, size))
    inside = np.hypot(x - middle, y - middle) * spacing_mm <= radius_mm
    plane = np.where(inside, 0.0, -1000.0).astype(np.float32)
    shape = (size, size) if slices == 1 else (size, size, slices)
    grid = mm.ImageGrid(shape, (spacing_mm, spacing_mm, 2.0)[: len(shape)])
    return mm.ScalarImage(plane if slices == 1 else np.stack([plane] * slices), grid)


def radii_mm(image):
    """Measure each pixel's distance from the middle."""
    rows, columns = image.grid.shape[-2:]
    y, x = np.indices((rows, columns))
    spacing = image.grid.spacing_mm
    return np.hypot((x - 0.5 * (columns - 1)) * spacing[0], (y - 0.5 * (rows - 1)) * spacing[1])


def added(image, op, **options):
    return modalities.changed(image, op, **options).astype(np.float64) - image.array


def noise(image, **options):
    return added(image, mm.CtDoseNoise(**options))


@pytest.mark.parametrize(("dose", "full"), [(0.5, 10.0), (0.1, 8.0)])
def test_noise_in_300_mm_of_water_is_that_of_the_dose(dose, full):
    """In the middle of a cylinder every path is its diameter; SD as 1 / sqrt(dose)."""
    image = disc(128, 3.0, 150.0, slices=20)
    middle = noise(image, dose_fraction=dose, full_dose_noise_hu=full)[:, radii_mm(image) < 30]
    assert middle.std() == pytest.approx(full * np.sqrt(1 / dose - 1), rel=0.03)
    assert abs(middle.mean()) < 0.05 * middle.std()


@pytest.mark.parametrize("radius_mm", [80.0, 120.0])
def test_noise_grows_with_the_paths_through_a_place(radius_mm):
    """Its variance is the mean over directions of exp(chord), wherever the place lies."""
    image = disc(128, 3.0, radius_mm, slices=30)
    changes = noise(image, dose_fraction=0.5, full_dose_noise_hu=10.0)
    angles = np.arange(720) * np.pi / 720
    for place_mm in (0.0, 0.5 * radius_mm, 0.8 * radius_mm, 1.3 * radius_mm):
        ring = changes[:, np.abs(radii_mm(image) - place_mm) < 4.0]
        chords = 2 * np.sqrt(np.maximum(radius_mm**2 - (place_mm * np.sin(angles)) ** 2, 0))
        variance = np.exp(WATER_PER_MM * chords).mean() / np.exp(WATER_PER_MM * 300.0)
        assert ring.std() == pytest.approx(10.0 * np.sqrt(variance), rel=0.08)


def test_the_noise_power_is_a_ramp_with_an_apodisation():
    """In air the noise is stationary; its power by frequency is f exp(-f^2 / (2 peak^2))."""
    grid = mm.ImageGrid((120, 108, 40), (0.8, 0.8, 2.0))
    air = mm.ScalarImage(np.full(grid.shape, -1000.0, np.float32), grid)
    changes = noise(air, dose_fraction=0.5, peak_frequency_per_mm=0.2)
    power = (np.abs(np.fft.fft2(changes)) ** 2).mean(axis=0)
    down, across = np.fft.fftfreq(108, 0.8)[:, None], np.fft.fftfreq(120, 0.8)[None, :]
    frequency = np.hypot(down, across)
    law = frequency * np.exp(-0.5 * (frequency / 0.2) ** 2)
    for low in np.arange(0.03, 0.5, 0.05):
        band = (frequency >= low) & (frequency < low + 0.05)
        assert power[band].sum() / power.sum() == pytest.approx(
            law[band].sum() / law.sum(), rel=0.05, abs=1e-3
        )


def test_noise_of_planes_is_independent():
    changes = noise(disc(96, 3.0, 120.0, slices=2), dose_fraction=0.2)
    assert abs(np.corrcoef(changes[0].ravel(), changes[1].ravel())[0, 1]) < 0.05


def test_rings_are_concentric_and_end_at_the_outermost():
    """About the middle heights depend on the radius alone; beyond the last ring there are none."""
    flat = mm.ScalarImage(np.zeros((101, 101), np.float32), mm.ImageGrid((101, 101)))
    changes = added(flat, mm.CtRings(count=3, width_mm=2.0, amplitude_hu=40.0))
    np.testing.assert_allclose(changes, changes[::-1], atol=1e-4)
    np.testing.assert_allclose(changes, changes.T, atol=1e-4)
    assert 2.0 < np.abs(changes).max() <= 40.0 + 1e-3
    assert np.abs(changes[radii_mm(flat) > 50.5 + 2.3]).max() == 0.0


def test_a_ring_is_what_one_bad_channel_backprojects_to():
    """Seen along parallel rays a ring is one bump, as wide as asked, and nothing elsewhere."""
    flat = mm.ScalarImage(np.zeros((401, 401), np.float32), mm.ImageGrid((401, 401), (0.25, 0.25)))
    ring = added(flat, mm.CtRings(count=1, width_mm=4.0), index=2)
    seen = ring.sum(axis=0)[200:]
    peak = int(np.argmax(np.abs(seen)))
    bump = seen / seen[peak]
    assert 0.25 * np.count_nonzero(bump > 0.5) == pytest.approx(4.0, abs=0.5)
    away = np.abs(np.arange(len(seen)) - peak) * 0.25 > 5.0
    assert np.abs(bump[away]).max() < 0.02


def test_every_plane_has_heights_of_its_own():
    flat = mm.ScalarImage(np.zeros((3, 40, 40), np.float32), mm.ImageGrid((40, 40, 3)))
    one, two, three = added(flat, mm.CtRings(count=1))
    row = int(np.argmax(np.abs(one[20])))
    ratios = two[20, row] / one[20, row], three[20, row] / one[20, row]
    np.testing.assert_allclose(two, ratios[0] * one, atol=1e-4)
    np.testing.assert_allclose(three, ratios[1] * one, atol=1e-4)
    assert len({1.0, *ratios}) == 3


def test_a_cylinder_cups_as_the_root():
    """Backprojecting the squared chords of a circle gives sqrt(1 - (r / R)^2)."""
    image = disc(96, 3.0, 130.0)
    depth = -added(image, mm.CtCupping(depth_hu=100.0))
    radii = radii_mm(image)
    law = 100.0 * np.sqrt(np.maximum(1 - (radii / 130.0) ** 2, 0))
    inside = radii < 120.0
    assert np.abs(depth - law)[inside].max() < 6.0
    assert np.abs(depth)[radii > 140.0].max() < 6.0


def gaussian_transfer_ratio(frequency, mtf50, sharpness):
    ratio = 2.0 ** -((frequency / (sharpness * mtf50)) ** 2) / 2.0 ** -((frequency / mtf50) ** 2)
    return ratio if sharpness < 1 else ratio * np.sqrt(10 / (9 + ratio**2))


@pytest.mark.parametrize("sharpness", [0.5, 0.8, 1.3, 2.0])
@pytest.mark.parametrize("waves", [6, 20])
def test_a_grating_is_scaled_by_the_ratio_of_the_transfers(sharpness, waves):
    """A cosine that the mirrored edges continue keeps its shape; its mean stays."""
    grid = mm.ImageGrid((80, 64), (0.7, 0.7))
    cosine = np.cos(np.pi * waves * (np.arange(80) + 0.5) / 80) * np.ones((64, 1))
    image = mm.ScalarImage((40.0 + 100.0 * cosine).astype(np.float32), grid)
    changes = modalities.changed(
        image, mm.CtKernelChange(sharpness=sharpness, mtf50_per_mm=0.25)
    ).astype(np.float64)
    gain = gaussian_transfer_ratio(waves / (2 * 80 * 0.7), 0.25, sharpness)
    np.testing.assert_allclose(changes, 40.0 + 100.0 * gain * cosine, atol=2e-3)


def test_a_softer_kernel_is_a_gaussian_blur():
    """Far from the edges, by SciPy, with the variance ln 2 (1 / new^2 - 1 / old^2) / (2 pi^2)."""
    image = modalities.body(mm.ImageGrid((60, 54), (0.8, 0.8)))
    result = modalities.changed(image, mm.CtKernelChange(sharpness=0.5, mtf50_per_mm=0.3))
    variance = np.log(2.0) * (1 / 0.15**2 - 1 / 0.3**2) / (2 * np.pi**2)
    held = np.maximum(image.array.astype(np.float64), -1024.0)
    expected = ndimage.gaussian_filter(held, np.sqrt(variance) / 0.8, mode="reflect", truncate=8)
    assert np.abs(result - expected)[12:-12, 12:-12].max() < 0.5


def test_pins_are_painted_and_their_streaks_have_the_asked_strength():
    image = disc(160, 1.5, 110.0)
    centre = 0.5 * 159 * 1.5
    places = [[centre - 25.0, centre], [centre + 25.0, centre]]
    result = modalities.changed(
        image,
        mm.CtMetalStreaks(places_mm=places, radius_mm=4.0, streak_hu=60.0, metal_hu=2500.0),
    )
    y, x = np.indices(image.array.shape) * 1.5
    near = np.minimum(*(np.hypot(x - px, y - py) for px, py in places))
    np.testing.assert_allclose(result[near < 3.0], 2500.0, atol=0.01)
    streaks = (result - image.array)[(near > 6.0) & (near < 50.0)]
    assert np.sqrt((streaks.astype(np.float64) ** 2).mean()) == pytest.approx(60.0, rel=0.02)


def test_between_two_pins_it_is_dark_and_across_them_bright():
    """The best known sign of beam hardening; averaged over samples, as photon noise is random."""
    image = disc(120, 2.0, 110.0)
    centre = 0.5 * 119 * 2.0
    places = [[centre - 30.0, centre], [centre + 30.0, centre]]
    op = mm.CtMetalStreaks(places_mm=places, radius_mm=4.0, streak_hu=60.0)
    mean = np.mean([added(image, op, index=k) for k in range(4)], axis=0)
    assert mean[58:62, 52:68].mean() < -100.0
    assert mean[58:62, 52:68].mean() < mean[30:40, 52:68].mean() - 100.0


def test_pins_reach_as_far_as_they_are_long():
    image = disc(48, 5.0, 90.0, slices=12)
    centre = 0.5 * 47 * 5.0
    op = mm.CtMetalStreaks(places_mm=[[centre, centre, 10.0]], length_mm=8.5)
    touched = (added(image, op) != 0).any(axis=(1, 2))
    np.testing.assert_array_equal(np.flatnonzero(touched), [3, 4, 5, 6, 7])


def test_drawn_pins_lie_in_dense_places():
    image = modalities.body(mm.ImageGrid((60, 54), (4.0, 4.0)))
    for index in range(5):
        result = modalities.changed(image, mm.CtMetalStreaks(count=3, radius_mm=3.0), index=index)
        pins = result > 2000.0
        assert pins.any()
        assert image.array[pins].min() > -100.0


def test_ring_profile_inverts_abels_integral():
    """Integrating the height along a line at distance u gives the channel's error at u."""
    step, radius, half = 0.05, 20.0, 3.0
    profile = ring_profile(radius, half, step, 600)
    rho = step * np.arange(600)

    t = np.linspace(0.0, 24.0, 24001)

    def seen(u):
        return np.interp(np.hypot(u, t), rho, profile).sum()

    at_radius = seen(radius)
    for u in (5.0, 15.0, 18.5, 19.0, 21.0, 22.0):
        bump = max(0.0, 1 - ((u - radius) / half) ** 2) ** 3
        assert seen(u) / at_radius == pytest.approx(bump, abs=0.01)
