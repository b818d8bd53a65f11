"""Ops on spatial frequencies, as steps in lines and voxels of the image's grid."""

import math
from itertools import pairwise
from typing import assert_never

from millimorph.compiler.axes import grid_axis
from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number, per_axis
from millimorph.kernels.philox import uniforms
from millimorph.ops.fourier import FourierOp, Ghosting, Gibbs, Motion, Spike
from millimorph.ops.rotations import random_versor
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.fourier import FrequencyBox, LineComb, Pose, SegmentMix, Wave, WaveSum
from millimorph.transforms import AffineTransform
from millimorph.transforms.parametrised import versor_matrix

NUMBERS_PER_POSE = 6
NUMBERS_PER_SPIKE = 4


def fourier_steps(op: FourierOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    match op:
        case Motion():
            return _motion(op, subject)
        case Ghosting():
            return _ghosting(op, subject)
        case Spike():
            return _spike(op, subject)
        case Gibbs():
            return _gibbs(op, subject)
        case _:
            assert_never(op)


def _motion(op: Motion, subject: Subject) -> tuple[SegmentMix, ...]:
    axis = grid_axis(op.axis, subject, op.id)
    count = int(number(op.movements))
    limits = number(op.max_rotation_deg), number(op.max_translation_mm)
    if limits == (0.0, 0.0):
        return ()
    drawn = uniforms(subject.stream(op.id), count * (1 + NUMBERS_PER_POSE)).tolist()
    lines = subject.grid.size[axis]
    starts = [0, *sorted(_lines_before(time, lines) for time in drawn[:count]), lines]
    poses: list[Pose] = []
    for first, last in pairwise(starts):
        if first <= lines // 2 < last:
            continue
        at = count + NUMBERS_PER_POSE * len(poses)
        pull = _pull(limits, drawn[at : at + NUMBERS_PER_POSE], subject)
        poses.append(Pose(first, last, pull))
    kept = tuple(pose for pose in poses if pose.first < pose.last)
    return (SegmentMix(axis, kept),) if kept else ()


def _lines_before(time: float, lines: int) -> int:
    """How many lines are acquired before a time; line k at the time (k + 1/2) / lines."""
    return math.floor(time * lines + 0.5)


def _pull(limits: tuple[float, float], drawn: list[float], subject: Subject) -> AffineTransform:
    """From where a voxel of the moved anatomy comes: the inverse of the movement."""
    max_rotation_deg, max_translation_mm = limits
    grid = subject.grid
    d = grid.dimension
    named = {
        "axis_height": drawn[0],
        "axis_azimuth": drawn[1],
        "angle": drawn[2] if d == 3 else 2.0 * drawn[2] - 1.0,
    }
    x, y, z, _ = random_versor(d, max_rotation_deg, named.__getitem__)
    linear = versor_matrix((x, y, z))[:d, :d]
    shift = [max_translation_mm * (2.0 * u - 1.0) for u in drawn[3 : 3 + d]]
    return AffineTransform.from_linear(linear, shift, grid.centre_mm).inverse()


def _ghosting(op: Ghosting, subject: Subject) -> tuple[LineComb, ...]:
    axis = grid_axis(op.axis, subject, op.id)
    lines = subject.grid.size[axis]
    period = int(number(op.ghosts)) + 1
    gain = number(op.intensity)
    share = number(op.restored)
    restored = max(1, math.floor(0.5 * share * lines + 0.5)) if share > 0.0 else 0
    if lines < period or gain == 0.0 or share == 1.0:
        return ()
    return (LineComb(axis, period, gain, restored),)


def _spike(op: Spike, subject: Subject) -> tuple[WaveSum, ...]:
    intensity = number(op.intensity)
    if intensity == 0.0:
        return ()
    size = subject.grid.size
    count = int(number(op.spikes))
    drawn = uniforms(subject.stream(op.id), count * NUMBERS_PER_SPIKE).tolist()
    waves = []
    for first in range(0, len(drawn), NUMBERS_PER_SPIKE):
        phase, *places = drawn[first : first + NUMBERS_PER_SPIKE]
        shares = (
            tuple(2.0 * u - 1.0 for u in places[: len(size)])
            if op.frequency is None
            else per_axis(op.frequency, f"{op.id}.frequency", len(size))
        )
        cycles = tuple(round(share * (n // 2)) for share, n in zip(shares, size, strict=True))
        waves.append(Wave(cycles, phase))
    return (WaveSum(tuple(waves), intensity),)


def _gibbs(op: Gibbs, subject: Subject) -> tuple[FrequencyBox, ...]:
    size = subject.grid.size
    cutoff = per_axis(op.cutoff, f"{op.id}.cutoff", len(size))
    cycles = tuple(
        None if kept >= n // 2 else kept
        for kept, n in ((math.floor(c * (n // 2)), n) for c, n in zip(cutoff, size, strict=True))
    )
    return () if all(kept is None for kept in cycles) else (FrequencyBox(cycles),)
