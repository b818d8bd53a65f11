"""The file name endings that are read and written; the longest one counts, case does not."""

from pathlib import Path

NIFTI_EXTENSIONS = (".nii", ".nii.gz")
RASTER_EXTENSIONS = (
    ".mha",
    ".mhd",
    ".nrrd",
    ".nhdr",
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
    ".gipl",
)
BLOSC2_EXTENSIONS = (".b2nd",)
DICOM_EXTENSIONS = (".dcm",)
IMAGE_EXTENSIONS = (*NIFTI_EXTENSIONS, *RASTER_EXTENSIONS, *BLOSC2_EXTENSIONS, *DICOM_EXTENSIONS)
WRITTEN_EXTENSIONS = (
    *NIFTI_EXTENSIONS,
    ".mha",
    ".nrrd",
    *BLOSC2_EXTENSIONS,
    ".png",
    ".tif",
    ".tiff",
)
TRANSFORM_EXTENSIONS = (".tfm", ".txt", ".h5", ".hdf5", ".mat")
TABLE_EXTENSIONS = (".csv",)

_DOUBLE = (".nii.gz",)


def extension_of(path: Path) -> str:
    """Return the ending of a file name in lower case, ".nii.gz" as one; empty if there is none."""
    name = path.name.lower()
    for ending in _DOUBLE:
        if name.endswith(ending):
            return ending
    return path.suffix.lower()


def stem_of(path: Path) -> str:
    """Return the file name without its ending."""
    ending = extension_of(path)
    return path.name[: len(path.name) - len(ending)] if ending else path.name
