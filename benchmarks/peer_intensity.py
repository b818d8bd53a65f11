"""The peers' intensity works: single ops, whole pipelines; NumPy and the peer, not millimorph."""

import math
from collections.abc import Callable

import numpy as np

from benchmarks.inputs import (
    BIAS_STD,
    BLUR_SIGMA_MM,
    CHANNELS,
    GAMMA,
    MOTION_DEG,
    MOTION_MM,
    NOISE_STD,
    Job,
    label_array,
    source_array,
)
from benchmarks.peer_spatial import monai_elastic, tensors, torchio_elastic, torchio_subject

Work = Callable[[], np.ndarray]


def torchio_blur(job: Job) -> Work:
    """TorchIO's Blur on a ScalarImage with 1 mm voxels."""
    import torch
    import torchio

    image = torchio.ScalarImage(torch.from_numpy(source_array(job.size))[None])
    transform = torchio.Blur(std=BLUR_SIGMA_MM)
    return lambda: np.asarray(transform(image).data)


def torchio_motion(job: Job) -> Work:
    """TorchIO's Motion with two movements."""
    import torch
    import torchio

    image = torchio.ScalarImage(torch.from_numpy(source_array(job.size))[None])
    transform = torchio.Motion(degrees=MOTION_DEG, translation=MOTION_MM, num_transforms=2)
    return lambda: np.asarray(transform(image).data)


def torchio_pipeline(job: Job) -> Work:
    """Affine and elastic in one resample, bias, gamma, noise, blur; image and label map."""
    import torchio

    subject = torchio_subject(job)
    transform = torchio.Compose(
        [
            torchio_elastic(),
            torchio.BiasField(std=BIAS_STD),
            torchio.Gamma(log_gamma=math.log(GAMMA)),
            torchio.Noise(std=NOISE_STD),
            torchio.Blur(std=BLUR_SIGMA_MM),
        ]
    )
    return lambda: np.asarray(transform(subject)["image"].data)


def monai_pipeline(job: Job) -> Work:
    """MONAI's Rand3DElastic with its affine part, bias, contrast, noise, smoothing; with labels."""
    from monai.transforms import (
        Compose,
        RandAdjustContrastd,
        RandBiasFieldd,
        RandGaussianNoised,
        RandGaussianSmoothd,
    )

    case = tensors(job)
    sigma = (BLUR_SIGMA_MM, BLUR_SIGMA_MM)
    transform = Compose(
        [
            monai_elastic(),
            RandBiasFieldd(keys=["image"], prob=1.0, coeff_range=(0.1, 0.1)),
            RandAdjustContrastd(keys=["image"], prob=1.0, gamma=(GAMMA, GAMMA + 1e-3)),
            RandGaussianNoised(keys=["image"], prob=1.0, std=NOISE_STD, sample_std=False),
            RandGaussianSmoothd(
                keys=["image"], prob=1.0, sigma_x=sigma, sigma_y=sigma, sigma_z=sigma
            ),
        ]
    )
    return lambda: np.asarray(transform(case)["image"])


def batchgenerators_nnunet(job: Job) -> Work:
    """nnU-Net's default training augmentation, every op on, four channels and a label map."""
    import torch
    from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
    from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

    volume = torch.from_numpy(source_array(job.size))
    image = torch.stack([volume.roll(channel, 0) for channel in range(CHANNELS)])
    labels = torch.from_numpy(label_array(job.size))[None]
    transform = ComposeTransforms(
        [
            SpatialTransform(
                (job.size,) * 3,
                patch_center_dist_from_border=0,
                random_crop=False,
                p_elastic_deform=0,
                p_rotation=1.0,
                rotation=(-math.pi / 6.0, math.pi / 6.0),
                p_scaling=1.0,
                scaling=(0.7, 1.4),
                p_synchronize_scaling_across_axes=1,
                bg_style_seg_sampling=False,
            ),
            GaussianNoiseTransform(noise_variance=(0, 0.1), p_per_channel=1),
            GaussianBlurTransform(blur_sigma=(0.5, 1.0), p_per_channel=1.0),
            MultiplicativeBrightnessTransform(
                multiplier_range=BGContrast((0.75, 1.25)), synchronize_channels=False
            ),
            ContrastTransform(
                contrast_range=BGContrast((0.75, 1.25)),
                preserve_range=True,
                synchronize_channels=False,
            ),
            SimulateLowResolutionTransform(
                scale=(0.5, 1),
                synchronize_channels=False,
                synchronize_axes=True,
                ignore_axes=(),
                p_per_channel=1.0,
            ),
            GammaTransform(
                gamma=BGContrast((0.7, 1.5)),
                p_invert_image=1,
                synchronize_channels=False,
                p_per_channel=1,
                p_retain_stats=1,
            ),
            GammaTransform(
                gamma=BGContrast((0.7, 1.5)),
                p_invert_image=0,
                synchronize_channels=False,
                p_per_channel=1,
                p_retain_stats=1,
            ),
            MirrorTransform(allowed_axes=(0, 1, 2)),
        ]
    )
    return lambda: np.asarray(transform(image=image, segmentation=labels)["image"])


INTENSITY_WORKS: dict[str, tuple[str, Callable[[Job], Work]]] = {
    "TorchIO blur": ("torchio", torchio_blur),
    "TorchIO motion": ("torchio", torchio_motion),
    "TorchIO pipeline": ("torchio", torchio_pipeline),
    "MONAI elastic pipeline": ("monai", monai_pipeline),
    "batchgeneratorsv2 nnU-Net": ("batchgeneratorsv2", batchgenerators_nnunet),
}
