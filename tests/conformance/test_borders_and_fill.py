"""The border and fill rules of docs/conventions.md, voxel by voxel, against hand-made answers."""

import numpy as np
import pytest

import millimorph as mm

BACKENDS = ("reference", "cpu")
TYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")


def sampled_at(values, positions, *, fill, interpolation="linear", backend="cpu", dtype="float32"):
    """Sample a line of voxels at evenly spaced positions; the other axis has one voxel."""
    array = np.array([values], dtype=dtype)
    image = mm.ScalarImage(array, mm.ImageGrid((len(values), 1)))
    step = positions[1] - positions[0]
    onto = mm.ImageGrid((len(positions), 1), (step, 1.0), (positions[0], 0.0))
    result = mm.resample(
        image, onto, interpolation=interpolation, fill=fill, antialias=False, backend=backend
    )
    return result.array[0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize("dtype", TYPES)
def test_inside_is_half_a_voxel_beyond_the_outer_centres(backend, interpolation, dtype):
    """Indices −0.5 (in) and size − 0.5 (out) are hit exactly: quarter steps have no rounding."""
    positions = [-0.75 + 0.25 * k for k in range(18)]
    result = sampled_at(
        [10, 10, 10, 10],
        positions,
        fill=99.0,
        interpolation=interpolation,
        backend=backend,
        dtype=dtype,
    )
    inside = [-0.5 <= p < 3.5 for p in positions]
    np.testing.assert_allclose(result, np.where(inside, 10, 99), atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("d", [2, 3])
def test_every_axis_has_the_same_border(backend, d):
    """A shift of exactly half a voxel either way, along each axis in turn."""
    grid = mm.ImageGrid((5, 4, 6)[:d])
    image = mm.ScalarImage(np.full(grid.shape, 3.0, np.float32), grid)
    for axis in range(d):
        step = np.eye(d)[axis]
        for shift, expected_fills in ((-0.5, 0), (0.5, 1), (-0.75, 1), (0.25, 0)):
            result = mm.resample(
                image,
                grid,
                mm.AffineTransform.translation(shift * step),
                interpolation="linear",
                fill=-1.0,
                antialias=False,
                backend=backend,
            )
            layers = np.moveaxis(result.array, d - 1 - axis, 0).reshape(grid.size[axis], -1)
            assert (layers == -1.0).all(axis=1).sum() == expected_fills
            assert ((layers == -1.0) | (layers == 3.0)).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_neighbours_are_clamped_in_the_outer_half_voxel(backend):
    result = sampled_at([10, 20, 40], [-0.5, -0.25, 0.0, 0.25], fill=-5.0, backend=backend)
    np.testing.assert_allclose(result, [10, 10, 10, 12.5], atol=1e-5)
    result = sampled_at([10, 20, 40], [1.75, 2.0, 2.25, 2.5], fill=-5.0, backend=backend)
    np.testing.assert_allclose(result, [35, 40, 40, -5], atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_outer_half_voxel_has_exactly_the_edge_voxel(backend, axis):
    """Neighbours of very different size: a + 1 (b − a) is not b in float32."""
    line = np.array([1e6, -1e6, 3e-3, 0.1, 3000.3, 0.1], np.float32)
    size = tuple(6 if k == axis else 2 for k in range(3))
    grid = mm.ImageGrid(size)
    shape = tuple(6 if k == 2 - axis else 1 for k in range(3))
    voxels = np.broadcast_to(line.reshape(shape), grid.shape)
    for index, expected in ((-0.25, line[0]), (5.0, line[5]), (5.25, line[5])):
        origin = [index if k == axis else 0.25 for k in range(3)]
        onto = mm.ImageGrid((1, 1, 1), origin_mm=origin)
        result = mm.resample(mm.ScalarImage(voxels, grid), onto, fill=0.0, backend=backend)
        assert result.array.item() == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_cubic_mirrors_about_the_outer_centres(backend):
    positions = [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    result = sampled_at([1, 5, 2, 8], positions, fill=0.0, interpolation="cubic", backend=backend)
    np.testing.assert_allclose(result[0], result[2], atol=1e-5)
    np.testing.assert_allclose(result[1::2], [1, 5, 2, 8], atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("position", "expected"),
    [(-0.5, 1), (0.25, 1), (0.5, 2), (1.25, 2), (1.5, 3), (2.25, 3)],
)
def test_nearest_takes_the_floor_of_index_plus_half(backend, position, expected):
    """At the tie the higher voxel wins; quarter positions are exact in binary."""
    result = sampled_at(
        [1, 2, 3], [position, position + 16], fill=0.0, interpolation="nearest", backend=backend
    )
    assert result[0] == expected
    assert result[1] == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tie_of_labels_goes_to_the_lower_one(backend):
    """Half-way between two labels the weights are both exactly one half, in either order."""
    for labels in ([7, 3], [3, 7]):
        source = mm.LabelMap(np.array([labels], dtype=np.uint16), mm.ImageGrid((2, 1)))
        onto = mm.ImageGrid((1, 1), origin_mm=(0.5, 0.0))
        result = mm.resample(source, onto, interpolation="label_linear", backend=backend)
        assert result.array.tolist() == [[3]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_three_corners_outvote_the_nearest(backend):
    """At (0.45, 0.45) the nearest label has weight 0.3025, the three others together 0.6975."""
    source = mm.LabelMap(np.array([[9, 4], [4, 4]], dtype=np.uint8), mm.ImageGrid((2, 2)))
    onto = mm.ImageGrid((1, 1), origin_mm=(0.45, 0.45))
    assert mm.resample(source, onto, interpolation="label_linear", backend=backend).array == 4
    assert mm.resample(source, onto, interpolation="nearest", backend=backend).array == 9


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["linear", "nearest", "cubic"])
def test_edge_fill_continues_the_edge(backend, interpolation):
    result = sampled_at(
        [10, 20, 40],
        [-7.0, -3.5, 0.0, 3.5, 7.0],
        fill="edge",
        interpolation=interpolation,
        backend=backend,
    )
    np.testing.assert_allclose(result, [10, 10, 10, 40, 40], atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift_mm", [9.0, 9.3], ids=["copy", "resample"])
def test_an_edge_that_goes_on_is_that_of_its_image_alone(backend, shift_mm):
    """Images and labels of one grid share the traversal, but not what lies outside."""
    grid = mm.ImageGrid((4, 3, 2))
    voxels = np.full(grid.shape, 7, np.int16)
    images = {name: mm.ScalarImage(voxels, grid) for name in ("edge", "number")}
    labels = mm.LabelMap(np.ones(grid.shape, np.uint8), grid)
    case = mm.Case(id="p", images=images, labels={"organs": labels})
    pipeline = mm.Pipeline(
        spatial=(mm.Affine(translation_mm=shift_mm),),
        sampling={"edge": mm.ImageSampling(fill="edge"), "number": mm.ImageSampling(fill=-5.0)},
        labels=mm.LabelSampling(fill=3),
    )
    result = mm.augment(case, pipeline, backend=backend)
    assert (result.images["edge"].array == 7).all()
    assert (result.images["number"].array == -5).all()
    assert (result.labels["organs"].array == 3).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_minimum_fill_is_the_source_minimum(backend):
    result = sampled_at([10, -20, 40], [-4.0, 0.0], fill="minimum", backend=backend)
    assert result[0] == -20


@pytest.mark.parametrize("backend", BACKENDS)
def test_background_is_the_median_below_otsu_and_the_default(backend):
    """Six dark voxels with the median 3, four bright ones."""
    values = [1, 2, 3, 3, 4, 5, 100, 101, 102, 103]
    for fill in ("background", None):
        result = sampled_at(values, [-4.0, 0.0], fill=fill, backend=backend, dtype="int16")
        assert result[0] == 3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize(
    ("dtype", "fill"),
    [("float64", 0.1), ("float64", -1e300), ("int32", 2**24 + 1), ("int32", 2**31 - 1)],
)
def test_a_fill_that_float32_cannot_hold_is_kept(backend, interpolation, dtype, fill):
    """Outside is exactly the fill value, whatever the arithmetic inside."""
    result = sampled_at(
        [10, 20, 40],
        [-4.25, 0.25],
        fill=fill,
        interpolation=interpolation,
        backend=backend,
        dtype=dtype,
    )
    assert result[0] == fill


@pytest.mark.parametrize("backend", BACKENDS)
def test_labels_are_filled_with_zero_unless_declared(backend):
    source = mm.LabelMap(np.array([[4, 4]], dtype=np.uint8), mm.ImageGrid((2, 1)))
    onto = mm.ImageGrid((1, 1), origin_mm=(9.0, 0.0))
    assert mm.resample(source, onto, backend=backend).array == 0
    assert mm.resample(source, onto, fill=5, backend=backend).array == 5


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interpolation", ["nearest", "label_linear"])
def test_label_values_up_to_the_largest_are_exact(backend, interpolation):
    """2^32 − 1 and 2^24 + 1 are lost in float32."""
    values = np.array([[2**32 - 1, 2**24 + 1, 2**31 + 1]], dtype=np.uint32)
    source = mm.LabelMap(values, mm.ImageGrid((3, 1)))
    onto = mm.ImageGrid((3, 1), origin_mm=(0.1, 0.0))
    result = mm.resample(source, onto, interpolation=interpolation, backend=backend)
    np.testing.assert_array_equal(result.array, values)
    outside = mm.ImageGrid((1, 1), origin_mm=(50.0, 0.0))
    filled = mm.resample(
        source, outside, interpolation=interpolation, fill=2**32 - 1, backend=backend
    )
    assert filled.array[0, 0] == 2**32 - 1
