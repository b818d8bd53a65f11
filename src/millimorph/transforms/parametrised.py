"""Transforms from ITK's parameter vectors: one function per kind, in ITK's order of parameters.

Angles are in radians, translations and centres in mm. A versor is the vector part of a unit
quaternion, axis times the sine of half the angle. Linear kinds map x -> A (x - c) + c + t. The
meaning of every vector is that of ITK 5's transform of the same name.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from millimorph.errors import TransformError
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.kernels import smallmatrix
from millimorph.kernels.elementary import cos, sin
from millimorph.transforms.affine import AffineTransform
from millimorph.transforms.bspline import BSplineTransform

Numbers: TypeAlias = tuple[float, ...]

_VERSOR = ("versor_x", "versor_y", "versor_z")
_SHIFT_2D = ("translation_x_mm", "translation_y_mm")
_SHIFT_3D = (*_SHIFT_2D, "translation_z_mm")
_SCALES = ("scale_x", "scale_y", "scale_z")
_ANGLES = ("angle_x_rad", "angle_y_rad", "angle_z_rad")
_UNIT_SLACK = 1e-9

PARAMETER_NAMES: Mapping[tuple[str, int], tuple[str, ...]] = MappingProxyType(
    {
        ("Translation", 2): _SHIFT_2D,
        ("Translation", 3): _SHIFT_3D,
        ("Scale", 2): _SCALES[:2],
        ("Scale", 3): _SCALES,
        ("Euler2D", 2): ("angle_rad", *_SHIFT_2D),
        ("Euler3D", 3): (*_ANGLES, *_SHIFT_3D),
        ("Versor", 3): _VERSOR,
        ("VersorRigid3D", 3): (*_VERSOR, *_SHIFT_3D),
        ("Similarity2D", 2): ("scale", "angle_rad", *_SHIFT_2D),
        ("Similarity3D", 3): (*_VERSOR, *_SHIFT_3D, "scale"),
        ("ScaleVersor3D", 3): (*_VERSOR, *_SHIFT_3D, *_SCALES),
        ("ScaleSkewVersor3D", 3): (
            *_VERSOR,
            *_SHIFT_3D,
            *_SCALES,
            *("skew_xy", "skew_xz", "skew_yx", "skew_yz", "skew_zx", "skew_zy"),
        ),
        ("ComposeScaleSkewVersor3D", 3): (
            *_VERSOR,
            *_SHIFT_3D,
            *_SCALES,
            *("skew_xy", "skew_xz", "skew_yz"),
        ),
        ("Affine", 2): (*(f"matrix_{r}{c}" for r in "xy" for c in "xy"), *_SHIFT_2D),
        ("Affine", 3): (*(f"matrix_{r}{c}" for r in "xyz" for c in "xyz"), *_SHIFT_3D),
    }
)
"""What each number means, by (kind, dimension); BSpline has as many as its lattice asks for."""


def from_itk_parameters(
    kind: str, parameters: Sequence[float], fixed_parameters: Sequence[float] = ()
) -> AffineTransform | BSplineTransform:
    """The transform that ITK makes of a kind, its parameters and its fixed parameters.

    For linear kinds the fixed parameters are the centre in mm (the world's origin if left out;
    unused by Translation); Euler3D takes a fourth, 1 for ITK's ComputeZYX. For "BSpline" they are
    the lattice's size, origin, spacing and direction by rows, and the parameters are the
    coefficients, x fastest and the x component first.

    Raises:
        TransformError: an unknown kind, or numbers that do not fit it.
    """
    values = tuple(float(p) for p in parameters)
    fixed = tuple(float(p) for p in fixed_parameters)
    if not all(np.isfinite(values)) or not all(np.isfinite(fixed)):
        raise TransformError(f"{kind}: parameters must be finite, got {values} and {fixed}")
    if kind == "BSpline":
        return _bspline(values, fixed)
    dimension = _dimension(kind, values)
    zyx = False
    if kind == "Euler3D" and len(fixed) == dimension + 1:
        zyx = fixed[-1] != 0.0
        fixed = fixed[:-1]
    if kind == "Translation":
        return AffineTransform.translation(values)
    if len(fixed) not in (0, dimension):
        raise TransformError(
            f"{kind}: the centre needs {dimension} numbers, got {len(fixed)}: {fixed}"
        )
    linear, translation = _euler_3d(values, zyx) if zyx else _LINEAR[kind](values)
    return AffineTransform.from_linear(linear, translation, fixed or None)


def _dimension(kind: str, values: Numbers) -> int:
    """2 or 3, from the kind and the number of parameters."""
    wanted = {d: len(names) for (name, d), names in PARAMETER_NAMES.items() if name == kind}
    if not wanted:
        known = ", ".join(sorted({name for name, _ in PARAMETER_NAMES} | {"BSpline"}))
        raise TransformError(f"there is no transform kind {kind!r}; known are {known}")
    for dimension, count in wanted.items():
        if count == len(values):
            return dimension
    needs = " or ".join(f"{count} ({d}D)" for d, count in wanted.items())
    raise TransformError(f"{kind} needs {needs} parameters, got {len(values)}")


def _bspline(values: Numbers, fixed: Numbers) -> BSplineTransform:
    dimensions = {3 * d + d * d: d for d in (2, 3)}
    if len(fixed) not in dimensions:
        raise TransformError(
            "BSpline needs 10 (2D) or 18 (3D) fixed parameters (size, origin, spacing, direction "
            f"of the lattice), got {len(fixed)}"
        )
    d = dimensions[len(fixed)]
    if any(n != np.floor(n) for n in fixed[:d]):
        raise TransformError(f"BSpline: the lattice's size must be whole, got {fixed[:d]}")
    grid = ImageGrid(
        size=tuple(int(n) for n in fixed[:d]),
        origin_mm=fixed[d : 2 * d],
        spacing_mm=fixed[2 * d : 3 * d],
        direction=np.array(fixed[3 * d :]).reshape(d, d),
    )
    if len(values) != d * grid.voxel_count:
        raise TransformError(
            f"BSpline: a lattice of {grid.size} control points needs {d * grid.voxel_count} "
            f"parameters, got {len(values)}"
        )
    return BSplineTransform(grid, np.array(values).reshape(d, *grid.shape))


def _scale(values: Numbers) -> tuple[FloatArray, Numbers]:
    return np.diag(values), (0.0,) * len(values)


def _euler_2d(values: Numbers) -> tuple[FloatArray, Numbers]:
    return _turn(values[0]), values[1:]


def _similarity_2d(values: Numbers) -> tuple[FloatArray, Numbers]:
    return values[0] * _turn(values[1]), values[2:]


def _euler_3d(values: Numbers, zyx: bool = False) -> tuple[FloatArray, Numbers]:
    """Turns about y, then x, then z; about x, then y, then z where ITK computes ZYX."""
    about_x, about_y, about_z = (turn_about(axis, values[axis]) for axis in range(3))
    first, second = (about_x, about_y) if zyx else (about_y, about_x)
    return smallmatrix.matmul(about_z, smallmatrix.matmul(second, first)), values[3:]


def _versor(values: Numbers) -> tuple[FloatArray, Numbers]:
    return versor_matrix(values), (0.0, 0.0, 0.0)


def _versor_rigid(values: Numbers) -> tuple[FloatArray, Numbers]:
    return versor_matrix(values[:3]), values[3:]


def _similarity_3d(values: Numbers) -> tuple[FloatArray, Numbers]:
    return values[6] * versor_matrix(values[:3]), values[3:6]


def _scale_versor(values: Numbers) -> tuple[FloatArray, Numbers]:
    """ITK adds (scale - 1) on the diagonal; this kind is no product of turn and scaling."""
    return versor_matrix(values[:3]) + np.diag([s - 1.0 for s in values[6:9]]), values[3:6]


def _scale_skew_versor(values: Numbers) -> tuple[FloatArray, Numbers]:
    """As ScaleVersor3D, with the six skews added off the diagonal by rows."""
    linear, translation = _scale_versor(values)
    skews = np.zeros((3, 3))
    skews[~np.eye(3, dtype=np.bool_)] = values[9:]
    return linear + skews, translation


def _compose_scale_skew_versor(values: Numbers) -> tuple[FloatArray, Numbers]:
    """Turn times scaling times unit upper triangular skew."""
    skew = np.eye(3)
    skew[0, 1], skew[0, 2], skew[1, 2] = values[9:]
    scaled = np.array(values[6:9])[:, np.newaxis] * skew
    return smallmatrix.matmul(versor_matrix(values[:3]), scaled), values[3:6]


def _affine_2d_or_3d(values: Numbers) -> tuple[FloatArray, Numbers]:
    d = next(n for n in (2, 3) if n * n + n == len(values))
    return np.array(values[: d * d]).reshape(d, d), values[d * d :]


_LINEAR: Mapping[str, Callable[[Numbers], tuple[FloatArray, Numbers]]] = MappingProxyType(
    {
        "Scale": _scale,
        "Euler2D": _euler_2d,
        "Euler3D": _euler_3d,
        "Versor": _versor,
        "VersorRigid3D": _versor_rigid,
        "Similarity2D": _similarity_2d,
        "Similarity3D": _similarity_3d,
        "ScaleVersor3D": _scale_versor,
        "ScaleSkewVersor3D": _scale_skew_versor,
        "ComposeScaleSkewVersor3D": _compose_scale_skew_versor,
        "Affine": _affine_2d_or_3d,
    }
)


def _turn(angle_rad: float) -> FloatArray:
    """The 2 x 2 rotation that turns x towards y."""
    c, s = cos(angle_rad), sin(angle_rad)
    return np.array([[c, -s], [s, c]])


def turn_about(axis: int, angle_rad: float) -> FloatArray:
    """The 3 x 3 rotation about world axis 0, 1 or 2, right-handed."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cos(angle_rad)
    matrix[second, first] = sin(angle_rad)
    matrix[first, second] = -matrix[second, first]
    return matrix


def versor_matrix(versor: Sequence[float]) -> FloatArray:
    """The 3 x 3 rotation of a versor, whose length must not pass 1."""
    x, y, z = versor
    squared = x * x + y * y + z * z
    if squared > 1.0 + _UNIT_SLACK:
        raise TransformError(
            f"a versor's length is the sine of half its angle and at most 1, got {tuple(versor)} "
            f"of length {float(np.sqrt(squared)):.4g}"
        )
    w = float(np.sqrt(max(0.0, 1.0 - squared)))
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )
