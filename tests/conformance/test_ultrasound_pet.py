"""Ops on ultrasound and PET follow their laws: decibels by depth, Nakagami, Poisson, Gaussian."""

import modalities
import numpy as np
import pytest
from scipy import ndimage, stats

import millimorph as mm

GRID = mm.ImageGrid((90, 80), (0.5, 0.4))
SMALL_CELL = {"across_mm": 0.01, "along_mm": 0.01, "elevation_mm": 0.01}


def flat(level=100.0, grid=GRID, low=0.0, high=255.0):
    """Make an even picture whose range is pinned by two corner voxels."""
    voxels = np.full(grid.shape, level, np.float32)
    voxels.ravel()[0], voxels.ravel()[-1] = low, high
    return mm.ScalarImage(voxels, grid)


def inner(array):
    return array[2:-2, 2:-2].astype(np.float64)


@pytest.mark.parametrize("looks", [1, 3])
def test_speckle_amplitudes_follow_nakagami(looks):
    """Voxels that are far smaller than the cell would be white: 6000 of them, by Kolmogorov."""
    op = mm.UltrasoundSpeckle(looks=looks, strength=1.0, scale="linear", **SMALL_CELL)
    amplitude = inner(modalities.changed(flat(1.0, low=-1.0), op)).ravel()
    power = amplitude**2 / (amplitude**2).mean()
    assert stats.kstest(power, stats.gamma(looks, scale=1 / looks).cdf).pvalue > 1e-4
    decibels = 20 * np.log10(amplitude)
    sd = 10 / np.log(10) * np.sqrt(float(stats.loggamma(looks).var()))
    assert decibels.std() == pytest.approx(sd, rel=0.05)
    assert decibels.mean() == pytest.approx(0.0, abs=5 * sd / np.sqrt(decibels.size))


def test_fully_developed_speckle_has_5_6_decibels_in_the_usual_picture():
    """Burckhardt 1978; grey levels of a picture of 60 dB over 255 levels."""
    op = mm.UltrasoundSpeckle(looks=1, strength=1.0, **SMALL_CELL)
    levels = inner(modalities.changed(flat(), op))
    assert np.median(levels) == pytest.approx(100.0, abs=6.0)
    kept = levels[levels > 20.0]
    assert np.std(kept) * 60 / 255 == pytest.approx(5.57, rel=0.08)


def test_speckle_is_as_wide_as_the_resolution_cell():
    """Intensities of a field filtered by a Gaussian of SD s correlate by exp(-d^2 / (2 s^2))."""
    grid = mm.ImageGrid((300, 300), (0.5, 0.4))
    image = flat(1.0, grid, low=-1.0, high=1.0)
    op = mm.UltrasoundSpeckle(across_mm=4.0, along_mm=1.5, looks=1, strength=1.0, scale="linear")
    power = np.mean([_autocorrelation(image, op, k) for k in range(3)], axis=0)
    for lag in range(1, 6):
        across = np.exp(-0.5 * (lag * 0.5 / (4.0 / 2.3548)) ** 2)
        along = np.exp(-0.5 * (lag * 0.4 / (1.5 / 2.3548)) ** 2)
        assert power[0, lag] == pytest.approx(across, abs=0.08)
        assert power[lag, 0] == pytest.approx(along, abs=0.08)


def _autocorrelation(image, op, index):
    power = modalities.changed(image, op, index=index).astype(np.float64) ** 2
    spectrum = np.fft.fft2(power - power.mean())
    found = np.fft.ifft2(np.abs(spectrum) ** 2).real
    return found / found[0, 0]


def test_attenuation_is_decibels_by_depth():
    """0.7 for 0.5 dB/cm/MHz at 5 MHz: 2 dB a cm, of 60 dB over 255 grey levels."""
    op = mm.UltrasoundAttenuation(
        attenuation_db_per_cm_mhz=0.7, frequency_mhz=5.0, slider_error_db=0.0
    )
    result = modalities.changed(flat(), op)
    depth_cm = 0.04 * np.arange(80)
    expected = 100.0 - 2.0 * depth_cm * 255 / 60
    np.testing.assert_allclose(result[1:-1, 40], expected[1:-1], atol=1e-3)


def test_depth_in_a_sector_is_from_the_probes_face():
    apex = (22.0, -10.0)
    op = mm.UltrasoundAttenuation(
        attenuation_db_per_cm_mhz=1.5, frequency_mhz=4.0, slider_error_db=0.0,
        apex_mm=apex, face_mm=14.0, scale="linear",
    )  # fmt: skip
    result = inner(modalities.changed(flat(), op))
    rows, columns = np.indices(GRID.shape)
    depth_cm = 0.1 * (np.hypot(columns * 0.5 - apex[0], rows * 0.4 - apex[1]) - 14.0)
    expected = 100.0 * 10 ** (-8.0 * np.maximum(depth_cm, 0) / 20)
    np.testing.assert_allclose(result, inner(expected), rtol=2e-3)


def test_slider_errors_stay_within_what_is_asked():
    op = mm.UltrasoundAttenuation(attenuation_db_per_cm_mhz=0.5, slider_error_db=4.0)
    changes = np.stack([inner(modalities.changed(flat(), op, index=k)) - 100 for k in range(20)])
    decibels = changes * 60 / 255
    assert 3.0 < np.abs(decibels).max() <= 4.0 + 1e-3
    assert np.ptp(changes, axis=2).max() < 1e-4


@pytest.mark.parametrize("op", [mm.UltrasoundShadow(), mm.UltrasoundAttenuation()])
def test_black_stays_black(op):
    """What lies outside the sector is no tissue; nothing falls below black either."""
    voxels = flat().array.copy()
    voxels[:, :20] = 0.0
    voxels[:, 20:30] = 3.0
    result = modalities.changed(mm.ScalarImage(voxels, GRID), op)
    assert (result[:, :20] == 0.0).all()
    assert result.min() == 0.0


def test_a_shadow_is_dark_behind_its_surface_and_nowhere_else():
    op = mm.UltrasoundShadow(
        across_fraction=0.5, depth_fraction=0.4, width_mm=8.0, edge_mm=2.0, shadow_db=20.0,
        echo_db=10.0,
    )  # fmt: skip
    changes = (modalities.changed(flat(), op) - flat().array) * 60 / 255
    x, y = np.arange(90) * 0.5 - 22.25, np.arange(80) * 0.4 - 12.4
    assert changes[np.abs(y + 0.4).argmin() + 1, 44] == pytest.approx(10.0, abs=0.6)
    np.testing.assert_allclose(changes[y > 8.0][:-1, np.abs(x) < 3.0], -20.0, atol=1e-3)
    assert np.abs(changes[:, np.abs(x) > 5.0]).max() == 0.0
    assert np.abs(changes[y < -1.6]).max() == 0.0
    sides = changes[-5, np.abs(x) <= 5.0]
    assert ((sides <= 0) & (sides >= -20.001)).all()


def test_a_shadow_widens_with_diverging_beams():
    """Its sides run along the beams: the width grows as the distance from the apex."""
    apex = (22.25, -20.0)
    op = mm.UltrasoundShadow(
        centre_mm=(22.25, 5.0), width_mm=8.0, edge_mm=0.0, apex_mm=apex, shadow_db=30.0, echo_db=0.0
    )
    dark = modalities.changed(flat(), op) < 60.0
    for row in (40, 60, 75):
        widths_mm = 0.5 * dark[row].sum()
        along = row * 0.4 + 20.0
        assert widths_mm == pytest.approx(8.0 * along / 25.0, abs=1.1)


def test_a_surface_at_the_apex_is_refused():
    op = mm.UltrasoundShadow(centre_mm=(3.0, 4.0), apex_mm=(3.0, 4.0))
    with pytest.raises(mm.CompileError, match="surface at the apex"):
        modalities.changed(flat(), op)


COUNTS = mm.ImageGrid((60, 50, 9), (2.0, 2.0, 3.0))


def activity():
    """Make halves of 2 and 8 units; the robust range is 6, so a count is worth 6 / counts."""
    voxels = np.full(COUNTS.shape, 2.0, np.float32)
    voxels[:, :, 30:] = 8.0
    return mm.ScalarImage(voxels, COUNTS)


@pytest.mark.parametrize(("dose", "full"), [(0.5, 30.0), (0.2, 24.0)])
def test_counts_follow_poisson(dose, full):
    """Voxels are whole counts whose mean and spread are those of the law, by chi-square."""
    per_level = full * dose / (1 - dose) / 6.0
    op = mm.PetCounts(dose_fraction=dose, full_dose_counts=full, filter_fwhm_mm=0.0)
    counts = modalities.changed(activity(), op).astype(np.float64) * per_level
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)
    for half, level in ((counts[:, :, :30], 2.0), (counts[:, :, 30:], 8.0)):
        law = stats.poisson(level * per_level)
        found = np.bincount(np.rint(half).astype(int).ravel(), minlength=60)[:60]
        expected = law.pmf(np.arange(60)) * half.size
        usual = expected > 5
        chi = ((found - expected)[usual] ** 2 / expected[usual]).sum()
        assert stats.chi2(usual.sum() - 1).sf(chi) > 1e-4


def test_the_post_filter_smooths_the_noise_and_not_the_image():
    bare = mm.PetCounts(dose_fraction=0.5, full_dose_counts=60.0, filter_fwhm_mm=0.0)
    filtered = mm.PetCounts(dose_fraction=0.5, full_dose_counts=60.0, filter_fwhm_mm=8.0)
    image = activity()
    noise = modalities.changed(image, bare).astype(np.float64) - image.array
    sd = [8.0 / 2.3548200450309493 / s for s in (3.0, 2.0, 2.0)]
    expected = image.array + ndimage.gaussian_filter(noise, sd, mode="nearest", truncate=4.0)
    np.testing.assert_allclose(modalities.changed(image, filtered), expected, atol=2e-3)


def test_no_activity_becomes_negative():
    voxels = activity().array.copy()
    voxels[:, :, :30] = 0.05
    op = mm.PetCounts(dose_fraction=0.1, full_dose_counts=20.0)
    assert modalities.changed(mm.ScalarImage(voxels, COUNTS), op).min() >= 0.0


def test_a_point_source_gets_the_asked_width():
    voxels = np.zeros(COUNTS.shape, np.float32)
    voxels[4, 25, 30] = 1000.0
    result = modalities.changed(mm.ScalarImage(voxels, COUNTS), mm.PetPointSpread(fwhm_mm=9.0))
    profile = result[4, 25].astype(np.float64)
    variance = (profile * ((np.arange(60) - 30) * 2.0) ** 2).sum() / profile.sum()
    assert 2.3548 * np.sqrt(variance) == pytest.approx(9.0, rel=0.01)
    assert result.sum(dtype=np.float64) == pytest.approx(1000.0, rel=0.03)
