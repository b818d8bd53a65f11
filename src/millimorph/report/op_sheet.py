"""The sheet of a pipeline: a row for each op, with the image at the ends of the op's range."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import islice
from pathlib import Path

from millimorph.distributions import Choice, Normal
from millimorph.errors import ImageError, MillimorphError
from millimorph.images import Case, ScalarImage
from millimorph.io.atomic import write_bytes
from millimorph.ops import LabelOp, LabelsToImage
from millimorph.parameters import Coordinate
from millimorph.recipe import Pipeline, Recipe, draw
from millimorph.report.captions import caption_of, describe_numbers, describe_op, grid_words
from millimorph.report.details import changed_mm, textured_mm
from millimorph.report.planes import focus_mm, moved
from millimorph.report.render import Window, robust_window, window_of
from millimorph.report.rows import Row, Tile, draw_rows
from millimorph.report.trials import Trial, Tried, trials, tried
from millimorph.values import plain, spelled

_SAMPLES = 3
_LEAST_OVERLAP = 0.2
_NOTE = "each op by itself, at the low end, in the middle and at the high end of its range"

Show = Callable[[int, int], None]


def pipeline_sheet(
    pipeline: Pipeline,
    case: Case,
    path: Path | str,
    window: tuple[float, float] | None = None,
    show: Show | None = None,
) -> None:
    """Write a PNG with a row for each op of a pipeline, drawn on a case.

    A row has the original and the image after this op alone, with all its parameters at the low
    end, in the middle and at the high end of their ranges; what is random in the op is the same in
    all three. The ops of a choice have rows of their own, and the last row shows three samples of
    the whole pipeline. Volumes are seen in one axial slice, in the middle or where most labels are,
    and elsewhere for an op that does nothing there.
    `window` are the grey levels shown black and white; left out, they are found in the data. A
    result that leaves them, such as a normalised one, is shown in its own. `show` is told how many
    of all rows are done. An op that does not fit the case has a row that says why.

    Raises:
        PipelineError: a pipeline that is not for the case's dimension.
        ImageError: a window that is not two rising numbers.
        OutputError: the file cannot be written.
    """
    if window is not None and not window[0] < window[1]:
        raise ImageError(f"a window is two numbers, the lower first, got {window[0]}, {window[1]}")
    fitting = pipeline.replace(dimension=case.dimension)
    seen = _Seen(case, None if window is None else Window(*window))
    listed = list(trials(fitting))
    rows = []
    for done, trial in enumerate(listed):
        _tell(show, done, len(listed) + 1)
        rows.append(_row(trial, seen))
    _tell(show, len(listed), len(listed) + 1)
    rows.append(_samples_row(fitting, seen))
    _tell(show, len(listed) + 1, len(listed) + 1)
    encoded = BytesIO()
    note = f"{grid_words(case.grid)} · {_NOTE}"
    draw_rows(rows, case.id, note).save(encoded, format="PNG", compress_level=6)
    write_bytes(Path(path), encoded.getvalue())


def _tell(show: Show | None, done: int, total: int) -> None:
    if show is not None:
        show(done, total)


@dataclass(frozen=True)
class _Seen:
    """The case that is shown, and the window if one was given."""

    case: Case
    given: Window | None

    def tile(self, image: ScalarImage | None, heading: str, caption: str) -> Tile:
        """The original's tile; `image` None shows labels as areas."""
        labels = next(iter(self.case.labels.values()), None)
        window = Window(0.0, 1.0)
        if image is not None:
            window = self.given or window_of(image)
        focus = focus_mm(self.case.grid, labels)
        return Tile(heading, caption, self.case, image, window, focus, self.case.grid)


def _row(trial: Trial, seen: _Seen) -> Row:
    title = " · ".join(name.rpartition(".")[2] for name in (*trial.place, str(trial.op.id)))
    words = _words(trial)
    try:
        return Row(title, words, _tiles(trial, seen))
    except MillimorphError as error:
        return Row(title, words, (), str(error))


def _tiles(trial: Trial, seen: _Seen) -> tuple[Tile, ...]:
    name = trial.image_of(seen.case)
    recipes = trial.recipes(seen.case.id)
    results = [tried(recipe, seen.case, _shown_role(name, seen)) for _, recipe in recipes]
    before = _before(trial, name, seen)
    tiles = [before]
    for (setting, recipe), result in zip(recipes, results, strict=True):
        caption = _caption(trial, recipe, seen.case.dimension)
        tile = _after(result, name, before, trial.channel)
        caption = "; ".join(filter(None, (caption, tile.caption)))
        tiles.append(replace(tile, heading=setting, caption=caption))
    if isinstance(trial.op, LabelOp):
        return tuple(replace(tile, extra="outlines") for tile in tiles)
    if trial.is_spatial:
        return tuple(replace(tile, extra="grid") for tile in tiles)
    return _with_detail(_where_it_shows(tiles))


def _samples_row(pipeline: Pipeline, seen: _Seen) -> Row:
    """Whole samples of the pipeline, as its own design draws them."""
    try:
        recipes = list(islice(draw(pipeline, case=seen.case.id), _SAMPLES))
        name = next(iter(seen.case.images), None)
        results = [tried(recipe, seen.case, _shown_role(name, seen)) for recipe in recipes]
        name = name or next(iter(results[0].case.images), None)
        before = seen.tile(seen.case.images.get(name or ""), "original", "")
        tiles = [before]
        for recipe, result in zip(recipes, results, strict=True):
            tile = _after(result, name, before, None)
            caption = caption_of(recipe, seen.case.dimension)
            tiles.append(replace(tile, heading=f"sample {recipe.index}", caption=caption))
        return Row("the whole pipeline", (), _with_detail(tiles))
    except MillimorphError as error:
        return Row("the whole pipeline", (), (), str(error))


def _shown_role(name: str | None, seen: _Seen) -> str:
    """The image, else the label map, whose map is that of the picture."""
    return name or next(iter(seen.case.labels))


def _before(trial: Trial, name: str | None, seen: _Seen) -> Tile:
    """The original, or what the ops that have to be in front of this one make of it."""
    if name is None or isinstance(trial.op, LabelsToImage):
        return seen.tile(None, "labels", "")
    images = seen.case.images
    heading = "original"
    in_front = [op for op in trial.before.intensity if getattr(op, "image", name) == name]
    if in_front:
        images = tried(trial.recipe_before(seen.case.id), seen.case, name).case.images
        heading = "before"
    tile = seen.tile(_channel(images[name], trial.channel), heading, "")
    window = tile.window
    return replace(tile, caption=f"grey levels {window.low:.4g} to {window.high:.4g}")


def _after(result: Tried, name: str | None, before: Tile, channel: int | None) -> Tile:
    """The same slice of the result, in the original's window if that shows anything of it."""
    image = None if name is None else _channel(result.case.images[name], channel)
    window, note = before.window, ""
    if image is not None and (before.image is None or not _alike(before.image, image)):
        window = window_of(image)
        note = f"shown from {window.low:.3g} to {window.high:.3g}"
    focus = moved(before.focus_mm, result.source_from_target)
    pull = result.source_from_target
    return Tile("", note, result.case, image, window, focus, before.source, pull)


def _where_it_shows(tiles: list[Tile]) -> list[Tile]:
    """The tiles in another slice if what the op does at its high end is not in this one."""
    one, other = tiles[0].image, tiles[-1].image
    place = None if one is None or other is None else changed_mm(one, other, tiles[0].plane)
    if place is None:
        return tiles
    moved_tiles = [replace(tile, focus_mm=place) for tile in tiles]
    words = f"{moved_tiles[0].caption}, slice {moved_tiles[0].plane.index}"
    return [replace(moved_tiles[0], caption=words), *moved_tiles[1:]]


def _with_detail(tiles: list[Tile]) -> tuple[Tile, ...]:
    """The tiles, each with the place of the original that has most texture."""
    before = tiles[0]
    if before.image is None:
        return tuple(tiles)
    place = textured_mm(before.image, before.plane)
    if place is None:
        return tuple(tiles)
    return tuple(
        replace(
            tile,
            detail_mm=place
            if tile.source_from_target is None
            else moved(place, tile.source_from_target),
        )
        for tile in tiles
    )


def _alike(one: ScalarImage, other: ScalarImage) -> bool:
    """Whether the ranges of two images overlap so far that one window shows both."""
    first, second = robust_window(one), robust_window(other)
    shared = min(first.high, second.high) - max(first.low, second.low)
    return shared >= _LEAST_OVERLAP * max(first.high - first.low, second.high - second.low)


def _channel(image: ScalarImage, channel: int | None) -> ScalarImage:
    if channel is None or channel >= image.channels:
        return image
    return ScalarImage(image.channel_arrays[channel], image.grid)


def _caption(trial: Trial, recipe: Recipe, dimension: int) -> str:
    """The numbers that vary, or all of the op where none does."""
    op = recipe.spatial[0] if trial.is_spatial else recipe.intensity[-1]
    fields = _fields(trial)
    if not fields:
        return describe_op(spelled(op), dimension)
    numbers = plain(op)
    if "parameters" in fields:
        own = [c.name for c in trial.coordinates]
        numbers["parameters"] = [
            value
            for k, value in enumerate(numbers["parameters"])
            if f"{op.id}.parameters.{k}" in own
        ]
    return describe_numbers(numbers, fields, dimension)


def _fields(trial: Trial) -> list[str]:
    """The fields of the op that vary, in order."""
    start = f"{trial.op.id}."
    found = [c.name.removeprefix(start).partition(".")[0] for c in trial.coordinates]
    return [field for field in dict.fromkeys(found) if hasattr(trial.op, field)]


def _words(trial: Trial) -> tuple[str, ...]:
    """What the op varies and how, like entries of a list together; then how often it takes part."""
    together: dict[tuple[str, str], list[str]] = {}
    for coordinate in trial.coordinates:
        field, _, entry = coordinate.name.removeprefix(f"{trial.op.id}.").partition(".")
        together.setdefault((field, _range(coordinate)), []).append(entry)
    lines = [
        f"{field} {', '.join(filter(None, entries))}".strip() + f": {reach}"
        for (field, reach), entries in together.items()
    ]
    if trial.probability != 1.0:
        lines.append(f"takes part with probability {trial.probability:g}")
    return tuple(lines)


def _range(coordinate: Coordinate) -> str:
    distribution = coordinate.distribution
    if isinstance(distribution, Choice):
        return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in distribution.values)
    if isinstance(distribution, Normal):
        return f"normal, mean {distribution.mean:g}, SD {distribution.sd:g}"
    low, high = distribution.quantile(0.0), distribution.quantile(1.0)
    return f"{low:.4g} to {high:.4g}"
