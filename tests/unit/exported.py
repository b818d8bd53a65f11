"""Finished jobs for the tests of exports: from a source in each layout."""

from pathlib import Path
from typing import Any

import numpy as np
from data_sets import PIPELINE
from layouts import GRID, nnunet, put_frames, put_image, put_json, put_labels

from millimorph.generate import DatasetRequest, generate_dataset
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import write_image, write_labels

REGIONS = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}


def generate(folder: Path, out: Path, **changes: Any) -> Path:
    """Make two samples of each case with the reference backend; return the output folder."""
    asked = {"count": 2, "backend": "reference", "pipeline": PIPELINE} | changes
    report = generate_dataset(DatasetRequest(folder=folder, out=out, **asked))
    assert not report.failures
    return out


def from_decathlon(folder: Path) -> Path:
    """Two modalities on the fourth axis, three cases of two patients."""
    pairs = []
    for k, group in enumerate(("p1", "p1", "p2")):
        put_frames(folder / f"in/imagesTr/t_{k}.nii.gz", 2)
        put_labels(folder / f"in/labelsTr/t_{k}.nii.gz")
        pair = {"image": f"./imagesTr/t_{k}.nii.gz", "label": f"./labelsTr/t_{k}.nii.gz"}
        pairs.append({**pair, "group": group})
    content = {
        "modality": {"0": "FLAIR", "1": "T1 (Gd)"},
        "labels": {"0": "background", "1": "edema", "2": "core"},
        "training": pairs,
    }
    put_json(folder / "in/dataset.json", content)
    return generate(folder / "in", folder / "out")


def from_nnunet(folder: Path) -> Path:
    """One channel with a name of its own, regions and an ignore label, two cases."""
    source = nnunet(
        folder / "Dataset007_Source",
        channel_names={"0": "CT"},
        labels=REGIONS,
        regions_class_order=[1, 2],
    )
    values = np.indices(GRID.shape).sum(axis=0) % 4
    labels = LabelMap(values.astype(np.uint8), GRID)
    write_labels(labels, source / "labelsTr/a_1.nii.gz")
    return generate(source, folder / "out")


def from_bids(folder: Path) -> Path:
    """Two subjects with two contrasts, their segmentations in a derivative."""
    root = folder / "in"
    put_json(root / "dataset_description.json", {"Name": "tiny", "BIDSVersion": "1.11.0"})
    for subject in ("sub-01", "sub-02"):
        name = f"{subject}/ses-a/anat/{subject}_ses-a"
        put_image(root / f"{name}_acq-fast_T1w.nii.gz")
        put_image(root / f"{name}_T2w.nii.gz", 5)
        put_labels(root / f"derivatives/seg/{name}_desc-manual_dseg.nii.gz")
    return generate(root, folder / "out")


def from_table(folder: Path, label_step: int = 3) -> Path:
    """A CT with label values that leave gaps, of two patients whose names need care."""
    rows = ["id,image:ct,label:organs,group"]
    for case, group in (("v_0001", "pat 1"), ("v_0002", "pat 1"), ("w", "pat-1")):
        put_image(folder / f"in/{case}.nii.gz", len(rows))
        values = np.indices(GRID.shape).sum(axis=0) % 3 * label_step
        labels = LabelMap(values.astype(np.int32), GRID)
        write_labels(labels, folder / f"in/{case}_seg.nii.gz")
        rows.append(f"{case},{case}.nii.gz,{case}_seg.nii.gz,{group}")
    (folder / "in/cases.csv").write_text("\n".join(rows))
    return generate(folder / "in", folder / "out")


def colours(folder: Path) -> Path:
    """Two colour pictures with a mask each, as PNG."""
    (folder / "in").mkdir()
    grid = ImageGrid((9, 7))
    rows = ["id,image,label"]
    for case in "ab":
        values = np.indices((3, *grid.shape)).sum(axis=0) * 9 + ord(case)
        write_image(ScalarImage(values.astype(np.uint8), grid), folder / f"in/{case}.png")
        mask = (values[0] % 2).astype(np.uint8)
        write_labels(LabelMap(mask, grid), folder / f"in/{case}_mask.png")
        rows.append(f"{case},{case}.png,{case}_mask.png")
    (folder / "in/cases.csv").write_text("\n".join(rows))
    return generate(folder / "in", folder / "out", count=1, suffix=".png")
