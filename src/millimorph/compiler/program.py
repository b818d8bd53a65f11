"""From a recipe and the headers of a case to its program."""

from collections.abc import Mapping

import numpy as np

from millimorph.compiler.intensity import with_intensity
from millimorph.compiler.maps import composed, pull_back, reflection_normal
from millimorph.compiler.stages import resample_stage, smoothing_mm
from millimorph.compiler.targets import reference_of, target_of
from millimorph.compiler.world import World
from millimorph.errors import CompileError
from millimorph.geometry import ImageGrid
from millimorph.images import Boxes, Case, LabelMap, Landmarks, ScalarImage
from millimorph.ops import Flip, LabelsToImage, SpatialOp
from millimorph.program import (
    MovePoints,
    Program,
    Resample,
    Sampled,
)
from millimorph.recipe import ImageSampling, LabelSampling, Recipe
from millimorph.transforms import Transform

Swaps = tuple[tuple[int, int], ...]


def compile_recipe(recipe: Recipe, case: Case) -> Program:
    """The program that makes the recipe's sample of a case.

    Only grids, types and names of the case are used. The program's recipe also records what the
    grids decided, such as the shrinking of a deformation that would have folded.

    Raises:
        CompileError: the recipe does not fit the case: too few numbers for its dimension, a
            left/right flip without label pairs, a Warp without its transform, a crop too large,
            sampling for a role that the case has not, an image to be made whose name is taken.
    """
    if not isinstance(recipe, Recipe):
        found = type(recipe).__name__
        raise CompileError(f"compile takes a Recipe, which draw() makes, got a {found}")
    _check_roles(recipe, case)
    _check_new_images(recipe, case)
    world = World(recipe, case, reference_of(recipe, case))
    ops: list[SpatialOp] = []
    maps: list[Transform] = []
    for op in recipe.spatial:
        recorded, pull = pull_back(op, world)
        ops.append(recorded)
        if pull is not None:
            maps.append(pull)
    pull_all = composed(maps, world.dimension)
    swaps, renames = _pairs_to_swap(world)
    resamples: list[Resample] = []
    for source, arrays in _by_grid(case).items():
        target = target_of(source, world)
        samples = tuple(_sampled(name, a, world, target, swaps) for name, a in arrays.items())
        resamples.append(resample_stage(samples, source, target, pull_all))
    stages = list(with_intensity(recipe, resamples))
    if case.landmarks or case.boxes:
        stages.append(MovePoints(tuple(case.landmarks), tuple(case.boxes), pull_all, renames))
    return Program(recipe.replace(spatial=tuple(ops)), tuple(stages))


def _check_roles(recipe: Recipe, case: Case) -> None:
    """Whether all that is sampled in its own way is there."""
    sampled = (*case.images, *case.labels)
    unknown = [name for name in recipe.sampling if name not in sampled]
    if unknown:
        raise CompileError(
            f'sampling is given for {", ".join(unknown)}, which case "{case.id}" has not; its '
            f"images and labels are {', '.join(sampled)}"
        )


def _check_new_images(recipe: Recipe, case: Case) -> None:
    """Whether the images that ops make have names of their own."""
    taken = {*case.images, *case.labels, *case.landmarks, *case.boxes}
    for op in recipe.intensity:
        if isinstance(op, LabelsToImage):
            if op.image in taken:
                raise CompileError(
                    f'{op.id} makes the image "{op.image}", but case "{case.id}" has that already; '
                    "choose another name as image"
                )
            taken.add(op.image)


def _by_grid(case: Case) -> dict[ImageGrid, dict[str, ScalarImage | LabelMap]]:
    """Images, then labels, by the grid they lie on."""
    groups: dict[ImageGrid, dict[str, ScalarImage | LabelMap]] = {}
    everything: Mapping[str, ScalarImage | LabelMap] = {**case.images, **case.labels}
    for name, array in everything.items():
        groups.setdefault(array.grid, {})[name] = array
    return groups


def _sampled(
    name: str,
    array: ScalarImage | LabelMap,
    world: World,
    target: ImageGrid,
    swaps: Swaps,
) -> Sampled:
    kind = str(array.dtype)
    if isinstance(array, LabelMap):
        rules = world.recipe.sampling.get(name, world.recipe.labels)
        if not isinstance(rules, LabelSampling):
            raise CompileError(f'sampling of "{name}" is for an image, but "{name}" is a label map')
        held, lost = _held_swaps(swaps, array)
        return Sampled(
            "labels",
            name,
            rules.interpolation,
            rules.fill,
            kind,
            array.channels,
            swaps=held,
            lost_swaps=lost,
        )
    options = world.recipe.sampling.get(name, world.recipe.images)
    if not isinstance(options, ImageSampling):
        raise CompileError(f'sampling of "{name}" is for a label map, but "{name}" is an image')
    smooth = options.antialias and options.interpolation != "nearest"
    return Sampled(
        "images",
        name,
        options.interpolation,
        options.fill,
        kind,
        array.channels,
        smoothing_mm=smoothing_mm(array.grid, target) if smooth else None,
        nan=options.nan,
    )


def _held_swaps(swaps: Swaps, labels: LabelMap) -> tuple[Swaps, Swaps]:
    """The pairs that a label map's type can hold, and (label, partner) where it holds only one.

    Pairs are declared once for a case; those of which a type holds neither are of other maps.
    """
    limits = np.iinfo(labels.dtype)
    held, lost = [], []
    for pair in swaps:
        one, other = (limits.min <= label <= limits.max for label in pair)
        if one and other:
            held.append(pair)
        elif one or other:
            lost.append(pair if one else pair[::-1])
    return tuple(held), tuple(lost)


def _pairs_to_swap(
    world: World,
) -> tuple[Swaps, tuple[tuple[str, str], ...]]:
    """Pairs of labels, and of names of points, that the left/right flips of a recipe exchange."""
    labels: list[tuple[int, int]] = []
    names: list[tuple[str, str]] = []
    for op in world.recipe.spatial:
        if isinstance(op, Flip) and _is_left_right(op, world):
            for pair in _declared(op, world.case):
                match pair:
                    case (str(one), str(other)):
                        names.append((one, other))
                    case (int(first), int(second)):
                        labels.append((first, second))
    return tuple(labels), tuple(names)


def _is_left_right(op: Flip, world: World) -> bool:
    return int(np.argmax(np.abs(reflection_normal(op, world)))) == 0


def _declared(op: Flip, case: Case) -> tuple[tuple[int, int] | tuple[str, str], ...]:
    if op.label_pairs is not None:
        return op.label_pairs
    everything: Mapping[str, Landmarks | Boxes] = {**case.landmarks, **case.boxes}
    named = [name for name, points in everything.items() if points.names]
    asking = [*case.labels, *named]
    if not asking:
        return ()
    raise CompileError(
        f'{op.id} mirrors left and right in case "{case.id}", which has {", ".join(asking)}, but '
        "declares no label_pairs; list the labels and the names of landmarks and boxes that change "
        'places, such as [[2, 3], ["left eye", "right eye"]], or [] if there are none'
    )
