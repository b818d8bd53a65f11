"""Files and SimpleITK objects in and out; SimpleITK and nibabel are loaded when first needed."""

from millimorph.io.data_set import DataSet
from millimorph.io.dicom import read_dicom_series
from millimorph.io.dicom_series import is_dicom_folder, is_series_choice, series_choices
from millimorph.io.files import (
    read_boxes,
    read_displacement_field,
    read_image,
    read_labels,
    read_landmarks,
    read_transform,
    write_boxes,
    write_image,
    write_labels,
    write_landmarks,
    write_transform,
)
from millimorph.io.layouts import CaseFiles, find_cases, load_case
from millimorph.io.recognition import Layout, find_data_set
from millimorph.io.sitk import from_sitk, labels_from_sitk, to_sitk

__all__ = [
    "CaseFiles",
    "DataSet",
    "Layout",
    "find_cases",
    "find_data_set",
    "from_sitk",
    "is_dicom_folder",
    "is_series_choice",
    "labels_from_sitk",
    "load_case",
    "read_boxes",
    "read_dicom_series",
    "read_displacement_field",
    "read_image",
    "read_labels",
    "read_landmarks",
    "read_transform",
    "series_choices",
    "to_sitk",
    "write_boxes",
    "write_image",
    "write_labels",
    "write_landmarks",
    "write_transform",
]
