"""Curves of grey levels: against SimpleITK, SciPy and closed forms; what they do to odd images."""

import itertools

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
import worlds
from scipy import stats
from scipy.interpolate import PchipInterpolator

import millimorph as mm
from millimorph.backends.cpu.curves import monotone_cubic
from millimorph.errors import ImageError

BACKENDS = ("reference", "cpu")
GRIDS = {
    "anisotropic": mm.ImageGrid((41, 37, 31), (0.9, 1.2, 4.0), (3, -4, 5)),
    "oblique": mm.ImageGrid((30, 27, 20), (1.2, 0.9, 1.5), (3, -4, 5), worlds.OBLIQUE),
    "plane": mm.ImageGrid((150, 130), (0.7, 1.1), (3, -4)),
}
OPS = {
    "gamma": mm.Gamma(gamma=0.6),
    "inverted gamma": mm.Gamma(gamma=1.7, invert=True),
    "gamma that keeps": mm.Gamma(gamma=0.6, keep_statistics=True),
    "inverted gamma that keeps": mm.Gamma(gamma=1.7, invert=True, keep_statistics=True),
    "brightness": mm.Brightness(shift=-17.25),
    "brightness fraction": mm.Brightness(shift_fraction=0.2),
    "contrast": mm.Contrast(factor=1.4),
    "free contrast": mm.Contrast(factor=1.4, preserve_range=False),
    "line": mm.LinearMap(scale=-1.1, shift=30.03),
    "clamp": mm.Clamp(low=10.0, high=90.0),
    "window": mm.Window(level=40.0, width=80.0),
    "window by fractions": mm.Window(low=200.0, high=-100.0),
    "invert": mm.Invert(),
    "invert about": mm.Invert(about=20.0),
    "sigmoid": mm.Sigmoid(),
    "sigmoid of all kinds": mm.Sigmoid(alpha=12.0, midpoint=60.0, low=-3.0, high=5.0),
    "curve": mm.IntensityCurve(strength=0.5),
    "wild curve": mm.IntensityCurve(strength=1.0, control_points=20),
}
DEFAULTS = (
    mm.Gamma(),
    mm.Gamma(keep_statistics=True),
    mm.Brightness(),
    mm.Contrast(),
    mm.LinearMap(),
    mm.Window(),
    mm.Invert(),
    mm.Sigmoid(),
    mm.IntensityCurve(),
)


def image(grid, dtype="float32", channels=None):
    """Draw voxels from -100 to 155, or 0 to 255 where the type has no sign."""
    shape = grid.shape if channels is None else (channels, *grid.shape)
    low = 0.0 if np.dtype(dtype).kind == "u" else -100.0
    voxels = low + np.random.default_rng(3).gamma(2.0, 40.0, shape).clip(0, 255)
    return mm.ScalarImage(voxels.astype(dtype), grid)


def compiled(source, ops, index=0, spatial=()):
    """Make the program of one sample and its case."""
    case = mm.Case(id="p01", images={"mr": source})
    pipeline = mm.Pipeline(spatial=spatial, intensity=ops, seed=4)
    (recipe,) = mm.draw(pipeline, case=case.id, start=index, stop=index + 1)
    return mm.compile(recipe, case), case


def made(source, *ops, backend="cpu", threads=1, **sample):
    program, case = compiled(source, ops, **sample)
    return mm.run(program, case, backend=backend, threads=threads).images["mr"].array


def itk_made(source, function, **options):
    """Let SimpleITK change an image, as float64 where it would cut fractions off."""
    image64 = oracles.itk_image(source.array.astype(np.float64), source.grid)
    return sitk.GetArrayFromImage(function(image64, **options))


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize(
    ("grid", "dtype", "channels"),
    [
        ("anisotropic", "float32", None),
        ("oblique", "int16", 2),
        ("plane", "uint8", None),
        ("plane", "float64", 2),
    ],
)
def test_cpu_agrees_with_the_reference(op, grid, dtype, channels):
    """Within 1e-6 of the range, 1e-5 where moments are brought back, 2e-4 on the wildest curve.

    Integers differ by one where the two straddle a half.
    """
    source = image(GRIDS[grid], dtype, channels)
    slow, fast = (made(source, op, backend=backend) for backend in BACKENDS)
    assert slow.dtype == fast.dtype
    share = {"wild curve": 2e-4, "curve": 1e-5}.get(name_of(op), 1e-6)
    if isinstance(op, mm.Gamma) and op.keep_statistics:
        share = 1e-5
    whole = slow.dtype.kind != "f"
    oracles.check_close(fast, slow, 1.0 if whole else share * 300.0, dtype)
    if whole:
        assert (fast != slow).mean() < (1e-2 if name_of(op) == "wild curve" else 1e-3)
    assert (slow != source.array).mean() > 0.1


def name_of(op):
    return next(name for name, known in OPS.items() if known is op)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_a_sigmoid_is_itks(backend, grid, dtype):
    """Steepness 0.05 of the notebook is an alpha of 20; its midpoint is the median."""
    source = image(grid, dtype)
    expected = itk_made(
        source,
        sitk.Sigmoid,
        alpha=20.0,
        beta=float(np.median(source.array)),
        outputMinimum=-1.0,
        outputMaximum=2.0,
    )
    result = made(source, mm.Sigmoid(alpha=20.0, over="image", low=-1.0, high=2.0), backend=backend)
    assert result.dtype == np.float32
    oracles.check_close(result, expected, 3e-6, "sigmoid")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_a_window_is_itks(backend, grid, dtype):
    source = image(grid, dtype)
    expected = itk_made(
        source,
        sitk.IntensityWindowing,
        windowMinimum=-10.0,
        windowMaximum=70.0,
        outputMinimum=5.0,
        outputMaximum=255.0,
    )
    op = mm.Window(level=30.0, width=80.0, low=5.0, high=255.0)
    result = made(source, op, backend=backend)
    assert result.dtype == np.float32
    oracles.check_close(result, expected, 1e-4, "window")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_limits_lines_and_inversion_are_itks(backend, dtype):
    """ITK shifts before it scales, and inverts about half the maximum that it is given."""
    source = image(GRIDS["oblique"], dtype)
    low, high = (0.0, 255.0) if dtype == "uint8" else (-32768.0, 32767.0)
    for op, expected in (
        (mm.Clamp(low=7.5, high=90.0), np.clip(source.array.astype(float), 7.5, 90.0)),
        (
            mm.LinearMap(scale=1.25, shift=25.0),
            itk_made(source, sitk.ShiftScale, shift=20.0, scale=1.25),
        ),
        (
            mm.Invert(about=127.5),
            itk_made(source, sitk.InvertIntensity, maximum=255.0),
        ),
    ):
        result = made(source, op, backend=backend)
        if dtype == "float32":
            oracles.check_close(result, expected, 5e-5, str(op))
        else:
            oracles.check_close(result, np.rint(np.clip(expected, low, high)), 0.0, str(op))


@pytest.mark.parametrize("backend", BACKENDS)
def test_limits_are_itks_clamp(backend):
    """ITK's Clamp takes its limits in the type of the output."""
    source = image(GRIDS["plane"])
    itk = sitk.Clamp(oracles.itk_image(source.array, source.grid), sitk.sitkFloat32, 7.5, 90.0)
    result = made(source, mm.Clamp(low=7.5, high=90.0), backend=backend)
    oracles.check_equal(result, sitk.GetArrayFromImage(itk), "clamp")
    one_sided = made(source, mm.Clamp(high=90.0), backend=backend)
    np.testing.assert_array_equal(one_sided, np.minimum(source.array, np.float32(90.0)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.6])
@pytest.mark.parametrize("preserve_range", [True, False])
def test_contrast_is_about_each_channels_mean(backend, factor, preserve_range):
    """As nnU-Net's, which takes the channels one by one."""
    source = image(GRIDS["anisotropic"], channels=2)
    shifted = source.with_array(source.array * np.array([1, 3], np.float32)[:, None, None, None])
    op = mm.Contrast(factor=factor, preserve_range=preserve_range)
    result = made(shifted, op, backend=backend)
    for channel, changed in zip(shifted.array.astype(np.float64), result, strict=True):
        expected = channel.mean() + factor * (channel - channel.mean())
        if preserve_range:
            expected = expected.clip(channel.min(), channel.max())
        oracles.check_close(changed, expected, 3e-4, "contrast")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("invert", [False, True])
def test_gamma_can_keep_each_channels_mean_and_deviation(backend, invert):
    """As nnU-Net's `retain_stats`, on the voxels of the moment: here behind a line."""
    source = image(GRIDS["oblique"], channels=2)
    before = made(source, mm.LinearMap(scale=3.0, shift=500.0)).astype(np.float64)
    op = mm.Gamma(gamma=1.8, invert=invert, keep_statistics=True)
    after = made(source, mm.LinearMap(scale=3.0, shift=500.0), op, backend=backend)
    for channel, changed in zip(before, after, strict=True):
        assert changed.mean(dtype=np.float64) == pytest.approx(channel.mean(), abs=1e-3)
        assert changed.std(dtype=np.float64) == pytest.approx(channel.std(), abs=1e-3)
        sign = -1.0 if invert else 1.0
        share = sign * channel - (sign * channel).min()
        raised = sign * (share / share.max()) ** 1.8
        expected = (raised - raised.mean()) / raised.std() * channel.std() + channel.mean()
        oracles.check_close(changed, expected, 1e-5 * 800, "gamma")


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_inverted_gamma_is_a_gamma_between_two_inversions(backend):
    source = image(GRIDS["plane"])
    inverted = made(source, mm.Gamma(gamma=0.5, invert=True), backend=backend)
    between = made(source, mm.Invert(), mm.Gamma(gamma=0.5), mm.Invert(), backend=backend)
    oracles.check_close(inverted, between, 1e-4, "inverted gamma")
    assert (inverted <= source.array).all()


def test_gamma_keeps_the_ends():
    """Black stays exactly black, and the brightest level where it was, whatever the exponent."""
    source = image(GRIDS["plane"])
    for gamma in (0.05, 0.7, 1.5, 4.0):
        result = made(source, mm.Gamma(gamma=gamma))
        assert result.min() == source.array.min()
        assert result.max() == pytest.approx(source.array.max(), rel=1e-6)


def test_a_curve_rises_and_keeps_the_ends():
    """Levels keep their order, strictly, and both ends stay."""
    ramp = np.linspace(-50, 250, 30_000, dtype=np.float32).reshape(150, 200)
    source = mm.ScalarImage(ramp, mm.ImageGrid((200, 150)))
    for index in range(5):
        curve = made(source, mm.IntensityCurve(strength=0.5), index=index).ravel()
        assert (np.diff(curve) > 0).all()
        assert curve[[0, -1]] == pytest.approx([-50, 250], abs=1e-4)
        assert np.abs(curve - ramp.ravel()).max() > 2.0


def test_a_curve_leaves_what_lies_beyond_the_ends():
    source = image(GRIDS["plane"])
    moved = made(source, mm.Brightness(shift=300.0))
    np.testing.assert_array_equal(
        made(source, mm.Brightness(shift=300.0), mm.IntensityCurve(strength=1.0)), moved
    )


def test_the_monotone_cubic_is_scipys():
    generator = np.random.default_rng(1)
    places = np.linspace(0, 1, 501)
    for count, _ in itertools.product((1, 2, 3, 7), range(4)):
        rises = np.exp(generator.normal(0, 1.5, count))
        heights = np.concatenate([[0], np.cumsum(rises) / rises.sum()])
        expected = PchipInterpolator(np.linspace(0, 1, count + 1), heights)(places)
        oracles.check_close(monotone_cubic(tuple(heights), places), expected, 1e-14, "cubic")


def test_slopes_of_curves_are_log_normal():
    """The logarithm of the ratio of two neighbouring rises is normal with sqrt(2) times the SD."""
    ratios = []
    for index in range(120):
        program, _ = compiled(
            image(GRIDS["plane"]), (mm.IntensityCurve(strength=0.5, control_points=5),), index
        )
        heights = program.stages[0].samples[0].pointwise[0].step.heights
        rises = np.diff(heights)
        ratios += list(np.log(rises[::2] / rises[1::2]))
    assert stats.kstest(np.array(ratios) / (0.5 * np.sqrt(2)), "norm").pvalue > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "op",
    [
        mm.Gamma(gamma=1.0, invert=True, keep_statistics=True),
        mm.Brightness(shift=0.0),
        mm.Contrast(factor=1.0),
        mm.LinearMap(scale=1.0),
        mm.IntensityCurve(strength=0.0),
        mm.Clamp(low=-1e30, high=1e300),
        mm.Sigmoid(probability=0.0),
    ],
    ids=lambda op: op.op,
)
def test_identity_changes_no_bit(backend, op):
    """Nor the sign of a zero."""
    voxels = image(GRIDS["plane"]).array.copy()
    voxels[0, :2] = 0.0, -0.0
    source = mm.ScalarImage(voxels, GRIDS["plane"])
    assert made(source, op, backend=backend).tobytes() == voxels.tobytes()


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_bits_do_not_depend_on_threads(op):
    """Of an image of several blocks, chunks and jobs."""
    grid = mm.ImageGrid((101, 97, 61))
    source = image(grid)
    results = [made(source, op, threads=threads).tobytes() for threads in (1, 2, 7)]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", DEFAULTS, ids=str)
@pytest.mark.parametrize("level", [0.0, -7.5, 1e-40])
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (4, 5)])
def test_a_constant_image_stays_constant(backend, op, level, shape):
    """It is left as it is, but by the ops that add, multiply, or look through a window."""
    grid = mm.ImageGrid(tuple(reversed(shape)))
    source = mm.ScalarImage(np.full(shape, level, np.float32), grid)
    result = made(source, op, backend=backend)
    assert np.isfinite(result).all()
    assert (result == result.flat[0]).all()
    if isinstance(op, mm.Window):
        assert result.flat[0] == 0.0
    elif not isinstance(op, mm.LinearMap):
        assert result.flat[0] == source.array.flat[0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", DEFAULTS, ids=str)
def test_an_image_that_is_nearly_all_one_level_is_no_trap(backend, op):
    """Its robust range is 0; the whole range takes its place where one is divided by."""
    voxels = np.zeros((20, 30), np.float32)
    voxels[3, 4] = 5.0
    result = made(mm.ScalarImage(voxels, mm.ImageGrid((30, 20))), op, backend=backend)
    assert np.isfinite(result).all()
    if isinstance(op, mm.Sigmoid | mm.Window):
        assert result.flat[0] < result[3, 4]


@pytest.mark.parametrize("op", DEFAULTS, ids=str)
@pytest.mark.parametrize("most", [1.5e38, 1e-40])
def test_extreme_levels_stay_finite(op, most):
    """A line that leaves float32's range ends at its greatest number."""
    voxels = np.array([[-most, 0.0], [0.1 * most, most]], np.float32)
    source = mm.ScalarImage(voxels, mm.ImageGrid((2, 2)))
    assert np.isfinite(made(source, op)).all()


def test_a_range_beyond_float32_is_an_error():
    voxels = np.array([[-3e38, 3e38]], np.float32)
    source = mm.ScalarImage(voxels, mm.ImageGrid((2, 1)))
    with pytest.raises(ImageError, match=r'"mr" has grey levels from -3e\+38 to 3e\+38'):
        made(source, mm.Gamma())


def test_only_what_measures_the_voxels_adds_a_pass():
    source = image(GRIDS["oblique"])
    pointwise = (
        mm.Gamma(),
        mm.Brightness(),
        mm.LinearMap(),
        mm.Clamp(low=0),
        mm.Invert(),
        mm.Sigmoid(),
        mm.IntensityCurve(),
        mm.Window(),
    )
    turn = (mm.Affine(rotation_deg=5),)
    program, _ = compiled(source, pointwise, spatial=turn)
    assert len(program.stages) == 1
    measuring = (mm.Contrast(), mm.Gamma(keep_statistics=True))
    program, _ = compiled(source, (*pointwise, *measuring), spatial=turn)
    assert len(program.stages) == 3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", [mm.Contrast(factor=1.4), mm.Brightness(shift=20.0)])
def test_other_channels_stay(backend, op):
    source = image(GRIDS["oblique"], channels=3)
    result = made(source, op.replace(channels=(1,)), backend=backend)
    np.testing.assert_array_equal(result[[0, 2]], source.array[[0, 2]])
    assert (result[1] != source.array[1]).mean() > 0.9


@pytest.mark.parametrize(
    ("op", "dtype"),
    [
        (mm.Sigmoid(), "int16"),
        (mm.Sigmoid(high=1.0), "float32"),
        (mm.Window(), "float32"),
        (mm.Invert(), "int16"),
        (mm.LinearMap(scale=0.01), "int16"),
        (mm.IntensityCurve(), "int16"),
        (mm.Contrast(), "int16"),
    ],
)
def test_the_type_is_kept_unless_a_range_is_given(op, dtype):
    assert made(image(GRIDS["plane"], "int16"), op).dtype == dtype
