"""One peer's work in its own process: JSON lines out, one timed round for each line that comes in.

Run by the interpreter that has the peer; needs NumPy and that peer, not millimorph.
"""

import json
import math
import os
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from benchmarks.inputs import (
    MAGNITUDE_MM,
    ROTATION_DEG,
    SCALE,
    TRANSLATION_MM,
    Job,
    source_array,
)
from benchmarks.peer_generate import GENERATE_WORKS
from benchmarks.peer_intensity import INTENSITY_WORKS
from benchmarks.peer_spatial import torchio_elastic
from benchmarks.timing import best_call

# A work returns its output as an array, so that the caller can see what share of it was filled.
Work = Callable[[], np.ndarray]


def torch_affine(job: Job) -> Work:
    """Affine grid and linear sampling of one float32 volume."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    volume = torch.from_numpy(source_array(job.size))[None, None]
    index_map = np.array(job.index_map).reshape(3, 4)
    # Normalised coordinates are (2 index + 1) / size - 1 on every axis.
    middle = (job.size - 1) / 2
    offset = index_map[:, :3].sum(axis=1) * middle + index_map[:, 3] - middle
    theta = np.concatenate([index_map[:, :3], 2.0 / job.size * offset[:, None]], axis=1)
    theta_batch = torch.from_numpy(theta.astype(np.float32))[None]

    def run() -> np.ndarray:
        grid = affine_grid(theta_batch, list(volume.shape), align_corners=False)
        return grid_sample(volume, grid, mode="bilinear", align_corners=False).numpy()

    return run


def torchio_affine(job: Job) -> Work:
    """TorchIO's Affine with fixed numbers on a ScalarImage."""
    import torch
    import torchio

    image = torchio.ScalarImage(torch.from_numpy(source_array(job.size))[None])
    transform = torchio.Affine(
        scales=SCALE, degrees=ROTATION_DEG, translation=TRANSLATION_MM, default_pad_value=0.0
    )
    return lambda: np.asarray(transform(image).data)


def torchio_spatial(job: Job) -> Work:
    """TorchIO's Spatial: the same affine part and an elastic field in one resample."""
    import torch
    import torchio

    image = torchio.ScalarImage(torch.from_numpy(source_array(job.size))[None])
    transform = torchio_elastic()
    return lambda: np.asarray(transform(image).data)


def monai_affine(job: Job) -> Work:
    """MONAI's RandAffine with ranges that hold one number each (its scale is the pull-back's)."""
    import torch
    from monai.transforms import RandAffine

    image = torch.from_numpy(source_array(job.size))[None]
    transform = RandAffine(
        prob=1.0,
        rotate_range=[(math.radians(angle),) * 2 for angle in ROTATION_DEG],
        scale_range=[(1.0 / SCALE - 1.0,) * 2] * 3,
        translate_range=[(shift,) * 2 for shift in TRANSLATION_MM],
        padding_mode="zeros",
    )
    return lambda: np.asarray(transform(image))


def monai_elastic(job: Job) -> Work:
    """MONAI's Rand3DElastic: the same affine part, displacements of a few voxels."""
    import torch
    from monai.transforms import Rand3DElastic

    image = torch.from_numpy(source_array(job.size))[None]
    transform = Rand3DElastic(
        sigma_range=(6.5, 6.5),
        magnitude_range=(150.0, 150.0),
        prob=1.0,
        rotate_range=[(math.radians(angle),) * 2 for angle in ROTATION_DEG],
        scale_range=[(1.0 / SCALE - 1.0,) * 2] * 3,
        translate_range=[(shift,) * 2 for shift in TRANSLATION_MM],
        padding_mode="zeros",
    )
    return lambda: np.asarray(transform(image))


def batchgenerators_elastic(job: Job) -> Work:
    """nnU-Net's SpatialTransform, rotation, scaling (a pull-back's) and elastic deformation on."""
    import torch
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

    image = torch.from_numpy(source_array(job.size))[None]
    transform = SpatialTransform(
        (job.size,) * 3,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_elastic_deform=1.0,
        elastic_deform_scale=(0.1, 0.1),
        elastic_deform_magnitude=(MAGNITUDE_MM, MAGNITUDE_MM),
        p_rotation=1.0,
        rotation=(math.radians(ROTATION_DEG[0]),) * 2,
        p_scaling=1.0,
        scaling=(1.0 / SCALE, 1.0 / SCALE),
    )
    return lambda: np.asarray(transform(image=image)["image"])


WORKS: dict[str, tuple[str, Callable[[Job], Work]]] = {
    "torch affine": ("torch", torch_affine),
    "TorchIO affine": ("torchio", torchio_affine),
    "TorchIO affine + elastic": ("torchio", torchio_spatial),
    "MONAI affine": ("monai", monai_affine),
    "MONAI affine + elastic": ("monai", monai_elastic),
    "batchgeneratorsv2 affine + elastic": ("batchgeneratorsv2", batchgenerators_elastic),
    **INTENSITY_WORKS,
    **GENERATE_WORKS,
}


def serve(job: Job) -> None:
    """Warm up, say hello on standard output, then time one round for each line that comes in."""
    # Libraries may print; only this channel carries the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.simplefilter("ignore")
    package, build = WORKS[job.work]
    import torch

    torch.set_num_threads(1)
    work = build(job)
    hello = {
        "versions": {name: version(name) for name in dict.fromkeys((package, "torch", "numpy"))},
        "inside": float(np.mean(work() != 0)),
    }
    print(json.dumps(hello), file=answers)
    for _ in sys.stdin:
        print(json.dumps({"seconds": best_call(work, job.at_least_s)}), file=answers)


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    serve(
        Job(
            work=arguments["work"],
            size=arguments["size"],
            index_map=tuple(arguments["index_map"]),
            at_least_s=arguments["at_least_s"],
        )
    )
