"""Words on pictures: Pillow's built-in font, lines that fit, edge letters and a scale bar."""

import functools

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

INK = (236, 238, 242)
MUTED = (150, 156, 168)
FAINT = (96, 102, 114)
_ELLIPSIS = "…"
_LOWEST_FULL_TILE_PX = 44
_KNOWN_BEYOND_ASCII = "·°±…“”"
_REPLACED = {"×": "x", "−": "-", "–": "-", "—": "-"}
_FIRST_PRINTABLE, _LAST_ASCII = 32, 126


@functools.cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The built-in font in a size."""
    return ImageFont.load_default(size=size_px)


def printable(text: str) -> str:
    """The text in characters that the built-in font has; others become a question mark."""
    shown = (_REPLACED.get(character, character) for character in text)
    return "".join(c if _is_known(c) else "?" for c in shown)


def _is_known(character: str) -> bool:
    return _FIRST_PRINTABLE <= ord(character) <= _LAST_ASCII or character in _KNOWN_BEYOND_ASCII


def text_width(text: str, size_px: int) -> float:
    """Width of one line in pixels."""
    return font(size_px).getlength(text)


def fitted_lines(text: str, size_px: int, width_px: float, most: int) -> list[str]:
    """The text in at most so many lines, broken between words and cut with an ellipsis."""
    lines: list[str] = []
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size_px) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + _ELLIPSIS]
    return [_cut(line, size_px, width_px) for line in lines]


def _cut(line: str, size_px: int, width_px: float) -> str:
    if text_width(line, size_px) <= width_px:
        return line
    kept = line.rstrip(_ELLIPSIS)
    while kept and text_width(kept + _ELLIPSIS, size_px) > width_px:
        kept = kept[:-1]
    return kept + _ELLIPSIS


def write(
    image: Image.Image,
    place: tuple[float, float],
    text: str,
    size_px: int,
    colour: Colour,
) -> float:
    """Draw one line with its top left corner at a place; return its width."""
    shown = printable(text)
    ImageDraw.Draw(image).text(place, shown, font=font(size_px), fill=colour)
    return text_width(shown, size_px)


def write_over(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size_px: int, anchor: str
) -> None:
    """Draw light words with a black rim, readable on any picture."""
    draw.text(
        place,
        text,
        font=font(size_px),
        fill=INK,
        anchor=anchor,
        stroke_width=2,
        stroke_fill=(0, 0, 0),
    )


def draw_letters(tile: Image.Image, letters: str) -> None:
    """Put the patient directions at the left, right, top and bottom edge of a tile."""
    if not letters:
        return
    width, height = tile.size
    places = ((4, height / 2, "lm"), (width - 4, height / 2, "rm"),
              (width / 2, 3, "mt"), (width / 2, height - 3, "mb"))  # fmt: skip
    draw = ImageDraw.Draw(tile)
    shown = 4 if height >= _LOWEST_FULL_TILE_PX else 2
    for letter, (x, y, anchor) in list(zip(letters, places, strict=True))[:shown]:
        write_over(draw, (x, y), letter, 12, anchor)


def draw_scale_bar(tile: Image.Image, px_per_mm: float) -> None:
    """Put a bar of a round length at the lower left of a tile."""
    third = tile.width / 3.0 / px_per_mm
    length_mm = max((m for m in (1, 2, 5, 10, 20, 50, 100, 200, 500) if m <= third), default=1)
    draw = ImageDraw.Draw(tile)
    y, x = tile.height - 7, 7
    end = x + length_mm * px_per_mm
    draw.rectangle((x - 1, y - 1, end + 1, y + 2), fill=(0, 0, 0))
    draw.rectangle((x, y, end, y + 1), fill=INK)
    write_over(draw, (x, y - 3), f"{length_mm} mm", 10, "lb")
