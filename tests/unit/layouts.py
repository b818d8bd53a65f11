"""Tiny data sets in the layouts of other tools, for the tests of reading and generation."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from millimorph.geometry import ImageGrid
from millimorph.images import FrameAxis, LabelMap, ScalarImage
from millimorph.io import write_image, write_labels

GRID = ImageGrid((6, 5, 4), (1.0, 1.0, 2.0))


def put_image(path: Path, seed: int = 1) -> Path:
    """Write an image of 6 x 5 x 4 voxels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = (np.arange(120) * 7 % (90 + seed)).reshape(GRID.shape)
    write_image(ScalarImage(values.astype(np.int16), GRID), path)
    return path


def put_frames(path: Path, count: int) -> Path:
    """Write a 4D image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = (np.arange(120 * count) % 50).reshape(count, *GRID.shape)
    write_image(ScalarImage(values.astype(np.int16), GRID, FrameAxis()), path)
    return path


def put_labels(path: Path, grid: ImageGrid = GRID) -> Path:
    """Write a label map with the values 0, 1 and 2."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.indices(grid.shape).sum(axis=0) % 3
    write_labels(LabelMap(values.astype(np.uint8), grid), path)
    return path


def put_json(path: Path, content: Any) -> Path:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


NNUNET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1, "tumour": 2},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}


def nnunet(folder: Path, **changes: Any) -> Path:
    """Write two cases, a_1 and a_2, as nnU-Net v2 raw."""
    description = NNUNET | changes
    for case in ("a_1", "a_2"):
        for k in range(len(description["channel_names"])):
            put_image(folder / f"imagesTr/{case}_{k:04d}.nii.gz", k)
        put_labels(folder / f"labelsTr/{case}.nii.gz")
    put_json(folder / "dataset.json", description)
    return folder
