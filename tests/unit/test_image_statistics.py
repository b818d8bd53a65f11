"""Statistics of voxels, quantiles of images, and what the measuring ops accept."""

import numpy as np
import pytest

import millimorph as mm
from millimorph.backends.cpu import histograms, ranks, regions, statistics
from millimorph.images import otsu_threshold

MANY = 3 * ranks.CHUNK // 2


def voxels(kind):
    """Draw float32 voxels of one of the kinds on which a way to find ranks may fail."""
    generator = np.random.default_rng(5)
    normal = generator.normal(100.0, 20.0, MANY).astype(np.float32)
    match kind:
        case "normal":
            return normal
        case "half air":
            return np.where(generator.random(MANY) < 0.5, np.float32(0), normal)
        case "whole numbers":
            return np.rint(normal)
        case "one bright voxel":
            normal[7] = 1e7
            return normal
        case "the whole range of float32":
            normal[:2] = -3e38, 3e38
            return normal
        case "nearly zero":
            return normal * np.float32(1e-41)
        case "two levels":
            return np.where(np.arange(MANY) == 9, np.float32(3), np.float32(-2))
        case "constant":
            return np.full(MANY, 4.5, np.float32)
        case _:
            return normal[: int(kind)]


KINDS = (
    "normal", "half air", "whole numbers", "one bright voxel", "the whole range of float32",
    "nearly zero", "two levels", "constant", "1", "2", "100",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_those_of_the_sorted_voxels(kind):
    """Exactly, whatever the distribution; a rank that is off by one shows in no picture."""
    values = voxels(kind)
    asked = sorted({0, values.size // 7, values.size // 2, values.size - 1})
    expected = np.sort(values)[asked].tolist()
    assert ranks.ranked(values, asked) == expected
    assert ranks.ranked(values, asked, threads=3) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_quantiles_lie_on_the_line_between_ranks(kind):
    """NumPy's default definition, and TorchIO's."""
    values, fractions = voxels(kind), (0.0, 0.005, 0.3, 0.5, 0.995, 1.0)
    expected = np.quantile(values.astype(np.float64), fractions)
    np.testing.assert_allclose(statistics.quantiles(values, fractions), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_otsu_is_the_same_threshold_as_for_a_whole_image(kind):
    values = voxels(kind)
    assert statistics.otsu_threshold(values) == otsu_threshold(values)
    assert statistics.otsu_threshold(values, threads=3) == otsu_threshold(values)


@pytest.mark.parametrize("count", [1, 2, 255, 257, 8191, 8193, 700_001])
def test_moments_keep_all_digits_far_from_zero(count):
    """A mean of ten thousand deviations: sums of squares alone would lose the deviation."""
    values = np.random.default_rng(count).normal(2e5, 20.0, count).astype(np.float32)
    found, exact = statistics.moments(values), values.astype(np.float64)
    assert found == statistics.moments(values, threads=2) == statistics.moments(values, threads=7)
    assert (found.count, found.low, found.high) == (count, exact.min(), exact.max())
    assert found.mean == pytest.approx(exact.mean(), rel=1e-14)
    assert found.sd == pytest.approx(exact.std(), rel=1e-10)


@pytest.mark.parametrize("level", [0.1, -1e30, 7.0])
def test_a_constant_has_exactly_no_deviation(level):
    """A deviation of rounding errors would blow noise of the last bit up to full contrast."""
    found = statistics.moments(np.full(100_003, level, np.float32))
    assert (found.mean, found.sd) == (float(np.float32(level)), 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_voxels_are_held_against_float64_levels_exactly(seed):
    """A level between two float32 is no level of either; the reference compares in float64."""
    level = np.random.default_rng(seed).normal(0.0, 300.0)
    nearest = np.float32(level)
    around = np.array([np.nextafter(nearest, np.float32(end)) for end in (-1e9, 0, 1e9)])
    around = np.append(around, nearest)
    above, reached = regions._not_above(level), histograms._not_below([level])[0]
    np.testing.assert_array_equal(around > above, around.astype(np.float64) > level)
    np.testing.assert_array_equal(around >= reached, around.astype(np.float64) >= level)


def image(array, size=None):
    array = np.asarray(array)
    grid = mm.ImageGrid(size or (array.size, 1))
    return mm.ScalarImage(array.reshape(grid.shape), grid)


def test_quantiles_of_an_image_go_from_its_least_to_its_greatest():
    ramp = image(np.arange(101, dtype=np.int16)[::-1] * 3)
    assert mm.histogram_quantiles(ramp, count=5) == (0.0, 75.0, 150.0, 225.0, 300.0)
    assert len(mm.histogram_quantiles(ramp)) == 65


def test_quantiles_may_be_of_the_foreground_or_a_mask():
    levels = np.array([0] * 50 + [100, 110, 120, 130, 140], np.uint8)
    picture = image(levels)
    mask = mm.LabelMap((picture.array == 110).astype(np.uint8) * 7, picture.grid)
    assert mm.histogram_quantiles(picture, 3, over="foreground") == (100.0, 120.0, 140.0)
    assert mm.histogram_quantiles(picture, 2, mask=mask) == (110.0, 110.0)


def test_landmarks_do_not_depend_on_the_scanners_scale():
    """Images that are linear maps of one another have one place on the standard scale."""
    base = np.random.default_rng(2).gamma(2.0, 50.0, 999)
    images = [image(base * factor + shift) for factor, shift in ((1.0, 0.0), (3.0, -40.0))]
    low, *inner, high = mm.fit_histogram_landmarks(images, scale=(10.0, 20.0))
    assert (low, high) == (10.0, 20.0)
    levels = np.percentile(base, (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99))
    expected = 10 + 10 * (levels - levels[0]) / (levels[-1] - levels[0])
    np.testing.assert_allclose(inner, expected[1:-1], rtol=1e-12)


def test_landmarks_are_means_over_images():
    one, other = image(np.array([0.0, 2.0, 10.0])), image(np.array([0.0, 6.0, 10.0]))
    found = mm.fit_histogram_landmarks(iter([one, other]), percentiles=(0, 50, 100))
    assert found == (0.0, 40.0, 100.0)


def test_landmarks_may_be_fitted_over_masks():
    picture = image(np.array([0.0, 50.0, 60.0, 100.0]))
    mask = mm.LabelMap(np.array([[0, 1, 2, 1]], np.uint8), picture.grid)
    found = mm.fit_histogram_landmarks([picture], percentiles=(0, 50, 100), masks=[mask])
    assert found == (0.0, 20.0, 100.0)


FLAT = image(np.zeros(5, np.float32))
RAMP = image(np.arange(5, dtype=np.float32))
EMPTY = mm.LabelMap(np.zeros((1, 5), np.uint8), RAMP.grid)
SMALL = mm.LabelMap(np.ones((1, 4), np.uint8), mm.ImageGrid((4, 1)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mm.fit_histogram_landmarks([]), "at least one"),
        (lambda: mm.fit_histogram_landmarks([RAMP, FLAT]), "image 1"),
        (lambda: mm.fit_histogram_landmarks([RAMP], percentiles=(50, 10)), "ascending"),
        (lambda: mm.fit_histogram_landmarks([RAMP], percentiles=(0, 101)), "0 to 100"),
        (lambda: mm.fit_histogram_landmarks([RAMP], scale=(1.0, 1.0)), "ascending"),
        (lambda: mm.fit_histogram_landmarks([RAMP], masks=[]), "one for each"),
        (lambda: mm.fit_histogram_landmarks([RAMP], masks=[EMPTY]), "no voxel"),
        (lambda: mm.histogram_quantiles(RAMP, mask=SMALL), "resample"),
        (lambda: mm.histogram_quantiles(RAMP, count=1), "2 or more"),
        (lambda: mm.histogram_quantiles(image(np.array([0.0, np.nan]))), "NaN"),
        (
            lambda: mm.histogram_quantiles(mm.ScalarImage(np.zeros((2, 1, 5)), RAMP.grid)),
            "2 channels",
        ),
    ],
)
def test_what_cannot_be_measured_is_an_error(call, words):
    with pytest.raises(mm.ImageError, match=words):
        call()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: mm.ZScore(over="foreground", mask="organs"), "one of over and mask"),
        (lambda: mm.ZScore(mask_labels=(1,)), "mask_labels needs"),
        (lambda: mm.ZScore(over="air"), "over must be"),
        (lambda: mm.Rescale(low=1.0), "low must be below high"),
        (lambda: mm.Rescale(low=mm.Uniform(0, 2)), "low must be below high"),
        (lambda: mm.Rescale(low_percentile=60, high_percentile=40), "low_percentile"),
        (lambda: mm.Rescale(high_percentile=100.5), "0 to 100"),
        (lambda: mm.HistogramEqualization(low=9, high=9), "low must be below high"),
        (lambda: mm.HistogramStandardization(landmarks=range(11)), "list"),
        (lambda: mm.HistogramStandardization(landmarks=(0, 50, 100)), "11 percentiles"),
        (lambda: mm.HistogramStandardization(landmarks=(0, 5), percentiles=(9, 1)), "ascend"),
        (lambda: mm.HistogramStandardization(landmarks=(0, 5, 6), percentiles=(1, 1, 9)), "diff"),
        (lambda: mm.HistogramStandardization(landmarks=(3, 3), percentiles=(1, 9)), "not all"),
        (lambda: mm.HistogramMatching(quantiles=(4,)), "at least 2"),
        (lambda: mm.HistogramMatching(quantiles=(4, 3)), "ascend"),
        (lambda: mm.HistogramMatching(quantiles=(1, 2), blend=1.5), "0 to 1"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(make, words):
    with pytest.raises(mm.PipelineError, match=words):
        make()


def test_measuring_ops_are_written_and_read_again(tmp_path):
    """What was fitted is kept in the pipeline's file, with all its digits."""
    fitted = mm.fit_histogram_landmarks([image(np.random.default_rng(0).random(99))])
    pipeline = mm.Pipeline(
        intensity=(
            mm.ZScore(mask="organs", mask_labels=(1, 4)),
            mm.Rescale(high_percentile=mm.Uniform(98, 100), over="foreground"),
            mm.HistogramStandardization(landmarks=fitted),
            mm.HistogramMatching(quantiles=(0.0, 0.1, 9.0), blend=mm.Uniform(0, 1)),
            mm.HistogramEqualization(low=0, high=255),
        )
    )
    path = tmp_path / "pipeline.yaml"
    mm.dump_pipeline(pipeline, path)
    assert mm.load_pipeline(path) == pipeline
