"""Rotations drawn uniformly from all rotations by at most an angle, as versors.

The axis is uniform on the sphere and the angle t has the density of 1 - cos t, which is the Haar
measure of SO(3) in axis and angle (Miles 1965). Only reproducible arithmetic is used.
"""

import math

from millimorph.distributions import Uniform, UnitInterval
from millimorph.kernels.elementary import cos, exp, log, sin
from millimorph.parameters import Coordinate, Drawn
from millimorph.values import number

Versor = tuple[float, float, float, float]

_ITERATIONS = 6
_SERIES_LIMIT = 1.0


def versor_coordinates(dimension: int) -> tuple[Coordinate, ...]:
    """What a rotation is drawn from: two coordinates for the axis (3D) and one for the angle."""
    if dimension == 2:
        return (Coordinate("angle", Uniform(-1.0, 1.0)),)
    names = ("axis_height", "axis_azimuth", "angle")
    return tuple(Coordinate(name, UnitInterval()) for name in names)


def random_versor(dimension: int, max_angle_deg: float, drawn: Drawn) -> Versor:
    """The versor (x, y, z, w) at the drawn coordinates; in 2D about z."""
    limit = max_angle_deg * math.pi / 180.0
    if dimension == 2:
        return _versor((0.0, 0.0, 1.0), limit * number(drawn("angle")))
    height = 2.0 * number(drawn("axis_height")) - 1.0
    azimuth = 2.0 * math.pi * number(drawn("axis_azimuth"))
    radius = math.sqrt(max(0.0, 1.0 - height * height))
    axis = (radius * cos(azimuth), radius * sin(azimuth), height)
    return _versor(axis, haar_angle(number(drawn("angle")), limit))


def haar_angle(u: float, limit: float) -> float:
    """The angle in [0, limit] up to which a share u of all rotations by at most limit turns.

    Newton's method on t - sin t, which is convex, from above; relative error below 1e-12.
    """
    target = u * _excess(limit)
    if target <= 0.0:
        return 0.0
    start = exp(log(6.0 * target) / 3.0)
    # From below the root, the first step of Newton's method lands above it.
    angle = min(start, limit)
    for _ in range(_ITERATIONS):
        half = sin(0.5 * angle)
        step = (_excess(angle) - target) / (2.0 * half * half)
        angle = min(max(angle - step, 0.0), limit)
    return angle


def _excess(t: float) -> float:
    """T - sin t, by its series where the difference would cancel."""
    if t > _SERIES_LIMIT:
        return t - sin(t)
    square = t * t
    total = 1.0
    for k in (19, 17, 15, 13, 11, 9, 7, 5):
        total = 1.0 - total * square / (k * (k - 1.0))
    return t * square / 6.0 * total


def _versor(axis: tuple[float, float, float], angle: float) -> Versor:
    half = 0.5 * angle
    x, y, z = (component * sin(half) for component in axis)
    return x, y, z, cos(half)
