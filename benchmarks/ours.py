"""Our side of every row, through the public interface: a program made from a pipeline, and run."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

import millimorph as mm
from benchmarks.inputs import (
    CONTROL_POINTS,
    MAGNITUDE_MM,
    ROTATION_DEG,
    SCALE,
    TRANSLATION_MM,
    label_array,
    source_array,
)
from millimorph.ops import IntensityOp, SpatialOp
from millimorph.transforms import Transform

Interpolation = Literal["nearest", "linear", "cubic"]
IMAGE = "image"
LABELS = "labels"
AFFINE = (mm.Affine(rotation_deg=ROTATION_DEG, scale=SCALE, translation_mm=TRANSLATION_MM),)
ELASTIC = (*AFFINE, mm.Elastic(control_points=CONTROL_POINTS, magnitude_mm=MAGNITUDE_MM))


@dataclass(frozen=True)
class Work:
    """A compiled program and the case it runs on."""

    program: mm.Program
    case: mm.Case

    @property
    def size(self) -> int:
        """Edge length of the output in voxels."""
        return self.program.target(IMAGE).size[0]

    @property
    def pull(self) -> Transform:
        """The map from target points to source points."""
        return self.program.source_from_target(IMAGE)

    def run(self) -> np.ndarray:
        """Run on one thread and return the image's voxels."""
        return mm.run(self.program, self.case, threads=1).images[IMAGE].array

    def run_on_two_threads(self) -> np.ndarray:
        """Run on two threads and return the image's voxels."""
        return mm.run(self.program, self.case, threads=2).images[IMAGE].array

    def run_afresh(self) -> np.ndarray:
        """Run on one thread with an image not seen before, so that nothing kept of it helps."""
        image = self.case.images[IMAGE]
        images = {IMAGE: image.with_array(image.array)}
        return (
            mm.run(self.program, replace(self.case, images=images), threads=1).images[IMAGE].array
        )

    def index_map(self) -> tuple[float, ...]:
        """Return the affine map of x, y, z indices from target to source, 3 × 4, row by row."""
        grid = self.case.grid
        corners = np.concatenate([np.zeros((1, 3)), np.eye(3)])
        sources = grid.indices(self.pull.map_points(grid.points_mm(corners)))
        columns = [*(sources[1:] - sources[0]), sources[0]]
        return tuple(float(number) for number in np.stack(columns, axis=1).ravel())


def image_case(size: int) -> mm.Case:
    """Return a case of one float32 image with cubic 1 mm voxels."""
    grid = mm.ImageGrid(size=(size, size, size))
    return mm.Case(id="benchmark", images={IMAGE: mm.ScalarImage(source_array(size), grid)})


def with_labels(case: mm.Case) -> mm.Case:
    """Return the case with an int16 label map beside its image."""
    labels = mm.LabelMap(label_array(case.grid.size[0]), case.grid)
    return replace(case, labels={LABELS: labels})


def prepare(
    case: mm.Case,
    spatial: tuple[SpatialOp, ...],
    interpolation: Interpolation = "linear",
    intensity: tuple[IntensityOp, ...] = (),
) -> Work:
    """Draw one recipe of the ops and compile it for the case."""
    pipeline = mm.Pipeline(
        spatial=spatial,
        intensity=intensity,
        images=mm.ImageSampling(interpolation=interpolation, fill=0.0, antialias=False),
    )
    recipe = next(iter(mm.draw(pipeline, mm.Random(count=1), seed=7, case=case.id)))
    return Work(mm.compile(recipe, case), case)
