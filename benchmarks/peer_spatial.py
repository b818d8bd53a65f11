"""What several comparisons ask of TorchIO and MONAI alike: image, label map, affine and elastic."""

import math
from typing import Any

import numpy as np

from benchmarks.inputs import (
    CONTROL_POINTS,
    MAGNITUDE_MM,
    ROTATION_DEG,
    SCALE,
    TRANSLATION_MM,
    Job,
    label_array,
    source_array,
)

Tensors = dict[str, Any]


def tensors(job: Job) -> Tensors:
    """The image and its label map, each with one channel."""
    import torch

    arrays: dict[str, np.ndarray] = {
        "image": source_array(job.size),
        "labels": label_array(job.size),
    }
    return {name: torch.from_numpy(array)[None] for name, array in arrays.items()}


def torchio_subject(job: Job) -> Any:
    """Both as TorchIO takes them."""
    import torchio

    case = tensors(job)
    return torchio.Subject(
        image=torchio.ScalarImage(case["image"]), labels=torchio.LabelMap(case["labels"])
    )


def torchio_elastic() -> Any:
    """TorchIO's Spatial: our affine part and an elastic field in one resample."""
    import torchio

    return torchio.Spatial(
        scales=SCALE,
        degrees=ROTATION_DEG,
        translation=TRANSLATION_MM,
        num_control_points=CONTROL_POINTS,
        max_displacement=MAGNITUDE_MM,
        default_pad_value=0.0,
    )


def monai_elastic() -> Any:
    """MONAI's Rand3DElastic on image and label map, with ranges that hold one number each."""
    from monai.transforms import Rand3DElasticd

    return Rand3DElasticd(
        keys=["image", "labels"],
        sigma_range=(6.5, 6.5),
        magnitude_range=(150.0, 150.0),
        prob=1.0,
        rotate_range=[(math.radians(angle),) * 2 for angle in ROTATION_DEG],
        scale_range=[(1.0 / SCALE - 1.0,) * 2] * 3,
        translate_range=[(shift,) * 2 for shift in TRANSLATION_MM],
        mode=["bilinear", "nearest"],
        padding_mode="zeros",
    )
