"""Every backend beside the reference, SimpleITK and SciPy: interpolation × map × type × grid."""

from functools import cache

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
import worlds

import millimorph as mm

FILL = 7.0
LIMITS_SD = {"linear": 1e-4, "cubic": 2e-3}
REFERENCE_LIMIT_SD = 1e-6
SMALLEST_ITK_SPLINE = 4


@cache
def index_of(map_name: str, world_name: str) -> np.ndarray:
    """Source indices of the target voxels, found without millimorph where ITK has the map."""
    here = worlds.WORLDS[world_name]
    return oracles.source_indices(
        here.source, here.target, worlds.map_of(map_name, world_name).map_points
    )


def resampled(array, map_name, world_name, interpolation, backend):
    """Resample through the public function, as an image or as labels."""
    here = worlds.WORLDS[world_name]
    is_labels = interpolation == "label_linear" or array.dtype == np.uint32
    source = (mm.LabelMap if is_labels else mm.ScalarImage)(array, here.source)
    result = mm.resample(
        source,
        onto=here.target,
        source_from_target=worlds.map_of(map_name, world_name).ours,
        interpolation=interpolation,
        fill=FILL,
        antialias=False,
        backend=backend,
    )
    assert type(result) is type(source)
    assert result.grid == here.target
    assert result.array.dtype == array.dtype
    return result.array.ravel()


def itk_values(array, map_name, world_name, interpolation):
    """Resample with SimpleITK where it has the map and its rule is the same, else None."""
    here = worlds.WORLDS[world_name]
    itk = worlds.map_of(map_name, world_name).itk
    if itk is None or (interpolation == "cubic" and min(here.source.size) < SMALLEST_ITK_SPLINE):
        return None
    image = oracles.itk_image(array.astype(np.float64), here.source)
    return oracles.itk_resample(image, here.target, itk, interpolation, FILL).ravel()


def check_image(actual, expected, array, limit_sd, what):
    """Compare within a part of the image's SD, and half a level where integers were rounded."""
    limit = limit_sd * float(array.std())
    if array.dtype.kind != "f":
        limits = np.iinfo(array.dtype)
        expected = np.clip(expected, limits.min, limits.max)
        limit += 0.5 + 1e-9
    oracles.check_close(actual, expected, limit, what)


@pytest.mark.parametrize("map_name", worlds.MAPS)
@pytest.mark.parametrize("world_name", worlds.WORLDS)
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_images_agree_with_reference_scipy_and_itk(interpolation, world_name, map_name):
    """Every source type; off the border, where a rounding decides between voxel and fill."""
    index = index_of(map_name, world_name)
    sure = oracles.off_border(index, worlds.WORLDS[world_name].source.size)
    for dtype in worlds.IMAGE_TYPES:
        array = worlds.image_array(world_name, dtype)
        what = f"{interpolation}, {map_name}, {world_name}, {dtype}"
        oracle = oracles.scipy_image(array, index, interpolation, FILL)[sure]
        itk = itk_values(array, map_name, world_name, interpolation) if dtype == "float64" else None
        if itk is not None:
            oracles.check_close(itk[sure], oracle, 1e-6 * array.std(), f"ITK, SciPy: {what}")
        reference = resampled(array, map_name, world_name, interpolation, "reference")[sure]
        check_image(reference, oracle, array, REFERENCE_LIMIT_SD, f"reference, SciPy: {what}")
        fast = resampled(array, map_name, world_name, interpolation, "cpu")[sure]
        check_image(fast, oracle, array, LIMITS_SD[interpolation], f"cpu, SciPy: {what}")


@pytest.mark.parametrize("map_name", worlds.MAPS)
@pytest.mark.parametrize("world_name", worlds.WORLDS)
def test_nearest_is_equal_off_ties(world_name, map_name):
    """Images and labels of every type; no value passes through a float that cannot hold it."""
    here = worlds.WORLDS[world_name]
    index = index_of(map_name, world_name)
    sure = oracles.off_border(index, here.source.size) & oracles.off_tie(index)
    inside = oracles.inside(index, here.source.size)
    size = np.array(here.source.size)
    voxels = np.clip(np.floor(index + 0.5).astype(int), 0, size - 1)
    arrays = [worlds.image_array(world_name, dtype) for dtype in worlds.IMAGE_TYPES]
    arrays += [worlds.label_array(world_name, dtype) for dtype in worlds.LABEL_TYPES]
    for array in arrays:
        what = f"nearest, {map_name}, {world_name}, {array.dtype}"
        expected = np.where(inside, array[tuple(voxels.T[::-1])], array.dtype.type(FILL))[sure]
        for backend in ("reference", "cpu"):
            actual = resampled(array, map_name, world_name, "nearest", backend)[sure]
            oracles.check_equal(actual, expected, f"{backend}: {what}")
        itk = itk_values(array, map_name, world_name, "nearest")
        if itk is not None:
            oracles.check_close(itk[sure], expected, 0.0, f"ITK: {what}")


@pytest.mark.parametrize("map_name", worlds.MAPS)
@pytest.mark.parametrize("world_name", worlds.WORLDS)
def test_label_linear_takes_the_best_supported_label(world_name, map_name):
    """The oracle interpolates every label's own mask with SciPy; near-ties may go either way."""
    here = worlds.WORLDS[world_name]
    index = index_of(map_name, world_name)
    inside = oracles.inside(index, here.source.size)
    for dtype in worlds.LABEL_TYPES:
        array = worlds.label_array(world_name, dtype)
        labels, supports = oracles.scipy_label_supports(array, index)
        ranked = np.sort(supports, axis=0)
        margin = ranked[-1] - (ranked[-2] if len(labels) > 1 else 0.0)
        sure = oracles.off_border(index, here.source.size) & (~inside | (margin > 1e-4))
        expected = np.where(inside, labels[supports.argmax(axis=0)], array.dtype.type(FILL))[sure]
        for backend in ("reference", "cpu"):
            actual = resampled(array, map_name, world_name, "label_linear", backend)[sure]
            oracles.check_equal(actual, expected, f"{backend}: {map_name}, {world_name}, {dtype}")


@pytest.mark.parametrize("map_name", worlds.MAPS)
def test_the_comparison_covers_inside_and_outside(map_name):
    """A conformance run over targets that all lie outside, or all inside, would prove little."""
    inside = np.concatenate(
        [
            oracles.inside(index_of(map_name, name), here.source.size)
            for name, here in worlds.WORLDS.items()
        ]
    )
    assert 0.3 < inside.mean() < 0.97


def test_a_cube_of_96_agrees_with_itk():
    """One job of a real size, so that blocks and threads have seams to get wrong."""
    grid = mm.ImageGrid((96, 96, 96), (0.9, 0.9, 0.9), (10, -20, 30), worlds.OBLIQUE)
    worlds.WORLDS["cube"] = worlds.World(grid, grid)
    array = np.random.default_rng(5).normal(40.0, 25.0, grid.shape).astype(np.float32)
    for map_name in ("affine", "affine after aligned B-spline"):
        expected = itk_values(array, map_name, "cube", "linear")
        actual = resampled(array, map_name, "cube", "linear", "cpu")
        here = worlds.map_of(map_name, "cube")
        rows = np.flatnonzero(np.abs(actual - expected) > 1e-4 * array.std())
        index = _index_of_voxels(here, grid, rows)
        sure = oracles.off_border(index, grid.size)
        assert len(rows) < 50, f"{map_name}: {len(rows)} voxels differ from ITK"
        assert not sure.any(), f"{map_name}: voxel {rows[sure][:5]} differ from ITK off the border"


@pytest.mark.parametrize(
    "path",
    ["flair_oblique.nii.gz", "brain_tumour/mr.nrrd", "mr_torso/mr.nii.gz", "slices_2d/r64.nii.gz"],
)
def test_real_geometries_agree_with_itk(shared_data, path):
    """Oblique, left-handed and 1:8 anisotropic headers as scanners write them."""
    image = sitk.ReadImage(str(shared_data / path))
    d = image.GetDimension()
    direction = np.array(image.GetDirection()).reshape(d, d)
    grid = mm.ImageGrid(image.GetSize(), image.GetSpacing(), image.GetOrigin(), direction)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    here = worlds.World(grid, mm.reference_grid([grid], size=(37, 41, 33)[:d]))
    pull = worlds.affine(here)
    expected = oracles.itk_resample(
        sitk.Cast(image, sitk.sitkFloat64), here.target, pull.itk, "linear", FILL
    )
    actual = mm.resample(
        mm.ScalarImage(array, grid), here.target, pull.ours, "linear", FILL, antialias=False
    )
    index = oracles.source_indices(grid, here.target, pull.map_points)
    sure = oracles.off_border(index, grid.size)
    oracles.check_close(
        actual.array.ravel()[sure], expected.ravel()[sure], 1e-4 * array.std(), path
    )


def _index_of_voxels(here, grid, rows):
    target_index = np.stack(np.unravel_index(rows, grid.shape)[::-1], axis=1).reshape(-1, 3)
    points = target_index * np.array(grid.spacing_mm) @ grid.direction.T + np.array(grid.origin_mm)
    if len(points) == 0:
        return np.empty((0, 3))
    linear = grid.direction * np.array(grid.spacing_mm)
    return np.linalg.solve(linear, (here.map_points(points) - np.array(grid.origin_mm)).T).T
