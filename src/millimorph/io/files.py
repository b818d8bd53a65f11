"""Reading and writing whole files by the ending of their name: images, label maps and tables.

What is read is complete and undamaged as far as its format can tell, and its place is not guessed;
what is written is complete or not there. A path is never followed into anything else.
"""

from pathlib import Path

from millimorph.errors import FileError, ImageError, LabelError, OutputError
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import b2nd, dicom, metaimage_write, nifti, nifti_write, rasters
from millimorph.io.atomic import Written
from millimorph.io.dicom_series import is_series_choice
from millimorph.io.extensions import (
    BLOSC2_EXTENSIONS,
    DICOM_EXTENSIONS,
    IMAGE_EXTENSIONS,
    NIFTI_EXTENSIONS,
    WRITTEN_EXTENSIONS,
    extension_of,
)
from millimorph.io.points import read_boxes, read_landmarks, write_boxes, write_landmarks
from millimorph.io.transform_files import (
    read_displacement_field,
    read_transform,
    write_transform,
)

__all__ = [
    "read_boxes",
    "read_displacement_field",
    "read_image",
    "read_labels",
    "read_landmarks",
    "read_transform",
    "write_boxes",
    "write_image",
    "write_labels",
    "write_landmarks",
    "write_transform",
]


def read_image(path: str | Path) -> ScalarImage:
    """Read an image from a file, or a DICOM series from a folder, in its stored type.

    .nii and .nii.gz follow the rule of `io.nifti_header`; .b2nd is read if millimorph wrote it;
    .mha, .mhd, .nrrd, .nhdr, .png, .jpg, .jpeg, .tif, .tiff, .bmp, .gipl and .dcm are read with ITK
    after a check of their voxels. Time becomes frames, colours and vectors become channels, both as
    a leading axis.

    Raises FileError with the path and the reason: missing, empty, damaged, truncated, of another
    kind, sheared, or with several series, gaps or tilt in DICOM.
    """
    path = Path(path)
    if path.is_dir():
        return dicom.read_dicom_series(path)
    if is_series_choice(path):
        return dicom.read_chosen_series(path)
    extension = extension_of(path)
    if extension not in IMAGE_EXTENSIONS:
        raise FileError(
            f"{path}: images ending in {extension!r} are not read; convert it to one of "
            f"{', '.join(IMAGE_EXTENSIONS)}, or name a folder with a DICOM series"
        )
    if extension in NIFTI_EXTENSIONS:
        return nifti.read_nifti(path)
    if extension in BLOSC2_EXTENSIONS:
        return b2nd.read_b2nd(path)
    if extension in DICOM_EXTENSIONS:
        return dicom.read_dicom_file(path)
    return rasters.read_raster(path)


def read_labels(path: str | Path) -> LabelMap:
    """Read a label map; a fourth axis (one-hot maps or frames) becomes a leading axis.

    Stored integers keep their type; floats are accepted if all are whole numbers in range.

    Raises FileError as `read_image`, and LabelError, also with the path, for other values.
    """
    image = read_image(path)
    try:
        return LabelMap.from_floats(image.array, image.grid, image.frames)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error


def write_image(image: ScalarImage, path: str | Path) -> None:
    """Write an image; the ending of the name chooses the format, and nothing is converted.

    .nii.gz and .nii (written as `io.nifti_write` says), .mha (uncompressed) and .nrrd hold every
    type, channels and 3D frames, .b2nd (the extra "blosc2") those and 2D frames; .png, .tif and
    .tiff hold pictures without their place, and warn.

    Raises OutputError if the format cannot hold the image or the file cannot be written; then there
    is no file, or still the former one.
    """
    if not isinstance(image, ScalarImage):
        raise ImageError(f"write_image takes a ScalarImage, got {type(image).__name__}")
    write_digested(image, Path(path))


def write_labels(labels: LabelMap, path: str | Path) -> None:
    """Write a label map in its integer type; otherwise as `write_image`."""
    if not isinstance(labels, LabelMap):
        raise LabelError(f"write_labels takes a LabelMap, got {type(labels).__name__}")
    write_digested(labels, Path(path))


def write_digested(image: ScalarImage | LabelMap, path: Path) -> Written:
    """Write as `write_image` and `write_labels` do, and return digest and length of the file."""
    extension = extension_of(path)
    if extension in NIFTI_EXTENSIONS:
        return nifti_write.write_nifti(image, path)
    if extension in BLOSC2_EXTENSIONS:
        return b2nd.write_b2nd(image, path)
    if extension == ".mha":
        return metaimage_write.write_metaimage(image, path)
    if extension in WRITTEN_EXTENSIONS:
        return rasters.write_raster(image, path, extension)
    lossy = " (it would change voxels)" if extension in (".jpg", ".jpeg") else ""
    raise OutputError(
        f"cannot write {path}: {extension or 'a name without an ending'} is not "
        f"written{lossy}; use one of {', '.join(WRITTEN_EXTENSIONS)}"
    )
