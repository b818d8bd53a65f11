"""Running: programs on cases, the resample primitive, and draw-compile-run in one call."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from types import ModuleType
from typing import Literal, TypeVar, assert_never, cast, get_args

import numpy as np

from millimorph import compiler
from millimorph.backends.cpus import available_cpus
from millimorph.backends.scene import Scene
from millimorph.compiler.stages import smoothing_mm
from millimorph.designs import Random
from millimorph.errors import CompileError, ImageError, LabelError, MillimorphError
from millimorph.geometry import ImageGrid
from millimorph.images import Boxes, Case, LabelMap, Landmarks, ScalarImage
from millimorph.ops import RadialDistortion
from millimorph.program import (
    Fill,
    Interpolation,
    LabelPass,
    MovePoints,
    Paint,
    Program,
    Resample,
    Role,
    Sampled,
    VolumePass,
)
from millimorph.recipe import Pipeline, Recipe, draw
from millimorph.transforms import AffineTransform, Transform

Backend = Literal["cpu", "reference"]
Source = ScalarImage | LabelMap
Array = TypeVar("Array", ScalarImage, LabelMap)

BOX_STEPS = 12
# The first is the default.
INTERPOLATIONS: Mapping[Role, tuple[Interpolation, ...]] = {
    "images": ("linear", "cubic", "nearest"),
    "labels": ("nearest", "label_linear"),
}
SMOOTHED = ("linear", "cubic")
DEFAULT_FILL: Mapping[Role, Fill] = {"images": "background", "labels": 0.0}


@dataclass(frozen=True, eq=False, repr=False)
class AugmentedCase(Case):
    """A case that was made, with the recipe that says how."""

    recipe: Recipe | None = None

    def __reduce__(self) -> tuple[object, ...]:
        kind, arguments = super().__reduce__()
        return kind, (*arguments, self.recipe)


def run(
    program: Program, case: Case, backend: Backend = "cpu", threads: int | None = None
) -> AugmentedCase:
    """Run a program on the case it was compiled for.

    Args:
        program: from `compile`.
        case: the case; it is left as it is.
        backend: "cpu" (compiled, fast) or "reference" (float64 NumPy, slow, the definition).
        threads: most threads to use; None takes the CPUs this process may run on. The result is
            the same for any number.

    Raises:
        CompileError: the case has not the parts, grids or types the program was compiled for.
        ImageError: infinite voxels, or NaN in an image without a declared value for it.
        LabelError: a flip swaps a label of the case with one that its type cannot hold.
        TransformError: a landmark or box that the map's inverse does not reach.
    """
    _check_names(program, case)
    engine = _engine(backend, threads)
    arrays: dict[str, Source] = {**case.images, **case.labels}
    made: dict[str, Source] = {}
    landmarks: dict[str, Landmarks] = {}
    boxes: dict[str, Boxes] = {}
    for stage in program.stages:
        match stage:
            case Resample():
                _check_fits(stage, arrays)
                made |= engine.resample(stage, arrays)
                arrays |= {s.name: made[s.name] for s in stage.samples if s.becomes_original}
            case VolumePass() | Paint() | LabelPass():
                made[stage.name] = engine.follow(stage, arrays, made)
                if stage.name not in arrays or _becomes_original(stage):
                    arrays[stage.name] = made[stage.name]
            case MovePoints():
                landmarks = {n: _moved(case.landmarks[n], stage) for n in stage.landmarks}
                boxes = {n: _moved_boxes(case.boxes[n], stage) for n in stage.boxes}
            case _:
                assert_never(stage)
    return AugmentedCase(
        id=case.id,
        images={n: a for n in arrays if isinstance(a := made[n], ScalarImage)},
        labels={n: a for n in arrays if isinstance(a := made[n], LabelMap)},
        landmarks=landmarks,
        boxes=boxes,
        recipe=program.recipe,
    )


def resample(  # noqa: PLR0913 - the options of a resample, each with its default
    image: Array,
    onto: ImageGrid,
    source_from_target: Transform | RadialDistortion | None = None,
    interpolation: Interpolation | None = None,
    fill: Fill | None = None,
    *,
    antialias: bool = True,
    backend: Backend = "cpu",
    threads: int | None = None,
) -> Array:
    """Pull one image or label map onto a grid through a map of physical points.

    Args:
        image: ScalarImage or LabelMap; its type, voxel type and leading axis are kept.
        onto: the target grid.
        source_from_target: maps target points to source points in mm; None is the identity.
        interpolation: "linear" (default), "cubic" or "nearest" for images; "nearest" (default) or
            "label_linear" for labels.
        fill: what lies outside the source: for images a number, "background" (the default),
            "minimum" or "edge"; for labels a label that their type holds, 0 by default.
        antialias: smooth an image first along axes on which the target is coarser.
        backend: "cpu" or "reference".
        threads: as in `run`.

    Accuracy: linear within 1e-4 and cubic within 2e-3 of the image's SD of exact arithmetic;
    nearest exact off ties. A map that only permutes, mirrors and shifts whole voxels copies.

    Raises:
        CompileError: dimensions disagree, or an interpolation or a fill that the kind of array does
            not have.
        ImageError: NaN or infinite voxels, or what is neither ScalarImage nor LabelMap.
    """
    role = _role_of(image)
    pull = _as_map(source_from_target, onto.dimension)
    how = interpolation or INTERPOLATIONS[role][0]
    if how not in INTERPOLATIONS[role]:
        allowed = ", ".join(INTERPOLATIONS[role])
        raise CompileError(f'interpolation "{how}" is not for {role}; use one of {allowed}')
    smooth = antialias and how in SMOOTHED and image.dimension == onto.dimension
    sample = Sampled(
        role=role,
        name="image",
        interpolation=how,
        fill=DEFAULT_FILL[role] if fill is None else fill,
        dtype=str(image.dtype),
        channels=image.channels,
        smoothing_mm=smoothing_mm(image.grid, onto) if smooth else None,
    )
    stage = compiler.resample_stage((sample,), image.grid, onto, pull)
    return cast("Array", _engine(backend, threads).resample(stage, {"image": image})["image"])


def augment(
    case: Case,
    pipeline: Pipeline,
    seed: int | None = None,
    index: int = 0,
    *,
    backend: Backend = "cpu",
    threads: int | None = None,
) -> AugmentedCase:
    """Draw recipe `index` at random, compile it for the case and run it.

    The same seed, case id and index give the same sample, whatever was drawn before.
    """
    recipes = draw(pipeline, Random(), seed=seed, case=case.id, start=index, stop=index + 1)
    (recipe,) = islice(recipes, 1)
    return run(compiler.compile(recipe, case), case, backend, threads)


def _role_of(image: object) -> Role:
    match image:
        case ScalarImage():
            return "images"
        case LabelMap():
            return "labels"
        case _:
            raise ImageError(
                f"resample takes a ScalarImage or a LabelMap, got a {type(image).__name__}; "
                "an array needs its grid: ScalarImage(array, grid)"
            )


def _as_map(given: Transform | RadialDistortion | None, dimension: int) -> Transform:
    if given is None:
        return AffineTransform.identity(dimension)
    return given.map(dimension) if isinstance(given, RadialDistortion) else given


@dataclass(frozen=True)
class _Engine:
    """A backend and its threads."""

    backend: ModuleType
    threads: int

    def resample(self, stage: Resample, arrays: Mapping[str, Source]) -> dict[str, Source]:
        """Run one resample."""
        return dict(self.backend.run_resample(stage, arrays, self.threads))

    def follow(
        self,
        stage: VolumePass | Paint | LabelPass,
        originals: Mapping[str, Source],
        made: Mapping[str, Source],
    ) -> Source:
        """Run a stage on what earlier stages made; a painted image is its own original."""
        labels = {name: array for name, array in made.items() if isinstance(array, LabelMap)}
        read = stage.labels if isinstance(stage, Paint) else stage.name
        original = originals.get(stage.name, made[read])
        nan = stage.nan if isinstance(stage, VolumePass) else None
        is_between = isinstance(stage, VolumePass) and original is not made[read]
        scene = Scene(stage.name, stage.grid, original, nan, labels, self.threads, is_between)
        match stage:
            case VolumePass():
                return cast("Source", self.backend.run_volume_pass(stage, made[read], scene))
            case Paint():
                return cast("Source", self.backend.run_paint(stage, made[read], scene))
            case LabelPass():
                return cast("Source", self.backend.run_label_pass(stage, made[read]))
            case _:
                assert_never(stage)


def _becomes_original(stage: VolumePass | Paint | LabelPass) -> bool:
    return isinstance(stage, VolumePass) and stage.becomes_original


def _engine(backend: Backend, threads: int | None) -> _Engine:
    """Load a backend when it is first asked for."""
    if threads is not None and threads < 1:
        raise MillimorphError(f"threads must be at least 1, got {threads}")
    if backend not in get_args(Backend):
        raise MillimorphError(f'there is no backend "{backend}"; use "cpu" or "reference"')
    return _Engine(import_module(f"millimorph.backends.{backend}"), threads or available_cpus())


def _check_names(program: Program, case: Case) -> None:
    """Whether the program makes each part of the case, under its role, and no other."""
    wanted: set[tuple[str, str]] = set()
    for stage in program.stages:
        match stage:
            case Resample():
                wanted |= {(sample.role, sample.name) for sample in stage.samples}
            case VolumePass() | Paint() | LabelPass():
                continue
            case MovePoints():
                wanted |= {("landmarks", name) for name in stage.landmarks}
                wanted |= {("boxes", name) for name in stage.boxes}
            case _:
                assert_never(stage)
    roles = ("images", "labels", "landmarks", "boxes")
    present = {(role, name) for role in roles for name in getattr(case, role)}
    if wanted != present:
        differing = ", ".join(f'{role} "{name}"' for role, name in sorted(wanted ^ present))
        raise CompileError(
            f'the program and case "{case.id}" differ in {differing}; compile it for this case'
        )


def _check_fits(stage: Resample, arrays: Mapping[str, Source]) -> None:
    for sample in stage.samples:
        array = arrays[sample.name]
        present = (array.grid, str(array.dtype), array.channels)
        if present != (stage.source, sample.dtype, sample.channels):
            raise CompileError(
                f'"{sample.name}" is {array!r}, the program was compiled for {sample.dtype} on '
                f"{stage.source.describe()}; compile it again for this case"
            )
        for label, partner in sample.lost_swaps:
            if (array.array == array.dtype.type(label)).any():
                raise LabelError(
                    f'label {label} of "{sample.name}" changes places with {partner}, which '
                    f"{sample.dtype} cannot hold; convert the label map to a wider type first"
                )


def _moved(points: Landmarks, stage: MovePoints) -> Landmarks:
    """Landmarks pushed to where the anatomy went, mirrored names exchanged."""
    moved = stage.source_from_target.inverse_points(points.points_mm)
    return replace(points, points_mm=moved, names=_renamed(points.names, stage))


def _renamed(names: tuple[str, ...], stage: MovePoints) -> tuple[str, ...]:
    for one, other in stage.renames:
        swap = {one: other, other: one}
        names = tuple(swap.get(name, name) for name in names)
    return names


def _moved_boxes(boxes: Boxes, stage: MovePoints) -> Boxes:
    """The boxes around the pushed boxes, widened by what may bulge between points, renamed."""
    if not len(boxes):
        return boxes
    exact = isinstance(stage.source_from_target, AffineTransform)
    steps = 1 if exact else BOX_STEPS
    lower, upper = [], []
    for low, high in zip(boxes.lower_mm, boxes.upper_mm, strict=True):
        points = _surface(low, high, steps)
        moved = stage.source_from_target.inverse_points(points)
        margin = (
            np.zeros(len(low)) if exact else _bulge(moved.reshape(*(steps + 1,) * len(low), -1))
        )
        lower.append(moved.min(axis=0) - margin)
        upper.append(moved.max(axis=0) + margin)
    names = _renamed(boxes.names, stage)
    return replace(boxes, lower_mm=np.array(lower), upper_mm=np.array(upper), names=names)


def _surface(low: np.ndarray, high: np.ndarray, steps: int) -> np.ndarray:
    """A lattice of points (n, d) over a box, corners included."""
    shares = np.arange(steps + 1) / steps
    axes = [low[k] + shares * (high[k] - low[k]) for k in range(len(low))]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)


def _bulge(moved: np.ndarray) -> np.ndarray:
    """How far, per axis, a smooth image may reach beyond neighbouring points that were followed.

    Half the largest second difference: four times what a parabola rises above its chord.
    """
    margin = np.zeros(moved.shape[-1])
    for axis in range(moved.ndim - 1):
        second = np.abs(np.diff(moved, n=2, axis=axis))
        if second.size:
            margin += 0.5 * second.reshape(-1, moved.shape[-1]).max(axis=0)
    return margin
