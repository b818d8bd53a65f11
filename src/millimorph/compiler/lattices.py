"""Random deformations of a recipe: control values keyed by its op, held to magnitude and no folds.

The control lattice runs along the reference grid's axes and covers its box in whole cells. With a
locked border the three outer layers of control points are zero, so that the displacement and its
first two derivatives vanish at the border; without, the lattice goes on for three cells beyond the
box and fades out there. Outside the lattice nothing moves.
"""

import math

import numpy as np
import numpy.typing as npt

from millimorph.compiler.world import World, number
from millimorph.geometry import ImageGrid
from millimorph.kernels.philox import uniforms
from millimorph.ops import Diffeomorphic, Elastic
from millimorph.transforms import BSplineTransform, StationaryVelocityField, Transform

Float64 = npt.NDArray[np.float64]

LOCKED_LAYERS = 3
LEAST_JACOBIAN = 0.05
SHRINK = 0.9
# Below this share of the control spacing no cubic B-spline of 2D or 3D folds (Choi and Lee 2000).
INJECTIVE_SHARE = 0.4
NODES_PER_CELL = 3


def elastic(op: Elastic, world: World) -> tuple[Elastic, Transform]:
    """The free-form deformation of an op, and the op with the shrinking that was needed."""
    spline = random_spline(op, world)
    magnitude = number(op.magnitude_mm)
    spline = _scaled(spline, _ratio(magnitude, spline.max_displacement_bound_mm()))
    if op.allow_folding or _surely_injective(spline):
        return op.replace(fold_shrink=1.0), spline
    shrink = 1.0
    shrunk = spline
    while shrunk.minimum_jacobian() < LEAST_JACOBIAN:
        shrink *= SHRINK
        shrunk = _scaled(spline, shrink)
    return op.replace(fold_shrink=shrink), shrunk


def diffeomorphic(op: Diffeomorphic, world: World) -> tuple[Diffeomorphic, Transform]:
    """The flow of a random velocity field, its largest displacement brought to the magnitude."""
    spline = random_spline(op, world)
    magnitude = number(op.magnitude_mm)
    spline = _scaled(spline, _ratio(magnitude, spline.max_displacement_bound_mm()))
    nodes = _node_grid(spline)
    field = StationaryVelocityField(nodes, _displacements(spline, nodes))
    for _ in range(3):
        field = _faster(field, _ratio(magnitude, _largest(field)))
    while _largest(field) > magnitude:
        field = _faster(field, 0.999)
    shrink = 1.0
    shrunk = field
    while float(np.min(shrunk.displacement_field.jacobian_determinant())) < LEAST_JACOBIAN:
        shrink *= SHRINK
        shrunk = _faster(field, shrink)
    return op.replace(fold_shrink=shrink), shrunk


def random_spline(op: Elastic | Diffeomorphic, world: World) -> BSplineTransform:
    """Uniform control values in [-1, 1] mm along the grid's axes, the border as declared."""
    margin = 0 if op.lock_border else LOCKED_LAYERS
    lattice = lattice_over(world.reference, _cells(op, world), margin)
    d = world.dimension
    count = d * lattice.voxel_count
    values = 2.0 * uniforms(world.recipe.stream(str(op.id)), count) - 1.0
    local = values.reshape(d, *lattice.shape)
    free = np.zeros(lattice.shape)
    free[(slice(LOCKED_LAYERS, -LOCKED_LAYERS),) * d] = 1.0
    direction = world.reference.direction
    moved = np.zeros_like(local)
    for row in range(d):
        for column in range(d):
            moved[row] += direction[row, column] * local[column]
    return BSplineTransform(lattice, moved * free)


def lattice_over(grid: ImageGrid, cells: tuple[int, ...], margin: int) -> ImageGrid:
    """The control lattice of `cells` over a grid's box, with `margin` more cells on every side."""
    spacing = tuple(length / n for length, n in zip(grid.extent_mm, cells, strict=True))
    first = [[-0.5 - (1 + margin) * s / v for s, v in zip(spacing, grid.spacing_mm, strict=True)]]
    size = tuple(n + 3 + 2 * margin for n in cells)
    return ImageGrid(size, spacing, grid.points_mm(first)[0].tolist(), grid.direction)


def _cells(op: Elastic | Diffeomorphic, world: World) -> tuple[int, ...]:
    """Cells over the reference box; at least four where the border is locked, or nothing moved."""
    least = LOCKED_LAYERS + 1 if op.lock_border else 1
    if op.control_points is not None:
        counts = world.whole_per_axis(op.control_points, f"{op.id}.control_points")
        return tuple(max(least, n - 3) for n in counts)
    spacing = world.per_axis(op.control_spacing_mm, f"{op.id}.control_spacing_mm")
    lengths = zip(world.reference.extent_mm, spacing, strict=True)
    return tuple(max(least, math.floor(length / s + 0.5)) for length, s in lengths)


def _ratio(wanted: float, present: float) -> float:
    return wanted / present if present > 0.0 else 0.0


def _scaled(spline: BSplineTransform, factor: float) -> BSplineTransform:
    return BSplineTransform(spline.grid, factor * spline.coefficients)


def _surely_injective(spline: BSplineTransform) -> bool:
    """Whether the control values alone exclude folds: each below a share of its spacing."""
    least = min(spline.grid.spacing_mm)
    lengths = np.zeros(spline.grid.shape)
    for component in spline.coefficients:
        lengths += component * component
    return math.sqrt(float(np.max(lengths))) < INJECTIVE_SHARE * least


def _node_grid(spline: BSplineTransform) -> ImageGrid:
    """Nodes over the lattice's domain, the outermost ones on its border."""
    lattice = spline.grid
    cells = tuple(n - 3 for n in lattice.size)
    size = tuple(n * NODES_PER_CELL + 1 for n in cells)
    spacing = tuple(s / NODES_PER_CELL for s in lattice.spacing_mm)
    origin = lattice.points_mm([[1.0] * lattice.dimension])[0]
    return ImageGrid(size, spacing, origin.tolist(), lattice.direction)


def _displacements(spline: BSplineTransform, nodes: ImageGrid) -> Float64:
    """The spline's displacements at the nodes, (d, z, y, x); none on the border."""
    d = nodes.dimension
    axes = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in nodes.shape), indexing="ij")
    points = nodes.points_mm(np.stack([axis.ravel() for axis in reversed(axes)], axis=1))
    moved = (spline.map_points(points) - points).T.reshape(d, *nodes.shape)
    inner = np.zeros(nodes.shape)
    inner[(slice(1, -1),) * d] = 1.0
    return np.ascontiguousarray(moved * inner)


def _faster(field: StationaryVelocityField, factor: float) -> StationaryVelocityField:
    return StationaryVelocityField(field.grid, factor * field.velocities_mm)


def _largest(field: StationaryVelocityField) -> float:
    squares = np.zeros(field.grid.shape)
    for component in field.displacement_field.displacements:
        squares += component * component
    return math.sqrt(float(np.max(squares)))
