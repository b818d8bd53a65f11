"""Median, bilateral filter and adaptive equalisation against ITK, SciPy and closed forms."""

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
import worlds
from scipy import ndimage

import millimorph as mm

BACKENDS = ("reference", "cpu")
GRIDS = {
    "plane": mm.ImageGrid((43, 31), (0.8, 1.1), (3, -4)),
    "anisotropic": mm.ImageGrid((23, 19, 9), (0.7, 0.9, 2.5), (3, -4, 5)),
    "oblique": mm.ImageGrid((19, 22, 13), (1.2, 0.9, 1.5), (3, -4, 5), worlds.OBLIQUE),
}
TYPES = ("uint8", "int16", "float32", "float64")


def image(grid, dtype="float32", channels=None):
    """Draw smooth shapes with noise, on a part of the type's range."""
    generator = np.random.default_rng(len(grid.shape))
    leading = () if channels is None else (channels,)
    rough = generator.normal(0.0, 1.0, (*leading, *grid.shape))
    smooth = ndimage.gaussian_filter(rough, (*(0.0,) * len(leading), *(2.0,) * len(grid.shape)))
    voxels = 120.0 + 40.0 * smooth / smooth.std() + 5.0 * rough
    return mm.ScalarImage(voxels.clip(0, 255).astype(dtype), grid)


def made(source, *ops, backend="cpu", threads=None):
    case = mm.Case(id="p01", images={"mr": source})
    pipeline = mm.Pipeline(intensity=ops)
    return mm.augment(case, pipeline, seed=4, backend=backend, threads=threads).images["mr"]


def by_itk(source, name, **settings):
    """Filter in float64: ITK truncates integers."""
    picture = oracles.itk_image(source.array.astype(np.float64), source.grid)
    filtering = getattr(sitk, name)()
    for setting, value in settings.items():
        getattr(filtering, f"Set{setting}")(value)
    return sitk.GetArrayFromImage(filtering.Execute(picture))


def rounded(dtype):
    return 0.0 if np.dtype(dtype).kind == "f" else 0.5 + 1e-3


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(
    ("dtype", "radius"),
    [("uint8", 1), ("uint8", 3), ("int16", 2), ("float32", 1), ("float32", 7), ("float64", 2)],
)
def test_the_median_is_itks(grid, dtype, radius):
    """No voxel differs: few voxels and many, ties in integers, windows wider than the image."""
    source = image(grid, dtype)
    if dtype == "float64":
        source = source.with_array(source.array.astype(np.float32).astype(np.float64))
    expected = by_itk(source, "MedianImageFilter", Radius=radius).astype(dtype)
    oracles.check_equal(made(source, mm.Median(radius=radius)).array, expected, f"radius {radius}")


@pytest.mark.parametrize(
    "radius", [(1, 1, 0), (0, 2, 1), (0, 0, 1), (1, 0, 3), (70, 0, 0), (4, 2, 3), (0, 9, 9)]
)
def test_the_medians_radius_is_one_for_each_axis(radius):
    source = image(GRIDS["oblique"])
    size = [2 * r + 1 for r in radius[::-1]]
    expected = ndimage.median_filter(source.array, size, mode="nearest")
    oracles.check_equal(made(source, mm.Median(radius=radius)).array, expected, f"{radius}")


def test_the_median_slides_over_many_blocks():
    """More than one block along each axis, and their seams."""
    source = image(mm.ImageGrid((151, 130)))
    expected = ndimage.median_filter(source.array, 17, mode="nearest")
    oracles.check_equal(made(source, mm.Median(radius=8)).array, expected, "plane")
    source = image(mm.ImageGrid((27, 49, 30)))
    expected = ndimage.median_filter(source.array, 7, mode="nearest")
    oracles.check_equal(made(source, mm.Median(radius=3)).array, expected, "volume")


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(
    ("dtype", "domain_mm", "levels"),
    [("uint8", 1.0, 25.0), ("int16", 2.5, 8.0), ("float32", 1.5, 15.0), ("float64", 1.0, 40.0)],
)
def test_the_bilateral_filter_is_itks_but_for_its_table(grid, dtype, domain_mm, levels):
    """ITK takes the range weights from a table of 100 steps: within 0.04 range sigmas."""
    source = image(grid, dtype)
    settings = {"DomainSigma": domain_mm, "RangeSigma": levels}
    expected = by_itk(source, "BilateralImageFilter", **settings)
    op = mm.Bilateral(domain_sigma_mm=domain_mm, range_sigma=levels)
    found = made(source, op).array
    oracles.check_close(found, expected, 0.04 * levels + rounded(dtype), "table of 100")
    if dtype == "float32":
        assert np.abs(found - expected).mean() < 0.01 * levels


def test_the_bilateral_filter_is_itks_with_a_fine_table():
    """With 100 000 steps ITK's table is the Gaussian itself: within 1e-4 range sigmas."""
    source = image(GRIDS["anisotropic"])
    settings = {"DomainSigma": 2.0, "RangeSigma": 20.0, "NumberOfRangeGaussianSamples": 100_000}
    expected = by_itk(source, "BilateralImageFilter", **settings)
    found = made(source, mm.Bilateral(domain_sigma_mm=2.0, range_sigma=20.0)).array
    oracles.check_close(found, expected, 1e-4 * 20.0, "table of 100 000")


def test_the_bilateral_filter_keeps_a_step_and_smooths_beside_it():
    """Four range sigmas away counts for nothing: each side is a Gaussian mean of its own."""
    generator = np.random.default_rng(3)
    noise = generator.uniform(-1.0, 1.0, (40, 64))
    side = np.where(np.arange(64) < 32, 0.0, 1000.0)
    source = mm.ScalarImage((side + noise).astype(np.float32), mm.ImageGrid((64, 40)))
    found = made(source, mm.Bilateral(domain_sigma_mm=2.0, range_sigma=200.0)).array
    assert np.abs(found - side).max() < 0.5
    assert (found - side).std() < 0.3 * noise.std()


@pytest.mark.parametrize("sigma_mm", [(2.0, 0.0, 0.0), (0.0, 1.5, 3.0)])
def test_a_domain_sigma_of_nought_leaves_an_axis_alone(sigma_mm):
    """With a range sigma beyond all differences it is a Gaussian blur, cut at 2.5 sigma."""
    source = image(GRIDS["anisotropic"])
    found = made(source, mm.Bilateral(domain_sigma_mm=sigma_mm, range_sigma=1e6)).array
    expected = source.array.astype(np.float64)
    for axis, (sd_mm, spacing) in enumerate(zip(sigma_mm, source.grid.spacing_mm, strict=True)):
        if sd_mm > 0.0:
            radius = int(np.ceil(2.5 * sd_mm / spacing))
            expected = ndimage.gaussian_filter1d(
                expected, sd_mm / spacing, axis=-1 - axis, mode="nearest", radius=radius
            )
    oracles.check_close(found, expected, 2e-4, "blur")


def test_the_range_sigma_is_a_share_of_the_robust_range():
    source = image(GRIDS["plane"])
    low, high = np.percentile(source.array, (1, 99), method="lower")
    named = made(source, mm.Bilateral(domain_sigma_mm=2.0, range_sigma=0.1 * float(high - low)))
    share = made(source, mm.Bilateral(domain_sigma_mm=2.0, range_sigma_fraction=0.1))
    oracles.check_close(share.array, named.array, 0.02, "range sigma")


PAIRS = [(0.3, 0.3), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1.0, 0.7), (0.02, 0.5), (0.97, 0.9)]


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(("alpha", "beta"), PAIRS)
def test_the_adaptive_equalisation_is_itks(grid, alpha, beta):
    """Windows that end at the edges, the range of the image; within 2e-5 of it."""
    source = image(grid)
    settings = {"Radius": 4, "Alpha": alpha, "Beta": beta}
    expected = by_itk(source, "AdaptiveHistogramEqualizationImageFilter", **settings)
    op = mm.AdaptiveHistogramEqualization(radius=4, alpha=alpha, beta=beta)
    limit = 2e-5 * np.ptp(source.array)
    oracles.check_close(made(source, op).array, expected, limit, f"alpha {alpha}, beta {beta}")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_the_adaptive_equalisation_of_other_types_is_itks(dtype):
    """Rounded to nearest, held within the type."""
    source = image(GRIDS["anisotropic"], dtype)
    settings = {"Radius": (5, 2, 1), "Alpha": 0.3, "Beta": 0.6}
    expected = by_itk(source, "AdaptiveHistogramEqualizationImageFilter", **settings)
    op = mm.AdaptiveHistogramEqualization(radius=(5, 2, 1), alpha=0.3, beta=0.6)
    if dtype == "uint8":
        expected = expected.clip(0, 255)
    limit = 2e-5 * float(np.ptp(source.array)) + rounded(dtype)
    oracles.check_close(made(source, op).array, expected, limit, dtype)


def test_an_unsharp_mask_beyond_the_type_saturates():
    """With alpha 1, beta 0 a voxel is the middle grey plus its difference to the mean."""
    board = np.where(np.add.outer(np.arange(24), np.arange(30)) % 7 < 2, 250, 0).astype(np.uint8)
    source = mm.ScalarImage(board, mm.ImageGrid((30, 24)))
    found = made(source, mm.AdaptiveHistogramEqualization(radius=3, alpha=1.0, beta=0.0)).array
    counts = ndimage.uniform_filter(np.ones(board.shape), 7, mode="constant")
    means = ndimage.uniform_filter(board.astype(np.float64), 7, mode="constant") / counts
    expected = np.rint(board - means + 125.0).clip(0, 255)
    assert expected.max() == 255
    oracles.check_close(found, expected, 1.0, "unsharp")


OPS = {
    "median": mm.Median(radius=(2, 1, 1)),
    "large median": mm.Median(radius=(4, 5, 3)),
    "bilateral": mm.Bilateral(domain_sigma_mm=(2.0, 1.5, 2.0), range_sigma_fraction=0.15),
    "equalisation": mm.AdaptiveHistogramEqualization(radius=(4, 3, 2), alpha=0.6, beta=0.8),
    "signs": mm.AdaptiveHistogramEqualization(radius=(4, 3, 2), alpha=0.0, beta=0.8),
    "differences": mm.AdaptiveHistogramEqualization(radius=(4, 3, 2), alpha=1.0, beta=0.2),
}


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [None, 2])
def test_cpu_agrees_with_the_reference(op, dtype, channels):
    """Each channel by itself, whatever its range."""
    source = image(GRIDS["oblique"], dtype, channels)
    slow, fast = (made(source, op, backend=backend).array for backend in BACKENDS)
    whole = np.dtype(dtype).kind != "f"
    limit = 1.0 if whole else 2e-5 * np.ptp(source.array)
    oracles.check_close(fast, slow, limit, dtype)
    if whole:
        assert (fast != slow).mean() < 2e-3


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("threads", [2, 7])
def test_threads_change_no_bit(op, threads):
    source = image(mm.ImageGrid((61, 57, 9), (0.8, 1.1, 1.7)))
    one, many = (made(source, op, threads=n).array for n in (1, threads))
    np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_only_the_chosen_channel_changes(op):
    source = image(GRIDS["anisotropic"], channels=3)
    found = made(source, op.replace(channels=(1,))).array
    np.testing.assert_array_equal(found[[0, 2]], source.array[[0, 2]])
    alone = source.with_array(source.array[1])
    if "fraction" not in str(op):
        np.testing.assert_array_equal(found[1], made(alone, op).array)


NEUTRAL = {
    "median of itself": mm.Median(radius=0),
    "no place": mm.Bilateral(domain_sigma_mm=0.0),
    "no range": mm.Bilateral(range_sigma=0.0),
    "no share": mm.Bilateral(range_sigma_fraction=0.0),
    "alpha and beta 1": mm.AdaptiveHistogramEqualization(alpha=1.0, beta=1.0),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", NEUTRAL.values(), ids=NEUTRAL)
def test_neutral_parameters_change_no_bit(op, backend):
    source = image(GRIDS["plane"], "float64")
    np.testing.assert_array_equal(made(source, op, backend=backend).array, source.array)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (1, 7), (6, 5, 1)])
@pytest.mark.parametrize("level", [0.0, -1023.7])
def test_a_constant_image_stays_as_it_is(shape, level, backend):
    source = mm.ScalarImage(np.full(shape, level, np.float32), mm.ImageGrid(shape[::-1]))
    for op in (mm.Median(radius=6), mm.Bilateral(), mm.AdaptiveHistogramEqualization()):
        found = made(source, op, backend=backend)
        np.testing.assert_array_equal(found.array, source.array)


def test_a_plane_is_a_plane_of_a_volume_of_one_slice():
    """A radius across one slice does nothing."""
    flat = image(GRIDS["plane"])
    size, spacing = flat.grid.size, flat.grid.spacing_mm
    thick = mm.ScalarImage(flat.array[None], mm.ImageGrid((*size, 1), (*spacing, 3.0)))
    ops = (
        mm.Median(radius=2),
        mm.Median(radius=8),
        mm.Bilateral(domain_sigma_mm=2.0, range_sigma=10.0),
        mm.AdaptiveHistogramEqualization(alpha=0.8, beta=0.9),
    )
    for op in ops:
        np.testing.assert_array_equal(made(thick, op).array[0], made(flat, op).array)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_levels_far_from_one_give_finite_numbers(scale):
    source = image(GRIDS["plane"])
    far = source.with_array((source.array * np.float64(scale)).astype(np.float32))
    for op in (
        mm.Bilateral(domain_sigma_mm=1.0, range_sigma=1e-20),
        mm.Bilateral(domain_sigma_mm=1.0, range_sigma=1e20),
        mm.AdaptiveHistogramEqualization(alpha=0.8, beta=0.9),
    ):
        assert np.isfinite(made(far, op).array).all()
