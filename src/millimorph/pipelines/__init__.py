"""Ready pipelines by name: real values, to be used as they are or written out and changed.

Those with something to choose are functions as well: `nnunet(channels=4)`, `nnunet_da5`,
`synthseg`, `notebook_intensity`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from millimorph.errors import PipelineError
from millimorph.pipelines import starters
from millimorph.pipelines.nnunet import nnunet
from millimorph.pipelines.nnunet_da5 import nnunet_da5
from millimorph.pipelines.notebook import notebook_intensity, similarity_grid, similarity_random
from millimorph.pipelines.synthseg import synthseg
from millimorph.recipe import Pipeline, load_pipeline
from millimorph.values import hint

__all__ = [
    "NamedPipeline",
    "find_pipeline",
    "get_pipeline",
    "named_pipelines",
    "nnunet",
    "nnunet_da5",
    "notebook_intensity",
    "synthseg",
]

_FILE_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class NamedPipeline:
    """A ready pipeline: its name, what it is for in one line, and the pipeline."""

    name: str
    summary: str
    pipeline: Pipeline


def named_pipelines() -> tuple[NamedPipeline, ...]:
    """All ready pipelines: the starters, the gentlest first, then those of others."""
    return tuple(NamedPipeline(name, summary, make()) for name, (summary, make) in _READY.items())


def get_pipeline(name: str) -> Pipeline:
    """The ready pipeline of a name.

    Raises:
        PipelineError: for an unknown name, with the nearest one.
    """
    if name not in _READY:
        raise PipelineError(f'there is no ready pipeline "{name}"{hint(name, _READY)}')
    _, make = _READY[name]
    return make()


def find_pipeline(name_or_path: str) -> Pipeline:
    """The ready pipeline of a name, else the pipeline in a file.

    Raises:
        PipelineError: for a name that is neither, or a file with a mistake.
        FileError: when the file cannot be read.
    """
    path = Path(name_or_path)
    if name_or_path not in _READY and (path.suffix in _FILE_ENDINGS or path.is_file()):
        return load_pipeline(path)
    return get_pipeline(name_or_path)


_READY: dict[str, tuple[str, Callable[[], Pipeline]]] = {
    "starter": (
        "any image, 2D or 3D: a gentle affine and elastic change, a little noise",
        starters.starter,
    ),
    "ct": (
        "CT in HU: affine, elastic; dose noise, reconstruction kernel, cupping, coarser voxels",
        starters.ct,
    ),
    "mr": ("MR: affine, elastic; bias field, contrast curve, motion, ghosts, noise", starters.mr),
    "xray": (
        "2D radiographs: affine, elastic, lens distortion; collimation, scatter, exposure, noise",
        starters.xray,
    ),
    "ultrasound": (
        "2D B-mode, depth along y: small motions; gain, speckle, depth attenuation, shadow",
        starters.ultrasound,
    ),
    "endoscopy": (
        "2D RGB: any turn, lens distortion; colour, vignette, highlights, blur, sensor noise",
        starters.endoscopy,
    ),
    "nnunet": ("3D: the default training augmentation of nnU-Net; float results (z-score)", nnunet),
    "nnunet-da5": ("3D: nnU-Net's stronger DA5; float results (z-score)", nnunet_da5),
    "synthseg": (
        "3D brain label maps (FreeSurfer's): an image of random contrast made from the labels",
        synthseg,
    ),
    "notebook-intensity": (
        "10 images, one for each filter of SimpleITK's augmentation notebook",
        notebook_intensity,
    ),
    "similarity-grid": (
        "2D: 3 scales x 3 angles x 3 x 3 translations = 81 images of 128 x 128",
        similarity_grid,
    ),
    "similarity-random-3d": (
        "3D: 10 random similarities onto 128 x 128 x 128",
        similarity_random,
    ),
}
