"""What `show` does: recipes and programs for an imagined image, or ops drawn on a real one."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from millimorph.cli.progress import shown_counts
from millimorph.compiler import compile as compile_recipe
from millimorph.errors import PipelineError
from millimorph.generate import read_grid
from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, ScalarImage
from millimorph.io import read_image, read_labels
from millimorph.io.extensions import stem_of
from millimorph.ops import ImageOp, LabelOp, LabelsToImage
from millimorph.recipe import LabelSampling, Pipeline, Recipe, describe_design, draw
from millimorph.report import pipeline_sheet
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
    like: Path | None,
) -> Case:
    """Return a case whose voxels are never looked at, of a given size or with a file's header."""
    if like is not None:
        if size is not None or spacing_mm is not None:
            raise PipelineError("give either --like, or --size and --spacing")
        grid = read_grid(like)
    else:
        grid = ImageGrid(_SIZES[pipeline.axes] if size is None else size, spacing_mm)
    image_names, label_names = _named_parts(pipeline)
    if not image_names and not any(isinstance(op, LabelsToImage) for op in pipeline.single_ops):
        image_names = ["image"]
    blank = ScalarImage(np.zeros(grid.shape, np.float32), grid)
    labels = LabelMap(np.zeros(grid.shape, np.uint8), grid)
    return Case("case", dict.fromkeys(image_names, blank), dict.fromkeys(label_names, labels))


def draw_pipeline(
    pipeline: Pipeline,
    image: Path | None,
    labels: Path | None,
    window: tuple[float, float] | None,
    sheet: Path,
) -> None:
    """Read the files, under every name that the pipeline has for them, and draw the sheet."""
    image_names, label_names = _named_parts(pipeline)
    shown = image or labels
    images = {} if image is None else dict.fromkeys(image_names or ["image"], read_image(image))
    maps = {} if labels is None else dict.fromkeys(label_names or ["labels"], read_labels(labels))
    case = Case(_plain_name(shown), images, maps)
    with shown_counts("rows") as show:
        pipeline_sheet(pipeline, case, sheet, window, show)


def sheet_path(pipeline: str, shown: Path | None, out: Path | None) -> Path:
    """Where the sheet goes: as asked, else a name made of the pipeline's and the image's."""
    if out is not None:
        if out.suffix.lower() != ".png":
            raise PipelineError(f"the sheet is a PNG, so --out must end in .png, got {out}")
        return out
    return Path(f"show_{_plain_name(Path(pipeline))}_{_plain_name(shown)}.png")


def _plain_name(path: Path | None) -> str:
    """A file's name without its ending, in letters that are safe in any file name."""
    stem = "case" if path is None else stem_of(path.absolute())
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[:80].strip("_") or "case"


def _named_parts(pipeline: Pipeline) -> tuple[list[str], list[str]]:
    """The images and label maps that a pipeline speaks of by name."""
    images: list[str] = []
    labels: list[str] = []
    made: set[str] = set()
    for op in pipeline.single_ops:
        match op:
            case LabelsToImage():
                labels.append(op.labels or "labels")
                made.add(op.image)
            case LabelOp():
                labels += op.labels or ("labels",)
            case ImageOp():
                images += op.images or ()
                labels += filter(None, (getattr(op, "mask", None),))
    for name, how in pipeline.sampling.items():
        (labels if isinstance(how, LabelSampling) else images).append(name)
    like = None if pipeline.reference is None else pipeline.reference.like
    if like is not None and like not in labels:
        images.insert(0, like)
    found = [name for name in dict.fromkeys(images) if name not in made]
    return found, list(dict.fromkeys(labels))


def _recipes(pipeline: Pipeline, count: int, seed: int | None) -> Iterator[Recipe]:
    if count < 1:
        raise PipelineError(f"count must be at least 1, got {count}")
    return islice(draw(pipeline, seed=seed), count)
