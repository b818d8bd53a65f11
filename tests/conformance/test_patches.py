"""Boxes that are overwritten or exchanged: where they lie, what fills them, what stays."""

import numpy as np
import oracles
import pytest
import worlds
from scipy import ndimage, stats

import millimorph as mm

BACKENDS = ("reference", "cpu")
GRIDS = {
    "anisotropic": mm.ImageGrid((41, 37, 31), (0.9, 1.2, 4.0), (3, -4, 5)),
    "oblique": mm.ImageGrid((30, 27, 20), (1.2, 0.9, 1.5), (3, -4, 5), worlds.OBLIQUE),
    "plane": mm.ImageGrid((150, 130), (0.7, 1.1), (3, -4)),
}
OPS = {
    "mean": mm.Cutout(count=3),
    "minimum": mm.Cutout(count=3, fill="minimum"),
    "noise": mm.Cutout(count=3, fill="noise"),
    "box mean": mm.Cutout(count=3, fill="box_mean"),
    "level": mm.Cutout(count=3, fill=-17.0),
    "swap": mm.Swap(),
}


def image(grid, dtype="float32", channels=None):
    """Draw voxels from 3 to 253, no two of which are equal where the type allows it."""
    shape = grid.shape if channels is None else (channels, *grid.shape)
    return mm.ScalarImage(np.random.default_rng(3).uniform(3, 253, shape).astype(dtype), grid)


def made(source, *ops, index=0, backend="cpu", threads=1, case="p01"):
    case = mm.Case(id=case, images={"mr": source})
    (recipe,) = mm.draw(
        mm.Pipeline(intensity=ops, seed=4), case=case.id, start=index, stop=index + 1
    )
    program = mm.compile(recipe, case)
    return mm.run(program, case, backend=backend, threads=threads).images["mr"].array


def box(changed):
    """Find the one box of voxels that changed: its slices."""
    (slices,) = ndimage.find_objects(changed.astype(int))
    assert changed[slices].all()
    return slices


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(("dtype", "channels"), [("float32", None), ("int16", 2), ("uint8", None)])
def test_cpu_agrees_with_the_reference(op, grid, dtype, channels):
    source = image(grid, dtype, channels)
    slow, fast = (made(source, op, backend=backend) for backend in BACKENDS)
    oracles.check_close(fast, slow, 1e-3 if dtype == "float32" else 1.0, dtype)
    assert (slow != source.array).any()
    if dtype != "float32":
        assert (fast != slow).mean() < 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_each_box_lies_inside_with_edges_between_the_limits(backend, grid):
    """Whole boxes, 15 to 50 % of the extent along each axis, here and there in the image."""
    source = image(grid)
    op = mm.Cutout(count=1, size_fraction=0.5, least_share=0.3, fill=-1.0)
    corners = []
    for index in range(12):
        found = box(made(source, op, index=index, backend=backend) == -1.0)
        for part, n in zip(found, grid.shape, strict=True):
            assert round(0.15 * n - 0.01) <= part.stop - part.start <= round(0.5 * n + 0.01)
        corners.append([part.start for part in found])
    assert (np.ptp(corners, axis=0) > 0.2 * np.array(grid.shape)).all()


def test_boxes_are_uniform_among_their_places():
    """Edges of 2 in 8 voxels have 7 places; 700 draws, chi-square."""
    grid = mm.ImageGrid((8, 8))
    op = mm.Cutout(count=700, size_fraction=0.25, least_share=1.0)
    case = mm.Case(id="p01", images={"mr": image(grid)})
    (recipe,) = mm.draw(mm.Pipeline(intensity=(op,)), case=case.id, start=0, stop=1)
    step = mm.compile(recipe, case).stages[0].samples[0].pointwise[0].step
    starts = np.array([box.first for box in step.boxes])
    for axis in range(2):
        counts = np.bincount(starts[:, axis], minlength=7)
        assert len(counts) == 7
        assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("backend", BACKENDS)
def test_sizes_may_be_in_mm(backend):
    grid = GRIDS["anisotropic"]
    op = mm.Cutout(count=1, size_mm=12.0, least_share=1.0, fill=-1.0)
    found = box(made(image(grid), op, backend=backend) == -1.0)
    assert [part.stop - part.start for part in found] == [3, 10, 13]


@pytest.mark.parametrize("backend", BACKENDS)
def test_fills_are_the_channels_own(backend):
    grid = GRIDS["plane"]
    voxels = image(grid, channels=2).array.copy()
    voxels[1] = 3.0 * voxels[1] + 500.0
    source = mm.ScalarImage(voxels, grid)
    hole = made(source, mm.Cutout(count=1, fill=-1.0), backend=backend) == -1.0
    np.testing.assert_array_equal(hole[0], hole[1])
    mean = made(source, mm.Cutout(count=1, fill="mean"), backend=backend)
    minimum = made(source, mm.Cutout(count=1, fill="minimum"), backend=backend)
    own = made(source, mm.Cutout(count=1, fill="box_mean"), backend=backend)
    for channel in range(2):
        inside = hole[channel]
        assert mean[channel][inside] == pytest.approx(voxels[channel].mean(dtype=float), rel=1e-6)
        assert (minimum[channel][inside] == voxels[channel].min()).all()
        expected = voxels[channel][inside].mean(dtype=float)
        assert own[channel][inside] == pytest.approx(expected, rel=1e-6)
        np.testing.assert_array_equal(own[channel][~inside], voxels[channel][~inside])


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_has_the_channels_mean_and_deviation(backend):
    """The normal law inside the box, by Kolmogorov and Smirnov."""
    source = image(GRIDS["plane"])
    op = mm.Cutout(count=1, size_fraction=0.6, least_share=1.0, fill="noise")
    result = made(source, op, backend=backend)
    inside = result[result != source.array]
    assert inside.size == 90 * 78
    mean, deviation = source.array.mean(dtype=float), source.array.std(dtype=float)
    assert stats.kstest((inside - mean) / deviation, "norm").pvalue > 1e-4


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_one_swap_exchanges_two_boxes_that_do_not_overlap(backend, grid):
    source = image(grid)
    for index in range(5):
        result = made(source, mm.Swap(count=1, size_fraction=0.3), index=index, backend=backend)
        changed = result != source.array
        edges = [max(1, int(0.3 * n + 1e-9)) for n in grid.shape]
        assert changed.sum() == 2 * np.prod(edges)
        np.testing.assert_array_equal(np.sort(result[changed]), np.sort(source.array[changed]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_swaps_lose_no_grey_level(backend):
    """All channels are exchanged alike."""
    source = image(GRIDS["oblique"], channels=2)
    result = made(source, mm.Swap(count=40, size_fraction=0.25), backend=backend)
    for one, other in zip(result, source.array, strict=True):
        np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(other, axis=None))
    moved = [one != other for one, other in zip(result, source.array, strict=True)]
    np.testing.assert_array_equal(*moved)


def test_boxes_of_half_the_image_always_find_room():
    """Where no draw comes out apart, the two lie at the two ends."""
    source = image(mm.ImageGrid((10, 4)))
    op = mm.Swap(count=1, size_mm=(5.0, 4.0))
    for index in range(10):
        result = made(source, op, index=index)
        np.testing.assert_array_equal(result, np.roll(source.array, 5, axis=1))


def test_boxes_that_do_not_fit_side_by_side_are_refused():
    with pytest.raises(mm.CompileError, match="do not fit side by side"):
        made(image(mm.ImageGrid((10, 4))), mm.Swap(size_mm=6.0))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@pytest.mark.parametrize("size", [(1, 1), (1, 1, 1), (2, 1)])
def test_small_and_constant_images_stay_finite(backend, op, size):
    grid = mm.ImageGrid(size)
    source = mm.ScalarImage(np.full(grid.shape, 5.0, np.float32), grid)
    result = made(source, op, backend=backend)
    assert np.isfinite(result).all()
    if op is not OPS["level"]:
        np.testing.assert_array_equal(result, source.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_box_changes_no_bit(backend):
    source = image(GRIDS["plane"])
    none = (mm.Cutout(count=0), mm.Swap(count=0))
    np.testing.assert_array_equal(made(source, *none, backend=backend), source.array)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_bits_do_not_depend_on_threads(op):
    source = image(GRIDS["anisotropic"])
    one, two, seven = (made(source, op, threads=n) for n in (1, 2, 7))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, seven)


@pytest.mark.parametrize("fill", ["median", float("nan"), mm.Choice(("mean", "black"))])
def test_a_fill_that_is_none_is_refused(fill):
    with pytest.raises(mm.PipelineError, match="fill"):
        mm.Cutout(fill=fill)


def test_a_fill_may_be_drawn():
    """A choice of words and numbers is a coordinate of the design."""
    source = image(GRIDS["plane"])
    op = mm.Cutout(count=1, fill=mm.Choice((-1.0, "minimum")))
    results = [made(source, op, index=index) for index in range(8)]
    assert len({float(result.min()) for result in results}) == 2
