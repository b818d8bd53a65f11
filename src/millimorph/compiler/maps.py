"""The pull-back of each spatial op: where a point of the deformed world came from.

An op that moves anatomy by F pulls back by the inverse of F; deformations and ITK transforms are
given as pull-backs, as in ITK's resampling.
"""

import math
from typing import assert_never

import numpy as np

from millimorph.compiler.lattices import diffeomorphic, elastic, lattice_over
from millimorph.compiler.world import World, number, numbers
from millimorph.errors import CompileError
from millimorph.geometry import FloatArray
from millimorph.kernels import smallmatrix
from millimorph.ops import (
    Affine,
    Crop,
    Diffeomorphic,
    Elastic,
    Flip,
    Pad,
    QuarterTurn,
    RadialDistortion,
    Rotation,
    SpatialOp,
    Transform,
    Warp,
)
from millimorph.transforms import (
    AffineTransform,
    BSplineTransform,
    CompositeTransform,
    DisplacementFieldTransform,
    RadialDistortionTransform,
    StationaryVelocityField,
    from_itk_parameters,
    to_displacement_field,
)
from millimorph.transforms import Transform as Map
from millimorph.transforms.parametrised import turn_about, versor_matrix

PATIENT_AXES = ("left-right", "anterior-posterior", "inferior-superior")
GRID_AXES = ("i", "j", "k")


def pull_back(op: SpatialOp, world: World) -> tuple[SpatialOp, Map | None]:
    """The op with what was recorded of it, and its map; None for ops that only choose the grid."""
    match op:
        case Elastic():
            return elastic(op, world)
        case Diffeomorphic():
            return diffeomorphic(op, world)
        case Crop() | Pad():
            return op, None
        case Affine():
            return op, _affine(op, world)
        case Rotation():
            return op, _rotation(op, world)
        case Transform():
            return op, _itk_transform(op, world)
        case Flip():
            return op, _flip(op, world)
        case QuarterTurn():
            return op, _quarter_turn(op, world)
        case RadialDistortion():
            return op, _radial(op, world)
        case Warp():
            return op, _warp(op, world)
        case _:
            assert_never(op)


def _affine(op: Affine, world: World) -> Map:
    d = world.dimension
    angles = world.angles(op.rotation_deg, f"{op.id}.rotation_deg")
    scale = world.per_axis(op.scale, f"{op.id}.scale")
    shear = numbers(op.shear)
    linear = np.diag(np.array(scale))
    linear = smallmatrix.matmul(_shear(shear, d), linear)
    linear = smallmatrix.matmul(_rotation_matrix(angles), linear)
    shift = world.per_axis(op.translation_mm, f"{op.id}.translation_mm")
    centre = world.centre(op.centre_mm, op.id)
    return AffineTransform.from_linear(linear, shift, centre).inverse()


def _shear(shear: tuple[float, ...] | float, dimension: int) -> FloatArray:
    """The unit upper triangular matrix with entries xy, xz, yz (or xy alone)."""
    xy, xz, yz = shear if isinstance(shear, tuple) and len(shear) == 3 else (_first(shear),) * 3
    full = np.array([[1.0, xy, xz], [0.0, 1.0, yz], [0.0, 0.0, 1.0]])
    return full[:dimension, :dimension].copy()


def _first(values: tuple[float, ...] | float) -> float:
    return values[0] if isinstance(values, tuple) else values


def _rotation_matrix(angles_deg: tuple[float, ...]) -> FloatArray:
    """Rz Ry Rx of three angles, or the turn by one angle in two dimensions."""
    radians = [angle * math.pi / 180.0 for angle in angles_deg]
    if len(radians) == 1:
        return turn_about(2, radians[0])[:2, :2].copy()
    about_x, about_y, about_z = (turn_about(axis, radians[axis]) for axis in range(3))
    return smallmatrix.matmul(about_z, smallmatrix.matmul(about_y, about_x))


def _rotation(op: Rotation, world: World) -> Map:
    if op.versor is None:
        raise CompileError(f"{op.id} has no versor; compile takes recipes, which draw() makes")
    d = world.dimension
    x, y, z, w = op.versor
    if d == 2:
        # The turn about z that is nearest to the drawn one.
        length = math.sqrt(z * z + w * w)
        x, y, z, w = (0.0, 0.0, z / length, w / length) if length > 0.0 else (0.0, 0.0, 0.0, 1.0)
    sign = 1.0 if w >= 0.0 else -1.0
    linear = versor_matrix((sign * x, sign * y, sign * z))[:d, :d]
    return AffineTransform.from_linear(linear, None, world.centre(op.centre_mm, op.id)).inverse()


def _itk_transform(op: Transform, world: World) -> Map:
    values = tuple(number(p) for p in op.parameters)
    if op.kind != "BSpline":
        made = from_itk_parameters(op.kind, values, world.centre(op.centre_mm, op.id))
    else:
        counts = world.whole_per_axis(op.control_points or (), f"{op.id}.control_points")
        lattice = lattice_over(world.reference, tuple(n - 3 for n in counts), margin=0)
        shape = (world.dimension, *lattice.shape)
        if math.prod(shape) != len(values):
            raise CompileError(
                f"{op.id} has {len(values)} parameters, a lattice of {counts} control points in "
                f"{world.dimension}D needs {math.prod(shape)}"
            )
        made = BSplineTransform(lattice, np.array(values).reshape(shape))
    if made.dimension != world.dimension:
        raise CompileError(
            f'{op.id} is a {made.dimension}D transform, case "{world.case.id}" is '
            f"{world.dimension}D; give the kind and parameters for {world.dimension}D"
        )
    return made


def reflection_normal(op: Flip, world: World) -> FloatArray:
    """The unit vector along which a flip reflects."""
    d = world.dimension
    axes = PATIENT_AXES if op.axis in PATIENT_AXES else GRID_AXES
    axis = axes.index(str(op.axis))
    if axis >= d:
        raise CompileError(
            f'{op.id} reflects along "{op.axis}", case "{world.case.id}" is 2D; '
            f"choose {axes[0]} or {axes[1]}"
        )
    return np.eye(d)[axis] if axes is PATIENT_AXES else world.reference.direction[:, axis]


def _flip(op: Flip, world: World) -> Map:
    normal = reflection_normal(op, world)
    linear = np.eye(world.dimension) - 2.0 * normal[:, None] * normal[None, :]
    return AffineTransform.from_linear(linear, None, world.centre_mm)


def _quarter_turn(op: QuarterTurn, world: World) -> Map:
    return quarter_turn(op, world).inverse()


def quarter_turn(op: QuarterTurn, world: World) -> AffineTransform:
    """Where the anatomy goes: the turn about the reference grid's centre and one of its axes."""
    if world.dimension == 2 and op.axis != "k":
        raise CompileError(f'{op.id} turns about "{op.axis}", case "{world.case.id}" is 2D; use k')
    direction = world.reference.direction
    turned = smallmatrix.matmul(_quarter_turn_matrix(op, world), smallmatrix.inverse(direction))
    linear = smallmatrix.matmul(direction, turned)
    return AffineTransform.from_linear(linear, None, world.centre_mm)


def _quarter_turn_matrix(op: QuarterTurn, world: World) -> FloatArray:
    """The turn in grid axes, of 0, 1 and -1 exactly."""
    d = world.dimension
    axis = GRID_AXES.index(str(op.axis))
    one, other = (axis + 1) % 3, (axis + 2) % 3
    quarter = np.eye(3)
    quarter[one, one] = quarter[other, other] = 0.0
    quarter[one, other], quarter[other, one] = -1.0, 1.0
    turn = np.eye(3)
    for _ in range(int(number(op.turns))):
        turn = smallmatrix.matmul(quarter, turn)
    return turn[:d, :d].copy()


def _radial(op: RadialDistortion, world: World) -> Map:
    unit = 1.0
    if op.unit == "half_diagonal":
        square = 0.0
        for length in world.reference.extent_mm:
            square += length * length
        unit = 0.5 * math.sqrt(square)
    coefficients = tuple(number(k) for k in op.coefficients)
    return RadialDistortionTransform(coefficients, world.centre(op.centre_mm, op.id), unit)


def _warp(op: Warp, world: World) -> Map:
    given = world.case.transforms.get(op.transform)
    if given is None:
        known = ", ".join(f'"{name}"' for name in world.case.transforms) or "none"
        raise CompileError(
            f'{op.id} asks for the transform "{op.transform}"; case "{world.case.id}" has {known}; '
            "give it as Case(transforms={name: transform})"
        )
    return scaled(given, number(op.strength), world)


def scaled(transform: Map, strength: float, world: World) -> Map:
    """The map x + strength (T(x) - x); composites are sampled on the reference grid for it."""
    if strength == 1.0:
        return transform
    match transform:
        case AffineTransform():
            identity = np.eye(transform.dimension + 1)
            return AffineTransform(identity + strength * (transform.matrix - identity))
        case BSplineTransform():
            return BSplineTransform(transform.grid, strength * transform.coefficients)
        case DisplacementFieldTransform():
            return DisplacementFieldTransform(transform.grid, strength * transform.displacements)
        case StationaryVelocityField():
            return scaled(transform.displacement_field, strength, world)
        case RadialDistortionTransform():
            coefficients = tuple(strength * k for k in transform.coefficients)
            return RadialDistortionTransform(coefficients, transform.centre_mm, transform.unit_mm)
        case CompositeTransform():
            return scaled(to_displacement_field(transform, world.reference), strength, world)
        case _:
            assert_never(transform)


def composed(maps: list[Map], dimension: int) -> Map:
    """P1 @ P2 @ ... @ Pn; the identity of no maps."""
    if not maps:
        return AffineTransform.identity(dimension)
    total = maps[0]
    for one in maps[1:]:
        total = total @ one
    return total
