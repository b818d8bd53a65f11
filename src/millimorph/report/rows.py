"""How the sheet of a pipeline is laid out: a row of tiles for each op, its words on the left."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from millimorph.geometry import ImageGrid
from millimorph.images import Case, LabelMap, ScalarImage
from millimorph.report.details import detail_of
from millimorph.report.layout import GROUND
from millimorph.report.planes import Plane, View, plane_through
from millimorph.report.render import (
    Picture,
    Window,
    colours_of,
    filled,
    image_picture,
    is_one_hot,
    label_picture,
    reduced,
    with_outlines,
    with_warped_grid,
)
from millimorph.report.typeset import (
    INK,
    MUTED,
    draw_letters,
    draw_scale_bar,
    fitted_lines,
    write,
)
from millimorph.transforms import Transform

FloatArray = npt.NDArray[np.float64]
Extra = Literal["nothing", "outlines", "grid"]

WARNING = (240, 170, 90)
INSET_COLOUR = (150, 156, 168)
_TILE_PX = 256
_HIGHEST_TILE_PX = 320
_LOWEST_TILE_PX = 90
_WORDS_PX = 216
_GAP = 8
_MARGIN = 32
_TITLE_PX = 72
_ROW_GAP = 26
_LINE_PX = 15
_CAPTION_LINES = 5
_MOST_WORDS = 14
_UNDER_GRID = 0.8
_INSET_PX = 88


@dataclass(frozen=True)
class Tile:
    """One picture: a case, seen in one image (None: its labels as areas) and one window.

    `extra` says what is drawn over it: the outlines of labels, or lines along the grid `source` of
    the original, moved as its voxels were. What lies around `detail_mm` is shown magnified in the
    corner, if the tile is coarser than the voxels.
    """

    heading: str
    caption: str
    case: Case
    image: ScalarImage | None
    window: Window
    focus_mm: FloatArray
    source: ImageGrid
    source_from_target: Transform | None = None
    extra: Extra = "nothing"
    detail_mm: FloatArray | None = None

    @property
    def plane(self) -> Plane:
        """The slice that is seen: axial, through the focus."""
        grid = self.case.grid if self.image is None else self.image.grid
        return plane_through(grid, View.FLAT if grid.dimension == 2 else View.AXIAL, self.focus_mm)


@dataclass(frozen=True)
class Row:
    """An op: its title, its words, its tiles, or why it has none."""

    title: str
    words: tuple[str, ...]
    tiles: tuple[Tile, ...]
    problem: str = ""


def draw_rows(rows: list[Row], title: str, note: str) -> Image.Image:
    """The whole sheet as an RGB image."""
    most = max((len(row.tiles) for row in rows), default=1)
    width = 2 * _MARGIN + _WORDS_PX + max(most, 3) * (_TILE_PX + _GAP)
    drawn = [_draw_row(row, width - 2 * _MARGIN) for row in rows]
    height = _TITLE_PX + _MARGIN + sum(picture.height + _ROW_GAP for picture in drawn)
    sheet = Image.new("RGB", (width, height), GROUND)
    end = write(sheet, (_MARGIN, 20), title, 22, INK)
    for line in fitted_lines(note, 13, width - 2 * _MARGIN - end - 14, 1):
        write(sheet, (_MARGIN + end + 14, 28), line, 13, MUTED)
    top = _TITLE_PX
    for picture in drawn:
        ImageDraw.Draw(sheet).line((_MARGIN, top - 12, width - _MARGIN, top - 12), (44, 48, 58))
        sheet.paste(picture, (_MARGIN, top))
        top += picture.height + _ROW_GAP
    return sheet


def _draw_row(row: Row, width: int) -> Image.Image:
    words = [line for text in row.words for line in fitted_lines(text, 12, _WORDS_PX - 16, 4)]
    words = words[:_MOST_WORDS]
    scale, high = _scale(row)
    captions = [fitted_lines(tile.caption, 12, _TILE_PX, _CAPTION_LINES) for tile in row.tiles]
    caption_px = 24 + max(map(len, captions), default=0) * _LINE_PX if row.tiles else 0
    height = max(22 + len(words) * _LINE_PX + 6, high + caption_px, 44)
    picture = Image.new("RGB", (width, height), GROUND)
    for k, line in enumerate(fitted_lines(row.title, 15, _WORDS_PX - 12, 2)):
        write(picture, (0, 18 * k), line, 15, INK)
        top = 18 * (k + 1) + 6
    for k, line in enumerate(words):
        write(picture, (0, top + k * _LINE_PX), line, 12, MUTED)
    for k, line in enumerate(fitted_lines(row.problem, 13, width - _WORDS_PX - 16, 2)):
        write(picture, (_WORDS_PX, 2 + 18 * k), line, 13, WARNING)
    for k, (tile, caption) in enumerate(zip(row.tiles, captions, strict=True)):
        left = _WORDS_PX + k * (_TILE_PX + _GAP)
        write(picture, (left, 0), tile.heading, 13, INK)
        picture.paste(_drawn(tile, scale, high, with_bar=k == 0), (left, 19))
        for n, line in enumerate(caption):
            write(picture, (left, 22 + high + n * _LINE_PX), line, 12, MUTED)
    return picture


def _scale(row: Row) -> tuple[float, int]:
    """Pixels per mm at which every picture of a row fits its tile, and the height of the tiles."""
    planes = [tile.plane for tile in row.tiles]
    if not planes:
        return 1.0, 0
    widest = max(plane.width_mm for plane in planes)
    highest = max(plane.height_mm for plane in planes)
    scale = min(_TILE_PX / widest, _HIGHEST_TILE_PX / highest)
    return scale, max(_LOWEST_TILE_PX, round(highest * scale))


def _drawn(tile: Tile, scale: float, height: int, *, with_bar: bool) -> Image.Image:
    plane = tile.plane
    size = (max(1, round(plane.width_mm * scale)), max(1, round(plane.height_mm * scale)))
    picture = _picture(tile, plane, (2 * size[0], 2 * size[1]))
    finished = reduced(picture)
    if tile.extra == "grid" and tile.source_from_target is not None:
        finished = with_warped_grid(
            finished, plane, tile.source, tile.source_from_target, _UNDER_GRID
        )
    framed = Image.new("RGB", (_TILE_PX, height), (0, 0, 0))
    part = Image.fromarray(finished)
    framed.paste(part, ((_TILE_PX - part.width) // 2, (height - part.height) // 2))
    _draw_inset(framed, tile, scale)
    draw_letters(framed, plane.view.letters)
    if with_bar:
        draw_scale_bar(framed, scale)
    return framed


def _draw_inset(framed: Image.Image, tile: Tile, scale: float) -> None:
    """Put a detail, magnified, into the corner."""
    if tile.image is None or tile.detail_mm is None:
        return
    part = detail_of(tile.image, tile.plane, tile.detail_mm)
    if part is None or scale * max(part.grid.spacing_mm) >= 1.0:
        return
    small = plane_through(part.grid, tile.plane.view, np.array(part.grid.centre_mm))
    seen = image_picture(part, small, tile.window, (_INSET_PX, _INSET_PX))
    right, bottom = framed.width - _INSET_PX, framed.height - _INSET_PX
    ImageDraw.Draw(framed).rectangle(
        (right - 2, bottom - 2, framed.width, framed.height), fill=INSET_COLOUR
    )
    framed.paste(Image.fromarray(seen), (right, bottom))


def _picture(tile: Tile, plane: Plane, fine: tuple[int, int]) -> Picture:
    labels = next(iter(tile.case.labels.values()), None)
    if tile.image is None:
        if labels is None:
            return np.zeros((fine[1], fine[0], 3), dtype=np.uint8)
        return filled(label_picture(labels, plane, fine), _colours(labels))
    picture = image_picture(tile.image, plane, tile.window, fine)
    if tile.extra == "outlines" and labels is not None:
        return with_outlines(picture, label_picture(labels, plane, fine), _colours(labels))
    return picture


def _colours(labels: LabelMap) -> dict[int, tuple[int, int, int]]:
    """A label keeps its colour whatever other labels there are."""
    largest = labels.channels if is_one_hot(labels) else max(labels.labels())
    return colours_of(range(1, largest + 1)) if largest < 1000 else colours_of(labels.labels())
