"""What SimpleITK and SciPy make of the same job, and comparisons that raise on the worst voxel."""

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from scipy import ndimage

import millimorph as mm

TIE = 1e-5
_ITK_INTERPOLATORS = {
    "nearest": sitk.sitkNearestNeighbor,
    "linear": sitk.sitkLinear,
    "cubic": sitk.sitkBSpline,
}


def source_indices(
    source: mm.ImageGrid, target: mm.ImageGrid, map_points: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Look up every target voxel in the source, in NumPy alone: (n, d) indices in (x, y, z)."""
    target_index = np.stack(np.unravel_index(np.arange(target.voxel_count), target.shape)[::-1], 1)
    points = _points(target, target_index)
    linear = source.direction * np.array(source.spacing_mm)
    return np.linalg.solve(linear, (map_points(points) - np.array(source.origin_mm)).T).T


def _points(grid: mm.ImageGrid, index: np.ndarray) -> np.ndarray:
    return index * np.array(grid.spacing_mm) @ grid.direction.T + np.array(grid.origin_mm)


def inside(index: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Say which indices lie in [-0.5, size - 0.5) on every axis."""
    return ((index >= -0.5) & (index < np.array(size) - 0.5)).all(axis=1)


def off_border(index: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Say which indices are too far from the border for a rounding to move them over it."""
    low, high = np.abs(index + 0.5), np.abs(index - (np.array(size) - 0.5))
    return (np.minimum(low, high) > TIE).all(axis=1)


def off_tie(index: np.ndarray) -> np.ndarray:
    """Say which indices have one nearest voxel, whatever the rounding."""
    return (np.abs(index - np.floor(index) - 0.5) > TIE).all(axis=1)


def scipy_image(
    array: np.ndarray, index: np.ndarray, interpolation: str, fill: float
) -> np.ndarray:
    """Sample an image with SciPy in float64; outside is the fill."""
    order, mode = {"nearest": (0, "nearest"), "linear": (1, "nearest"), "cubic": (3, "mirror")}[
        interpolation
    ]
    values = ndimage.map_coordinates(
        array.astype(np.float64), index[:, ::-1].T, order=order, mode=mode
    )
    return np.where(inside(index, array.shape[::-1]), values, fill)


def scipy_label_supports(array: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum the linear weights of every label: the labels, and (labels, n) supports."""
    labels = np.unique(array)
    supports = [
        ndimage.map_coordinates(
            (array == label).astype(np.float64), index[:, ::-1].T, order=1, mode="nearest"
        )
        for label in labels
    ]
    return labels, np.stack(supports)


def itk_image(array: np.ndarray, grid: mm.ImageGrid) -> sitk.Image:
    """Give an array its place without millimorph's own conversion."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction.ravel().tolist())
    return image


def itk_resample(
    image: sitk.Image,
    target: mm.ImageGrid,
    transform: sitk.Transform,
    interpolation: str,
    fill: float,
) -> np.ndarray:
    """Resample with SimpleITK; images in float64, because ITK truncates integers."""
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(target.size)
    resampler.SetOutputSpacing(target.spacing_mm)
    resampler.SetOutputOrigin(target.origin_mm)
    resampler.SetOutputDirection(target.direction.ravel().tolist())
    resampler.SetTransform(transform)
    resampler.SetInterpolator(_ITK_INTERPOLATORS[interpolation])
    resampler.SetDefaultPixelValue(fill)
    resampler.SetNumberOfThreads(1)
    return sitk.GetArrayFromImage(resampler.Execute(image))


def check_close(actual: np.ndarray, expected: np.ndarray, limit: float, what: str) -> None:
    """Raise unless the worst voxel is within the limit; NaN is never within it."""
    if actual.shape != expected.shape:
        raise AssertionError(f"{what}: shape {actual.shape}, expected {expected.shape}")
    if actual.size == 0:
        raise AssertionError(f"{what}: nothing to compare")
    error = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    if not error.ravel()[worst] <= limit:
        raise AssertionError(
            f"{what}: voxel {worst} is {actual.ravel()[worst]}, expected {expected.ravel()[worst]}"
            f" within {limit:.3g}; {int((~(error <= limit)).sum())} of {error.size} are off"
        )


def check_equal(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Raise unless shape, type and every voxel are equal."""
    if actual.dtype != expected.dtype:
        raise AssertionError(f"{what}: type {actual.dtype}, expected {expected.dtype}")
    check_close(actual, expected, 0.0, what)
    if not np.array_equal(actual, expected):
        raise AssertionError(f"{what}: integers differ that are equal as floats")
