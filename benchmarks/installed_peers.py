"""SimpleITK and SciPy, which are installed with millimorph, doing the same work in this process."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from scipy import ndimage

import millimorph as mm
from benchmarks.ours import IMAGE, Work

INTERPOLATORS = {
    "nearest": sitk.sitkNearestNeighbor,
    "linear": sitk.sitkLinear,
    "cubic": sitk.sitkBSpline,
}


def simpleitk_resample(work: Work, interpolation: str) -> Callable[[], sitk.Image]:
    """Return SimpleITK's Resample with the same image, map and fill, on one thread."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = mm.to_sitk(work.case.images[IMAGE])
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(image)
    resampler.SetTransform(mm.to_sitk(work.pull))
    resampler.SetInterpolator(INTERPOLATORS[interpolation])
    resampler.SetDefaultPixelValue(0.0)
    resampler.SetNumberOfThreads(1)
    return lambda: resampler.Execute(image)


def scipy_affine(work: Work) -> Callable[[], np.ndarray]:
    """Return SciPy's affine_transform of order 1 with the same map, in index order z, y, x."""
    index_map = np.array(work.index_map()).reshape(3, 4)
    array = work.case.images[IMAGE].array
    return lambda: ndimage.affine_transform(
        array, index_map[::-1, 2::-1], index_map[::-1, 3], order=1, cval=0.0
    )


@dataclass(frozen=True)
class Agreement:
    """How far two results of the same work lie apart, in SD of the image.

    `differing` and `on_one_side` count voxels: the latter were outside the source for one only.
    """

    largest_sd: float
    differing: int
    on_one_side: int


def agreement(ours: np.ndarray, theirs: np.ndarray) -> Agreement:
    """Compare two results whose fill is 0 and whose source is positive."""
    inside_both = (ours != 0) & (theirs != 0)
    apart = np.abs(np.subtract(ours, theirs, where=inside_both, out=np.zeros_like(ours)))
    return Agreement(
        largest_sd=float(apart.max() / ours.std(where=ours != 0)),
        differing=int(np.count_nonzero(apart)),
        on_one_side=int(np.count_nonzero((ours != 0) != (theirs != 0))),
    )
