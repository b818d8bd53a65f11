"""Label ops: their meaning by SciPy and SimpleITK, their limits, and both backends alike."""

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from scipy import ndimage

import millimorph as mm

BACKENDS = ("reference", "cpu")
SOLID = mm.ImageGrid((26, 22, 17), (1.2, 0.9, 2.0), (3, -4, 5))
FLAT = mm.ImageGrid((41, 37), (0.7, 1.1))
EVERY_OP = {
    "remap": mm.Remap(pairs=[(2, 3), (3, 2), (1, 70_000)]),
    "one_hot": mm.OneHot(),
    "one_hot of some": mm.OneHot(values=[0, 3, 300]),
    "keep_largest": mm.KeepLargest(),
    "keep_largest by faces": mm.KeepLargest(connectivity="faces", values=[0, 2, 3], into=300),
    "erode": mm.Erode(radius_mm=2.1),
    "erode to the limit": mm.Erode(radius_voxels=3.0, kept_at_least=0.2, into=9),
    "erode without limit": mm.Erode(radius_voxels=2.0, kept_at_least=0.0, values=[1, 3]),
    "dilate": mm.Dilate(values=[3], radius_mm=2.5),
    "dilate over labels": mm.Dilate(into=[0, 2], radius_voxels=2.0, grown_at_most=9.0),
    "dilate to the limit": mm.Dilate(into=[0, 2], radius_voxels=2.5, grown_at_most=0.6),
}


def blobs(grid, count=5, seed=1, dtype="uint8"):
    """Draw a map of 0 to count - 1 in which every label has several parts."""
    noise = np.random.default_rng(seed).normal(size=grid.shape)
    smooth = ndimage.gaussian_filter(noise, 2.0)
    steps = np.quantile(smooth, np.linspace(0, 1, count + 1)[1:-1])
    return mm.LabelMap(np.digitize(smooth, steps).astype(dtype), grid)


def changed(labels, *ops, backend="cpu", threads=None):
    case = mm.Case(id="p01", labels={"organs": labels})
    pipeline = mm.Pipeline(intensity=ops)
    return mm.augment(case, pipeline, seed=4, backend=backend, threads=threads).labels["organs"]


@pytest.mark.parametrize("op", EVERY_OP.values(), ids=EVERY_OP)
@pytest.mark.parametrize("grid", [SOLID, FLAT], ids=["3D", "2D"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64"])
def test_cpu_and_reference_are_equal(op, grid, dtype):
    """To the voxel, ties of distance included: both measure the same squares."""
    labels = blobs(grid, dtype=dtype)
    slow, fast = (changed(labels, op, backend=backend).array for backend in BACKENDS)
    oracles.check_equal(fast, slow, op.op)
    assert fast.shape != labels.array.shape or not np.array_equal(fast, labels.array)


@pytest.mark.parametrize("name", ["keep_largest", "erode", "dilate", "remap"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_are_done_by_themselves(name, backend):
    both = [blobs(SOLID, seed=seed) for seed in (1, 2)]
    stacked = mm.LabelMap(np.stack([one.array for one in both]), SOLID)
    together = changed(stacked, EVERY_OP[name], backend=backend).array
    alone = [changed(one, EVERY_OP[name], backend=backend).array for one in both]
    np.testing.assert_array_equal(together, np.stack(alone))


@pytest.mark.parametrize("name", EVERY_OP)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("value", [0, 3])
def test_one_voxel_is_no_special_case(name, backend, value):
    """A label without neighbours keeps its shape; only its number may change."""
    for grid in (mm.ImageGrid((1, 1)), mm.ImageGrid((1, 1, 1))):
        labels = mm.LabelMap(np.full(grid.shape, value, np.uint8), grid)
        if value == 0 and name == "one_hot":
            with pytest.raises(mm.LabelError, match="none but 0 occurs"):
                changed(labels, EVERY_OP[name], backend=backend)
        else:
            result = changed(labels, EVERY_OP[name], backend=backend).array
            assert result.sum() == {"remap": 2 if value else 0}.get(name, result.sum())
            if not name.startswith(("remap", "one_hot")):
                np.testing.assert_array_equal(result, labels.array)


@pytest.mark.parametrize("grid", [SOLID, FLAT], ids=["3D", "2D"])
@pytest.mark.parametrize("radius", [1.3, 2.7])
@pytest.mark.parametrize("unit", ["mm", "voxels"])
def test_erosion_takes_what_scipy_finds_within_the_radius(grid, radius, unit):
    """By Euclidean distance transforms, in which the border of the image is no other label."""
    labels = blobs(grid)
    op = mm.Erode(**{f"radius_{unit}": radius}, kept_at_least=0.0)
    expected = labels.array.copy()
    spacing = grid.spacing_mm[::-1] if unit == "mm" else None
    for label in range(1, 5):
        distance = ndimage.distance_transform_edt(labels.array == label, sampling=spacing)
        expected[(labels.array == label) & (distance <= radius)] = 0
    oracles.check_equal(changed(labels, op).array, expected, "erosion")


@pytest.mark.parametrize("grid", [SOLID, FLAT], ids=["3D", "2D"])
@pytest.mark.parametrize("radius", [1.3, 2.7])
def test_dilation_gives_what_scipy_finds_nearest(grid, radius):
    """Of equally near labels the lowest; only the background is overgrown."""
    labels = blobs(grid)
    distances = [
        ndimage.distance_transform_edt(labels.array != label, sampling=grid.spacing_mm[::-1])
        for label in range(1, 5)
    ]
    nearest = np.argmin(np.round(distances, 9), axis=0) + 1
    grown = (labels.array == 0) & (np.min(distances, axis=0) <= radius)
    expected = np.where(grown, nearest, labels.array).astype(np.uint8)
    op = mm.Dilate(radius_mm=radius, grown_at_most=100.0)
    oracles.check_equal(changed(labels, op).array, expected, "dilation")


def test_radii_on_the_lattice_include_their_voxels():
    """0.1 times 3 is more than 0.3 in floating point, but three voxels of 0.1 mm are 0.3 mm."""
    grid = mm.ImageGrid((11, 1), (0.1, 0.1))
    labels = mm.LabelMap((np.arange(11) == 5).astype(np.uint8)[None], grid)
    for backend in BACKENDS:
        op = mm.Dilate(radius_mm=0.3, grown_at_most=100.0)
        assert changed(labels, op, backend=backend).array.sum() == 7


@pytest.mark.parametrize("grid", [SOLID, FLAT], ids=["3D", "2D"])
@pytest.mark.parametrize("connectivity", ["corners", "faces"])
def test_the_largest_part_is_that_of_itk(grid, connectivity):
    labels = blobs(grid, seed=5)
    expected = np.zeros_like(labels.array)
    for label in range(1, 5):
        mask = sitk.GetImageFromArray((labels.array == label).astype(np.uint8))
        parts = sitk.ConnectedComponent(mask, connectivity == "corners")
        ranked = sitk.GetArrayFromImage(sitk.RelabelComponent(parts, sortByObjectSize=True))
        sizes = np.bincount(ranked.ravel())[1:]
        assert len(sizes) > 1
        assert sizes[0] > sizes[1]
        expected[ranked == 1] = label
    result = changed(labels, mm.KeepLargest(connectivity=connectivity)).array
    oracles.check_equal(result, expected, connectivity)


@pytest.mark.parametrize("backend", BACKENDS)
def test_of_equal_parts_the_first_stays(backend):
    grid = mm.ImageGrid((9, 1))
    labels = mm.LabelMap(np.array([[0, 2, 2, 0, 2, 0, 0, 2, 2]], np.uint8), grid)
    result = changed(labels, mm.KeepLargest(), backend=backend).array
    np.testing.assert_array_equal(result, [[0, 2, 2, 0, 0, 0, 0, 0, 0]])


@pytest.mark.parametrize("backend", BACKENDS)
def test_holes_are_parts_of_the_background(backend):
    """With values=[0] what is not joined to the largest background is filled."""
    ring = np.zeros((9, 9), np.uint8)
    ring[2:7, 2:7] = 1
    ring[4, 4] = 0
    labels = mm.LabelMap(ring, mm.ImageGrid((9, 9)))
    op = mm.KeepLargest(values=[0], into=1, connectivity="faces")
    assert changed(labels, op, backend=backend).array.sum() == 25


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("radius", [1.0, 2.0, 5.0])
def test_erosion_leaves_its_share_of_every_label(kept, radius):
    labels = blobs(SOLID)
    result = changed(labels, mm.Erode(radius_voxels=radius, kept_at_least=kept)).array
    for label in range(1, 5):
        assert (result == label).sum() >= kept * (labels.array == label).sum()


@pytest.mark.parametrize("grown", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("kept", [0.3, 0.8])
def test_dilation_gives_and_takes_no_more_than_its_shares(grown, kept):
    labels = blobs(SOLID)
    op = mm.Dilate(
        values=[1, 3], into=[0, 2], radius_voxels=4.0, grown_at_most=grown, kept_at_least=kept
    )
    result = changed(labels, op).array
    before, after = (np.bincount(a.ravel(), minlength=5) for a in (labels.array, result))
    assert all(after[label] <= (1.0 + grown) * before[label] for label in (1, 3))
    assert after[2] >= kept * before[2]
    assert after[4] == before[4]
    untouched = np.isin(labels.array, [1, 3, 4])
    np.testing.assert_array_equal(result[untouched], labels.array[untouched])


def test_a_radius_of_zero_changes_nothing():
    labels = blobs(SOLID)
    for op in (mm.Erode(radius_mm=0.0), mm.Dilate(radius_voxels=0.0)):
        np.testing.assert_array_equal(changed(labels, op).array, labels.array)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_hot_has_a_channel_for_each_listed_label(backend):
    """In the order of the list, as uint8; a label that no voxel and no type has is empty."""
    labels = blobs(SOLID)
    result = changed(labels, mm.OneHot(values=[4, 0, 300]), backend=backend)
    assert result.array.dtype == np.uint8
    expected = np.stack([labels.array == 4, labels.array == 0, np.zeros(SOLID.shape, bool)])
    np.testing.assert_array_equal(result.array, expected)
    every = changed(labels, mm.OneHot(), backend=backend).array
    np.testing.assert_array_equal(every, labels.array == np.arange(1, 5)[:, None, None, None])


def test_channels_are_not_made_of_channels():
    stacked = mm.LabelMap(np.zeros((2, *SOLID.shape), np.uint8), SOLID)
    with pytest.raises(mm.CompileError, match="several channels"):
        changed(stacked, mm.OneHot(values=[1]))
    with pytest.raises(mm.CompileError, match="several channels"):
        changed(blobs(SOLID), mm.OneHot(values=[1, 2]), mm.OneHot(id="again", values=[1]))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("dtype", "new", "expected"),
    [
        ("uint8", 255, "uint8"),
        ("uint8", 256, "uint16"),
        ("int8", 200, "int16"),
        ("int16", 2**31, "int64"),
        ("uint16", 2**32 - 1, "uint32"),
    ],
)
def test_a_type_grows_with_a_new_label(backend, dtype, new, expected):
    """A number that is asked for must not wrap."""
    result = changed(blobs(FLAT, dtype=dtype), mm.Remap(pairs=[(3, new)]), backend=backend)
    assert result.array.dtype == expected
    assert result.array.max() == new


def test_an_old_label_that_no_type_holds_is_nowhere():
    labels = blobs(FLAT)
    result = changed(labels, mm.Remap(pairs=[(259, 7)]))
    np.testing.assert_array_equal(result.array, labels.array)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (mm.OneHot, {"values": []}, "list of labels"),
        (mm.OneHot, {"values": [1, 1]}, "each label once"),
        (mm.OneHot, {"values": [-1]}, "from 0 to"),
        (mm.KeepLargest, {"values": [3], "into": 3}, "both in values and as into"),
        (mm.KeepLargest, {"connectivity": "edges"}, "corners, faces"),
        (mm.Erode, {"radius_mm": 1.0, "radius_voxels": 1.0}, "exactly one"),
        (mm.Erode, {"radius_mm": -1.0}, "from 0"),
        (mm.Dilate, {"values": [1], "into": [0, 1]}, "label 1 both"),
        (mm.Dilate, {"kept_at_least": 1.5}, "from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(kind, fields, message):
    with pytest.raises(mm.PipelineError, match=message):
        kind(**fields)
