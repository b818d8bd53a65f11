"""Ops that measure first: against SimpleITK, NumPy and closed forms; what is measured; extremes."""

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
import worlds

import millimorph as mm

BACKENDS = ("reference", "cpu")
SOLID = mm.ImageGrid((31, 27, 22), (1.2, 0.9, 1.5), (3, -4, 5))
OBLIQUE = mm.ImageGrid((25, 23, 9), (0.5, 0.5, 8.0), (3, -4, 5), worlds.OBLIQUE)
FLAT = mm.ImageGrid((61, 53), (0.8, 1.1), (3, -4))
LARGE = mm.ImageGrid((67, 66, 65))
QUANTILES = tuple(float(level) for level in (0, 3, 11, 20, 42, 77, 130, 250, 400))
LANDMARKS = tuple(float(level) for level in (0, 9, 15, 22, 31, 38, 47, 60, 72, 85, 100))
OPS = {
    "rescale": mm.Rescale(low=-5.0, high=7.0),
    "rescale percentiles": mm.Rescale(low_percentile=0.5, high_percentile=99.0),
    "rescale on": mm.Rescale(low_percentile=10, high_percentile=90, clip=False),
    "z-score": mm.ZScore(),
    "equalise": mm.HistogramEqualization(),
    "equalise to 8 bits": mm.HistogramEqualization(low=0, high=255),
    "standardise": mm.HistogramStandardization(landmarks=LANDMARKS),
    "match": mm.HistogramMatching(quantiles=QUANTILES),
    "match half": mm.HistogramMatching(quantiles=QUANTILES, blend=0.5),
}
REGIONS = {
    "image": {},
    "foreground": {"over": "foreground"},
    "mask": {"mask": "organs", "over": None},
    "labels": {"mask": "organs", "mask_labels": (2, 3), "over": None},
}


def image(grid=SOLID, dtype="float32", channels=None):
    """Draw voxels with air, a bulk and a long bright tail."""
    shape = grid.shape if channels is None else (channels, *grid.shape)
    generator = np.random.default_rng(9)
    voxels = generator.gamma(2.0, 40.0, shape) * (generator.random(shape) > 0.3)
    return mm.ScalarImage(voxels.clip(0, 250).astype(dtype), grid)


def organs(grid=SOLID):
    labels = np.random.default_rng(4).integers(0, 5, grid.shape)
    return mm.LabelMap(labels.astype(np.uint8), grid)


def made(source, *ops, labels=None, spatial=(), backend="cpu", threads=1):
    case = mm.Case(id="p01", images={"mr": source}, labels=labels or {})
    pipeline = mm.Pipeline(spatial=spatial, intensity=ops)
    result = mm.augment(case, pipeline, seed=4, backend=backend, threads=threads)
    return result.images["mr"].array


def is_float(op, dtype):
    return np.dtype(dtype).kind == "f" or op.MAKES_FLOAT


def refuses(op, dtype):
    return isinstance(op, mm.HistogramEqualization) and np.dtype(dtype).kind == "f"


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(
    ("grid", "dtype", "channels"),
    [
        (SOLID, "float32", None),
        (SOLID, "int16", 2),
        (OBLIQUE, "float64", 2),
        (OBLIQUE, "uint16", None),
        (FLAT, "uint8", None),
        (FLAT, "float32", 3),
    ],
    ids=[
        "3D float32",
        "3D int16 x 2",
        "oblique float64 x 2",
        "oblique uint16",
        "2D uint8",
        "2D x 3",
    ],
)
def test_cpu_agrees_with_the_reference(grid, dtype, channels, region):
    """Within 1e-6 of the result's range; integers are equal but for ties."""
    source, labels = image(grid, dtype, channels), {"organs": organs(grid)}
    for name, op in OPS.items():
        if refuses(op, dtype):
            continue
        here = op.replace(**REGIONS[region])
        slow, fast = (made(source, here, labels=labels, backend=b) for b in BACKENDS)
        assert fast.dtype == (np.float32 if op.MAKES_FLOAT else np.dtype(dtype))
        rounding = 0.0 if is_float(op, dtype) else 1.0
        oracles.check_close(fast, slow, 1e-6 * np.ptp(slow) + rounding, f"{name} over {region}")
        assert is_float(op, dtype) or (fast != slow).mean() < 1e-3


@pytest.mark.parametrize("name", OPS)
def test_cpu_agrees_with_the_reference_behind_a_resample(name):
    """The resample's own difference, 1e-4 of the SD, is carried on by slopes of at most a few."""
    op = OPS[name]
    dtype = "int16" if isinstance(op, mm.HistogramEqualization) else "float32"
    turned = (mm.Affine(rotation_deg=7.0),)
    slow, fast = (made(image(dtype=dtype), op, spatial=turned, backend=b) for b in BACKENDS)
    limit = 5.0 if dtype == "int16" else 1e-3 * slow.std()
    oracles.check_close(fast, slow, limit, name)


@pytest.mark.parametrize("region", REGIONS)
def test_the_same_bits_with_any_number_of_threads(region):
    """Two chunks of every measurement; sums, counts and picked voxels meet in one order."""
    labels = {"organs": organs(LARGE)}
    for name, op in OPS.items():
        here = op.replace(**REGIONS[region])
        source = image(LARGE, "int16" if isinstance(op, mm.HistogramEqualization) else "float32")
        one, two, seven = (made(source, here, labels=labels, threads=t) for t in (1, 2, 7))
        assert one.tobytes() == two.tobytes() == seven.tobytes(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_rescale_is_simpleitks(backend):
    source = image(dtype="int16")
    exact = sitk.GetImageFromArray(source.array.astype(np.float64))
    expected = sitk.GetArrayFromImage(sitk.RescaleIntensity(exact, -3.0, 11.0))
    result = made(source, mm.Rescale(low=-3.0, high=11.0), backend=backend)
    oracles.check_close(result, expected, 2e-6, "rescale")


@pytest.mark.parametrize("clip", [True, False])
def test_rescale_takes_percentiles(clip):
    source = image(dtype="uint16")
    low, high = np.percentile(source.array, (2.0, 97.5))
    expected = (source.array - low) / (high - low)
    expected = expected.clip(0, 1) if clip else expected
    op = mm.Rescale(low_percentile=2.0, high_percentile=97.5, clip=clip)
    oracles.check_close(made(source, op), expected, 1e-6, "percentiles")


def test_rescale_of_mostly_one_level_takes_the_extremes():
    """Where both percentiles are air there is no line through them."""
    voxels = np.zeros(SOLID.shape, np.int16)
    voxels[3, 4, :2] = 50, 100
    result = made(mm.ScalarImage(voxels, SOLID), mm.Rescale(high_percentile=99.0))
    np.testing.assert_array_equal(result, (voxels / 100).astype(np.float32))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("region", REGIONS)
def test_z_score_has_mean_0_and_deviation_1_in_each_channel(region, backend):
    labels = {"organs": organs()}
    source = image(dtype="int16", channels=2)
    result = made(source, mm.ZScore(**REGIONS[region]), labels=labels, backend=backend)
    for before, after in zip(source.array, result.astype(np.float64), strict=True):
        inside = where(region, before, labels["organs"].array)
        assert abs(after[inside].mean()) < 1e-6
        assert abs(after[inside].std() - 1.0) < 1e-6


def where(region, channel, labels):
    """Say what is measured; the foreground by ITK's own Otsu threshold."""
    match region:
        case "image":
            return np.ones(channel.shape, bool)
        case "foreground":
            floats = sitk.GetImageFromArray(channel.astype(np.float32))
            return sitk.GetArrayFromImage(sitk.OtsuThreshold(floats, 0, 1)) > 0
        case "mask":
            return labels > 0
        case _:
            return np.isin(labels, (2, 3))


@pytest.mark.parametrize("backend", BACKENDS)
def test_z_score_keeps_its_digits_far_from_zero(backend):
    """Means of ten thousand deviations."""
    far = np.random.default_rng(3).normal(2e5, 20.0, SOLID.shape).astype(np.float32)
    exact = (far.astype(np.float64) - far.mean(dtype=np.float64)) / far.std(dtype=np.float64)
    result = made(mm.ScalarImage(far, SOLID), mm.ZScore(), backend=backend)
    oracles.check_close(result, exact, 1e-6, "far from zero")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dtype", "low", "high"), [("uint8", 0, 255), ("int16", -500, 3000)])
def test_equalization_is_the_notebooks(dtype, low, high, backend):
    """SimpleITK's data augmentation notebook; where it cuts a fraction off this rounds."""
    source = image(dtype=dtype)
    levels, place, counts = np.unique(source.array, return_inverse=True, return_counts=True)
    share = np.cumsum(counts) - counts[0]
    exact = low + (share / share[-1])[place].reshape(levels[place].shape) * (high - low)
    op = mm.HistogramEqualization(low=low, high=high)
    result = made(source, op, backend=backend)
    oracles.check_close(result, exact.reshape(source.array.shape), 0.5 + 1e-9, dtype)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
def test_equalization_ranks_levels_that_are_too_many_to_count(dtype):
    """Levels up to 2e9; every level once, so the ranks are the result."""
    order = np.random.default_rng(0).permutation(SOLID.voxel_count)
    voxels = (order * (2**31 // SOLID.voxel_count // 256 * 256)).astype(dtype).reshape(SOLID.shape)
    op = mm.HistogramEqualization(low=0, high=SOLID.voxel_count - 1)
    result = made(mm.ScalarImage(voxels, SOLID), op)
    np.testing.assert_array_equal(result.reshape(-1), order)


def test_equalization_makes_levels_equally_frequent():
    result = made(image(dtype="int16"), mm.HistogramEqualization(low=0, high=30_000))
    shares = np.histogram(result[result > 0], bins=10, range=(0, 30_000))[0] / result.size
    np.testing.assert_allclose(shares, 0.07, atol=0.01)


@pytest.mark.parametrize("ops", [(mm.HistogramEqualization(),), (mm.ZScore(), OPS["equalise"])])
def test_equalization_of_floats_is_refused(ops):
    """An image is float by its type, or because an op has made it so."""
    source = image(dtype="float32" if len(ops) == 1 else "int16")
    with pytest.raises(mm.CompileError, match="whole grey levels"):
        made(source, *ops)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("match_points", [1, 7, 31])
def test_matching_is_simpleitks_but_for_its_bins(match_points, backend):
    """ITK reads its quantiles from a histogram, here of 20 000 bins of 0.03 and 0.02 levels."""
    generator = np.random.default_rng(7)
    source = generator.gamma(3.0, 30.0, SOLID.shape).astype(np.float32)
    target = generator.normal(500.0, 80.0, SOLID.shape).astype(np.float32)
    theirs = sitk.HistogramMatching(
        sitk.GetImageFromArray(source),
        sitk.GetImageFromArray(target),
        numberOfHistogramLevels=20_000,
        numberOfMatchPoints=match_points,
        thresholdAtMeanIntensity=False,
    )
    quantiles = mm.histogram_quantiles(mm.ScalarImage(target, SOLID), match_points + 2)
    op = mm.HistogramMatching(quantiles=quantiles)
    result = made(mm.ScalarImage(source, SOLID), op, backend=backend)
    oracles.check_close(result, sitk.GetArrayFromImage(theirs), 0.1, "matching")


@pytest.mark.parametrize("region", REGIONS)
def test_matched_images_have_the_quantiles_of_the_reference(region):
    voxels = np.random.default_rng(1).gamma(2.0, 40.0, SOLID.shape).astype(np.float32)
    labels = {"organs": organs()}
    op = mm.HistogramMatching(quantiles=QUANTILES, **REGIONS[region])
    result = made(mm.ScalarImage(voxels, SOLID), op, labels=labels)
    inside = where(region, voxels, labels["organs"].array)
    found = np.quantile(result[inside].astype(np.float64), np.linspace(0, 1, len(QUANTILES)))
    np.testing.assert_allclose(found, QUANTILES, atol=1.0)
    assert (np.diff(result.reshape(-1)[np.argsort(voxels, axis=None)]) >= 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_level_that_quantiles_share_takes_their_mean_but_ends_stay_ends(backend):
    """Air stays the least level, saturation the greatest; a plateau the middle."""
    voxels = np.repeat(np.array([0, 10, 20, 30, 40], np.float32), [30, 10, 31, 9, 21])
    source = mm.ScalarImage(voxels.reshape(1, -1), mm.ImageGrid((101, 1)))
    quantiles = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
    result = made(source, mm.HistogramMatching(quantiles=quantiles), backend=backend)
    at = dict(zip(voxels.tolist(), result.reshape(-1).tolist(), strict=True))
    assert at == {0.0: 0.0, 10.0: 4.0, 20.0: (8 + 16 + 32 + 64) / 4, 30.0: 271.0, 40.0: 512.0}


@pytest.mark.parametrize("backend", BACKENDS)
def test_standardized_images_have_the_landmarks_at_their_percentiles(backend):
    voxels = np.random.default_rng(1).gamma(2.0, 40.0, SOLID.shape).astype(np.float32)
    op = mm.HistogramStandardization(landmarks=LANDMARKS)
    result = made(mm.ScalarImage(voxels, SOLID), op, backend=backend)
    percentiles = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
    np.testing.assert_allclose(np.percentile(result, percentiles), LANDMARKS, atol=0.02)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_outer_pieces_of_the_standard_scale_go_on(backend):
    """Nyúl and Udupa's map beyond the first and the last landmark."""
    ramp = mm.ScalarImage(np.arange(101, dtype=np.int16).reshape(1, -1), mm.ImageGrid((101, 1)))
    op = mm.HistogramStandardization(landmarks=(0, 10, 90), percentiles=(20, 40, 80))
    result = made(ramp, op, backend=backend)
    expected = np.interp(np.arange(101), (0, 20, 40, 80, 100), (-10, 0, 10, 90, 130))
    oracles.check_close(result.reshape(-1), expected, 1e-5, "outer pieces")


def test_a_standard_scale_undoes_what_scanners_do():
    """An image and a linear map of it come out the same: what standardisation is for."""
    voxels = np.random.default_rng(6).gamma(2.0, 40.0, SOLID.shape).astype(np.float32)
    other = mm.ScalarImage(voxels * 2.5 + 300, SOLID)
    landmarks = mm.fit_histogram_landmarks([mm.ScalarImage(voxels, SOLID)])
    op = mm.HistogramStandardization(landmarks=landmarks)
    one, same = made(mm.ScalarImage(voxels, SOLID), op), made(other, op)
    oracles.check_close(same, one, 1e-3, "standard scale")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [n for n in OPS if not n.startswith("equalise")])
def test_only_the_mask_counts(name, backend):
    """What lies outside the mask changes no voxel inside, however bright it is."""
    labels = {"organs": organs()}
    outside = ~np.isin(labels["organs"].array, (2, 3))
    source = image()
    brighter = source.with_array(source.array + 1e4 * outside.astype(np.float32))
    op = OPS[name].replace(**REGIONS["labels"])
    one, other = (made(s, op, labels=labels, backend=backend) for s in (source, brighter))
    np.testing.assert_array_equal(one[~outside], other[~outside])


def test_a_one_hot_mask_counts_where_any_channel_does():
    labels = organs()
    coded = np.stack([labels.array == 2, labels.array == 3]).astype(np.uint8)
    by_number = made(image(), mm.ZScore(**REGIONS["labels"]), labels={"organs": labels})
    by_channel = made(
        image(), mm.ZScore(mask="organs"), labels={"organs": mm.LabelMap(coded, SOLID)}
    )
    np.testing.assert_array_equal(by_number, by_channel)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("labels", [None, (9,)])
def test_an_empty_mask_is_an_error(labels, backend):
    empty = {"organs": mm.LabelMap(np.zeros(SOLID.shape, np.uint8), SOLID)}
    with pytest.raises(mm.ImageError, match='"organs"'):
        made(image(), mm.ZScore(mask="organs", mask_labels=labels), labels=empty, backend=backend)


def test_a_mask_that_is_not_there_is_an_error():
    with pytest.raises(mm.CompileError, match='label map "organs"'):
        made(image(), mm.ZScore(mask="organs"))


CONSTANT_BECOMES = {
    "rescale": -5.0, "rescale percentiles": 0.0, "rescale on": 0.0, "z-score": 0.0,
    "equalise": 7.0, "equalise to 8 bits": 7.0, "standardise": 7.0, "match": 7.0,
    "match half": 7.0,
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 1, 1), (19, 1), (17, 13, 11)])
def test_a_constant_image_becomes_what_is_documented(size, region, backend):
    """One voxel is a constant image too; nothing is divided by a range or a deviation of 0."""
    grid = mm.ImageGrid(size)
    labels = {"organs": mm.LabelMap(np.full(grid.shape, 2, np.uint8), grid)}
    source = mm.ScalarImage(np.full(grid.shape, 7, np.int16), grid)
    for name, op in OPS.items():
        result = made(source, op.replace(**REGIONS[region]), labels=labels, backend=backend)
        expected = np.full(grid.shape, CONSTANT_BECOMES[name])
        np.testing.assert_array_equal(result, expected, name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_constant_mask_in_a_changing_image_gives_numbers(backend):
    """Only the mean is subtracted, only the least level is left, or nothing is done."""
    labels = organs()
    voxels = image(dtype="int16").array.copy()
    voxels[np.isin(labels.array, (2, 3))] = 40
    source = mm.ScalarImage(voxels, SOLID)
    for name, op in OPS.items():
        here = op.replace(**REGIONS["labels"])
        result = made(source, here, labels={"organs": labels}, backend=backend)
        expected = {
            "rescale": np.full(voxels.shape, -5.0),
            "rescale percentiles": np.zeros(voxels.shape),
            "rescale on": np.zeros(voxels.shape),
            "z-score": voxels - 40.0,
        }.get(name, voxels)
        np.testing.assert_array_equal(result, expected, name)


def test_what_changes_nothing_changes_no_bit():
    source = image(dtype="float64")
    absent = mm.ZScore(probability=0.0)
    unblended = mm.HistogramMatching(quantiles=QUANTILES, blend=0.0)
    for op in (absent, unblended):
        np.testing.assert_array_equal(made(source, op), source.array)


def test_channels_that_are_not_chosen_keep_every_bit():
    source = image(channels=3)
    result = made(source, mm.ZScore(channels=(1,)))
    np.testing.assert_array_equal(result[[0, 2]], source.array[[0, 2]])
    assert abs(result[1].mean()) < 1e-6


def test_nan_with_a_declared_value_counts_as_that_value():
    voxels = image().array.copy()
    voxels[4, 5, 6] = np.nan
    case = mm.Case(id="p01", images={"mr": mm.ScalarImage(voxels, SOLID)})
    sampling = mm.ImageSampling(nan=-50.0)
    result = mm.augment(case, mm.Pipeline(intensity=(mm.Rescale(),), images=sampling))
    found = result.images["mr"].array
    assert (found.min(), found[4, 5, 6], found.max()) == (0.0, 0.0, 1.0)
