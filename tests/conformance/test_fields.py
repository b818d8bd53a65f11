"""Ops whose change depends on the place: against SimpleITK, closed forms, the law of the field."""

import itertools

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
import worlds

import millimorph as mm
from millimorph.backends.cpu.fields import apply
from millimorph.backends.scene import Scene, Where

BACKENDS = ("reference", "cpu")
GRIDS = {
    "anisotropic": mm.ImageGrid((41, 37, 31), (0.9, 1.2, 4.0), (3, -4, 5)),
    "oblique": mm.ImageGrid((30, 27, 20), (1.2, 0.9, 1.5), (3, -4, 5), worlds.OBLIQUE),
    "plane": mm.ImageGrid((150, 130), (0.7, 1.1), (3, -4)),
}
OPS = {
    "product and sum": mm.MultiplicativeAndAdditiveField(),
    "bias": mm.BiasField(log_sd=0.4, control_spacing_fraction=0.2),
    "gradient": mm.BrightnessGradient(strength_fraction=0.7),
    "local gamma": mm.LocalGamma(gamma=2.2),
}


def image(grid, dtype="float32", channels=None):
    """Draw voxels from -100 to 155, or 0 to 255 where the type has no sign."""
    shape = grid.shape if channels is None else (channels, *grid.shape)
    low = 0.0 if np.dtype(dtype).kind == "u" else -100.0
    voxels = low + np.random.default_rng(3).gamma(2.0, 40.0, shape).clip(0, 255)
    return mm.ScalarImage(voxels.astype(dtype), grid)


def made(source, *ops, index=0, backend="cpu", threads=1):
    case = mm.Case(id="p01", images={"mr": source})
    pipeline = mm.Pipeline(intensity=ops, seed=4)
    (recipe,) = mm.draw(pipeline, case=case.id, start=index, stop=index + 1)
    program = mm.compile(recipe, case)
    return mm.run(program, case, backend=backend, threads=threads).images["mr"].array


def ones(grid):
    return mm.ScalarImage(np.ones(grid.shape, np.float32), grid)


def fractions(grid):
    """Give the place of each voxel as fractions of the extent along z, y, x."""
    axes = [(np.arange(n) + 0.5) / n for n in grid.shape]
    return np.meshgrid(*axes, indexing="ij")


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(
    ("dtype", "channels"), [("float32", None), ("int16", 2), ("uint8", None), ("float64", 2)]
)
def test_cpu_agrees_with_the_reference(op, grid, dtype, channels):
    """Within 2e-6 of the largest result; integers differ by one where they straddle a half."""
    source = image(grid, dtype, channels)
    slow, fast = (made(source, op, backend=backend) for backend in BACKENDS)
    whole = np.dtype(dtype).kind != "f"
    oracles.check_close(fast, slow, 1.0 if whole else 2e-6 * 600, dtype)
    if whole:
        assert (fast != slow).mean() < 1e-4
    assert (slow != source.array).mean() > 0.5


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["anisotropic", "plane"])
def test_product_and_sum_are_the_notebooks(backend, name):
    """SimpleITK's two Gaussian images: half the extent about the centre, an eighth at 1/16."""
    grid = GRIDS[name]
    source = image(grid)
    extent = np.array(grid.extent_mm)

    def gaussian(sigma, place, peak):
        centre = np.array(grid.origin_mm) - 0.5 * np.array(grid.spacing_mm) + place * extent
        made_by_itk = sitk.GaussianSource(
            sitk.sitkFloat64,
            grid.size,
            (sigma * extent).tolist(),
            centre.tolist(),
            peak,
            grid.origin_mm,
            grid.spacing_mm,
        )
        return sitk.GetArrayFromImage(made_by_itk)

    op = mm.MultiplicativeAndAdditiveField(
        multiplicative_peak=2.55,
        multiplicative_centre_fraction=0.5,
        multiplicative_sigma_fraction=0.5,
        additive_peak=255.0,
        additive_centre_fraction=1 / 16,
        additive_sigma_fraction=1 / 8,
        black_level=0.0,
    )
    expected = source.array * gaussian(0.5, 0.5, 2.55) + gaussian(1 / 8, 1 / 16, 255.0)
    oracles.check_close(made(source, op, backend=backend), expected, 1e-6 * 650, name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fields_turn_with_an_oblique_image(backend):
    """The same voxels on a turned grid have the same field."""
    grid = GRIDS["oblique"]
    straight = mm.ImageGrid(grid.size, grid.spacing_mm)
    for op in OPS.values():
        one, other = (made(image(g), op, backend=backend) for g in (grid, straight))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("backend", BACKENDS)
def test_integers_are_multiplied_as_floats_and_saturate(backend):
    """The notebook's own product wraps around in 8 bits."""
    grid = GRIDS["plane"]
    source = image(grid, "uint8")
    op = mm.MultiplicativeAndAdditiveField(
        multiplicative_peak=1.7, multiplicative_sigma_fraction=10.0, additive_peak=0.0
    )
    result = made(source, op, backend=backend).astype(int)
    assert (result[source.array > 160] == 255).all()
    assert (result >= source.array).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_black_level_stays(backend):
    """Air in CT is not 0; left out, the least grey level of the original is what stays."""
    grid = GRIDS["plane"]
    voxels = image(grid, "int16").array - 900
    source = mm.ScalarImage(voxels, grid)
    lowest = voxels == voxels.min()
    bias = made(source, mm.BiasField(log_sd=0.5), backend=backend)
    assert (bias[lowest] == voxels.min()).all()
    given = made(source, mm.BiasField(log_sd=0.5, black_level=-950.0), backend=backend)
    assert (given[voxels == -950] == -950).all()
    assert not (given[lowest] == voxels.min()).all()


@pytest.mark.parametrize("dimension", [2, 3])
def test_bias_field_has_the_standard_deviation_that_it_is_given(dimension):
    """Mean 0 and SD 0.25 of the logarithm over fields of thousands of control values."""
    grid = mm.ImageGrid((40, 30, 20) if dimension == 3 else (200, 180))
    op = mm.BiasField(log_sd=0.25, control_spacing_mm=2.0, black_level=0.0)
    fields = [np.log(made(ones(grid), op, index=index).astype(float)) for index in range(3)]
    assert abs(np.mean(fields)) < 0.02
    assert np.std(fields) == pytest.approx(0.25, rel=0.05)


def test_bias_field_is_smooth_at_the_scale_of_its_control_points():
    """Second differences of a cubic B-spline are at most four control values per spacing²."""
    grid = GRIDS["plane"]
    field = np.log(
        made(ones(grid), mm.BiasField(log_sd=0.3, control_spacing_mm=30, black_level=0)).astype(
            float
        )
    )
    step = grid.spacing_mm[0] / 30
    assert np.abs(np.diff(field, 2, axis=1)).max() < 4 * 4.5 * 0.3 / 0.479 * step**2 + 1e-6
    assert field.std() > 0.1


def test_channels_share_a_bias_field_and_images_do_not():
    grid = GRIDS["plane"]
    two = mm.ScalarImage(np.ones((2, *grid.shape), np.float32), grid)
    one, other = made(two, mm.BiasField(black_level=0.0))
    np.testing.assert_array_equal(one, other)
    case = mm.Case(id="p01", images={"t1": ones(grid), "t2": ones(grid)})
    pipeline = mm.Pipeline(intensity=(mm.BiasField(black_level=0.0),))
    results = mm.augment(case, pipeline, seed=1, index=0).images
    assert abs(np.corrcoef(results["t1"].array.ravel(), results["t2"].array.ravel())[0, 1]) < 0.95


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", GRIDS)
def test_brightness_gradient_is_a_gaussian_from_0_to_its_strength(backend, name):
    """nnU-Net's: the Gaussian less its minimum, over its range, times the strength."""
    grid = GRIDS[name]
    places = fractions(grid)
    centre = (-0.3, 0.2, 1.2)[: grid.dimension]
    square = sum(((p - c) / 0.4) ** 2 for p, c in zip(places[::-1], centre, strict=True))
    gaussian = np.exp(-0.5 * square)
    share = (gaussian - gaussian.min()) / (gaussian.max() - gaussian.min())
    op = mm.BrightnessGradient(strength=-40.0, centre_fraction=centre, sigma_fraction=0.4)
    flat = mm.ScalarImage(np.zeros(grid.shape, np.float32), grid)
    result = made(flat, op, backend=backend)
    oracles.check_close(result, -40.0 * share, 40 * 1e-6, name)
    assert result.max() == pytest.approx(0.0, abs=1e-5)
    assert result.min() == pytest.approx(-40.0, rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_local_gamma_is_gamma_at_its_centre_and_nothing_at_its_least_voxel(backend):
    grid = GRIDS["plane"]
    source = image(grid)
    whole = made(source, mm.Gamma(gamma=0.5), backend=backend)
    op = mm.LocalGamma(gamma=0.5, centre_fraction=-0.5, sigma_fraction=0.6)
    local = made(source, op, backend=backend)
    assert local[0, 0] == pytest.approx(whole[0, 0], rel=1e-5)
    assert local[-1, -1] == pytest.approx(source.array[-1, -1], rel=1e-5)
    share = (local - source.array) / np.where(whole == source.array, 1.0, whole - source.array)
    assert share.min() > -1e-3
    assert share.max() < 1.001


@pytest.mark.parametrize("backend", BACKENDS)
def test_parameters_that_change_nothing_change_no_bit(backend):
    source = image(GRIDS["plane"])
    none = (mm.BiasField(log_sd=0), mm.BrightnessGradient(strength=0), mm.LocalGamma(gamma=1))
    np.testing.assert_array_equal(made(source, *none, backend=backend), source.array)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("size", [(1, 1), (1, 1, 1), (2, 1), (1, 5, 1)])
@pytest.mark.parametrize("level", [0.0, 7.0])
def test_small_and_constant_images_stay_finite(backend, op, size, level):
    grid = mm.ImageGrid(size)
    source = mm.ScalarImage(np.full(grid.shape, level, np.float32), grid)
    result = made(source, op, backend=backend)
    assert np.isfinite(result).all()
    if isinstance(op, mm.LocalGamma | mm.BiasField):
        np.testing.assert_array_equal(result, source.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_that_is_flat_adds_nothing(backend):
    """Two voxels about the centre of the Gaussian are as bright as each other."""
    source = mm.ScalarImage(np.array([[1.0, 2.0]], np.float32), mm.ImageGrid((2, 1)))
    op = mm.BrightnessGradient(strength=5.0, centre_fraction=0.5, sigma_fraction=0.5)
    np.testing.assert_array_equal(made(source, op, backend=backend), source.array)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_bits_do_not_depend_on_threads(op):
    source = image(GRIDS["anisotropic"])
    one, two, seven = (made(source, op, mm.Gamma(), threads=n) for n in (1, 2, 7))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, seven)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("name", ["oblique", "plane"])
def test_bits_do_not_depend_on_where_runs_begin_and_end(op, name):
    source = image(GRIDS[name])
    case = mm.Case(id="p01", images={"mr": source})
    (recipe,) = mm.draw(mm.Pipeline(intensity=(op,)), case=case.id, start=0, stop=1)
    step = mm.compile(recipe, case).stages[0].samples[0].pointwise[0].step
    scene = Scene("mr", source.grid, source)
    whole = source.array.ravel().copy()
    apply(step, whole, Where(0, 0, scene))
    pieces = source.array.ravel().copy()
    ends = [0, 1, 6, 40, 41, 777, 5000, 9999, len(pieces)]
    for first, last in itertools.pairwise(ends):
        apply(step, pieces[first:last], Where(0, first, scene))
    np.testing.assert_array_equal(pieces, whole)


def test_fields_add_no_pass():
    case = mm.Case(id="p01", images={"mr": image(GRIDS["plane"])})
    pipeline = mm.Pipeline(spatial=(mm.Affine(),), intensity=tuple(OPS.values()))
    (recipe,) = mm.draw(pipeline, case=case.id, start=0, stop=1)
    program = mm.compile(recipe, case)
    assert len(program.stages) == 1
    assert "bias field of" in str(program)


def test_too_fine_a_control_lattice_is_refused():
    """A spacing below a voxel is a slip of the unit, and would take the memory of a machine."""
    with pytest.raises(mm.CompileError, match="give a larger spacing"):
        made(image(GRIDS["anisotropic"]), mm.BiasField(control_spacing_mm=0.2))
