"""The rows of the intensity ops: fused steps, whole pipelines, single filters."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it

import millimorph as mm
from benchmarks.comparisons import Contest, InstalledRival, PeerRival, Settings, compare
from benchmarks.inputs import (
    BIAS_STD,
    BLUR_SIGMA_MM,
    CHANNELS,
    GAMMA,
    MOTION_DEG,
    MOTION_MM,
    NOISE_STD,
    source_array,
)
from benchmarks.ours import AFFINE, ELASTIC, IMAGE, image_case, prepare, with_labels
from benchmarks.plan import Plan
from benchmarks.table import Comparison, Gate, Row
from benchmarks.timing import best_call, race
from millimorph.ops import IntensityOp

POINTWISE: tuple[IntensityOp, ...] = (
    mm.BiasField(log_sd=BIAS_STD),
    mm.Gamma(gamma=GAMMA),
    mm.GaussianNoise(std=NOISE_STD),
)
NNUNET_SPATIAL = (
    mm.Affine(rotation_deg=mm.Uniform(-30.0, 30.0), scale=mm.Uniform(1.0 / 1.4, 1.0 / 0.7)),
    *(mm.Flip(axis=axis, label_pairs=()) for axis in ("i", "j", "k")),
)


def fused_rows(plan: Plan) -> list[Row]:
    """What bias, gamma and noise add to an affine resample, in nanoseconds per voxel."""
    rows = []
    for size in (plan.small_size, plan.size):
        case = image_case(size)
        alone, together = (prepare(case, AFFINE, intensity=ops).run for ops in ((), POINTWISE))
        alone()
        together()
        best = race(
            {
                "alone": partial(best_call, alone, plan.at_least_s),
                "together": partial(best_call, together, plan.at_least_s),
            },
            plan.rounds,
        )
        alone_ns, together_ns = (best[name] * 1e9 / size**3 for name in ("alone", "together"))
        rows.append(
            Row(
                f"bias + gamma + noise on an affine resample, {size}³",
                together_ns - alone_ns,
                "ns",
                Gate("at most", 3.0),
                f"{together_ns:.2f} / {alone_ns:.2f} ns",
            )
        )
    return rows


def whole_pipelines(settings: Settings) -> list[Comparison]:
    """Affine and elastic in one resample, bias, gamma, noise and blur; image and label map."""
    plan = settings.plan
    blur = mm.GaussianBlur(sigma_mm=BLUR_SIGMA_MM)
    small = (
        PeerRival("torchio", "TorchIO pipeline", gate=15.0),
        PeerRival("monai", "MONAI elastic pipeline", gate=100.0),
    )
    large = (PeerRival("torchio", "TorchIO pipeline", gate=30.0),)
    rows = []
    for size, rivals, rounds in (
        (plan.small_size, small, plan.rounds),
        (plan.size, large, plan.slow_rounds),
    ):
        work = prepare(with_labels(image_case(size)), ELASTIC, intensity=(*POINTWISE, blur))
        title = "affine, elastic, bias, gamma, noise, blur"
        rows += compare(Contest(title, work, work.run, rivals, rounds), settings)
    return rows


def nnunet(settings: Settings) -> list[Comparison]:
    """nnU-Net's default augmentation with every op on, four channels; per voxel and channel."""
    size = settings.plan.small_size
    volume = source_array(size)
    stack = np.stack([np.roll(volume, channel, axis=0) for channel in range(CHANNELS)])
    plain = with_labels(image_case(size))
    image = mm.ScalarImage(stack, plain.grid)
    case = replace(plain, images={IMAGE: image})
    per_channel = [op for channel in range(CHANNELS) for op in _nnunet_ops(channel)]
    ordered = sorted(range(len(per_channel)), key=lambda k: k % (len(per_channel) // CHANNELS))
    ops = tuple(per_channel[k] for k in ordered)
    work = prepare(case, NNUNET_SPATIAL, intensity=ops)
    rivals = (PeerRival("batchgeneratorsv2", "batchgeneratorsv2 nnU-Net", gate=10.0),)
    title = f"nnU-Net's pipeline, {CHANNELS} channels"
    return compare(Contest(title, work, work.run, rivals, settings.plan.rounds), settings)


def _nnunet_ops(channel: int) -> tuple[IntensityOp, ...]:
    """Every op of nnU-Net's default augmentation for one channel."""
    channels = (channel,)
    around_one = mm.Uniform(0.75, 1.25)
    gamma = mm.Uniform(0.7, 1.5)
    return (
        mm.GaussianNoise(std=mm.Uniform(0.0, 0.1), channels=channels),
        mm.GaussianBlur(sigma_voxels=mm.Uniform(0.5, 1.0), channels=channels),
        mm.LinearMap(scale=around_one, channels=channels),
        mm.Contrast(factor=around_one, channels=channels),
        mm.LowResolution(
            zoom=mm.Uniform(0.5, 1.0),
            profile="nearest",
            interpolation="cubic",
            channels=channels,
        ),
        mm.Gamma(gamma=gamma, invert=True, keep_statistics=True, channels=channels),
        mm.Gamma(gamma=gamma, keep_statistics=True, channels=channels),
    )


def blur(settings: Settings) -> list[Comparison]:
    """Gaussian blur of 1 voxel, against ITK's recursive and discrete Gaussians."""
    rivals = (
        _filtered("SmoothingRecursiveGaussian", settings.plan.small_size, _recursive, gate=10.0),
        _filtered("DiscreteGaussian", settings.plan.small_size, _discrete, gate=10.0),
        PeerRival("torchio", "TorchIO blur", gate=10.0),
    )
    op = mm.GaussianBlur(sigma_mm=BLUR_SIGMA_MM)
    return _filter("Gaussian blur, σ 1 voxel", op, settings.plan.small_size, rivals, settings)


def median(settings: Settings) -> list[Comparison]:
    """Median of 27 voxels."""
    size = settings.plan.small_size
    rivals = (_filtered("Median", size, lambda image: sitk.Median(image, [1, 1, 1]), gate=15.0),)
    return _filter("median, radius 1", mm.Median(radius=1), size, rivals, settings)


def motion(settings: Settings) -> list[Comparison]:
    """Two rigid movements during the acquisition."""
    op = mm.Motion(movements=2, max_rotation_deg=MOTION_DEG, max_translation_mm=MOTION_MM, axis="i")
    rivals = (PeerRival("torchio", "TorchIO motion", gate=5.0),)
    title = "motion, two movements"
    return _filter(title, op, settings.plan.small_size, rivals, settings)


def adaptive_equalization(settings: Settings) -> list[Comparison]:
    """Adaptive histogram equalisation in a window of 11³ voxels, alpha and beta 0.3."""
    size = settings.plan.slow_filter_size
    name = "AdaptiveHistogramEqualization"
    rivals = (_filtered(name, size, _adaptive, gate=20.0),)
    op = mm.AdaptiveHistogramEqualization(alpha=0.3, beta=0.3, radius=5)
    title = "adaptive histogram equalisation, radius 5"
    return _filter(title, op, size, rivals, settings)


def bilateral(settings: Settings) -> list[Comparison]:
    """Bilateral filter, domain sigma 4 mm, range sigma 8."""
    size = settings.plan.slow_filter_size
    rivals = (
        _filtered("Bilateral", size, lambda image: sitk.Bilateral(image, 4.0, 8.0), gate=20.0),
    )
    op = mm.Bilateral(domain_sigma_mm=4.0, range_sigma=8.0)
    return _filter("bilateral, 4 mm and 8", op, size, rivals, settings)


def _filter(
    title: str,
    op: IntensityOp,
    size: int,
    rivals: tuple[InstalledRival | PeerRival, ...],
    settings: Settings,
) -> list[Comparison]:
    work = prepare(image_case(size), (), intensity=(op,))
    return compare(Contest(title, work, work.run, rivals, settings.plan.rounds), settings)


def _recursive(image: sitk.Image) -> sitk.Image:
    return sitk.SmoothingRecursiveGaussian(image, BLUR_SIGMA_MM)


def _discrete(image: sitk.Image) -> sitk.Image:
    return sitk.DiscreteGaussian(image, BLUR_SIGMA_MM**2)


def _adaptive(image: sitk.Image) -> sitk.Image:
    return sitk.AdaptiveHistogramEqualization(image, [5, 5, 5], 0.3, 0.3)


def _filtered(
    name: str, size: int, apply: Callable[[sitk.Image], sitk.Image], gate: float
) -> InstalledRival:
    """Return a SimpleITK filter on the benchmark's image, on one thread."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray(source_array(size))
    return InstalledRival(f"SimpleITK {name}", lambda: apply(image), gate)
