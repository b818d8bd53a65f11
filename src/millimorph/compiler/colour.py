"""Ops on photographs, as steps."""

import math
from typing import assert_never

from millimorph.compiler.places import place_of, share_of_picture, size, spacing_mm
from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number
from millimorph.errors import CompileError
from millimorph.kernels.elementary import cos, sin
from millimorph.ops.colour import ColourJitter, ColourOp, SpecularHighlights, Vignette
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.colour import ColourTurn, CornerFalloff, Highlights, Row

COLOURS = 3
LUMA = (0.299, 0.587, 0.114)
# Rows of YIQ's chroma plane: I = in-phase, Q = quadrature, as functions of red, green, blue.
IN_PHASE = (0.595716, -0.274453, -0.321263)
QUADRATURE = (0.211456, -0.522591, 0.311135)


def colour_steps(op: ColourOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    match op:
        case ColourJitter():
            return _jitter(op, subject)
        case Vignette():
            return _vignette(op, subject)
        case SpecularHighlights():
            return _highlights(op, subject)
        case _:
            assert_never(op)


def _jitter(op: ColourJitter, subject: Subject) -> tuple[ColourTurn, ...]:
    channels = subject.channels if op.channels is None else len(op.channels)
    if channels != COLOURS:
        what = f"has {channels}" if op.channels is None else f"gets {channels} by `channels`"
        raise CompileError(
            f'{op.id} needs three channels, red, green and blue; "{subject.name}" {what}; choose '
            "the images by `images`, or three channels by `channels`"
        )
    brightness, contrast = number(op.brightness), number(op.contrast)
    saturation, hue_deg = number(op.saturation), number(op.hue_deg)
    if brightness == contrast == saturation == 1.0 and hue_deg == 0.0:
        return ()
    turn = math.radians(1.0) * hue_deg
    matrix = _chroma(saturation * cos(turn), saturation * sin(turn))
    gain = brightness * contrast
    scaled = tuple(tuple(gain * entry for entry in row) for row in matrix)
    return (ColourTurn(scaled, 1.0 - contrast),)  # type: ignore[arg-type] # three rows of three


def _chroma(real: float, imaginary: float) -> tuple[Row, Row, Row]:
    """The matrix on red, green, blue that turns and scales the chroma plane; grey stays.

    Chroma I + iQ is multiplied by real + i imaginary. A colour is its luma plus I times
    one vector plus Q times another, which are found by inverting the two chroma rows.
    """
    from_i, from_q = _chroma_vectors()
    rows = []
    for channel in range(COLOURS):
        row = []
        for k in range(COLOURS):
            i = real * IN_PHASE[k] - imaginary * QUADRATURE[k]
            q = imaginary * IN_PHASE[k] + real * QUADRATURE[k]
            row.append(LUMA[k] + from_i[channel] * i + from_q[channel] * q)
        rows.append((row[0], row[1], row[2]))
    return rows[0], rows[1], rows[2]


def _chroma_vectors() -> tuple[Row, Row]:
    """The colours of luma 0 with (I, Q) = (1, 0) and (0, 1)."""
    y, i, q = LUMA, IN_PHASE, QUADRATURE
    from_i, from_q = _cross(q, y), _cross(y, i)
    volume = i[0] * from_i[0] + i[1] * from_i[1] + i[2] * from_i[2]
    scale = 1.0 / volume
    return (
        (scale * from_i[0], scale * from_i[1], scale * from_i[2]),
        (scale * from_q[0], scale * from_q[1], scale * from_q[2]),
    )


def _cross(a: Row, b: Row) -> Row:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def _vignette(op: Vignette, subject: Subject) -> tuple[CornerFalloff, ...]:
    corner = number(op.corner_fraction)
    if corner == 1.0:
        return ()
    (nx, ny, _), (sx, sy, _) = size(subject), spacing_mm(subject)
    if op.centre_mm is not None:
        centre = place_of(op.centre_mm, f"{op.id}.centre_mm", subject)[:2]
    else:
        centre = share_of_picture(
            0.5 + number(op.shift_x_fraction), 0.5 + number(op.shift_y_fraction), subject
        )
    square_half_diagonal = 0.25 * (nx * sx * nx * sx + ny * sy * ny * sy)
    tangent_square = 1.0 / math.sqrt(corner) - 1.0
    return (CornerFalloff(centre, (sx, sy), tangent_square / square_half_diagonal),)


def _highlights(op: SpecularHighlights, subject: Subject) -> tuple[Highlights, ...]:
    (nx, ny, _), (sx, sy, _) = size(subject), spacing_mm(subject)
    half_axis = number(op.size_fraction) * min(nx * sx, ny * sy)
    level = None if op.level is None else number(op.level)
    edge = number(op.edge_fraction)
    stream = subject.stream(op.id)
    return (Highlights(int(number(op.count)), half_axis, edge, level, (sx, sy), stream),)
