"""Starter pipelines by name: real values, to be used as they are or written out and changed.

The similarity pipelines have the parameter ranges of SimpleITK's data augmentation notebook:
scales of 0.9 to 1.1, angles of plus and minus 10 degrees, translations of plus and minus 10 mm.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from millimorph.designs import FullFactorial, Random
from millimorph.distributions import LogUniform, Uniform
from millimorph.errors import PipelineError
from millimorph.ops import Affine, Elastic, Gamma, GaussianNoise, RadialDistortion, Transform
from millimorph.recipe import Pipeline, Reference, load_pipeline
from millimorph.values import hint

_FILE_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class NamedPipeline:
    """A starter pipeline: its name, what it is for in one line, and the pipeline."""

    name: str
    summary: str
    pipeline: Pipeline


def named_pipelines() -> tuple[NamedPipeline, ...]:
    """All starter pipelines, the gentlest first."""
    return tuple(
        NamedPipeline(name, summary, make()) for name, (summary, make) in _STARTERS.items()
    )


def get_pipeline(name: str) -> Pipeline:
    """The starter pipeline of a name.

    Raises:
        PipelineError: for an unknown name, with the nearest one.
    """
    if name not in _STARTERS:
        raise PipelineError(f'there is no starter pipeline "{name}"{hint(name, _STARTERS)}')
    _, make = _STARTERS[name]
    return make()


def find_pipeline(name_or_path: str) -> Pipeline:
    """The starter pipeline of a name, else the pipeline in a file.

    Raises:
        PipelineError: for a name that is neither, or a file with a mistake.
        FileError: when the file cannot be read.
    """
    path = Path(name_or_path)
    if name_or_path not in _STARTERS and (path.suffix in _FILE_ENDINGS or path.is_file()):
        return load_pipeline(path)
    return get_pipeline(name_or_path)


def _starter() -> Pipeline:
    return Pipeline(
        spatial=(
            Affine(
                rotation_deg=Uniform(-8.0, 8.0),
                scale=Uniform(0.92, 1.08),
                translation_mm=Uniform(-6.0, 6.0),
            ),
            Elastic(control_spacing_mm=40.0, magnitude_mm=Uniform(2.0, 8.0)),
        ),
        intensity=(GaussianNoise(std_fraction=Uniform(0.0, 0.02)),),
    )


def _ct() -> Pipeline:
    return Pipeline(
        spatial=(
            Affine(
                rotation_deg=Uniform(-10.0, 10.0),
                scale=Uniform(0.9, 1.1),
                translation_mm=Uniform(-10.0, 10.0),
            ),
            Elastic(control_spacing_mm=40.0, magnitude_mm=Uniform(2.0, 8.0), probability=0.7),
        ),
        intensity=(GaussianNoise(std=Uniform(0.0, 20.0), probability=0.5),),
    )


def _mr() -> Pipeline:
    return Pipeline(
        spatial=(
            Affine(
                rotation_deg=Uniform(-15.0, 15.0),
                scale=Uniform(0.85, 1.15),
                translation_mm=Uniform(-8.0, 8.0),
            ),
            Elastic(control_spacing_mm=32.0, magnitude_mm=Uniform(2.0, 7.0), probability=0.7),
        ),
        intensity=(
            Gamma(gamma=LogUniform(0.7, 1.5), probability=0.5),
            GaussianNoise(std_fraction=Uniform(0.0, 0.05), probability=0.5),
        ),
    )


def _xray() -> Pipeline:
    return Pipeline(
        dimension=2,
        spatial=(
            Affine(
                rotation_deg=Uniform(-7.0, 7.0),
                scale=Uniform(0.9, 1.1),
                translation_mm=Uniform(-15.0, 15.0),
            ),
            Elastic(control_spacing_mm=60.0, magnitude_mm=Uniform(1.0, 5.0), probability=0.5),
            RadialDistortion(
                coefficients=(Uniform(-0.04, 0.04),), unit="half_diagonal", probability=0.3
            ),
        ),
        intensity=(
            Gamma(gamma=LogUniform(0.7, 1.4), probability=0.7),
            GaussianNoise(std_fraction=Uniform(0.0, 0.03), probability=0.5),
        ),
    )


def _similarity_grid() -> Pipeline:
    angle = math.pi / 18.0
    return Pipeline(
        dimension=2,
        reference=Reference(size=(128, 128)),
        spatial=(
            Transform(
                kind="Similarity2D",
                parameters=(
                    Uniform(0.9, 1.1),
                    Uniform(-angle, angle),
                    Uniform(-10.0, 10.0),
                    Uniform(-10.0, 10.0),
                ),
            ),
        ),
        design=FullFactorial(levels=3),
    )


def _similarity_random() -> Pipeline:
    return Pipeline(
        dimension=3,
        reference=Reference(size=(128, 128, 128)),
        spatial=(
            Affine(
                rotation_deg=Uniform(-10.0, 10.0),
                scale=Uniform(0.9, 1.1),
                translation_mm=Uniform(-10.0, 10.0),
            ),
        ),
        design=Random(count=10),
    )


_STARTERS: dict[str, tuple[str, Callable[[], Pipeline]]] = {
    "starter": (
        "any image, 2D or 3D: a gentle affine and elastic change, a little noise",
        _starter,
    ),
    "ct": ("CT in HU: affine, elastic, dose noise in HU; grey values keep their meaning", _ct),
    "mr": ("MR: affine, elastic, gamma and noise", _mr),
    "xray": ("2D radiographs: affine, elastic, lens distortion, gamma, noise", _xray),
    "similarity-grid": (
        "2D: 3 scales x 3 angles x 3 x 3 translations = 81 images of 128 x 128",
        _similarity_grid,
    ),
    "similarity-random-3d": ("3D: 10 random similarities onto 128 x 128 x 128", _similarity_random),
}
