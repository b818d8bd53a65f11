"""Transform files against SimpleITK."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it

from millimorph.errors import FileError, OutputError
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.io import (
    from_sitk,
    read_displacement_field,
    read_transform,
    write_image,
    write_transform,
)
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    CompositeTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
)

TURN = np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()).reshape(3, 3)
GRID = ImageGrid((8, 7, 6), (12.0, 13.0, 14.0), (-50.0, -40.0, -30.0), TURN)
RNG = np.random.default_rng(0)
AFFINE = AffineTransform.from_linear(TURN * 1.1, (1 / 3, 2.0, 3.0), (10.0, 20.0, 30.0))
SPLINE = BSplineTransform(GRID, RNG.normal(0, 3, (3, *GRID.shape)))
FIELD = DisplacementFieldTransform(GRID, RNG.normal(0, 3, (3, *GRID.shape)))
VELOCITY = StationaryVelocityField(GRID, RNG.normal(0, 3, (3, *GRID.shape)))
WHOLE = CompositeTransform((SPLINE, AFFINE, FIELD))
POINTS = RNG.uniform(-60, 60, (200, 3))
MM = 1e-9


def mapped(transform):
    return np.array([transform.TransformPoint(point.tolist()) for point in POINTS])


@pytest.mark.parametrize("extension", [".tfm", ".txt", ".h5", ".hdf5", ".mat"])
@pytest.mark.parametrize("transform", [AFFINE, SPLINE, FIELD, VELOCITY, WHOLE])
def test_what_is_written_maps_the_same_points_here_and_in_itk(tmp_path, transform, extension):
    path = tmp_path / f"a{extension}"
    if extension == ".mat" and transform is WHOLE:
        with pytest.raises(OutputError, match=r"a\.mat"):
            write_transform(transform, path)
        assert list(tmp_path.iterdir()) == []
        return
    write_transform(transform, path)
    expected = transform.map_points(POINTS)
    np.testing.assert_allclose(read_transform(path).map_points(POINTS), expected, atol=MM)
    np.testing.assert_allclose(mapped(sitk.ReadTransform(str(path))), expected, atol=MM)


@pytest.mark.parametrize("kind", ["Euler3D", "Similarity3D", "ScaleSkewVersor3D"])
def test_what_itk_writes_is_read(tmp_path, kind):
    transform = getattr(sitk, f"{kind}Transform")()
    start = np.array(transform.GetParameters())
    transform.SetParameters((start + 0.1).tolist())
    transform.SetCenter((10.0, 20.0, 30.0))
    sitk.WriteTransform(transform, str(tmp_path / "a.tfm"))
    found = read_transform(tmp_path / "a.tfm")
    np.testing.assert_allclose(found.map_points(POINTS), mapped(transform), atol=MM)


@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mha", ".nrrd"])
def test_fields_are_exchanged_as_images(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    for transform in (FIELD, VELOCITY):
        write_transform(transform, path)
        expected = transform.map_points(POINTS)
        for read in (read_transform, read_displacement_field):
            np.testing.assert_allclose(read(path).map_points(POINTS), expected, atol=2e-5)
        image = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
        itk = sitk.DisplacementFieldTransform(image)
        np.testing.assert_allclose(mapped(itk), expected, atol=2e-5)


def test_2d_fields_are_exchanged_as_images(tmp_path):
    grid = ImageGrid((8, 7), (12.0, 13.0), (-50.0, -40.0))
    transform = DisplacementFieldTransform(grid, RNG.normal(0, 3, (2, *grid.shape)))
    for extension in (".nii.gz", ".mha"):
        write_transform(transform, tmp_path / f"a{extension}")
        back = read_transform(tmp_path / f"a{extension}")
        assert back.grid == grid
        np.testing.assert_array_equal(back.displacements, transform.displacements)
        sitk.ReadImage(str(tmp_path / f"a{extension}"), sitk.sitkVectorFloat64)


@pytest.mark.parametrize("intent", [1006, 1007])
def test_vectors_in_nifti_mean_what_itk_takes_them_for(tmp_path, intent):
    """Intent 1006 holds RAS vectors, which ITK turns; intent 1007 is taken as LPS."""
    vectors = RNG.normal(0, 3, (8, 7, 6, 1, 3))
    image = nibabel.Nifti1Image(vectors, np.diag([2.0, 3.0, 4.0, 1.0]))
    image.header["intent_code"] = intent
    image.to_filename(tmp_path / "a.nii")
    found = read_displacement_field(tmp_path / "a.nii")
    by_itk = from_sitk(sitk.ReadImage(str(tmp_path / "a.nii")))
    np.testing.assert_allclose(found.displacements, by_itk.array, atol=1e-6)


def test_images_are_no_fields(tmp_path):
    for extension in (".nii.gz", ".mha"):
        path = tmp_path / f"a{extension}"
        write_image(ScalarImage(np.zeros(GRID.shape), GRID), path)
        with pytest.raises(FileError, match="not a displacement field"):
            read_transform(path)


@pytest.mark.parametrize("extension", [".tfm", ".mat", ".h5"])
@pytest.mark.parametrize("transform", [AFFINE, SPLINE, FIELD])
def test_truncated_transforms_are_refused(tmp_path, transform, extension, capfd):
    """ITK reads half a .tfm as another transform, without an error."""
    write_transform(transform, tmp_path / f"whole{extension}")
    content = (tmp_path / f"whole{extension}").read_bytes()
    path = tmp_path / f"a{extension}"
    for length in [0, 1, 30, *np.linspace(40, len(content) - 1, 15).astype(int)]:
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match=f"a{extension}: "):
            read_transform(path)
    capfd.readouterr()


def test_words_are_no_transform(tmp_path, capfd):
    for extension in (".tfm", ".txt", ".mat", ".h5"):
        (tmp_path / f"a{extension}").write_text("these are words, not a transform\n" * 9)
        with pytest.raises(FileError, match=f"a{extension}: "):
            read_transform(tmp_path / f"a{extension}")
    (tmp_path / "a.docx").write_text("words")
    with pytest.raises(FileError, match="docx"):
        read_transform(tmp_path / "a.docx")
    with pytest.raises(FileError, match="no such file"):
        read_transform(tmp_path / "absent.tfm")
    capfd.readouterr()


def test_what_cannot_be_written_is_refused(tmp_path):
    radial = RadialDistortionTransform((1e-6,), (0.0, 0.0, 0.0))
    with pytest.raises(OutputError, match="to_displacement_field"):
        write_transform(radial, tmp_path / "a.tfm")
    with pytest.raises(OutputError, match=r"\.tfm"):
        write_transform(AFFINE, tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []
