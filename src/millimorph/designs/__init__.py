"""How the space of a pipeline's parameters is sampled."""

from millimorph.designs.models import (
    Design,
    DesignRule,
    Explicit,
    FullFactorial,
    LatinHypercube,
    Random,
    Sobol,
    with_count,
)
from millimorph.designs.points import Origin, Points, describe_grid, design_points
from millimorph.designs.spaces import Branches, Joint, Space, Subset, coordinates, grid_size

__all__ = [
    "Branches",
    "Design",
    "DesignRule",
    "Explicit",
    "FullFactorial",
    "Joint",
    "LatinHypercube",
    "Origin",
    "Points",
    "Random",
    "Sobol",
    "Space",
    "Subset",
    "coordinates",
    "describe_grid",
    "design_points",
    "grid_size",
    "with_count",
]
