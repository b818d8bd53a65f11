"""What every transform can do: map points, compose with `@`, and be inverted.

Transforms map physical points in LPS millimetres. Composition and approximate inversion close the
set: a composition of maps and a sampled map are maps, so those two classes live here.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, cast, final

import numpy as np
import numpy.typing as npt

from millimorph.errors import TransformError
from millimorph.geometry import FloatArray, ImageGrid
from millimorph.kernels import smallmatrix
from millimorph.transforms import sampling
from millimorph.transforms.inversion import lengths, newton_inverse

if TYPE_CHECKING:
    from millimorph.transforms import Transform

_START_NODES = 48
_REFINEMENTS = 4
_MAX_VALUES = 25_000_000
_WORTHWHILE = 0.75


class PointMap(ABC):
    """A map of physical points (n, d) in mm; what all transforms share."""

    __array_ufunc__: ClassVar[None] = None  # NumPy arrays leave `@` with a transform alone

    @property
    @abstractmethod
    def dimension(self) -> int:
        """2 or 3."""

    @abstractmethod
    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d)."""

    @abstractmethod
    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Derivatives (n, d, d) of the map at points (n, d): row = output, column = input axis."""

    def __matmul__(self, inner: "Transform") -> "Transform":
        """The map that applies `inner` first and then this one."""
        if not isinstance(inner, PointMap):
            return NotImplemented
        parts = _flattened((cast("Transform", self), inner))
        return parts[0] if len(parts) == 1 else CompositeTransform(parts)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        values = tuple(getattr(self, field.name) for field in fields(cast("Any", self)))
        return type(self), values

    def inverse_points(self, points_mm: npt.ArrayLike, tolerance_mm: float = 1e-7) -> FloatArray:
        """Points (n, d) that map to the given ones, to `tolerance_mm` after mapping them back.

        Raises:
            TransformError: some point has no such point, or none was found.
        """
        targets = sampling.checked_points(points_mm, self.dimension)
        if not np.isfinite(targets).all():
            raise TransformError("points_mm must be finite to be mapped backwards")
        points, misses = self.nearest_inverse(targets, tolerance_mm)
        failed = np.flatnonzero(~(misses <= tolerance_mm))
        if failed.size:
            worst = failed[int(np.argmax(misses[failed]))]
            raise TransformError(
                f"{failed.size} of {len(targets)} points cannot be mapped backwards: the worst, "
                f"{targets[worst].tolist()}, is missed by {misses[worst]:.3g} mm; the transform "
                "folds or jumps there, or does not reach it"
            )
        return points

    def nearest_inverse(
        self, targets: FloatArray, tolerance_mm: float, start: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The points found for each target, and by how many mm each misses it; never raises."""
        first = targets if start is None else start
        return newton_inverse(self.map_points, self.jacobians, targets, first, tolerance_mm)

    def own_domain(self) -> ImageGrid | None:
        """The grid outside whose extent the transform does nothing, if there is one."""
        return None

    def merged_with(self, inner: "Transform") -> "Transform | None":  # noqa: ARG002 - for affine maps
        """This map after `inner` as one map of the same kind, where that is exact."""
        return None

    def approximate_inverse(
        self, tolerance_mm: float, domain: ImageGrid | None = None
    ) -> "ApproximateInverse":
        """A map that undoes this one over a domain, and how far it is from doing so.

        The inverse is found point by point and stored as a displacement field, whose spacing is
        halved until the residual is within `tolerance_mm`, stops falling, or the field would pass
        200 MB. Outside the domain it does nothing. `domain` defaults to the transform's own.

        Raises:
            TransformError: there is no own domain and none was given.
        """
        _checked_tolerance(tolerance_mm)
        region = self.own_domain() if domain is None else domain
        if region is None:
            raise TransformError(
                f"{type(self).__name__} has no domain of its own; pass domain= (an ImageGrid over "
                "which the inverse is needed)"
            )
        return sampled_inverse(cast("Transform", self), region, tolerance_mm)


@final
@dataclass(frozen=True, eq=False)
class ApproximateInverse:
    """A map that nearly undoes another one.

    `residual_mm` is the largest distance found between a point and its image under the inverse
    and then the original map, at the nodes and cell middles of a grid over the domain.
    """

    transform: "Transform"
    residual_mm: float


@final
@dataclass(frozen=True, eq=False, repr=False)
class CompositeTransform(PointMap):
    """Maps applied one after the other; `parts` are listed outermost first.

    Nested compositions are flattened and neighbouring affine parts multiplied.
    """

    parts: tuple["Transform", ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flattened(tuple(self.parts)))

    def __repr__(self) -> str:
        return f"CompositeTransform {self.dimension}D of " + " @ ".join(
            f"[{part!r}]" for part in self.parts
        )

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.parts[0].dimension

    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d): the last part is applied first."""
        points = sampling.checked_points(points_mm, self.dimension)
        for part in reversed(self.parts):
            points = part.map_points(points)
        return points

    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Derivatives (n, d, d) by the chain rule."""
        points = sampling.checked_points(points_mm, self.dimension)
        total = self.parts[-1].jacobians(points)
        for outer, inner in zip(self.parts[-2::-1], self.parts[:0:-1], strict=True):
            points = inner.map_points(points)
            total = smallmatrix.matmul(outer.jacobians(points), total)
        return total

    def nearest_inverse(
        self, targets: FloatArray, tolerance_mm: float, start: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Part by part from the outermost on, then Newton on the whole for what is left over."""
        points = targets
        if start is None:
            for part in self.parts:
                points, _ = part.nearest_inverse(points, 0.01 * tolerance_mm)
        else:
            points = start
        misses = lengths(targets - self.map_points(points))
        left = np.flatnonzero(~(misses <= tolerance_mm))
        if left.size:
            points = points.copy()
            points[left], misses[left] = newton_inverse(
                self.map_points, self.jacobians, targets[left], points[left], tolerance_mm
            )
        return points, misses

    def approximate_inverse(
        self, tolerance_mm: float, domain: ImageGrid | None = None
    ) -> ApproximateInverse:
        """The composition of the parts' inverses; over a given domain, one displacement field.

        Without `domain` each part is inverted over its own one (affine parts exactly), and the
        residual is measured where those domains come to lie.

        Raises:
            TransformError: no domain is given, and a part has none of its own or is singular.
        """
        _checked_tolerance(tolerance_mm)
        if domain is not None:
            return sampled_inverse(self, domain, tolerance_mm)
        share = tolerance_mm / len(self.parts)
        inverses = [part.approximate_inverse(share) for part in self.parts]
        inverse = CompositeTransform(tuple(found.transform for found in reversed(inverses)))
        residual = 0.0
        for k, part in enumerate(self.parts):
            region = part.own_domain()
            if region is not None:
                nodes = _spanning_grid(region, _START_NODES)
                for grid in (nodes, _cell_middles(nodes)):
                    residual = max(residual, measured_residual(self, inverse, grid, self.parts[:k]))
        return ApproximateInverse(inverse, residual)


@final
@dataclass(frozen=True, eq=False, repr=False)
class DisplacementFieldTransform(PointMap):
    """x -> x + u(x), u interpolated linearly between the voxels of a grid and zero outside it.

    `displacements` is a read-only (d, z, y, x) array in mm along the world axes; in the outer half
    voxel u is that of the edge. ITK's DisplacementFieldTransform has the same meaning.
    """

    grid: ImageGrid
    displacements: FloatArray

    def __post_init__(self) -> None:
        field = sampling.checked_field("displacements", self.displacements, self.grid)
        object.__setattr__(self, "displacements", field)

    def __repr__(self) -> str:
        return f"DisplacementFieldTransform {self.dimension}D on {self.grid.describe()}"

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.grid.dimension

    def map_points(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Images (n, d) of points (n, d)."""
        points = sampling.checked_points(points_mm, self.dimension)
        return points + sampling.linear_values(self.grid, self.displacements, points)

    def jacobians(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Derivatives (n, d, d) of the interpolated map; at a voxel centre, those above it."""
        points = sampling.checked_points(points_mm, self.dimension)
        gradients = sampling.linear_gradients(self.grid, self.displacements, points)
        return gradients + np.eye(self.dimension)

    def own_domain(self) -> ImageGrid:
        """The grid of the field."""
        return self.grid

    def jacobian_determinant(self) -> FloatArray:
        """Determinants at the voxels (z, y, x), from central differences, one-sided at edges."""
        d = self.dimension
        by_index = np.zeros((*self.grid.shape, d, d))
        for axis in range(d):
            differences = _differences(self.displacements, d - axis)
            by_index[..., axis] = np.moveaxis(differences, 0, -1)
        gradients = smallmatrix.matmul(by_index, self.grid.index_from_world[:d, :d])
        return smallmatrix.determinant(gradients + np.eye(d))


def to_displacement_field(transform: "Transform", grid: ImageGrid) -> DisplacementFieldTransform:
    """A transform sampled at the voxels of a grid; exact there, linear in between."""
    if transform.dimension != grid.dimension:
        raise TransformError(
            f"a {transform.dimension}D transform cannot be sampled on a {grid.dimension}D grid"
        )
    flat = np.empty((grid.dimension, grid.voxel_count))
    for block, points in sampling.point_blocks(grid):
        flat[:, block] = (transform.map_points(points) - points).T
    flat.setflags(write=False)
    return DisplacementFieldTransform(grid, flat.reshape(grid.dimension, *grid.shape))


def sampled_inverse(
    transform: "Transform", domain: ImageGrid, tolerance_mm: float
) -> ApproximateInverse:
    """The inverse over a domain as a displacement field, as fine as the tolerance asks."""
    if transform.dimension != domain.dimension:
        raise TransformError(
            f"a {transform.dimension}D transform has no inverse over a {domain.dimension}D domain"
        )
    best = _inverse_on(transform, _spanning_grid(domain, _START_NODES), tolerance_mm, None)
    for level in range(1, _REFINEMENTS + 1):
        grid = _spanning_grid(domain, _START_NODES << level)
        if best.residual_mm <= tolerance_mm or grid.voxel_count * grid.dimension > _MAX_VALUES:
            break
        finer = _inverse_on(transform, grid, tolerance_mm, best.transform)
        stuck = finer.residual_mm > _WORTHWHILE * best.residual_mm
        best = finer if finer.residual_mm < best.residual_mm else best
        if stuck:
            break
    return best


def measured_residual(
    transform: "Transform",
    inverse: "Transform",
    grid: ImageGrid,
    placed_by: tuple["Transform", ...] = (),
) -> float:
    """Largest distance of `transform` after `inverse` from doing nothing, at a grid's voxels.

    The voxels are first moved by the maps `placed_by`, listed outermost first.
    """
    worst = 0.0
    for _, voxels in sampling.point_blocks(grid):
        points = voxels
        for part in reversed(placed_by):
            points = part.map_points(points)
        back = transform.map_points(inverse.map_points(points))
        worst = max(worst, float(np.max(lengths(back - points))))
    return worst


def _inverse_on(
    transform: "Transform", grid: ImageGrid, tolerance_mm: float, coarser: "Transform | None"
) -> ApproximateInverse:
    """The inverse at the nodes of one grid, as a field with its residual."""
    flat = np.empty((grid.dimension, grid.voxel_count))
    worst = 0.0
    for block, targets in sampling.point_blocks(grid):
        start = None if coarser is None else coarser.map_points(targets)
        points, misses = transform.nearest_inverse(targets, 0.01 * tolerance_mm, start)
        flat[:, block] = (points - targets).T
        worst = max(worst, float(np.max(misses)))
    flat.setflags(write=False)
    field = DisplacementFieldTransform(grid, flat.reshape(grid.dimension, *grid.shape))
    between = measured_residual(transform, field, _cell_middles(grid))
    return ApproximateInverse(field, max(worst, between))


def _cell_middles(grid: ImageGrid) -> ImageGrid:
    """The grid of the middles between the voxels of a grid, where interpolation errs most."""
    cells = [max(1, n - 1) for n in grid.size]
    middle = [0.5 if n > 1 else 0.0 for n in grid.size]
    origin = grid.points_mm([middle])[0].tolist()
    return ImageGrid(cells, grid.spacing_mm, origin, grid.direction)


def _spanning_grid(domain: ImageGrid, nodes: int) -> ImageGrid:
    """A grid whose outer nodes lie on the faces of a domain, with about `nodes` along the longest.

    Nodes are as near to equally spaced along all axes as whole numbers allow.
    """
    longest = max(domain.extent_mm)
    cells = [max(1, int(np.ceil((nodes - 1) * e / longest))) for e in domain.extent_mm]
    spacing = [e / n for e, n in zip(domain.extent_mm, cells, strict=True)]
    origin = domain.points_mm([[-0.5] * domain.dimension])[0].tolist()
    return ImageGrid([n + 1 for n in cells], spacing, origin, domain.direction)


def _differences(field: FloatArray, axis: int) -> FloatArray:
    """Central differences along one array axis, one-sided at both ends, zero for a single one."""
    moved = np.moveaxis(field, axis, 0)
    result = np.zeros_like(moved)
    if len(moved) > 1:
        result[1:-1] = 0.5 * (moved[2:] - moved[:-2])
        result[0] = moved[1] - moved[0]
        result[-1] = moved[-1] - moved[-2]
    return np.moveaxis(result, 0, axis)


def _flattened(parts: tuple["Transform", ...]) -> tuple["Transform", ...]:
    """Parts without nested compositions, neighbours merged where they are both affine."""
    flat: list[Transform] = []
    for part in parts:
        for single in part.parts if isinstance(part, CompositeTransform) else (part,):
            merged = flat[-1].merged_with(single) if flat else None
            if merged is None:
                flat.append(single)
            else:
                flat[-1] = merged
    if not flat:
        raise TransformError("a CompositeTransform needs at least one part, got none")
    dimensions = sorted({part.dimension for part in flat})
    if len(dimensions) > 1:
        raise TransformError(f"transforms of dimensions {dimensions} cannot be composed")
    return tuple(flat)


def _checked_tolerance(tolerance_mm: float) -> None:
    if not tolerance_mm > 0.0:
        raise TransformError(f"tolerance_mm must be above zero, got {tolerance_mm}")
