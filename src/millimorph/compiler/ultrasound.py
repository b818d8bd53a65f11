"""Ops on B-mode ultrasound, as steps."""

import math
from typing import assert_never

from millimorph.compiler.places import fast_length, place_of, share_of_picture, size, spacing_mm
from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number
from millimorph.errors import CompileError
from millimorph.kernels.philox import uniforms
from millimorph.ops.ultrasound import (
    UltrasoundAttenuation,
    UltrasoundOp,
    UltrasoundShadow,
    UltrasoundSpeckle,
)
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.ultrasound import (
    Beams,
    DepthGain,
    Echoes,
    ShadowSector,
    SpeckleField,
    Surface,
)

FWHM = 2.3548200450309493
SLIDERS = 8
MM_PER_CM = 10.0
LEAST_DISTANCE_MM = 1e-3


def ultrasound_steps(op: UltrasoundOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    echoes = Echoes(number(op.dynamic_range_db) if op.scale == "log" else None)
    match op:
        case UltrasoundSpeckle():
            return _speckle(op, subject, echoes)
        case UltrasoundAttenuation():
            return _attenuation(op, subject, echoes)
        case UltrasoundShadow():
            return _shadow(op, subject, echoes)
        case _:
            assert_never(op)


def _speckle(op: UltrasoundSpeckle, subject: Subject, echoes: Echoes) -> tuple[SpeckleField, ...]:
    strength = number(op.strength)
    if strength == 0.0:
        return ()
    sx, sy, sz = spacing_mm(subject)
    voxels = (
        number(op.across_mm) / FWHM / sx,
        number(op.along_mm) / FWHM / sy,
        number(op.elevation_mm) / FWHM / sz if size(subject)[2] > 1 else 0.0,
    )
    looks = int(number(op.looks))
    nx, ny, nz = size(subject)
    field = fast_length(nx), fast_length(ny), fast_length(nz)
    return (SpeckleField(field, voxels, looks, strength, echoes, subject.stream(op.id)),)


def _beams(op: UltrasoundAttenuation | UltrasoundShadow, subject: Subject) -> Beams:
    apex = None
    if op.apex_mm is not None:
        apex = place_of(op.apex_mm, f"{op.id}.apex_mm", subject)
    return Beams(spacing_mm(subject), apex, number(op.face_mm))


def _deepest_mm(beams: Beams, subject: Subject) -> float:
    """The depth of the last row, or of the corner that is farthest from the apex."""
    ends = [(n - 1) * s for n, s in zip(size(subject), beams.spacing_mm, strict=True)]
    if beams.apex_mm is None:
        return ends[1]
    square = 0.0
    for apex, end in zip(beams.apex_mm, ends, strict=True):
        farthest = max(abs(apex), abs(end - apex))
        square += farthest * farthest
    return max(0.0, math.sqrt(square) - beams.face_mm)


def _attenuation(
    op: UltrasoundAttenuation, subject: Subject, echoes: Echoes
) -> tuple[DepthGain, ...]:
    excess = number(op.attenuation_db_per_cm_mhz) - number(op.compensated_db_per_cm_mhz)
    slope = -2.0 * excess * number(op.frequency_mhz) / MM_PER_CM
    error = number(op.slider_error_db)
    if slope == 0.0 and error == 0.0:
        return ()
    shares = uniforms(subject.stream(op.id), SLIDERS).tolist()
    sliders = tuple(error * (2.0 * share - 1.0) for share in shares)
    beams = _beams(op, subject)
    return (DepthGain(beams, slope, sliders, _deepest_mm(beams, subject), echoes),)


def _shadow(op: UltrasoundShadow, subject: Subject, echoes: Echoes) -> tuple[ShadowSector, ...]:
    shadow, echo = number(op.shadow_db), number(op.echo_db)
    if shadow == 0.0 and echo == 0.0:
        return ()
    beams = _beams(op, subject)
    if op.centre_mm is not None:
        centre = place_of(op.centre_mm, f"{op.id}.centre_mm", subject)
    else:
        x, y = share_of_picture(number(op.across_fraction), number(op.depth_fraction), subject)
        centre = (x, y, 0.5 * (size(subject)[2] - 1) * beams.spacing_mm[2])
    if beams.apex_mm is not None and math.dist(centre, beams.apex_mm) < LEAST_DISTANCE_MM:
        raise CompileError(
            f"{op.id} has its surface at the apex of the beams; move centre_mm or apex_mm"
        )
    surface = Surface(centre, 0.5 * number(op.width_mm), number(op.edge_mm))
    return (ShadowSector(beams, surface, shadow, echo, echoes),)
