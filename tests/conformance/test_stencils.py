"""Gaussian blur, sharpening and lower resolution: against SimpleITK, SciPy and closed forms."""

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from scipy import ndimage

import millimorph as mm
from millimorph.backends.cpu import smoothing
from millimorph.errors import CompileError

TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
GRIDS = {
    "2D": mm.ImageGrid((45, 33), (0.7, 1.1)),
    "3D": mm.ImageGrid((21, 18, 15), (1.2, 0.9, 2.5), (3, -4, 5)),
    "oblique": mm.ImageGrid((19, 16, 17), (1.0, 1.0, 1.0), direction=TURN),
}
OPS = {
    "blur": mm.GaussianBlur(sigma_mm=1.6),
    "blur_along_x": mm.GaussianBlur(sigma_voxels=(2.0, 0.0, 0.3)),
    "wide_blur": mm.GaussianBlur(sigma_voxels=5.0),
    "discrete_blur": mm.GaussianBlur(sigma_mm=2.0, kernel="discrete"),
    "sharpen": mm.Sharpen(amount=0.7, keep_range=False),
    "sharpen_within_range": mm.Sharpen(amount=1.5, sigma_voxels=1.0),
    "laplacian": mm.Sharpen(amount=0.4, method="laplacian", keep_range=False),
    "slices": mm.LowResolution(thickness_mm=3.0, gap_mm=1.0, axis="j", profile="gaussian"),
    "thin_slices": mm.LowResolution(thickness_mm=0.5, gap_mm=3.0, axis="all"),
    "triangles": mm.LowResolution(zoom=0.45, profile="triangle", interpolation="cubic"),
    "nearest": mm.LowResolution(zoom=0.6, profile="nearest", interpolation="nearest"),
    "nnunet": mm.LowResolution(zoom=0.7, profile="nearest", interpolation="linear"),
    "one_slice": mm.LowResolution(zoom=0.01, interpolation="cubic"),
}


def image(grid, dtype="float32", channels=None):
    """Draw voxels with a long bright tail."""
    shape = grid.shape if channels is None else (channels, *grid.shape)
    voxels = np.random.default_rng(9).gamma(2.0, 40.0, shape)
    return mm.ScalarImage(voxels.clip(0, 250).astype(dtype), grid)


def made(source, *ops, backend="cpu", threads=1):
    case = mm.Case(id="p01", images={"ct": source})
    pipeline = mm.Pipeline(intensity=ops)
    result = mm.augment(case, pipeline, seed=4, backend=backend, threads=threads)
    return result.images["ct"].array


def plain(array, *ops):
    """Change an array whose voxels measure 1 mm."""
    array = np.asarray(array, np.float32)
    return made(mm.ScalarImage(array, mm.ImageGrid(array.shape[::-1], (1.0,) * array.ndim)), *ops)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_cpu_agrees_with_the_reference(op, grid):
    """Within 1e-6 of the range for float32, one grey level for integers; two channels too."""
    for dtype, channels, limit in (("float32", 2, 1e-6 * 250), ("int16", None, 1.0)):
        source = image(grid, dtype, channels)
        slow, fast = made(source, op, backend="reference"), made(source, op)
        oracles.check_close(fast, slow, limit, dtype)
        assert not np.array_equal(fast, source.array)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_threads_and_strips_change_no_bit(op, monkeypatch):
    source = image(GRIDS["3D"], channels=2)
    alone = made(source, op)
    for threads in (2, 7):
        np.testing.assert_array_equal(made(source, op, threads=threads), alone)
    monkeypatch.setattr(smoothing, "PIECE_VOXELS", 60)
    monkeypatch.setattr(smoothing, "DEPTH", 1)
    np.testing.assert_array_equal(made(source, op), alone)


@pytest.mark.parametrize("sigma_voxels", [2.5, 4.0])
def test_a_wide_blur_has_the_same_bits_whether_z_comes_first_or_not(sigma_voxels, monkeypatch):
    """Where a strip would read many more rows than it makes, z is done for the whole channel."""
    source = image(GRIDS["3D"])
    op = mm.GaussianBlur(sigma_voxels=sigma_voxels)
    together = made(source, op)
    monkeypatch.setattr(smoothing, "CACHE_BYTES", 1000)
    np.testing.assert_array_equal(made(source, op), together)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.2])
@pytest.mark.parametrize("shape", [(23, 31), (9, 14, 37)])
def test_blur_is_scipys(sigma, shape):
    source = image(mm.ImageGrid(shape[::-1], (1.0,) * len(shape)))
    expected = ndimage.gaussian_filter(source.array.astype(float), sigma, mode="nearest")
    result = made(source, mm.GaussianBlur(sigma_mm=sigma))
    oracles.check_close(result, expected, 1e-6 * 250, f"sigma {sigma}")


@pytest.mark.parametrize("grid", [GRIDS["2D"], GRIDS["3D"]], ids=["2D", "3D"])
@pytest.mark.parametrize("variance", [1.0, 4.0, 10.0])
def test_the_discrete_kernel_is_itks_discrete_gaussian(grid, variance):
    """The notebook's variance is 4 mm^2; the spacing counts unless it is told not to."""
    source = image(grid)
    itk = oracles.itk_image(source.array, grid)
    for use_spacing, field in ((True, "sigma_mm"), (False, "sigma_voxels")):
        expected = sitk.DiscreteGaussian(itk, variance, 32, 0.01, use_spacing)
        op = mm.GaussianBlur(**{field: variance**0.5}, kernel="discrete")
        limit = 1e-5 * source.array.std()
        oracles.check_close(made(source, op), sitk.GetArrayFromImage(expected), limit, field)


@pytest.mark.parametrize("grid", [GRIDS["2D"], GRIDS["3D"]], ids=["2D", "3D"])
def test_the_sampled_kernel_is_near_itks_recursive_gaussian(grid):
    """The notebook's sigma is 2 mm; ITK approximates the Gaussian by a recursion."""
    source = image(grid)
    itk = oracles.itk_image(source.array, grid)
    expected = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(itk, 2.0))
    result = made(source, mm.GaussianBlur(sigma_mm=2.0))
    oracles.check_close(result, expected, 0.003 * np.ptp(source.array), "sigma 2 mm")


def test_a_blur_in_mm_is_narrower_in_larger_voxels():
    """A point spreads by sigma mm along each axis, whatever the spacing."""
    grid = mm.ImageGrid((61, 41, 31), (0.5, 0.8, 1.0))
    point = np.zeros(grid.shape, np.float32)
    point[15, 20, 30] = 1.0
    spread = made(mm.ScalarImage(point, grid), mm.GaussianBlur(sigma_mm=1.7))
    for axis, spacing in enumerate(grid.spacing_mm):
        along = spread.sum(axis=tuple(k for k in range(3) if k != 2 - axis), dtype=float)
        place = spacing * (np.arange(len(along)) - (grid.size[axis] - 1) / 2)
        assert np.sqrt((along * place**2).sum()) == pytest.approx(1.7, rel=2e-3)


def test_sharpening_adds_what_the_blur_takes_away():
    source = image(GRIDS["oblique"])
    voxels = source.array.astype(float)
    expected = voxels + 0.8 * (voxels - ndimage.gaussian_filter(voxels, 1.5, mode="nearest"))
    result = made(source, mm.Sharpen(amount=0.8, sigma_mm=1.5, keep_range=False))
    oracles.check_close(result, expected, 2e-6 * 250, "unsharp mask")


@pytest.mark.parametrize("shape", [(23, 31), (9, 14, 17), (1, 1, 5), (4, 1, 1)])
def test_the_laplacian_is_the_sum_of_second_differences(shape):
    voxels = np.random.default_rng(2).normal(100.0, 20.0, shape)
    expected = voxels - 0.6 * ndimage.laplace(voxels, mode="nearest")
    result = plain(voxels, mm.Sharpen(amount=0.6, method="laplacian", keep_range=False))
    oracles.check_close(result, expected, 1e-4, "laplacian")


@pytest.mark.parametrize("method", ["unsharp", "laplacian"])
def test_a_kept_range_is_not_overshot(method):
    source = image(GRIDS["3D"], channels=2)
    free = made(source, mm.Sharpen(amount=1.0, method=method, keep_range=False))
    kept = made(source, mm.Sharpen(amount=1.0, method=method))
    for channel, sharp, limited in zip(source.array, free, kept, strict=True):
        np.testing.assert_array_equal(limited, sharp.clip(channel.min(), channel.max()))
        assert sharp.max() > channel.max()


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_what_is_constant_stays_so(op):
    """Images of one value, also of zeros and of one voxel, in 2D and 3D."""
    for shape in ((7, 9, 11), (8, 6), (1, 1, 1), (1, 1)):
        for value in (0.0, -1024.0):
            flat = plain(np.full(shape, value), op)
            assert np.abs(flat - value).max() <= 2e-6 * abs(value)
    if isinstance(op, mm.LowResolution) and op.interpolation != "cubic":
        flat = plain(np.full((9, 11), 0.1), op)
        np.testing.assert_array_equal(flat, np.float32(0.1))


IDENTITIES = {
    "blur": mm.GaussianBlur(sigma_mm=0.0),
    "blur_in_voxels": mm.GaussianBlur(sigma_voxels=(0.0, 0.0, 0.0)),
    "no_amount": mm.Sharpen(amount=0.0),
    "no_sigma": mm.Sharpen(sigma_mm=0.0),
    "whole_zoom": mm.LowResolution(zoom=1.0),
    "thin": mm.LowResolution(thickness_mm=0.5, axis="all"),
    "never": mm.GaussianBlur(probability=0.0),
}


@pytest.mark.parametrize("op", IDENTITIES.values(), ids=IDENTITIES)
def test_parameters_without_effect_change_no_bit(op):
    """Not even a pass is made of them."""
    source = image(GRIDS["oblique"], "float64")
    np.testing.assert_array_equal(made(source, op), source.array)


def test_only_the_asked_channels_change():
    source = image(GRIDS["3D"], channels=3)
    for op in (
        mm.GaussianBlur(channels=[1]),
        mm.Sharpen(channels=[1]),
        mm.LowResolution(channels=[1]),
    ):
        result = made(source, op)
        np.testing.assert_array_equal(result[[0, 2]], source.array[[0, 2]])
        assert not np.array_equal(result[1], source.array[1])


PROFILES = ("box", "triangle", "gaussian")


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("profile", PROFILES)
def test_lower_resolution_does_not_move_an_off_centre_blob(profile, interpolation):
    """Its centre of mass stays within 0.03 voxels, at odd and even sizes and numbers of slices."""
    for size in (60, 61):
        place = np.arange(size) - 23.3
        blob = np.exp(-0.5 * (place[:, None] / 6.0) ** 2 - 0.5 * (place / 6.0) ** 2)
        for zoom in (0.5, 0.37, 0.8):
            op = mm.LowResolution(zoom=zoom, profile=profile, interpolation=interpolation)
            result = plain(blob, op).astype(float)
            for axis in (0, 1):
                mass = result.sum(axis=axis)
                assert (mass * np.arange(size)).sum() / mass.sum() == pytest.approx(23.3, abs=0.03)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("profile", PROFILES)
def test_lower_resolution_keeps_a_ramp(profile, interpolation):
    """Away from the ends, where the repeated edge bends what a slice sees."""
    ramp = np.broadcast_to(np.arange(90.0), (5, 90))
    for op in (
        mm.LowResolution(zoom=(0.43, 1.0), profile=profile, interpolation=interpolation),
        mm.LowResolution(
            thickness_mm=3.0, gap_mm=0.7, axis="i", profile=profile, interpolation=interpolation
        ),
    ):
        result = plain(ramp, op)
        oracles.check_close(result[:, 25:-25], ramp[:, 25:-25], 1e-3, interpolation)
        assert not np.array_equal(result, ramp)


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize("profile", PROFILES)
def test_lower_resolution_treats_both_ends_alike(profile, interpolation):
    """Mirroring the image mirrors the result, so there is no shift of half a voxel.

    At these sizes no voxel is midway between two slices.
    """
    voxels = np.random.default_rng(5).normal(100.0, 20.0, (21, 21))
    for op in (
        mm.LowResolution(zoom=0.43, profile=profile, interpolation=interpolation),
        mm.LowResolution(
            thickness_mm=2.3, gap_mm=0.7, axis="all", profile=profile, interpolation=interpolation
        ),
    ):
        mirrored = plain(voxels[::-1, ::-1], op)[::-1, ::-1]
        oracles.check_close(mirrored, plain(voxels, op), 1e-3, interpolation)


def test_slices_average_their_thickness_and_skip_the_gap():
    """Thirty voxels of 1 mm: six slices 5 mm apart, each the mean of the middle three of five."""
    voxels = np.random.default_rng(6).normal(100.0, 20.0, (30, 4, 3))
    op = mm.LowResolution(thickness_mm=3.0, gap_mm=2.0, axis="k", interpolation="nearest")
    means = voxels.reshape(6, 5, 4, 3)[:, 1:4].mean(axis=1)
    oracles.check_close(plain(voxels, op), np.repeat(means, 5, axis=0), 1e-4, "slices")


def test_half_resolution_is_the_mean_of_pairs_and_their_quarters():
    voxels = np.random.default_rng(6).normal(100.0, 20.0, (2, 16))
    pairs = voxels.reshape(2, 8, 2).mean(axis=2)
    before = np.concatenate([pairs[:, :1], pairs[:, :-1]], axis=1)
    after = np.concatenate([pairs[:, 1:], pairs[:, -1:]], axis=1)
    expected = np.stack([0.75 * pairs + 0.25 * before, 0.75 * pairs + 0.25 * after], axis=2)
    result = plain(voxels, mm.LowResolution(zoom=(0.5, 1.0)))
    oracles.check_close(result, expected.reshape(2, 16), 1e-4, "half")


def test_nnunets_low_resolution_takes_the_nearest_voxel_and_goes_back_linearly():
    """As PyTorch's interpolate does, nearest-exact down and linear up with its own half voxels."""
    voxels = np.random.default_rng(6).normal(100.0, 20.0, 53)
    count = round(53 * 0.6)
    chosen = voxels[np.floor((np.arange(count) + 0.5) * 53 / count).astype(int)]
    expected = np.interp((np.arange(53) + 0.5) * count / 53 - 0.5, np.arange(count), chosen)
    op = mm.LowResolution(zoom=(0.6, 1.0), profile="nearest", interpolation="linear")
    oracles.check_close(plain([voxels], op)[0], expected, 1e-4, "nnU-Net")


@pytest.mark.parametrize("profile", PROFILES)
def test_slices_of_nothing_below_zero_have_nothing_below_zero(profile):
    """Not even by a rounding: a later step may take it for counts."""
    generator = np.random.default_rng(6)
    voxels = 1000.0 * generator.random((90, 95)) * (generator.random((90, 95)) < 0.1)
    for zoom in (0.37, 0.55, 0.67, 0.81, 0.93):
        assert plain(voxels, mm.LowResolution(zoom=zoom, profile=profile)).min() >= 0.0


def test_a_patient_axis_is_the_nearest_grid_axis():
    """In a sagittal image k runs from left to right, j from the feet to the head."""
    sagittal = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    source = image(mm.ImageGrid((9, 10, 11), (1.0, 1.0, 1.0), direction=sagittal))
    pairs = (("left-right", "k"), ("anterior-posterior", "i"), ("inferior-superior", "j"))
    for patient, grid in pairs:
        one, other = (
            made(source, mm.LowResolution(thickness_mm=3.0, axis=axis)) for axis in (patient, grid)
        )
        np.testing.assert_array_equal(one, other)


def test_a_flat_image_has_no_third_axis():
    with pytest.raises(CompileError, match='along "k", "ct" is 2D; choose i or j'):
        plain(np.zeros((8, 9)), mm.LowResolution(thickness_mm=3.0))


def test_a_program_says_what_its_steps_do():
    case = mm.Case(id="p01", images={"ct": image(GRIDS["3D"])})
    ops = (mm.GaussianBlur(sigma_voxels=1.0), mm.LowResolution(zoom=0.5), mm.Sharpen(amount=0.5))
    (recipe,) = mm.draw(mm.Pipeline(intensity=ops), mm.Random(), seed=1, case="p01", stop=1)
    text = str(mm.compile(recipe, case))
    assert "Gaussian blur of 1 x 1 x 1 voxels" in text
    assert "slices of box profile (x 10 x 2.1, y 9 x 2, z 8 x 1.88 voxels), linear back" in text
    assert "unsharp mask of 1.67 x 2.22 x 0.8 voxels by 0.5, range kept" in text
