"""A small folder of cases, and a request for augmented ones, for the tests of generation."""

from pathlib import Path

import numpy as np

from millimorph.distributions import Uniform
from millimorph.generate import DatasetRequest
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import write_image, write_labels
from millimorph.ops import Affine, GaussianNoise
from millimorph.recipe import Pipeline

IMAGES = {"ct": "{case}_ct.nii.gz"}
LABELS = {"organs": "{case}_organs.nii.gz"}
LANDMARKS = {"points": "{case}_points.csv"}
PIPELINE = Pipeline(
    spatial=(Affine(rotation_deg=Uniform(-10, 10), translation_mm=Uniform(-3, 3)),),
    intensity=(GaussianNoise(std=Uniform(0, 5)),),
)


def write_case(folder: Path, case: str, size: tuple[int, ...]) -> None:
    """Write an image, its labels and two points, all different for each case."""
    grid = ImageGrid(size, (2.0, 2.0, 3.0)[: len(size)])
    place = np.indices(grid.shape).sum(axis=0) + len(case) + sum(map(ord, case))
    write_image(ScalarImage((place * 7 % 90).astype(np.int16), grid), folder / f"{case}_ct.nii.gz")
    write_labels(LabelMap((place % 3).astype(np.uint8), grid), folder / f"{case}_organs.nii.gz")
    axes = ",".join("xyz"[: len(size)])
    rows = "".join(f"{name}{',4.5' * len(size)}\n" for name in "ab")
    (folder / f"{case}_points.csv").write_text(f"name,{axes}\n{rows}")


def write_cases(folder: Path, cases: str = "p1 p2 p10") -> Path:
    """Write 3D cases of differing sizes into `folder`/in and return that folder."""
    inputs = folder / "in"
    inputs.mkdir()
    for k, case in enumerate(cases.split()):
        write_case(inputs, case, (12 + k, 10, 8 - k))
    return inputs


def request(inputs: Path, out: Path, **changes: object) -> DatasetRequest:
    """Ask for three samples per case from the reference backend, which compiles nothing.

    Without limits one worker is the calling process, which saves starting another.
    """
    asked = {
        "folder": inputs,
        "pipeline": PIPELINE,
        "out": out,
        "images": IMAGES,
        "labels": LABELS,
        "landmarks": LANDMARKS,
        "count": 3,
        "backend": "reference",
        "limits": None,
    }
    return DatasetRequest(**(asked | changes))


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder by its path, but for seconds taken."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "timings.jsonl"
    }
