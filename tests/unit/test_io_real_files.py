"""Real images, written and read again, against SimpleITK and nibabel."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it

from millimorph.io import (
    from_sitk,
    labels_from_sitk,
    read_image,
    read_labels,
    write_image,
    write_labels,
)

IMAGES = [
    "ct_torso/ct.nii.gz",
    "mr_torso/mr.nii.gz",
    "brain_tumour/mr.nrrd",
    "head_t1.nii.gz",
    "flair_oblique.nii.gz",
    "mni152_t1.nii.gz",
    "prostate/images/case_00.nii.gz",
    "slices_2d/r16.nii.gz",
    "time_series_oblique.nii.gz",
    "chest_xray.png",
    "fundus_rgb.jpg",
    "dicom_ct",
]
LABELS = [
    "ct_torso/labels.nii.gz",
    "mr_torso/labels.nii.gz",
    "brain_tumour/label.nrrd",
    "brain_label_maps/brain_01.nii.gz",
    "brain_label_maps/brain_02.nii.gz",
    "prostate/labels/case_00.nii.gz",
    "prostate/labels/case_05.nii.gz",
]
CORNER_VOXEL = 1e-4


def by_itk(path):
    if path.is_dir():
        return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
    return sitk.ReadImage(str(path))


def assert_same_place(grid, other):
    found, expected = grid.indices(other.corner_points_mm), grid.indices(grid.corner_points_mm)
    np.testing.assert_allclose(found, expected, atol=CORNER_VOXEL)


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_what_simpleitk_reads(shared_data, name):
    image, expected = read_image(shared_data / name), from_sitk(by_itk(shared_data / name))
    np.testing.assert_array_equal(image.array, expected.array)
    assert image.dtype == expected.dtype
    assert_same_place(image.grid, expected.grid)


@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("name", IMAGES)
def test_images_come_back_from_every_format(shared_data, tmp_path, name, extension):
    image = read_image(shared_data / name)
    path = tmp_path / f"a{extension}"
    write_image(image, path)
    for back in (read_image(path), from_sitk(sitk.ReadImage(str(path)))):
        assert back.dtype == image.dtype
        assert back.frames == image.frames
        np.testing.assert_array_equal(back.array, image.array)
        assert_same_place(image.grid, back.grid)


@pytest.mark.parametrize("name", IMAGES)
def test_nibabel_finds_written_images_in_the_same_place(shared_data, tmp_path, name):
    image = read_image(shared_data / name)
    write_image(image, tmp_path / "a.nii.gz")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ nibabel.load(tmp_path / "a.nii.gz").affine
    d = image.dimension
    expected = image.grid.world_from_index
    np.testing.assert_allclose(affine[:d, :d], expected[:d, :d], atol=1e-6)
    np.testing.assert_allclose(affine[:d, 3], expected[:d, d], atol=1e-4)


@pytest.mark.parametrize("extension", [".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("name", LABELS)
def test_labels_come_back_from_every_format(shared_data, tmp_path, name, extension):
    labels = read_labels(shared_data / name)
    path = tmp_path / f"a{extension}"
    write_labels(labels, path)
    for back in (read_labels(path), labels_from_sitk(sitk.ReadImage(str(path)))):
        assert back.dtype == labels.dtype
        np.testing.assert_array_equal(back.array, labels.array)
        assert_same_place(labels.grid, back.grid)


def test_known_sizes_and_labels(shared_data):
    organs = read_labels(shared_data / "ct_torso/labels.nii.gz")
    assert organs.grid.size == (122, 101, 30)
    assert organs.labels()[-1] == 117
    assert len(organs.labels()) == 42
    brain = read_labels(shared_data / "brain_label_maps/brain_01.nii.gz")
    assert (brain.dtype, brain.labels()[-1]) == (np.uint16, 530)
    assert read_image(shared_data / "brain_tumour/mr.nrrd").grid.orientation == "LAS"
    series = read_image(shared_data / "time_series_oblique.nii.gz")
    assert (series.channels, series.grid.dimension) == (2, 3)
    assert read_image(shared_data / "slices_2d/r16.nii.gz").grid.dimension == 2
    assert read_labels(shared_data / "prostate/labels/case_00.nii.gz").channels == 3
