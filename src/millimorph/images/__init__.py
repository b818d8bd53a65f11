"""Voxels and points with a place in the patient: images, label maps, landmarks, boxes and cases."""

from millimorph.images.case import Case, check_name
from millimorph.images.foreground import (
    background_value,
    common_background,
    crop_to_foreground,
    otsu_threshold,
)
from millimorph.images.histograms import fit_histogram_landmarks, histogram_quantiles
from millimorph.images.points import Boxes, Landmarks
from millimorph.images.voxels import (
    IMAGE_DTYPES,
    LABEL_RANGE,
    FrameAxis,
    LabelMap,
    ScalarImage,
    check_finite,
)

__all__ = [
    "IMAGE_DTYPES",
    "LABEL_RANGE",
    "Boxes",
    "Case",
    "FrameAxis",
    "LabelMap",
    "Landmarks",
    "ScalarImage",
    "background_value",
    "check_finite",
    "check_name",
    "common_background",
    "crop_to_foreground",
    "fit_histogram_landmarks",
    "histogram_quantiles",
    "otsu_threshold",
]
