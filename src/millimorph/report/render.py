"""Pictures of planes: grey or colour images, label outlines, landmarks and a warped grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage
from millimorph.report.measure import looks_like_hounsfield
from millimorph.report.planes import Plane
from millimorph.transforms import Transform

FloatArray = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

# Okabe and Ito 2008, colours that people with any colour vision tell apart; blue lightened for
# black ground, and white in place of black.
COLOURS: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 178, 135),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (70, 135, 220),
    (245, 245, 245),
)
POINT_COLOUR = (255, 64, 200)
GRID_COLOUR = (120, 225, 255)

_FINER = 2
_OUTLINE_FINE_PX = 2
_LINE_STRENGTH = 0.8
_HOUNSFIELD_WINDOW = (-500.0, 450.0)
_RGB_CHANNELS = 3
_LABEL_BLUR_VOXELS = 0.3
_SHOWN_WITHIN_MM = 4.0
_GRID_STEPS_MM = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_MOST_LINES = 20
_DIMMED = 0.45


@dataclass(frozen=True)
class Window:
    """The grey levels that are shown black and white."""

    low: float
    high: float


def window_of(image: ScalarImage) -> Window:
    """The 1st to 99th percentile of the first channel; a wide soft-tissue window for HU."""
    finite = _finite_values(image)
    if finite.size and looks_like_hounsfield(float(np.min(finite)), float(np.max(finite))):
        return Window(*_HOUNSFIELD_WINDOW)
    return robust_window(image)


def robust_window(image: ScalarImage) -> Window:
    """The 1st to 99th percentile of the first channel, made a little wider if it is one number."""
    finite = _finite_values(image)
    if finite.size == 0:
        return Window(0.0, 1.0)
    low, high = (float(p) for p in np.percentile(finite.astype(np.float64), (1.0, 99.0)))
    return Window(low, high) if high > low else Window(low, low + 1.0)


def _finite_values(image: ScalarImage) -> npt.NDArray[Any]:
    """The finite values of the first channel, at most about two million of them."""
    values = image.channel_arrays[0]
    flat = values.ravel()[:: max(1, values.size // 2_000_000)]
    finite: npt.NDArray[np.generic] = flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat
    return finite


def is_colour(image: ScalarImage) -> bool:
    """Whether the three channels are red, green and blue."""
    return image.frames is None and image.channels == _RGB_CHANNELS and image.dtype == np.uint8


def image_picture(
    image: ScalarImage, plane: Plane, window: Window, size: tuple[int, int]
) -> Picture:
    """The plane as RGB (height, width, 3): in colour, or the first channel or frame in grey."""
    if is_colour(image):
        bands = [_resized(plane.slice_of(band), size) for band in image.channel_arrays]
        return _bytes(np.stack(bands, axis=-1))
    grey = _resized(plane.slice_of(image.channel_arrays[0]), size)
    shown = (grey - window.low) * (255.0 / (window.high - window.low))
    return _bytes(np.repeat(shown[:, :, None], 3, axis=2))


def _resized(picture: npt.NDArray[np.generic], size: tuple[int, int]) -> FloatArray:
    """Floats at display resolution: cubic, averaged where the display is coarser."""
    floats = np.nan_to_num(picture.astype(np.float32))
    scaled = Image.fromarray(np.ascontiguousarray(floats)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(scaled, dtype=np.float64)


def _bytes(values: FloatArray) -> Picture:
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)


def label_picture(labels: LabelMap, plane: Plane, size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Labels (height, width) at each pixel's middle, with the corners of voxels rounded.

    Of a one-hot map the channels count as labels 1, 2, ...; of other frames the first is shown.
    """
    columns, rows = _pixel_middles(size)
    indices = np.rint(labels.grid.indices(plane.points_mm(columns, rows))).astype(np.int64)
    inside = np.all((indices >= 0) & (indices < np.array(labels.grid.size)), axis=1)
    found = np.zeros(len(indices), dtype=np.int64)
    found[inside] = _looked_up(labels, indices[inside])
    picture = found.reshape(size[1], size[0])
    voxel_px = max(
        labels.grid.spacing_mm[0] * size[0] / plane.width_mm,
        min(labels.grid.spacing_mm) * size[1] / plane.height_mm,
    )
    return _rounded(picture, _LABEL_BLUR_VOXELS * voxel_px)


def is_one_hot(labels: LabelMap) -> bool:
    """Whether the leading axis holds one map of 0 and 1 for each label."""
    return labels.channels > 1 and labels.array.min() >= 0 and labels.array.max() <= 1


def _looked_up(labels: LabelMap, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    places = tuple(indices[:, axis] for axis in reversed(range(labels.dimension)))
    if not is_one_hot(labels):
        first: npt.NDArray[np.int64] = labels.channel_arrays[0][places].astype(np.int64)
        return first
    found = np.zeros(len(indices), dtype=np.int64)
    for channel, array in enumerate(labels.channel_arrays, start=1):
        found[array[places] != 0] = channel
    return found


def _rounded(picture: npt.NDArray[np.int64], radius_px: float) -> npt.NDArray[np.int64]:
    """The label whose blurred mask is highest in each pixel."""
    best = np.full(picture.shape, -1, dtype=np.int16)
    found = picture
    if radius_px < 1.0:
        return found
    found = picture.copy()
    for value in np.unique(picture).tolist():
        mask = Image.fromarray(((picture == value) * 255).astype(np.uint8))
        soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(radius_px)), dtype=np.int16)
        higher = soft > best
        found[higher] = value
        best[higher] = soft[higher]
    return found


def with_outlines(
    picture: Picture, labels: npt.NDArray[np.int64], colours: dict[int, tuple[int, int, int]]
) -> Picture:
    """The picture with the inner rim of every labelled area in its colour."""
    edge = np.zeros(labels.shape, dtype=bool)
    for reach in range(1, _OUTLINE_FINE_PX + 1):
        beside = labels[:, reach:] != labels[:, :-reach]
        edge[:, reach:] |= beside
        edge[:, :-reach] |= beside
        below = labels[reach:] != labels[:-reach]
        edge[reach:] |= below
        edge[:-reach] |= below
    painted = picture.copy()
    for value, colour in colours.items():
        painted[edge & (labels == value)] = colour
    return painted


def with_points(picture: Picture, plane: Plane, points_mm: FloatArray, size_px: int) -> Picture:
    """The picture with a cross for each point that lies in the plane's slice."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    near = max(_SHOWN_WITHIN_MM, plane.thickness_mm)
    for column, row, off in plane.positions(points_mm).tolist():
        if abs(off) <= near:
            x, y = round(column * image.width), round(row * image.height)
            for half, colour in ((3, (0, 0, 0)), (1, POINT_COLOUR)):
                long = size_px + half
                draw.rectangle((x - long, y - half, x + long, y + half), fill=colour)
                draw.rectangle((x - half, y - long, x + half, y + long), fill=colour)
    return np.asarray(image)


def with_boxes(
    picture: Picture, plane: Plane, lower_mm: FloatArray, upper_mm: FloatArray
) -> Picture:
    """The picture with the outline of each box that the plane's slice meets."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for low, high in zip(lower_mm, upper_mm, strict=True):
        places = plane.positions(_corners(low, high))
        heights = places[:, 2]
        if np.min(heights) <= plane.thickness_mm and np.max(heights) >= -plane.thickness_mm:
            x, y = places[:, 0] * image.width, places[:, 1] * image.height
            corners = (np.min(x), np.min(y), np.max(x), np.max(y))
            draw.rectangle(corners, outline=POINT_COLOUR, width=2)
    return np.asarray(image)


def _corners(lower: FloatArray, upper: FloatArray) -> FloatArray:
    choices = np.stack(np.meshgrid(*([np.array([0.0, 1.0])] * len(lower)), indexing="ij"), axis=-1)
    parts = choices.reshape(-1, len(lower))
    return lower + parts * (upper - lower)


def grid_step_mm(grid: ImageGrid) -> float:
    """Distance of the lines of a grid picture: 20 mm for a body, less or more for other extents."""
    longest = max(grid.extent_mm)
    return next((s for s in _GRID_STEPS_MM if longest / s <= _MOST_LINES), longest / _MOST_LINES)


def with_warped_grid(
    picture: Picture,
    plane: Plane,
    source: ImageGrid,
    source_from_target: Transform,
    brightness: float = _DIMMED,
) -> Picture:
    """The dimmed picture under the lines of a regular grid in the source, pulled as its voxels are.

    A pixel is on a line when its source point lies a multiple of `grid_step_mm` from the source's
    middle along a source axis that runs in the plane; lines end where the source ends.
    """
    height, width = picture.shape[:2]
    columns, rows = _pixel_middles((width, height))
    points = source_from_target.map_points(plane.points_mm(columns, rows))
    indices = source.indices(points).reshape(height, width, source.dimension)
    ends = np.array(source.size) - 0.5
    inside = np.all((indices >= -0.5) & (indices < ends), axis=2)
    middle = np.array([0.5 * (n - 1) for n in source.size])
    along = (indices - middle) * np.array(source.spacing_mm)
    slopes = [np.hypot(*np.gradient(along[:, :, axis])) for axis in range(source.dimension)]
    in_plane = sorted(range(source.dimension), key=lambda axis: -float(slopes[axis].mean()))[:2]
    step = grid_step_mm(source)
    cover = np.zeros((height, width))
    for axis in in_plane:
        off_mm = np.abs(along[:, :, axis] - step * np.rint(along[:, :, axis] / step))
        off_px = off_mm / np.maximum(slopes[axis], 1e-6)
        cover = np.maximum(cover, np.clip(1.0 - off_px, 0.0, 1.0))
    cover = _LINE_STRENGTH * (cover * inside)[:, :, None]
    return _bytes(brightness * picture * (1.0 - cover) + cover * np.array(GRID_COLOUR))


def _pixel_middles(size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    columns = (np.arange(size[0]) + 0.5) / size[0]
    rows = (np.arange(size[1]) + 0.5) / size[1]
    wide, high = np.meshgrid(columns, rows)
    return wide, high


def filled(labels: npt.NDArray[np.int64], colours: dict[int, tuple[int, int, int]]) -> Picture:
    """Every label as an area of its colour on black."""
    painted = np.zeros((*labels.shape, 3), dtype=np.uint8)
    for value, colour in colours.items():
        painted[labels == value] = colour
    return painted


def reduced(picture: Picture) -> Picture:
    """A picture that was drawn twice as fine, averaged to its display size."""
    return np.asarray(Image.fromarray(picture).reduce(_FINER))


def colours_of(values: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """One colour for each label but 0, in turn."""
    shown = [value for value in values if value != 0]
    return {value: COLOURS[k % len(COLOURS)] for k, value in enumerate(shown)}
