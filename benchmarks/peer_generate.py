"""The peers' own loops that write samples: the same ops, image and label map, to .nii.gz.

Each does what its documentation shows: transform the loaded case, save both files. The case is
loaded once, as ours is. NumPy and the peer, not millimorph.
"""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.inputs import (
    CONTROL_POINTS,
    GAMMA,
    MAGNITUDE_MM,
    NOISE_STD,
    ROTATION_DEG,
    SCALE,
    TRANSLATION_MM,
    Job,
    label_array,
    source_array,
)

Work = Callable[[], np.ndarray]


def torchio_files(job: Job) -> Work:
    """TorchIO's Spatial, Gamma and Noise; both images saved by TorchIO."""
    import torch
    import torchio

    subject = torchio.Subject(
        image=torchio.ScalarImage(torch.from_numpy(source_array(job.size))[None]),
        labels=torchio.LabelMap(torch.from_numpy(label_array(job.size))[None]),
    )
    transform = torchio.Compose(
        [
            torchio.Spatial(
                scales=SCALE,
                degrees=ROTATION_DEG,
                translation=TRANSLATION_MM,
                num_control_points=CONTROL_POINTS,
                max_displacement=MAGNITUDE_MM,
                default_pad_value=0.0,
            ),
            torchio.Gamma(log_gamma=math.log(GAMMA)),
            torchio.Noise(std=NOISE_STD),
        ]
    )
    folder = _folder()

    def run() -> np.ndarray:
        made = transform(subject)
        made["image"].save(folder / "image.nii.gz")
        made["labels"].save(folder / "labels.nii.gz")
        return np.asarray(made["image"].data)

    return run


def monai_files(job: Job) -> Work:
    """MONAI's Rand3DElasticd with its affine part, contrast, noise; both saved by nibabel."""
    import nibabel
    import torch
    from monai.transforms import Compose, Rand3DElasticd, RandAdjustContrastd, RandGaussianNoised

    case = {
        "image": torch.from_numpy(source_array(job.size))[None],
        "labels": torch.from_numpy(label_array(job.size))[None],
    }
    transform = Compose(
        [
            Rand3DElasticd(
                keys=["image", "labels"],
                sigma_range=(6.5, 6.5),
                magnitude_range=(150.0, 150.0),
                prob=1.0,
                rotate_range=[(math.radians(angle),) * 2 for angle in ROTATION_DEG],
                scale_range=[(1.0 / SCALE - 1.0,) * 2] * 3,
                translate_range=[(shift,) * 2 for shift in TRANSLATION_MM],
                mode=["bilinear", "nearest"],
                padding_mode="zeros",
            ),
            RandAdjustContrastd(keys=["image"], prob=1.0, gamma=(GAMMA, GAMMA + 1e-3)),
            RandGaussianNoised(keys=["image"], prob=1.0, std=NOISE_STD, sample_std=False),
        ]
    )
    folder = _folder()

    def run() -> np.ndarray:
        made = transform(case)
        for name, kind in (("image", np.float32), ("labels", np.int16)):
            array = np.asarray(made[name])[0].astype(kind)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / f"{name}.nii.gz")
        return np.asarray(made["image"])

    return run


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="millimorph-benchmark-"))


GENERATE_WORKS: dict[str, tuple[str, Callable[[Job], Work]]] = {
    "TorchIO loop": ("torchio", torchio_files),
    "MONAI loop": ("monai", monai_files),
}
