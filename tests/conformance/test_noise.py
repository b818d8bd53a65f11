"""Noises follow their laws, ITK's among them, and depend on the key and the voxel alone."""

from itertools import pairwise

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from scipy import stats

import millimorph as mm
from millimorph.backends.cpu import pointwise
from millimorph.backends.scene import Scene, Where
from millimorph.kernels.philox import StreamKey

BACKENDS = ("reference", "cpu")
TURNED = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
GRID = mm.ImageGrid((41, 37, 31), (1.2, 0.9, 3.5), (3, -4, 5), TURNED)
FLAT = mm.ImageGrid((97, 61), (0.4, 0.7))
RARE = 1e-4
OPS = {
    "rician": mm.RicianNoise(std_fraction=0.1),
    "salt and pepper": mm.SaltAndPepper(density=0.1),
    "shot": mm.ShotNoise(counts=40.0),
    "speckle": mm.Speckle(relative_std=0.4),
    "strong speckle": mm.Speckle(relative_std=1.5),
}
SUBTLE = {
    "rician": mm.RicianNoise(std=0.0),
    "salt and pepper": mm.SaltAndPepper(density=0.0),
    "speckle": mm.Speckle(relative_std=0.0),
    "probability": mm.ShotNoise(probability=0.0),
}


def made(source, *ops, index=0, backend="cpu", threads=None):
    case = mm.Case(id="p01", images={"mr": source})
    pipeline = mm.Pipeline(intensity=ops)
    return mm.augment(case, pipeline, seed=4, index=index, backend=backend, threads=threads).images[
        "mr"
    ]


def level(number, grid=GRID):
    return mm.ScalarImage(np.full(grid.shape, number, np.float32), grid)


def textured(dtype="float32", grid=GRID, channels=None):
    """Draw dark voxels and a long bright tail; HU for int16."""
    shape = grid.shape if channels is None else (channels, *grid.shape)
    voxels = np.random.default_rng(9).gamma(0.7, 60.0, shape).clip(0, 250)
    return mm.ScalarImage((voxels - (1000 if dtype == "int16" else 0)).astype(dtype), grid)


def from_itk(name, number, **parameters):
    """Draw another sample of a law with ITK's filter on a constant image."""
    image = sitk.GetImageFromArray(np.full(GRID.shape, number, np.float32))
    made_by = getattr(sitk, name)
    return sitk.GetArrayFromImage(made_by(image, seed=11, **parameters)).ravel()


def check_same_law(found, other):
    """Compare two samples by Kolmogorov and Smirnov."""
    assert stats.ks_2samp(found.ravel(), other.ravel()).pvalue > RARE


def check_counts(counts, law):
    """Compare whole numbers with a discrete law by chi-square, rare ones in two tails."""
    low, high = int(law.ppf(1e-3)), int(law.ppf(1 - 1e-3))
    inner = np.arange(low, high + 1)
    found = [(counts < low).sum(), *((counts == k).sum() for k in inner), (counts > high).sum()]
    shares = np.array([law.cdf(low - 1), *law.pmf(inner), law.sf(high)])
    kept = shares > 0
    assert np.sum(np.array(found)[~kept]) == 0
    result = stats.chisquare(np.array(found)[kept], counts.size * shares[kept] / shares.sum())
    assert result.pvalue > RARE


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("signal", [0.0, 1.5, 30.0])
def test_rician_noise_follows_rices_law(backend, signal):
    """Without signal it is Rayleigh's law, with much of it nearly the normal one."""
    found = made(level(10 * signal), mm.RicianNoise(std=10.0), backend=backend).array
    assert stats.kstest(found.ravel() / 10, stats.rice(signal).cdf).pvalue > RARE


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mean", [0.3, 4.0, 11.9, 12.1, 40.0, 700.0])
def test_shot_noise_follows_poissons_law(backend, mean):
    """Whole counts on both sides of the mean at which the sampler changes its method."""
    found = made(level(2 * mean), mm.ShotNoise(scale=0.5), backend=backend).array
    counts = found.ravel() * 0.5
    np.testing.assert_array_equal(counts, np.rint(counts))
    check_counts(counts, stats.poisson(mean))


def test_shot_noise_follows_poissons_law_for_huge_means():
    found = made(level(3e6), mm.ShotNoise(scale=1.0)).array.ravel()
    assert stats.kstest((found - 3e6) / np.sqrt(3e6), "norm").pvalue > RARE
    beyond = made(level(3e20), mm.ShotNoise(scale=1.0)).array
    np.testing.assert_array_equal(beyond, np.float32(3e20))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("deviation", [0.05, 0.5, 1.0, 2.0])
def test_speckle_follows_the_gamma_law(backend, deviation):
    found = made(level(10.0), mm.Speckle(relative_std=deviation), backend=backend).array
    shape = 1 / deviation**2
    assert stats.kstest(found.ravel() / 10, stats.gamma(shape, scale=1 / shape).cdf).pvalue > RARE


@pytest.mark.parametrize("backend", BACKENDS)
def test_salt_and_pepper_are_equally_likely(backend):
    found = made(textured(), mm.SaltAndPepper(density=0.1, pepper=-1, salt=999), backend=backend)
    voxels = found.array
    counts = [(voxels == -1).sum(), (voxels == 999).sum(), ((voxels != -1) & (voxels != 999)).sum()]
    assert stats.chisquare(counts, voxels.size * np.array([0.05, 0.05, 0.9])).pvalue > RARE


def test_laws_are_those_of_itks_filters():
    """Two samples by Kolmogorov and Smirnov; the parameters have ITK's meaning."""
    check_same_law(
        made(level(10.0), mm.GaussianNoise(std=3.0)).array,
        from_itk("AdditiveGaussianNoise", 10.0, standardDeviation=3.0, mean=0.0),
    )
    check_same_law(
        made(level(40.0), mm.ShotNoise(scale=0.5)).array, from_itk("ShotNoise", 40.0, scale=0.5)
    )
    check_same_law(
        made(level(10.0), mm.Speckle(relative_std=0.7)).array,
        from_itk("SpeckleNoise", 10.0, standardDeviation=0.7),
    )


def test_many_counts_are_those_of_itks_filter_but_for_the_rounding():
    """From a mean of 50 on ITK draws normal numbers, which are no counts."""
    other = np.rint(from_itk("ShotNoise", 5000.0, scale=1.0))
    check_same_law(made(level(5000.0), mm.ShotNoise(scale=1.0)).array, other)


def test_salt_and_pepper_are_those_of_itks_filter():
    """On 16-bit integers both go to the limits of the type."""
    source = textured("int16")
    found = made(source, mm.SaltAndPepper(density=0.2, limits="type")).array
    image = sitk.GetImageFromArray(source.array)
    other = sitk.GetArrayFromImage(sitk.SaltAndPepperNoise(image, probability=0.2, seed=11))
    counts = [[(a == -32768).sum(), (a == 32767).sum(), a.size] for a in (found, other)]
    assert stats.chi2_contingency(counts).pvalue > RARE


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_cpu_agrees_with_the_reference(name, dtype):
    """Within 1e-5 of the range; a count or an attempt that float32 decides otherwise is rare."""
    for grid, channels in ((GRID, 2), (FLAT, None)):
        source = textured(dtype, grid, channels)
        slow, fast = (
            made(source, OPS[name], backend=backend).array.astype(np.float64)
            for backend in BACKENDS
        )
        rounding = 1.0 if np.dtype(dtype).kind != "f" else 0.0
        off = np.abs(fast - slow) > 1e-5 * np.ptp(slow) + rounding
        assert off.mean() < 2e-4, name
        assert dtype == "float32" or (fast != slow).mean() < 0.02, "halves may round either way"


@pytest.mark.parametrize(
    "op",
    [mm.RicianNoise(std=9.0), mm.ShotNoise(scale=0.1), mm.ShotNoise(scale=2.0), mm.Speckle()],
    ids=["rician", "few counts", "many counts", "speckle"],
)
def test_noise_is_independent_from_voxel_to_voxel(op):
    """Neither numbers nor their squares correlate beyond five of their standard errors."""
    flat = mm.ScalarImage(np.full((2, *GRID.shape), 70.0, np.float32), GRID)
    one, other = made(flat, op).array.reshape(2, -1).astype(np.float64)
    later = made(flat, op, index=1).array[0].ravel().astype(np.float64)
    row = GRID.size[0]
    for a, b in ((one, other), (one, later), (one[:-1], one[1:]), (one[:-row], one[row:])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)
        squares = np.corrcoef((a - a.mean()) ** 2, (b - b.mean()) ** 2)[0, 1]
        assert abs(squares) < 6 / np.sqrt(a.size)


def test_salt_falls_on_independent_voxels():
    found = made(textured(), mm.SaltAndPepper(density=0.3, pepper=-1, salt=999)).array.ravel()
    hit = (found == -1) | (found == 999)
    for step in (1, 2, 3, 4, GRID.size[0]):
        assert abs(np.corrcoef(hit[:-step], hit[step:])[0, 1]) < 5 / np.sqrt(hit.size)


@pytest.mark.parametrize("name", OPS)
def test_a_voxel_has_the_same_noise_in_any_run(name):
    """Cut at places that are no multiples of four words, channel after channel."""
    source = textured(channels=2)
    whole = made(source, OPS[name], threads=1).array.reshape(2, -1)
    case = mm.Case(id="p01", images={"mr": source})
    (recipe,) = mm.draw(mm.Pipeline(intensity=(OPS[name],)), seed=4, case="p01", stop=1)
    applied = mm.compile(recipe, case).stages[0].samples[0].pointwise
    scene = Scene("mr", GRID, source)
    for channel in range(2):
        values = source.array[channel].ravel().copy()
        starts = [0, 1, 6, 777, 1801, 5000, 30011, values.size]
        for first, last in pairwise(starts):
            pointwise.apply_all(applied, values[first:last], Where(channel, first, scene))
        np.testing.assert_array_equal(values, whole[channel])


@pytest.mark.parametrize("threads", [2, 7])
def test_threads_change_no_bit(threads):
    ops = (mm.Affine(rotation_deg=5.0),), tuple(OPS.values())
    case = mm.Case(id="p01", images={"mr": textured(channels=2)})
    (recipe,) = mm.draw(mm.Pipeline(spatial=ops[0], intensity=ops[1]), seed=4, stop=1)
    program = mm.compile(recipe.replace(case="p01"), case)
    one, many = (mm.run(program, case, threads=n).images["mr"].array for n in (1, threads))
    np.testing.assert_array_equal(many, one)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SUBTLE)
def test_no_noise_changes_no_bit(backend, name):
    source = textured("float64")
    result = made(source, SUBTLE[name], backend=backend)
    np.testing.assert_array_equal(result.array, source.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_signal_has_no_counts_and_no_speckle(backend):
    """The baseline of an image with negative grey levels is its minimum, as air in CT."""
    for source in (level(0.0), textured("int16")):
        voxels = source.array
        none = voxels == min(0, voxels.min())
        for op in (mm.ShotNoise(scale=0.1), mm.Speckle()):
            found = made(source, op, backend=backend).array
            np.testing.assert_array_equal(found[none], voxels[none])
            assert found.min() >= voxels.min()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_given_baseline_is_where_counting_begins(backend):
    source = level(140.0)
    found = made(source, mm.ShotNoise(scale=0.5, baseline=100.0), backend=backend).array
    check_counts((found.ravel() - 100.0) * 0.5, stats.poisson(20.0))
    below = made(level(-20.0), mm.ShotNoise(scale=0.5, baseline=100.0), backend=backend).array
    np.testing.assert_array_equal(below, np.float32(100.0))
    found = made(source, mm.RicianNoise(std=8.0, baseline=100.0), backend=backend).array
    assert stats.kstest((found.ravel() - 100) / 8, stats.rice(5.0).cdf).pvalue > RARE


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("size", [(1, 1), (1, 1, 1), (5, 1, 4)])
def test_tiny_and_constant_images_stay_finite(backend, name, size):
    """A constant image has no robust range: noise relative to it is none."""
    grid = mm.ImageGrid(size)
    for number in (0.0, -7.0, 3.0):
        source = level(number, grid)
        found = made(source, OPS[name], backend=backend).array
        assert np.isfinite(found).all()
        if "speckle" not in name:
            np.testing.assert_array_equal(found, source.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_integers_are_rounded_and_saturate(backend):
    ends = np.where(np.arange(GRID.voxel_count) % 2, 1, 255).astype(np.uint8).reshape(GRID.shape)
    source = mm.ScalarImage(ends, GRID)
    for op in (mm.RicianNoise(std=5.0), mm.ShotNoise(scale=2.0), mm.Speckle(relative_std=0.05)):
        change = made(source, op, backend=backend).array.astype(int) - ends
        assert np.abs(change).max() < 90
        assert 0.3 < (change[ends == 255] == 0).mean() < 0.7


def test_channels_that_are_not_chosen_keep_their_bits():
    source = textured("uint8", FLAT, 3)
    for op in OPS.values():
        found = made(source, op.replace(channels=(1,))).array
        np.testing.assert_array_equal(found[[0, 2]], source.array[[0, 2]])
        assert (found[1] != source.array[1]).any()


def test_a_stream_with_large_counters_has_its_own_words():
    """The voxel index has 64 bits: beyond 2^32 the second counter word counts on."""
    from millimorph.kernels import noise
    from millimorph.kernels.philox import blocks

    stream = StreamKey((5, 6), (7, 8))
    key, high = np.array(stream, np.uint32)
    words = np.empty(64, np.uint32)
    first = 4 * 2**32 - 9
    offset = noise.random_words(np.uint64(first), 30, key, high, words)
    expected = blocks(stream, 12, first // 4).reshape(-1)[first % 4 :][:30]
    np.testing.assert_array_equal(words[offset : offset + 30], expected)
