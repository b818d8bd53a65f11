"""What `show` prints: recipes in words, and their programs for an image that is only imagined."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from millimorph.compiler import compile as compile_recipe
from millimorph.errors import PipelineError
from millimorph.generate import read_grid
from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, ScalarImage
from millimorph.recipe import LabelSampling, Pipeline, Recipe, describe_design, draw
from millimorph.report.captions import caption_of

_SIZES = {2: (512, 512), 3: (256, 256, 128)}


def recipe_lines(pipeline: Pipeline, count: int, seed: int | None) -> Iterator[str]:
    """Yield the JSON of each recipe."""
    return (recipe.json() for recipe in _recipes(pipeline, count, seed))


def pipeline_text(pipeline: Pipeline, case: Case, count: int, seed: int | None) -> str:
    """Return the design, and every recipe with its program."""
    fitting = pipeline.replace(dimension=case.dimension)
    parts = [
        f"design: {describe_design(fitting)}",
        f"image: {case.grid.describe()}",
    ]
    parts += [
        f"\n{recipe.index}: {caption_of(recipe, case.dimension)}\n{compile_recipe(recipe, case)}"
        for recipe in _recipes(fitting, count, seed)
    ]
    return "\n".join(parts)


def imagined_case(
    pipeline: Pipeline,
    size: tuple[int, ...] | None,
    spacing_mm: tuple[float, ...] | None,
    image: Path | None,
) -> Case:
    """Return a case whose voxels are never looked at, of a given size or with a file's header."""
    if image is not None:
        if size is not None or spacing_mm is not None:
            raise PipelineError("give either --image, or --size and --spacing")
        grid = read_grid(image)
    else:
        grid = ImageGrid(_SIZES[pipeline.axes] if size is None else size, spacing_mm)
    image_names, label_names = _named_parts(pipeline)
    blank = ScalarImage(np.zeros(grid.shape, np.float32), grid)
    labels = LabelMap(np.zeros(grid.shape, np.uint8), grid)
    return Case("case", dict.fromkeys(image_names, blank), dict.fromkeys(label_names, labels))


def _named_parts(pipeline: Pipeline) -> tuple[list[str], list[str]]:
    """The images and label maps that a pipeline speaks of by name; one "image" if of none."""
    kinds = {name: isinstance(how, LabelSampling) for name, how in pipeline.sampling.items()}
    labels = [name for name, is_labels in kinds.items() if is_labels]
    images = [name for name, is_labels in kinds.items() if not is_labels]
    like = None if pipeline.reference is None else pipeline.reference.like
    if like is not None and like not in kinds:
        images.insert(0, like)
    return images or ["image"], labels


def _recipes(pipeline: Pipeline, count: int, seed: int | None) -> Iterator[Recipe]:
    if count < 1:
        raise PipelineError(f"count must be at least 1, got {count}")
    return islice(draw(pipeline, seed=seed), count)
