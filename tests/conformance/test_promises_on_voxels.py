"""Promises on single voxels: aliasing, rounding, saturation, range, frames, NaN, exact geometry."""

import numpy as np
import oracles
import pytest
import worlds
from scipy import ndimage

import millimorph as mm

BACKENDS = ("reference", "cpu")


def small_affine(grid):
    """Build a map that moves every voxel off the lattice."""
    d = grid.dimension
    linear = worlds.turn(7.0) if d == 2 else worlds.turn(4.0, -3.0, 7.0)
    step = 0.31 * np.array(grid.spacing_mm)
    return mm.AffineTransform.from_linear(linear, step, grid.centre_mm)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("d", [2, 3])
def test_a_checkerboard_vanishes_at_a_quarter_of_the_resolution(backend, d):
    """Without the filter a factor of 4 keeps a checkerboard of amplitude 1 whole or nearly so."""
    grid = mm.ImageGrid((64, 64, 24)[:d])
    indices = np.indices(grid.shape).sum(axis=0)
    image = mm.ScalarImage((100.0 + (-1.0) ** indices).astype(np.float32), grid)
    onto = mm.reference_grid([grid], spacing_mm=(4.0,) * d)
    onto = onto.cropped((0,) * d, onto.size)
    shifted = mm.AffineTransform.translation((0.5,) * d)
    smooth = mm.resample(image, onto, shifted, interpolation="linear", backend=backend)
    rough = mm.resample(image, onto, shifted, fill=100.0, antialias=False, backend=backend)
    interior = (slice(2, -2),) * d
    assert np.abs(rough.array[interior] - 100.0).max() > 0.9
    assert np.abs(smooth.array[interior] - 100.0).max() <= 0.02


@pytest.mark.parametrize("backend", BACKENDS)
def test_anti_aliasing_acts_only_along_the_axes_that_get_coarser(backend):
    """In plane the target is as fine as the source: stripes along x must stay as they are."""
    grid = mm.ImageGrid((16, 16, 33), (2.0, 2.0, 1.0))
    stripes = np.zeros(grid.shape, np.float32)
    stripes[:, :, ::2] = 100.0
    onto = mm.ImageGrid((16, 16, 9), (2.0, 2.0, 4.0))
    result = mm.resample(mm.ScalarImage(stripes, grid), onto, fill=0.0, backend=backend)
    np.testing.assert_allclose(result.array, stripes[:9], atol=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_anti_aliasing_keeps_the_mean(backend):
    """The Gaussian's weights sum to one, and the border repeats the edge."""
    grid = mm.ImageGrid((32, 32, 32))
    image = mm.ScalarImage(np.full(grid.shape, 1234, np.int16), grid)
    onto = mm.reference_grid([grid], size=(9, 10, 11))
    result = mm.resample(image, onto, fill=0.0, backend=backend)
    assert (result.array == 1234).all()


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_cpu_smooths_as_the_reference_does(interpolation):
    grid = mm.ImageGrid((33, 35, 29), (0.9, 1.1, 1.4), (3, -4, 5), worlds.OBLIQUE)
    onto = mm.reference_grid([grid], size=(11, 9, 12))
    for dtype in worlds.IMAGE_TYPES:
        voxels = np.random.default_rng(2).uniform(0, 250, grid.shape).astype(dtype)
        image = mm.ScalarImage(voxels, grid)
        results = [
            mm.resample(
                image,
                onto,
                small_affine(grid),
                interpolation=interpolation,
                fill=0.0,
                backend=backend,
            ).array
            for backend in BACKENDS
        ]
        limit = 1e-4 * voxels.std() + (0.0 if np.dtype(dtype).kind == "f" else 1.0)
        oracles.check_close(results[1], results[0], limit, f"{interpolation}, {dtype}")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32"])
def test_rounding_has_no_bias(backend, dtype):
    """Truncation would be off by half a grey level on average."""
    grid = mm.ImageGrid((31, 29, 27))
    voxels = np.random.default_rng(1).integers(0, 256, grid.shape)
    pull = small_affine(grid)
    fine, coarse = (
        mm.resample(
            mm.ScalarImage(voxels.astype(kind), grid),
            grid,
            pull,
            interpolation="linear",
            fill=128.0,
            backend=backend,
        ).array.astype(np.float64)
        for kind in ("float64", dtype)
    )
    assert abs((coarse - fine).mean()) < 0.03
    assert np.abs(coarse - fine).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_halves_round_to_the_even_neighbour(backend):
    """Half-way between n and n + 1 the value is a half exactly."""
    image = mm.ScalarImage(np.array([[0, 1, 2, 3, 4]], np.int16), mm.ImageGrid((5, 1)))
    onto = mm.ImageGrid((4, 1), origin_mm=(0.5, 0.0))
    result = mm.resample(image, onto, interpolation="linear", backend=backend)
    assert result.array.tolist() == [[0, 2, 2, 4]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32"])
def test_integers_saturate(backend, dtype):
    """A cubic spline overshoots at a step between the type's ends; it must not wrap around."""
    limits = np.iinfo(dtype)
    line = [limits.min] * 6 + [limits.max] * 6
    image = mm.ScalarImage(np.array([line], dtype=dtype), mm.ImageGrid((12, 1)))
    onto = mm.ImageGrid((48, 1), (0.25, 1.0))
    spline = ndimage.map_coordinates(
        np.array(line, np.float64), [np.arange(48) * 0.25], order=3, mode="mirror"
    )
    result = mm.resample(
        image, onto, interpolation="cubic", fill=0.0, antialias=False, backend=backend
    ).array[0]
    above, below = spline[:46] > limits.max + 1.0, spline[:46] < limits.min - 1.0
    assert above.any()
    assert below.any()
    assert (result[:46][above] == limits.max).all()
    assert (result[:46][below] == limits.min).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("fill", "expected"), [(-1000.0, 0), (300.0, 255), (12.5, 12)])
def test_a_fill_beyond_the_type_saturates(backend, fill, expected):
    image = mm.ScalarImage(np.full((1, 2), 7, np.uint8), mm.ImageGrid((2, 1)))
    onto = mm.ImageGrid((1, 1), origin_mm=(9.3, 0.0))
    result = mm.resample(image, onto, interpolation="linear", fill=fill, backend=backend)
    assert result.array[0, 0] == expected


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linear_never_leaves_the_range_of_its_neighbours(backend, dtype):
    """Constant patches of awkward numbers: a single rounding upwards would show."""
    grid = mm.ImageGrid((24, 20, 16))
    generator = np.random.default_rng(8)
    coarse = generator.uniform(-1000.1, 3000.3, (4, 5, 6))
    voxels = coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2).astype(dtype)
    result = mm.resample(
        mm.ScalarImage(voxels, grid),
        grid,
        small_affine(grid),
        interpolation="linear",
        fill=float(voxels.min()),
        backend=backend,
    ).array
    index = oracles.source_indices(grid, grid, small_affine(grid).map_points)
    base = np.floor(index).astype(int)
    size = np.array(grid.size)
    corners = np.stack(
        [
            voxels[tuple(np.clip(base + corner, 0, size - 1).T[::-1])]
            for corner in np.ndindex(2, 2, 2)
        ]
    )
    sure = oracles.inside(index, grid.size) & oracles.off_border(index, grid.size)
    sure &= (np.abs(index - np.rint(index)) > oracles.TIE).all(axis=1)
    flat = result.ravel()[sure]
    low, high = corners.min(axis=0)[sure], corners.max(axis=0)[sure]
    if dtype == "float64":
        low, high = np.nextafter(low.astype("f4"), -np.inf), np.nextafter(high.astype("f4"), np.inf)
    assert (flat >= low).all()
    assert (flat <= high).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("d", [2, 3])
def test_frames_and_channels_are_kept_apart(backend, interpolation, d):
    """Every frame alone gives the frame of the series; channels of RGB likewise."""
    grid = mm.ImageGrid((13, 11, 9)[:d], (1.2, 0.9, 1.5)[:d])
    pull = small_affine(grid)
    voxels = np.random.default_rng(4).integers(0, 256, (3, *grid.shape)).astype(np.uint8)
    options = {"interpolation": interpolation, "fill": 9.0, "backend": backend}
    for frames in (None, mm.FrameAxis(2.0, 1.0)):
        series = mm.ScalarImage(voxels, grid, frames)
        whole = mm.resample(series, grid, pull, **options)
        assert whole.frames == frames
        for k in range(3):
            alone = mm.resample(mm.ScalarImage(voxels[k], grid), grid, pull, **options)
            np.testing.assert_array_equal(whole.array[k], alone.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_is_an_error_with_the_count_and_the_first_index(backend):
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[1, 2, 3] = np.nan
    voxels[3, 0, 0] = np.nan
    image = mm.ScalarImage(voxels, mm.ImageGrid((6, 5, 4)))
    with pytest.raises(mm.ImageError, match=r"2 .*\(3, 2, 1\)"):
        mm.resample(image, image.grid, small_affine(image.grid), backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_infinity_is_an_error(backend):
    voxels = np.zeros((4, 5, 6))
    voxels[1, 2, 3] = np.inf
    image = mm.ScalarImage(voxels, mm.ImageGrid((6, 5, 4)))
    with pytest.raises(mm.ImageError):
        mm.resample(image, image.grid, small_affine(image.grid), backend=backend)


LARGE_WORLDS = [name for name, here in worlds.WORLDS.items() if min(here.source.size) > 6]


def pulled_pattern(pattern, axis, world_name, interpolation, backend):
    """Pull a function of one source index by the affine map: the values and where they lie."""
    here = worlds.WORLDS[world_name]
    pull = worlds.map_of("affine", world_name)
    index = oracles.source_indices(here.source, here.target, pull.map_points)
    on_lattice = pattern(np.arange(here.source.size[axis]))
    shape = [1] * here.source.dimension
    shape[here.source.dimension - 1 - axis] = -1
    voxels = np.broadcast_to(on_lattice.reshape(shape), here.source.shape).astype(np.float32)
    result = mm.resample(
        mm.ScalarImage(voxels, here.source),
        here.target,
        pull.ours,
        interpolation=interpolation,
        fill=0.0,
        antialias=False,
        backend=backend,
    )
    sure = ((index >= 0.0) & (index <= np.array(here.source.size) - 1.0)).all(axis=1)
    return result.array.ravel()[sure], index[sure, axis]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("world_name", LARGE_WORLDS)
def test_a_ramp_or_cosine_is_sampled_within_a_thousandth_of_a_voxel(
    backend, interpolation, world_name
):
    """Voxels that hold their own index, or a cosine that is even about both ends for the spline."""
    here = worlds.WORLDS[world_name]
    for axis in range(here.source.dimension):
        omega = np.pi / (here.source.size[axis] - 1)
        linear = interpolation == "linear"
        pattern = (lambda i: i) if linear else (lambda i, w=omega: np.cos(w * i))
        values, index = pulled_pattern(pattern, axis, world_name, interpolation, backend)
        slope = 1.0 if linear else omega
        oracles.check_close(values, pattern(index), 1e-3 * slope, f"{world_name}, axis {axis}")


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize("dtype", ["int8", "uint32", "int64", "uint64"])
def test_the_rarer_integer_types_are_resampled_too(interpolation, dtype):
    """The large conformance run holds the common types; these share its rules."""
    grid = mm.ImageGrid((17, 15, 13), (1.2, 0.9, 1.5), (3, -4, 5), worlds.OBLIQUE)
    voxels = np.random.default_rng(7).integers(0, 120, grid.shape).astype(dtype)
    pull = small_affine(grid)
    index = oracles.source_indices(grid, grid, pull.map_points)
    sure = oracles.off_border(index, grid.size) & oracles.off_tie(index)
    expected = oracles.scipy_image(voxels, index, interpolation, 9.0)[sure]
    for backend in BACKENDS:
        result = mm.resample(
            mm.ScalarImage(voxels, grid), grid, pull, interpolation, 9.0, backend=backend
        ).array
        assert result.dtype == dtype
        limit = 0.0 if interpolation == "nearest" else 0.5 + 2e-3 * voxels.std()
        in_type = np.clip(expected, np.iinfo(dtype).min, np.iinfo(dtype).max)
        oracles.check_close(result.ravel()[sure], in_type, limit, f"{backend}, {dtype}")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_declared_value_takes_the_place_of_nan(backend, interpolation, dtype):
    """As if the voxels had held that value from the start; the fills too."""
    grid = mm.ImageGrid((9, 8, 7))
    voxels = np.random.default_rng(7).normal(50, 9, grid.shape).astype(dtype)
    holes = voxels.copy()
    holes[2:4, 3, 5] = np.nan
    mended = np.where(np.isnan(holes), -30.0, holes).astype(dtype)
    for fill in ("minimum", "background"):
        results = []
        for array in (holes, mended):
            case = mm.Case(id="p", images={"ct": mm.ScalarImage(array, grid)})
            sampling = mm.ImageSampling(interpolation=interpolation, fill=fill, nan=-30.0)
            pipeline = mm.Pipeline(spatial=(mm.Affine(rotation_deg=9.0),), images=sampling)
            results.append(mm.augment(case, pipeline, backend=backend).images["ct"].array)
        np.testing.assert_array_equal(*results)
        assert np.isfinite(results[0]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fill", ["minimum", "background", 3.0])
@pytest.mark.parametrize("size", [9, 4], ids=["as it is", "smoothed"])
def test_another_value_for_nan_of_one_image_is_heeded(backend, fill, size):
    """Nothing that was derived with the first declared value is used for the second."""
    grid = mm.ImageGrid((9, 8, 7))
    voxels = np.random.default_rng(7).normal(50, 9, grid.shape).astype(np.float32)
    voxels[2:6, 3] = np.nan

    def made(image, nan):
        pipeline = mm.Pipeline(
            reference=mm.Reference(size=(size, size, size)),
            spatial=(mm.Affine(rotation_deg=9.0),),
            images=mm.ImageSampling(fill=fill, nan=nan),
        )
        case = mm.Case(id="p", images={"ct": image})
        return mm.augment(case, pipeline, backend=backend).images["ct"].array

    kept = mm.ScalarImage(voxels, grid)
    first = made(kept, -30.0)
    second = made(kept, 70.0)
    np.testing.assert_array_equal(second, made(mm.ScalarImage(voxels, grid), 70.0))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fill", ["minimum", "background", 0.0])
def test_infinity_is_an_error_although_a_value_for_nan_is_declared(backend, fill):
    voxels = np.zeros((2, 4, 5, 6))
    voxels[1, 1, 2, 3] = -np.inf
    image = mm.ScalarImage(voxels, mm.ImageGrid((6, 5, 4)))
    pipeline = mm.Pipeline(images=mm.ImageSampling(fill=fill, nan=0.0))
    case = mm.Case(id="p", images={"ct": image})
    with pytest.raises(mm.ImageError, match=r'"ct" has 1 .*\(3, 2, 1\) of channel 1'):
        mm.augment(case, pipeline, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_source_is_remembered_by_does_not_leak(backend):
    """One image asked for with many options gives what a fresh image gives."""
    grid = mm.ImageGrid((24, 22, 20))
    voxels = np.random.default_rng(7).normal(50, 9, grid.shape).astype(np.float32)
    kept = mm.ScalarImage(voxels, grid)
    half, third = (mm.reference_grid([grid], size=(n, n, n)) for n in (10, 7))
    for onto in (half, third, half, grid):
        for interpolation in ("linear", "cubic"):
            for fill in ("minimum", 3.0, "background", "edge"):
                for antialias in (True, False):
                    one, other = (
                        mm.resample(
                            image,
                            onto,
                            small_affine(grid),
                            interpolation,
                            fill,
                            antialias=antialias,
                            backend=backend,
                        )
                        for image in (kept, mm.ScalarImage(voxels, grid))
                    )
                    np.testing.assert_array_equal(one.array, other.array)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["nearest", "label_linear"])
def test_frames_of_labels_are_kept_apart(backend, interpolation):
    grid = mm.ImageGrid((13, 11, 9), (1.2, 0.9, 1.5))
    pull = small_affine(grid)
    voxels = np.random.default_rng(4).integers(0, 4, (3, *grid.shape)).astype(np.uint8)
    whole = mm.resample(mm.LabelMap(voxels, grid), grid, pull, interpolation, backend=backend)
    for k in range(3):
        alone = mm.LabelMap(voxels[k], grid)
        expected = mm.resample(alone, grid, pull, interpolation, backend=backend)
        np.testing.assert_array_equal(whole.array[k], expected.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_source_is_left_alone(backend):
    """Nothing is written into the arrays that were given, not even by a swap or a declared NaN."""
    grid = mm.ImageGrid((9, 8, 7))
    voxels = np.random.default_rng(7).normal(50, 9, grid.shape).astype(np.float32)
    voxels[1, 2, 3] = np.nan
    labels = np.random.default_rng(7).integers(0, 4, grid.shape).astype(np.uint8)
    before = voxels.copy(), labels.copy()
    case = mm.Case(
        id="p",
        images={"ct": mm.ScalarImage(voxels, grid)},
        labels={"organs": mm.LabelMap(labels, grid)},
    )
    flip = mm.Flip(axis="left-right", label_pairs=((1, 2),))
    for spatial in ((flip,), (flip, mm.Affine(rotation_deg=5.0))):
        pipeline = mm.Pipeline(
            spatial=spatial, intensity=(mm.Gamma(),), images=mm.ImageSampling(nan=0.0)
        )
        mm.augment(case, pipeline, backend=backend)
    np.testing.assert_array_equal(voxels, before[0])
    np.testing.assert_array_equal(labels, before[1])
