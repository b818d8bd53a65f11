"""Intensity ops ride on the resample's write: their formulas, their noise and its law."""

import numpy as np
import oracles
import pytest
from scipy import stats

import millimorph as mm

BACKENDS = ("reference", "cpu")
GRID = mm.ImageGrid((41, 37, 31), (1.2, 0.9, 1.5), (3, -4, 5))


def image(dtype="float32", channels=None):
    """Draw voxels with a long bright tail."""
    shape = GRID.shape if channels is None else (channels, *GRID.shape)
    voxels = np.random.default_rng(9).gamma(2.0, 40.0, shape)
    return mm.ScalarImage(voxels.clip(0, 250).astype(dtype), GRID)


def made(images, *ops, index=0, backend="cpu", spatial=()):
    case = mm.Case(id="p01", images=images)
    pipeline = mm.Pipeline(spatial=spatial, intensity=ops, images=mm.ImageSampling(fill=0.0))
    return mm.augment(case, pipeline, seed=4, index=index, backend=backend).images


def noise_of(channels=None, name="ct", **options):
    """Take what a noise of SD 10 adds to an image, grey levels far from any limit."""
    flat = mm.ScalarImage(np.zeros(image(channels=channels).array.shape, np.float32), GRID)
    return made({name: flat}, mm.GaussianNoise(std=10.0), **options)[name].array.ravel()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gamma", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_gamma_is_a_power_between_minimum_and_maximum(backend, gamma, dtype):
    source = image(dtype)
    result = made({"ct": source}, mm.Gamma(gamma=gamma), backend=backend)["ct"].array
    voxels = source.array.astype(np.float64)
    low, high = voxels.min(), voxels.max()
    expected = low + (high - low) * ((voxels - low) / (high - low)) ** gamma
    limit = 1e-5 * (high - low) + (0.5 if np.dtype(dtype).kind != "f" else 0.0)
    oracles.check_close(result, expected, limit, f"gamma {gamma}")


@pytest.mark.parametrize("backend", BACKENDS)
def test_gamma_leaves_a_constant_image_alone(backend):
    flat = mm.ScalarImage(np.full(GRID.shape, 7.0, np.float32), GRID)
    result = made({"ct": flat}, mm.Gamma(gamma=2.0), backend=backend)["ct"]
    np.testing.assert_array_equal(result.array, flat.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_follows_the_normal_law(backend):
    """47 027 voxels: mean, SD and the whole distribution (Kolmogorov and Smirnov)."""
    noise = noise_of(backend=backend)
    assert abs(noise.mean()) < 5 * 10 / np.sqrt(noise.size)
    assert abs(noise.std() - 10) < 5 * 10 / np.sqrt(2 * noise.size)
    assert stats.kstest(noise / 10, "norm").pvalue > 1e-4


@pytest.mark.parametrize("what", ["samples", "images", "channels", "neighbours", "rows"])
def test_noise_is_independent(what):
    """No correlation beyond five of its own standard errors."""
    match what:
        case "samples":
            one, other = noise_of(index=0), noise_of(index=1)
        case "images":
            one, other = noise_of(name="ct"), noise_of(name="mr")
        case "channels":
            one, other = noise_of(channels=2).reshape(2, -1)
        case "neighbours":
            one, other = noise_of()[:-1], noise_of()[1:]
        case _:
            one, other = noise_of()[: -GRID.size[0]], noise_of()[GRID.size[0] :]
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(one.size)


def test_the_same_sample_has_the_same_noise():
    np.testing.assert_array_equal(noise_of(index=3), noise_of(index=3))


def test_an_op_that_takes_no_part_changes_no_noise():
    """The noise belongs to the op's id, not to a place in a stream of numbers."""
    absent = mm.Gamma(probability=0.0)
    source = {"ct": image()}
    alone = made(source, mm.GaussianNoise())["ct"].array
    with_absent = made(source, absent, mm.GaussianNoise())["ct"].array
    np.testing.assert_array_equal(alone, with_absent)
    assert not np.array_equal(alone, source["ct"].array)


@pytest.mark.parametrize("spatial", [(), (mm.Affine(rotation_deg=7.0),)], ids=["copy", "resample"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("channels", [None, 2])
def test_cpu_agrees_with_the_reference(spatial, dtype, channels):
    """In the listed order, on a copy and on a resample, in place of a rounding in between."""
    source = {"ct": image(dtype, channels)}
    ops = (mm.Gamma(gamma=1.4), mm.GaussianNoise(std_fraction=0.05), mm.Gamma(gamma=0.8))
    slow, fast = (
        made(source, *ops, backend=backend, spatial=spatial)["ct"].array for backend in BACKENDS
    )
    limit = 1e-3 * slow.std() + (1.0 if np.dtype(dtype).kind != "f" else 0.0)
    oracles.check_close(fast, slow, limit, dtype)
    if np.dtype(dtype).kind != "f":
        assert (fast != slow).mean() < 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_ops_act_in_the_listed_order(backend):
    """Noise before a strong gamma is bent by it; noise after is not."""
    source = {"ct": image()}
    gamma, noise = mm.Gamma(gamma=3.0), mm.GaussianNoise(std=20.0)
    bent = made(source, gamma, backend=backend)["ct"].array
    first = made(source, noise, gamma, backend=backend)["ct"].array - bent
    last = made(source, gamma, noise, backend=backend)["ct"].array - bent
    dark = source["ct"].array < 30
    assert last[dark].std() == pytest.approx(20.0, rel=0.1)
    assert first[dark].std() < 5.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_saturates_integers(backend):
    ends = np.where(np.arange(GRID.voxel_count) % 2, 0, 255).astype(np.uint8)
    source = {"ct": mm.ScalarImage(ends.reshape(GRID.shape), GRID)}
    result = made(source, mm.GaussianNoise(std=5.0), backend=backend)["ct"].array
    change = np.abs(result.astype(int) - source["ct"].array.astype(int))
    assert change.max() < 40
    assert 0.4 < (change == 0).mean() < 0.65


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "rescaling", [mm.ZScore(), mm.Window(), mm.Rescale()], ids=lambda op: op.op
)
@pytest.mark.parametrize(
    "asking",
    [
        mm.Gamma(gamma=2.0),
        mm.GaussianNoise(std_fraction=0.05),
        mm.Bilateral(range_sigma_fraction=0.1),
    ],
    ids=lambda op: op.op,
)
def test_behind_another_scale_ops_ask_the_image_as_it_is(backend, rescaling, asking):
    """Gamma between the minimum and maximum of a z-scored image, not of the one in HU."""
    source = {"ct": image("int16")}
    rescaling = rescaling.replace(
        **{k: 0.5 for k in ("level_fraction", "width_fraction") if hasattr(rescaling, k)}
    )
    together = made(source, rescaling, asking, mm.LinearMap(scale=2.0), backend=backend)["ct"]
    halfway = made(source, rescaling, backend=backend)
    apart = made(halfway, asking, mm.LinearMap(scale=2.0), backend=backend)["ct"]
    assert together.array.dtype == np.float32
    np.testing.assert_array_equal(together.array, apart.array)


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("spatial", [(), (mm.Affine(rotation_deg=7.0),)], ids=["copy", "resample"])
def test_ops_for_one_channel_leave_the_others_and_the_input_alone(spatial, dtype):
    """Passes for some channels change them in place: never in the image that was given."""
    source = image(dtype, channels=3)
    before = source.array.copy()
    ops = [
        op
        for channel in (0, 2)
        for op in (
            mm.GaussianBlur(sigma_mm=1.5, channels=(channel,)),
            mm.Gamma(gamma=1.3, keep_statistics=True, channels=(channel,)),
            mm.GaussianNoise(std=2.0, channels=(channel,)),
        )
    ]
    plain, fast, slow = (
        made({"ct": source}, *chosen, spatial=spatial, backend=backend)["ct"].array
        for chosen, backend in (((), "cpu"), (ops, "cpu"), (ops, "reference"))
    )
    np.testing.assert_array_equal(source.array, before)
    np.testing.assert_array_equal(fast[1], plain[1])
    assert not np.array_equal(fast[0], plain[0])
    assert not np.array_equal(fast[2], plain[2])
    limit = 1e-3 * slow.std() + (1.0 if dtype == "int16" else 0.0)
    oracles.check_close(fast, slow, limit, dtype)
