"""How a contact sheet is laid out: blocks of cases, rows of views, columns before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from millimorph.geometry import ImageGrid
from millimorph.images import Case
from millimorph.report.planes import Plane, View, plane_through, views
from millimorph.report.render import (
    Window,
    colours_of,
    image_picture,
    is_one_hot,
    label_picture,
    reduced,
    with_boxes,
    with_outlines,
    with_points,
    with_warped_grid,
)
from millimorph.report.typeset import (
    FAINT,
    INK,
    MUTED,
    draw_letters,
    draw_scale_bar,
    fitted_lines,
    printable,
    text_width,
    write,
    write_over,
)
from millimorph.transforms import Transform

FloatArray = npt.NDArray[np.float64]

GROUND = (18, 20, 25)
_TILE_PX = 216
_HIGHEST_TILE_PX = 270
_TILE_GAP = 4
_GROUP_GAP = 22
_MARGIN = 32
_ROW_GAP = 6
_LOWEST_NAMED_TILE_PX = 60
_CAPTION_LINES = 3
_LINE_PX = 15
_HEADING_PX = 36
_CAPTION_PX = 20 + _CAPTION_LINES * _LINE_PX + 6
_LEGEND_ROW_PX = 20
_BLOCK_GAP = 34
_TITLE_PX = 66
_MOST_LEGEND = 48
_GROUP_PX = 2 * _TILE_PX + _TILE_GAP


@dataclass(frozen=True)
class Shown:
    """One column: a case before or after, its heading and the point its slices go through.

    `source_from_target` is the map that made it; `window` is its own, None that of the block.
    """

    case: Case
    heading: str
    caption: str
    focus_mm: FloatArray
    source_from_target: Transform
    window: Window | None = None


@dataclass(frozen=True)
class Block:
    """One case with its columns, the one before first; what all its pictures share."""

    title: str
    details: str
    image: str
    columns: tuple[Shown, ...]
    window: Window
    label_names: Mapping[int, str]

    @property
    def source(self) -> ImageGrid:
        """The grid of the original image."""
        return self.columns[0].case.images[self.image].grid

    @cached_property
    def label_values(self) -> list[int]:
        """The labels of the original, in order, without 0."""
        found: set[int] = set()
        for labels in self.columns[0].case.labels.values():
            channels = range(1, labels.channels + 1)
            found |= set(channels) if is_one_hot(labels) else set(labels.labels())
        return sorted(found - {0})


def draw_sheet(blocks: list[Block], subtitle: str) -> Image.Image:
    """The whole sheet as an RGB image."""
    most = max((len(block.columns) for block in blocks), default=1)
    width = 2 * _MARGIN + most * _GROUP_PX + (most - 1) * _GROUP_GAP
    drawn = [_draw_block(block, width - 2 * _MARGIN) for block in blocks]
    height = _TITLE_PX + _MARGIN + sum(picture.height + _BLOCK_GAP for picture in drawn)
    sheet = Image.new("RGB", (width, height), GROUND)
    end = write(sheet, (_MARGIN, 24), "millimorph", 24, INK)
    write(sheet, (_MARGIN + end + 14, 33), subtitle, 13, MUTED)
    top = _TITLE_PX + 10
    for picture in drawn:
        ImageDraw.Draw(sheet).line((_MARGIN, top, width - _MARGIN, top), fill=(44, 48, 58))
        sheet.paste(picture, (_MARGIN, top + 14))
        top += picture.height + _BLOCK_GAP
    return sheet


def _draw_block(block: Block, width: int) -> Image.Image:
    planes = [_planes_of(column, block.image) for column in block.columns]
    scale = _scale(planes)
    rows = [max(p[row].height_mm for p in planes) for row in range(len(planes[0]))]
    heights = [max(24, round(mm * scale)) for mm in rows]
    legend = _legend_rows(block, width)
    top = _HEADING_PX + _CAPTION_PX
    total = top + sum(h + _ROW_GAP for h in heights) + 6 + len(legend) * _LEGEND_ROW_PX
    picture = Image.new("RGB", (width, total), GROUND)
    end = write(picture, (0, 0), block.title, 19, INK)
    write(picture, (end + 12, 6), block.details, 13, MUTED)
    for number, (column, seen) in enumerate(zip(block.columns, planes, strict=True)):
        left = number * (_GROUP_PX + _GROUP_GAP)
        write(picture, (left, _HEADING_PX), column.heading, 14, INK)
        lines = fitted_lines(column.caption, 12, _GROUP_PX, _CAPTION_LINES)
        for k, line in enumerate(lines):
            write(picture, (left, _HEADING_PX + 19 + k * _LINE_PX), line, 12, MUTED)
        down = top
        for plane, height in zip(seen, heights, strict=True):
            tiles = _tiles(block, column, plane, scale, height)
            if number == 0 and height >= _LOWEST_NAMED_TILE_PX:
                write_over(ImageDraw.Draw(tiles[0]), (6, 4), plane.view.title, 11, "la")
            if number == 0 and plane is seen[0]:
                draw_scale_bar(tiles[0], scale)
            for k, tile in enumerate(tiles):
                picture.paste(tile, (left + k * (_TILE_PX + _TILE_GAP), down))
            down += height + _ROW_GAP
    _draw_legend(picture, legend, total - len(legend) * _LEGEND_ROW_PX)
    return picture


def _planes_of(column: Shown, image: str) -> list[Plane]:
    grid = column.case.images[image].grid
    return [plane_through(grid, view, column.focus_mm) for view in views(grid.dimension)]


def _scale(planes: list[list[Plane]]) -> float:
    """Pixels per mm at which every picture of the block fits its tile."""
    widest = max(plane.width_mm for column in planes for plane in column)
    highest = max(plane.height_mm for column in planes for plane in column)
    return min(_TILE_PX / widest, _HIGHEST_TILE_PX / highest)


def _tiles(
    block: Block, column: Shown, plane: Plane, scale: float, height: int
) -> tuple[Image.Image, Image.Image]:
    """The outlined picture and the picture under the warped grid, each in the middle of a tile."""
    size = (max(1, round(plane.width_mm * scale)), max(1, round(plane.height_mm * scale)))
    fine = (2 * size[0], 2 * size[1])
    window = column.window or block.window
    picture = image_picture(column.case.images[block.image], plane, window, fine)
    outlined = picture
    colours = colours_of(block.label_values)
    for labels in column.case.labels.values():
        outlined = with_outlines(outlined, label_picture(labels, plane, fine), colours)
    for boxes in column.case.boxes.values():
        outlined = with_boxes(outlined, plane, boxes.lower_mm, boxes.upper_mm)
    for landmarks in column.case.landmarks.values():
        outlined = with_points(outlined, plane, landmarks.points_mm, 9)
    gridded = with_warped_grid(reduced(picture), plane, block.source, column.source_from_target)
    first, second = (_tile(p, plane.view, height) for p in (reduced(outlined), gridded))
    return first, second


def _tile(picture: npt.NDArray[np.uint8], view: View, height: int) -> Image.Image:
    tile = Image.new("RGB", (_TILE_PX, height), (0, 0, 0))
    part = Image.fromarray(picture)
    tile.paste(part, ((_TILE_PX - part.width) // 2, (height - part.height) // 2))
    draw_letters(tile, view.letters)
    return tile


def _legend_rows(block: Block, width: int) -> list[list[tuple[str, tuple[int, int, int], float]]]:
    """Rows of (words, colour, left edge) that fit the width."""
    colours = colours_of(block.label_values)
    entries = [
        (f"{value} {block.label_names.get(value, '')}".strip(), colour)
        for value, colour in list(colours.items())[:_MOST_LEGEND]
    ]
    if len(colours) > _MOST_LEGEND:
        entries.append((f"and {len(colours) - _MOST_LEGEND} more", FAINT))
    rows: list[list[tuple[str, tuple[int, int, int], float]]] = []
    left = 0.0
    for words, colour in entries:
        room = text_width(printable(words), 12) + 32
        if not rows or left + room > width:
            rows.append([])
            left = 0.0
        rows[-1].append((words, colour, left))
        left += room
    return rows


def _draw_legend(
    picture: Image.Image,
    rows: list[list[tuple[str, tuple[int, int, int], float]]],
    top: int,
) -> None:
    draw = ImageDraw.Draw(picture)
    for number, row in enumerate(rows):
        y = top + number * _LEGEND_ROW_PX
        for words, colour, left in row:
            draw.rectangle((left, y + 4, left + 9, y + 13), fill=colour)
            write(picture, (left + 15, y + 1), words, 12, MUTED)
