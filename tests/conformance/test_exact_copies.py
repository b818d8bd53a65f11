"""Flips, quarter turns, crops and pads are copies bit for bit, by looking at the matrix alone."""

import numpy as np
import pytest
import worlds

import millimorph as mm

BACKENDS = ("reference", "cpu")
GRIDS = {
    "plain": mm.ImageGrid((7, 6, 5), (1.2, 0.9, 1.5), (3, -4, 5)),
    "oblique": mm.ImageGrid((7, 6, 5), (0.7, 0.7, 0.7), (1e5, -1e5, 5e4), worlds.OBLIQUE),
    "left-handed": mm.ImageGrid((7, 6, 5), (0.3, 0.9, 6.1), (3, -4, 5), worlds.LEFT_HANDED),
}


def rough(grid, dtype=np.float64):
    """Draw values whose every bit matters: any interpolation at all would change some."""
    values = np.random.default_rng(3).standard_normal(grid.shape)
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else (values * 50).astype(dtype)


def mirrored(grid, axis):
    """Reflect about the centre of the grid along one of its own axes."""
    normal = grid.direction[:, axis]
    linear = np.eye(grid.dimension) - 2 * np.outer(normal, normal)
    return mm.AffineTransform.from_linear(linear, (0.0,) * grid.dimension, grid.centre_mm)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
def test_a_flip_is_a_copy(backend, grid, interpolation):
    image = mm.ScalarImage(rough(grid), grid)
    for axis in range(3):
        result = mm.resample(
            image, grid, mirrored(grid, axis), interpolation=interpolation, backend=backend
        )
        np.testing.assert_array_equal(result.array, np.flip(image.array, 2 - axis))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "float32"])
def test_a_copy_keeps_every_type(backend, dtype):
    grid = GRIDS["plain"]
    image = mm.ScalarImage(rough(grid, dtype), grid)
    result = mm.resample(image, grid, mirrored(grid, 0), backend=backend)
    assert result.array.dtype == dtype
    np.testing.assert_array_equal(result.array, image.array[:, :, ::-1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_64_bit_integers_are_copied_exactly(backend):
    """2^62 + 1 does not survive a float64."""
    grid = mm.ImageGrid((3, 2))
    image = mm.ScalarImage(np.arange(6).reshape(2, 3) + 2**62 + 1, grid)
    result = mm.resample(image, grid, mirrored(grid, 0), fill=0, backend=backend)
    np.testing.assert_array_equal(result.array, image.array[:, ::-1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_is_a_copy(backend, turns):
    """The pull-back turns by +90° from x to y, so the picture turns the other way."""
    grid = mm.ImageGrid((7, 7, 5), (0.9, 0.9, 2.0), (3, -4, 5))
    image = mm.ScalarImage(rough(grid), grid)
    turn = np.round(worlds.turn(0, 0, 90.0 * turns))
    pull = mm.AffineTransform.from_linear(turn, (0, 0, 0), grid.centre_mm)
    result = mm.resample(image, grid, pull, backend=backend)
    expected = np.rot90(image.array, turns, axes=(1, 2))
    np.testing.assert_array_equal(result.array, expected)
    assert not np.array_equal(result.array, image.array)


SECOND_GRIDS = {
    "elsewhere": mm.ImageGrid((5, 3, 4), (1.0, 2.0, 3.0), (20, -3, 7)),
    "axes in another order": mm.ImageGrid((5, 9, 7), (1.0, 2.0, 3.0), (4, 5, 6), np.eye(3)[::-1]),
}


@pytest.mark.parametrize("second", SECOND_GRIDS.values(), ids=SECOND_GRIDS)
@pytest.mark.parametrize("axis", [0, 1, 2], ids="ijk")
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_keeps_every_voxel_of_every_image(second, axis, turns):
    """Images with another centre or other axes go where the landmarks at their voxels go."""
    first = mm.ImageGrid((7, 6, 5), (1.2, 0.9, 1.5), (3, -4, 5))
    voxels = np.arange(second.voxel_count, dtype=np.int32).reshape(second.shape)
    index = np.stack(np.unravel_index(np.arange(second.voxel_count), second.shape)[::-1], 1)
    case = mm.Case(
        id="p",
        images={"ct": mm.ScalarImage(rough(first), first), "pet": mm.ScalarImage(voxels, second)},
        landmarks={"centres": mm.Landmarks(second.points_mm(index))},
    )
    turn = mm.QuarterTurn(axis="ijk"[axis], turns=turns)
    result = mm.augment(case, mm.Pipeline(spatial=(turn,)))
    turned = result.images["pet"]
    place = np.rint(turned.grid.indices(result.landmarks["centres"].points_mm)).astype(int)
    found = turned.array[tuple(place.T[::-1])]
    np.testing.assert_array_equal(found, voxels.ravel())
    assert turned.array.size == voxels.size
    assert not np.array_equal(turned.array.ravel(), voxels.ravel())


@pytest.mark.parametrize("position", [0.0, 1.0])
def test_a_quarter_turn_turns_what_was_cropped(position):
    """Anatomy and grid go together: the crop's voxels, turned as NumPy turns them."""
    grid = mm.ImageGrid((7, 6, 5), (1.2, 0.9, 1.5), (3, -4, 5))
    image = mm.ScalarImage(rough(grid), grid)
    ops = (mm.Crop(size=(3, 4, 5), position=position), mm.QuarterTurn(axis="k", turns=1))
    result = mm.augment(mm.Case(id="p", images={"ct": image}), mm.Pipeline(spatial=ops))
    cut = image.array[:, :4, :3] if position == 0.0 else image.array[:, -4:, -3:]
    np.testing.assert_array_equal(result.images["ct"].array, np.rot90(cut, -1, axes=(1, 2)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_crop_is_a_copy(backend, grid):
    image = mm.ScalarImage(rough(grid), grid)
    result = mm.resample(image, grid.cropped((1, 2, 0), (4, 3, 5)), backend=backend)
    np.testing.assert_array_equal(result.array, image.array[0:5, 2:5, 1:5])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(("fill", "mode"), [(-7.25, "constant"), ("edge", "edge")])
def test_a_pad_is_a_copy_and_exactly_the_fill(backend, grid, fill, mode):
    image = mm.ScalarImage(rough(grid), grid)
    onto = grid.cropped((-2, -1, -3), (11, 9, 8))
    result = mm.resample(image, onto, fill=fill, backend=backend)
    values = {"constant_values": -7.25} if mode == "constant" else {}
    expected = np.pad(image.array, ((3, 0), (1, 2), (2, 2)), mode=mode, **values)
    np.testing.assert_array_equal(result.array, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift", [(9, 0, 0), (-9, 2, 0), (0, 7, 0), (0, -3, -5), (-8, 8, 8)])
def test_the_edge_goes_on_where_nothing_of_the_source_is_left(backend, shift):
    """Each index is moved into the source by itself, however far outside the target lies."""
    grid = mm.ImageGrid((7, 6, 5))
    image = mm.ScalarImage(rough(grid), grid)
    onto = grid.cropped(shift, (4, 3, 2))
    result = mm.resample(image, onto, fill="edge", backend=backend)
    x, y, z = (
        np.clip(np.arange(count) + first, 0, size - 1)
        for count, first, size in zip(onto.size, shift, grid.size, strict=True)
    )
    np.testing.assert_array_equal(result.array, image.array[np.ix_(z, y, x)])


@pytest.mark.parametrize("backend", BACKENDS)
def test_axes_in_another_order_are_a_copy(backend):
    """The same box of the patient on a grid whose x runs along the source's z."""
    source = mm.ImageGrid((7, 6, 5), (1.5, 1.5, 1.5), (3, -4, 5))
    onto = mm.ImageGrid((5, 7, 6), (1.5, 1.5, 1.5), (3, -4, 5), np.eye(3)[:, [2, 0, 1]])
    image = mm.ScalarImage(rough(source), source)
    result = mm.resample(image, onto, backend=backend)
    np.testing.assert_array_equal(result.array, image.array.transpose(1, 2, 0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_hair_off_is_interpolated(backend):
    """A thousandth of a voxel is no copy: the rule must not swallow real motion."""
    grid = GRIDS["plain"]
    image = mm.ScalarImage(rough(grid), grid)
    pull = mm.AffineTransform.translation((0.0012, 0.0, 0.0))
    result = mm.resample(image, grid, pull, interpolation="linear", backend=backend)
    left, right = image.array[:, :, :-1], image.array[:, :, 1:]
    np.testing.assert_allclose(result.array[:, :, :-1], left + 0.001 * (right - left), atol=1e-5)
    assert not np.array_equal(result.array, image.array)
