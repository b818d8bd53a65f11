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
    GAMMA,
    NOISE_STD,
    Job,
)
from benchmarks.peer_spatial import monai_elastic, tensors, torchio_elastic, torchio_subject

Work = Callable[[], np.ndarray]


def torchio_files(job: Job) -> Work:
    """TorchIO's Spatial, Gamma and Noise; both images saved by TorchIO."""
    import torchio

    subject = torchio_subject(job)
    transform = torchio.Compose(
        [
            torchio_elastic(),
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
    from monai.transforms import Compose, RandAdjustContrastd, RandGaussianNoised

    case = tensors(job)
    transform = Compose(
        [
            monai_elastic(),
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
