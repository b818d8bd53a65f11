"""The contact sheet: cases before and after augmentation in one PNG, with outlines and grid lines.

A block per case, a row per view, two pictures per column: the image with the outlines of its labels
and its landmarks, and the dimmed image under a regular grid that moved as its voxels did. All
pictures of a case share one scale in mm and one window of grey levels, that of the original; images
made from labels have windows of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from millimorph.compiler import compile as compile_recipe
from millimorph.errors import ImageError
from millimorph.images import Case, ScalarImage
from millimorph.io.atomic import write_bytes
from millimorph.report.captions import caption_of, grid_words
from millimorph.report.layout import Block, Shown, draw_sheet
from millimorph.report.planes import focus_mm, moved
from millimorph.report.render import Window, grid_step_mm, window_of
from millimorph.runner import AugmentedCase
from millimorph.transforms import AffineTransform

FloatArray = npt.NDArray[np.float64]

_MOST_SAMPLES = 6
_NOTE = "R is the patient's right · lines: a regular grid of the original, moved as its voxels were"


def contact_sheet(
    pairs: Sequence[tuple[Case, Sequence[AugmentedCase]]],
    path: Path | str,
    label_names: Mapping[int, str] | None = None,
) -> None:
    """Write a PNG that shows each original case beside its augmented samples.

    Every case is shown by its first image, with all its label maps, boxes and landmarks; a case of
    labels only by the image that was made from them. At most six samples of a case are drawn. Views
    go through the point that shows most labels, and in a sample through the point it went to. Of
    channels and frames the first is shown, 8-bit RGB in colour. `label_names` are written beside
    the colours of the labels.

    Raises:
        ImageError: when there is no case, a case has no image, or a sample no recipe.
        OutputError: when the file cannot be written.
    """
    if not pairs:
        raise ImageError("a contact sheet needs at least one case, got none")
    names = {} if label_names is None else label_names
    blocks = [_block(case, samples[:_MOST_SAMPLES], names) for case, samples in pairs]
    sheet = draw_sheet(blocks, _NOTE)
    encoded = BytesIO()
    sheet.save(encoded, format="PNG", compress_level=6)
    write_bytes(Path(path), encoded.getvalue())


def _block(case: Case, samples: Sequence[AugmentedCase], names: Mapping[int, str]) -> Block:
    shown = _with_image(case, samples)
    name, image = next(iter(shown.images.items()))
    focus = focus_mm(image.grid, next(iter(case.labels.values()), None))
    window = window_of(image)
    identity = AffineTransform.identity(case.dimension)
    words, kind = _window_words(window), str(image.dtype)
    after = [_after(case, sample, name, focus) for sample in samples]
    if name not in case.images:
        words, kind = "labels", "made from labels"
        after = [replace(column, window=window_of(column.case.images[name])) for column in after]
    step_mm = grid_step_mm(image.grid)
    before = Shown(shown, "before", f"{words}; grid lines every {step_mm:g} mm", focus, identity)
    columns = (before, *after)
    details = f"{name} · {kind} · {grid_words(image.grid)}"
    return Block(case.id, details, name, columns, window, names)


def _with_image(case: Case, samples: Sequence[AugmentedCase]) -> Case:
    """The case; without an image of its own, with a black one in place of that made from labels."""
    if case.images:
        return case
    for sample in samples:
        for name in sample.images:
            blank = np.zeros(case.grid.shape, np.float32)
            images = {name: ScalarImage(blank, case.grid)}
            return Case(case.id, images, case.labels, case.landmarks, case.boxes)
    raise ImageError(f'case "{case.id}" has no image, so there is nothing to show of it')


def _window_words(window: Window) -> str:
    return f"grey levels {window.low:.4g} to {window.high:.4g}"


def _after(case: Case, sample: AugmentedCase, name: str, focus: FloatArray) -> Shown:
    recipe = sample.recipe
    if recipe is None:
        raise ImageError(f'a sample of "{case.id}" has no recipe; show what run or augment made')
    source_from_target = compile_recipe(recipe, case).source_from_target(name)
    return Shown(
        sample,
        f"sample {recipe.index}",
        caption_of(recipe, case.dimension),
        moved(focus, source_from_target),
        source_from_target,
    )
