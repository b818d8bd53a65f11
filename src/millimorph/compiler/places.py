"""Places and sizes on an image's grid, in mm along its axes from the first voxel's centre."""

from millimorph.compiler.subject import Subject
from millimorph.compiler.world import per_axis

Place = tuple[float, float, float]


def spacing_mm(subject: Subject) -> Place:
    """The spacing along x, y, z; 1 mm across a two-dimensional image."""
    spacing = subject.grid.spacing_mm
    return (spacing[0], spacing[1], spacing[2] if len(spacing) > 2 else 1.0)


def size(subject: Subject) -> tuple[int, int, int]:
    """The number of voxels along x, y, z; 1 across a two-dimensional image."""
    found = subject.grid.size
    return (found[0], found[1], found[2] if len(found) > 2 else 1)


def index_of(point_mm: tuple[float, ...], name: str, subject: Subject) -> Place:
    """The continuous voxel index of a point in LPS mm."""
    point = per_axis(point_mm, name, subject.grid.dimension)
    found = subject.grid.indices([point])[0].tolist()
    return (found[0], found[1], found[2] if len(found) > 2 else 0.0)


def place_of(point_mm: tuple[float, ...], name: str, subject: Subject) -> Place:
    """A point in LPS mm as a place on the grid."""
    x, y, z = index_of(point_mm, name, subject)
    sx, sy, sz = spacing_mm(subject)
    return (x * sx, y * sy, z * sz)


def share_of_picture(x_fraction: float, y_fraction: float, subject: Subject) -> tuple[float, float]:
    """The place in the x-y plane at fractions of the picture's width and height, its edges 0, 1."""
    (nx, ny, _), (sx, sy, _) = size(subject), spacing_mm(subject)
    return (x_fraction * nx - 0.5) * sx, (y_fraction * ny - 0.5) * sy


def fast_length(count: int) -> int:
    """The least length of at least `count` whose Fourier transform is fast: 2^a 3^b 5^c."""
    best = 1 << max(count - 1, 0).bit_length()
    fives = 1
    while fives < best:
        threes = fives
        while threes < best:
            length = threes
            while length < count:
                length *= 2
            best = min(best, length)
            threes *= 3
        fives *= 5
    return best
