"""The SimpleITK augmentation notebook's own job, beside SimpleITK with the same transforms."""

from itertools import product
from math import pi

import numpy as np
import oracles
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
import worlds

import millimorph as mm

SCALES, ANGLES, STEPS_MM = (0.9, 1.0, 1.1), (-pi / 8, 0.0, pi / 8), (-5.0, 0.0, 5.0)
SIMILARITY_2D = mm.Transform(
    kind="Similarity2D",
    parameters=(
        mm.Uniform(0.9, 1.1),
        mm.Uniform(-pi / 8, pi / 8),
        mm.Uniform(-5, 5),
        mm.Uniform(-5, 5),
    ),
)
SIMILARITY_3D = mm.Transform(
    kind="Similarity3D",
    parameters=(
        *(mm.Uniform(-0.12, 0.12) for _ in range(3)),
        *(mm.Uniform(-6, 6) for _ in range(3)),
        mm.Uniform(0.9, 1.1),
    ),
)
PLAIN = mm.ImageSampling(interpolation="linear", fill=0.0, antialias=False)


def synthetic(grid, *, seed, dtype):
    """Make smooth blobs with noise, and labels that cut them at three levels."""
    generator = np.random.default_rng(seed)
    small = generator.normal(0, 1, tuple(-(-n // 6) + 1 for n in grid.shape))
    for axis in range(small.ndim):
        small = small.repeat(6, axis)
    field = small[tuple(slice(n) for n in grid.shape)]
    voxels = (500 + 300 * field + generator.normal(0, 30, grid.shape)).astype(dtype)
    labels = np.digitize(field, (-0.5, 0.5, 1.0)).astype(np.uint8)
    return mm.Case(
        id="synthetic",
        images={"image": mm.ScalarImage(voxels, grid)},
        labels={"organs": mm.LabelMap(labels, grid)},
    )


def shared_case(folder, image, labels=None):
    """Read with SimpleITK and build the values by hand: files are not under test here."""

    def placed(path):
        read = sitk.ReadImage(str(folder / path))
        d = read.GetDimension()
        direction = np.array(read.GetDirection()).reshape(d, d)
        grid = mm.ImageGrid(read.GetSize(), read.GetSpacing(), read.GetOrigin(), direction)
        return sitk.GetArrayFromImage(read), grid

    label_maps = {} if labels is None else {"organs": mm.LabelMap(*placed(labels))}
    return mm.Case(id="shared", images={"image": mm.ScalarImage(*placed(image))}, labels=label_maps)


def itk_of(case, role, target, transform, interpolation):
    part = case.images[role] if role in case.images else case.labels[role]
    image = oracles.itk_image(part.array.astype(np.float64), part.grid)
    return oracles.itk_resample(image, target, transform, interpolation, 0.0)


def check_against_itk(case, recipe, transform):
    """Run a recipe, resample with SimpleITK too, and compare off the border and off ties."""
    program = mm.compile(recipe, case)
    result = mm.run(program, case)
    target = program.target("image")
    index = oracles.source_indices(
        case.images["image"].grid,
        target,
        lambda points: np.array([transform.TransformPoint(p) for p in points.tolist()]),
    )
    image = case.images["image"]
    sure = oracles.off_border(index, image.grid.size)
    expected = itk_of(case, "image", target, transform, "linear").ravel()[sure]
    half = 0.5 if image.dtype.kind != "f" else 0.0
    limit = 1e-4 * image.array.std() + half
    oracles.check_close(result.images["image"].array.ravel()[sure], expected, limit, "image")
    for name in result.labels:
        expected = itk_of(case, name, target, transform, "nearest").ravel()
        certain = sure & oracles.off_tie(index)
        actual = result.labels[name].array.ravel()
        oracles.check_close(actual[certain], expected[certain], 0.0, name)


def similarity_2d(parameters, centre):
    transform = sitk.Similarity2DTransform()
    transform.SetCenter(centre)
    transform.SetParameters(parameters)
    return transform


def similarity_3d(parameters, centre):
    transform = sitk.Similarity3DTransform()
    transform.SetCenter(centre)
    transform.SetParameters(parameters)
    return transform


def check_2d_grid(case):
    """Check all 81 images of 3 scales × 3 angles × 3 × 3 translations."""
    reference = mm.Reference(size=(64, 64))
    pipeline = mm.Pipeline(reference=reference, spatial=(SIMILARITY_2D,), images=PLAIN)
    recipes = list(mm.draw(pipeline, mm.FullFactorial(levels=3), case=case.id))
    vectors = {tuple(np.round(recipe.spatial[0].parameters, 9)) for recipe in recipes}
    wanted = {tuple(np.round(v, 9)) for v in product(SCALES, ANGLES, STEPS_MM, STEPS_MM)}
    assert len(recipes) == 81
    assert vectors == wanted
    for recipe in recipes:
        target = mm.compile(recipe, case).target("image")
        transform = similarity_2d(recipe.spatial[0].parameters, target.centre_mm)
        check_against_itk(case, recipe, transform)


def check_3d_sample(case, count, reference):
    """Check a random sample of 3D similarities, labels included."""
    pipeline = mm.Pipeline(reference=reference, spatial=(SIMILARITY_3D,), images=PLAIN, seed=3)
    recipes = list(mm.draw(pipeline, mm.Random(count=count), case=case.id))
    assert len({recipe.spatial[0].parameters for recipe in recipes}) == count
    for recipe in recipes:
        target = mm.compile(recipe, case).target("image")
        transform = similarity_3d(recipe.spatial[0].parameters, target.centre_mm)
        check_against_itk(case, recipe, transform)


def test_the_81_image_grid_on_a_synthetic_slice():
    grid = mm.ImageGrid((73, 61), (0.9, 1.1), (-20, 35))
    check_2d_grid(synthetic(grid, seed=1, dtype=np.uint8))


def test_the_81_image_grid_on_a_brain_slice(shared_data):
    check_2d_grid(shared_case(shared_data, "slices_2d/r16.nii.gz"))


def test_a_random_3d_similarity_sample_with_labels_on_synthetic_voxels():
    grid = mm.ImageGrid((37, 33, 19), (1.5, 1.4, 3.0), (5, -70, 30), worlds.LEFT_HANDED)
    case = synthetic(grid, seed=2, dtype=np.int16)
    check_3d_sample(case, 6, mm.Reference(size=(24, 25, 26)))


def test_a_random_3d_similarity_sample_with_labels_on_a_ct(shared_data):
    case = shared_case(shared_data, "ct_torso/ct.nii.gz", "ct_torso/labels.nii.gz")
    check_3d_sample(case, 2, mm.Reference(size=(40, 40, 40)))


@pytest.mark.parametrize("d", [2, 3])
def test_flips_are_the_notebooks_reflections(d):
    """The notebook flips with an affine map of −1 about the centre; SimpleITK's Flip agrees."""
    grid = mm.ImageGrid((33, 31, 17)[:d], (0.9, 1.1, 2.5)[:d], (3, -4, 5)[:d])
    case = synthetic(grid, seed=3, dtype=np.float32)
    for axis, letter in enumerate("ijk"[:d]):
        flip = mm.Flip(axis=letter, label_pairs=())
        result = mm.augment(case, mm.Pipeline(spatial=(flip,), images=PLAIN))
        itk = sitk.AffineTransform(d)
        itk.SetCenter(grid.centre_mm)
        itk.SetMatrix(np.diag([-1.0 if k == axis else 1.0 for k in range(d)]).ravel().tolist())
        expected = itk_of(case, "image", grid, itk, "linear")
        deviation = case.images["image"].array.std()
        oracles.check_close(result.images["image"].array, expected, 1e-4 * deviation, letter)
        array = case.images["image"].array
        flipped = sitk.Flip(sitk.GetImageFromArray(array), [k == axis for k in range(d)])
        np.testing.assert_array_equal(result.images["image"].array, sitk.GetArrayFromImage(flipped))
        np.testing.assert_array_equal(
            result.labels["organs"].array, np.flip(case.labels["organs"].array, d - 1 - axis)
        )


@pytest.mark.parametrize("d", [2, 3])
def test_radial_distortion_is_the_notebooks_displacement_field(d):
    """The notebook samples Brown's formula into a displacement field and resamples with ITK."""
    grid = mm.ImageGrid((33, 31, 17)[:d], (0.9, 1.1, 2.5)[:d], (3, -4, 5)[:d])
    case = synthetic(grid, seed=4, dtype=np.float32)
    coefficients = (2e-4, -1e-7, 1e-11)
    index = np.stack(np.unravel_index(np.arange(grid.voxel_count), grid.shape)[::-1], axis=1)
    points = index * np.array(grid.spacing_mm) + np.array(grid.origin_mm)
    arms = points - (points.min(axis=0) + points.max(axis=0)) / 2
    square = (arms**2).sum(axis=1, keepdims=True)
    moves = arms * sum(k * square ** (n + 1) for n, k in enumerate(coefficients))
    vectors = moves.reshape(*grid.shape, d)
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    transform = sitk.DisplacementFieldTransform(image)
    op = mm.RadialDistortion(coefficients=coefficients)
    (recipe,) = mm.draw(mm.Pipeline(spatial=(op,), images=PLAIN), case=case.id, stop=1)
    assert np.abs(moves).max() > 0.5
    check_against_itk(case, recipe, transform)
