"""SimpleITK images and transforms in and out: the same voxels and the same points."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it

from millimorph.errors import GeometryError, ImageError, LabelError, TransformError
from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import from_sitk, labels_from_sitk, to_sitk
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    CompositeTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
)

POINT_MM = 1e-9
TURN = np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()).reshape(3, 3)
GRID = ImageGrid((7, 6, 5), (0.7, 1.3, 2.9), (-31.25, 17.5, 1e5), TURN)
FLAT = ImageGrid((7, 6), (0.7, 1.3), (-31.25, 17.5), [[0, -1], [1, 0]])
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES += ["float32", "float64"]
MATRIX_KINDS = [
    *[(kind, d) for kind in ("Translation", "Scale", "Affine") for d in (2, 3)],
    *[(kind, 2) for kind in ("Euler2D", "Similarity2D")],
    *[(kind, 3) for kind in ("Euler3D", "Versor", "VersorRigid3D", "Similarity3D")],
    *[(kind, 3) for kind in ("ScaleVersor3D", "ScaleSkewVersor3D", "ComposeScaleSkewVersor3D")],
]


def ramp(shape, dtype="float32"):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def mapped(transform, points):
    return np.array([transform.TransformPoint(point.tolist()) for point in points])


def points(dimension):
    return np.random.default_rng(5).uniform(-90, 90, (300, dimension))


def assert_same_map(transform, ours):
    probes = points(ours.dimension)
    expected = mapped(transform, probes)
    np.testing.assert_allclose(ours.map_points(probes), expected, rtol=0, atol=POINT_MM)
    np.testing.assert_allclose(mapped(to_sitk(ours), probes), expected, rtol=0, atol=POINT_MM)


@pytest.mark.parametrize("grid", [GRID, FLAT], ids=["3D", "2D"])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("dtype", TYPES)
def test_images_keep_voxels_type_and_grid_both_ways(grid, channels, dtype):
    shape = grid.shape if channels is None else (channels, *grid.shape)
    image = ScalarImage(ramp(shape, dtype), grid)
    packed = to_sitk(image)
    assert packed.GetSize() == grid.size
    assert packed.GetOrigin() == grid.origin_mm
    point = packed.TransformContinuousIndexToPhysicalPoint((1.5,) * grid.dimension)
    np.testing.assert_allclose(point, grid.points_mm([[1.5] * grid.dimension])[0], atol=1e-9)
    back = from_sitk(packed)
    assert back.grid == grid
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back.array, image.array)


def test_a_voxel_is_where_simpleitk_finds_it():
    image = ScalarImage(ramp((3, *GRID.shape)), GRID)
    assert to_sitk(image)[4, 3, 2] == tuple(image.array[:, 2, 3, 4])


def test_the_fourth_dimension_is_time():
    image = ScalarImage(ramp((4, *GRID.shape)), GRID, FrameAxis(2.5, 0.5))
    packed = to_sitk(image)
    assert packed.GetSize() == (*GRID.size, 4)
    back = from_sitk(packed)
    assert back.frames == image.frames
    assert back.grid == GRID
    np.testing.assert_array_equal(back.array, image.array)
    with pytest.raises(ImageError, match="2D"):
        to_sitk(ScalarImage(ramp((4, *FLAT.shape)), FLAT, FrameAxis()))


def test_a_time_axis_mixed_with_space_is_refused():
    packed = sitk.Image([3, 3, 3, 2], sitk.sitkFloat32)
    turn = np.eye(4)
    turn[:, [2, 3]] = turn[:, [3, 2]]
    packed.SetDirection(turn.ravel().tolist())
    with pytest.raises(GeometryError, match="time"):
        from_sitk(packed)


def test_label_maps_keep_large_values_and_refuse_fractions():
    labels = LabelMap(ramp(GRID.shape, "uint32") + np.uint32(2**32 - 300), GRID)
    np.testing.assert_array_equal(labels_from_sitk(to_sitk(labels)).array, labels.array)
    floats = sitk.GetImageFromArray(ramp(GRID.shape))
    assert labels_from_sitk(floats).dtype == np.uint8
    with pytest.raises(LabelError, match=r"0\.5"):
        labels_from_sitk(floats + 0.5)


@pytest.mark.parametrize("kind", [sitk.sitkComplexFloat32, sitk.sitkLabelUInt8])
def test_other_pixels_are_refused(kind):
    with pytest.raises(ImageError, match="not supported"):
        from_sitk(sitk.Image([3, 3, 3], kind))


@pytest.mark.parametrize("value", [3, "ct.nii", np.zeros((2, 2))])
def test_other_values_are_refused_by_type(value):
    with pytest.raises(ImageError, match=type(value).__name__):
        from_sitk(value)
    with pytest.raises(ImageError, match=type(value).__name__):
        to_sitk(value)


def matrix_transform(kind, dimension):
    rng = np.random.default_rng(len(kind))
    own = getattr(sitk, f"{kind}Transform")
    transform = own(dimension) if kind in ("Translation", "Scale", "Affine") else own()
    start = np.array(transform.GetParameters())
    transform.SetParameters((start + rng.uniform(-0.2, 0.2, len(start))).tolist())
    if kind != "Translation":
        transform.SetCenter((10.5, -20.25, 300.0)[:dimension])
    return transform


@pytest.mark.parametrize(("kind", "dimension"), MATRIX_KINDS)
def test_every_matrix_kind_maps_the_same_points(kind, dimension):
    transform = matrix_transform(kind, dimension)
    ours = from_sitk(transform)
    assert isinstance(ours, AffineTransform)
    assert_same_map(transform, ours)


@pytest.mark.parametrize("far", [0.0, 1e5])
def test_the_other_euler_order_and_far_centres_map_the_same_points(far):
    transform = sitk.Euler3DTransform((far, 1.0, -far), 0.1, 0.2, 0.3, (1, 2, 3))
    transform.SetComputeZYX(True)
    assert_same_map(transform, from_sitk(transform))


@pytest.mark.parametrize(
    "transform",
    [sitk.Transform(), sitk.Transform(2, sitk.sitkIdentity), sitk.CompositeTransform(3)],
)
def test_nothing_is_the_identity(transform):
    assert from_sitk(transform) == AffineTransform.identity(transform.GetDimension())


def spline(dimension):
    transform = sitk.BSplineTransform(dimension, 3)
    transform.SetTransformDomainOrigin((-50.0, -60.0, -55.0)[:dimension])
    transform.SetTransformDomainPhysicalDimensions((100.0, 110.0, 90.0)[:dimension])
    transform.SetTransformDomainMeshSize((5, 4, 6)[:dimension])
    if dimension == 3:
        transform.SetTransformDomainDirection(TURN.ravel().tolist())
    rng = np.random.default_rng(2)
    transform.SetParameters(rng.normal(0, 4, len(transform.GetParameters())).tolist())
    return transform


def field(dimension):
    rng = np.random.default_rng(3)
    vectors = rng.normal(0, 4, (*(12, 13, 14)[-dimension:], dimension))
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing((5.0, 6.0, 7.0)[:dimension])
    image.SetOrigin((-40.0, -30.0, -20.0)[:dimension])
    if dimension == 3:
        image.SetDirection(TURN.ravel().tolist())
    return sitk.DisplacementFieldTransform(image)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize(
    ("make", "kind"), [(spline, BSplineTransform), (field, DisplacementFieldTransform)]
)
def test_splines_and_fields_map_the_same_points_inside_and_outside(make, kind, dimension):
    transform = make(dimension)
    ours = from_sitk(transform)
    assert isinstance(ours, kind)
    assert_same_map(transform, ours)


def test_a_spline_of_another_order_is_refused():
    with pytest.raises(TransformError, match="order 2"):
        from_sitk(sitk.BSplineTransform(3, 2))


def test_compositions_keep_their_order_and_nesting():
    """ITK applies the transform that was added last first."""
    turn = sitk.Euler3DTransform((10, 20, 30), 0.1, 0.2, 0.3, (1, 2, 3))
    inner = sitk.CompositeTransform([turn, field(3)])
    whole = sitk.CompositeTransform([spline(3), matrix_transform("Affine", 3), inner])
    ours = from_sitk(whole)
    assert isinstance(ours, CompositeTransform)
    assert_same_map(whole, ours)


def test_a_velocity_field_becomes_the_field_it_generates():
    rng = np.random.default_rng(4)
    grid = ImageGrid((12, 11, 10), (15.0,) * 3, (-80.0,) * 3)
    velocity = StationaryVelocityField(grid, rng.normal(0, 3, (3, *grid.shape)))
    probes = points(3)
    np.testing.assert_allclose(
        mapped(to_sitk(velocity), probes), velocity.map_points(probes), atol=POINT_MM
    )


def test_a_radial_distortion_is_refused_with_a_hint():
    with pytest.raises(TransformError, match="to_displacement_field"):
        to_sitk(RadialDistortionTransform((1e-6,), (0.0, 0.0)))


@pytest.mark.parametrize("amount", [2e-4, 5e-3])
def test_nearly_orthonormal_directions_are_mended_and_sheared_ones_refused(amount):
    packed = sitk.Image([4, 5, 6], sitk.sitkUInt8)
    direction = np.eye(3)
    direction[0, 1] = amount
    packed.SetDirection(direction.ravel().tolist())
    found = from_sitk(packed).grid.direction
    np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-12)
    direction[0, 1] = 0.1
    packed.SetDirection(direction.ravel().tolist())
    with pytest.raises(GeometryError, match="sheared"):
        from_sitk(packed)
