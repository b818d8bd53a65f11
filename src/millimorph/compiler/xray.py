"""Ops on X-ray projections, as steps."""

import math

from millimorph.compiler.places import share_of_picture, size, spacing_mm
from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number
from millimorph.kernels.elementary import cos, sin
from millimorph.ops.xray import XrayCollimation, XrayOp
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.xray import Blades, BladeShutter, ScatterVeil


def xray_steps(op: XrayOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    (nx, ny, _), (sx, sy, _) = size(subject), spacing_mm(subject)
    if isinstance(op, XrayCollimation):
        turn = math.radians(1.0) * number(op.rotation_deg)
        blades = Blades(
            str(op.shape),
            share_of_picture(
                0.5 + number(op.shift_x_fraction), 0.5 + number(op.shift_y_fraction), subject
            ),
            (0.5 * number(op.width_fraction) * nx * sx, 0.5 * number(op.height_fraction) * ny * sy),
            cos(turn),
            sin(turn),
        )
        border = None if op.border is None else number(op.border)
        return (BladeShutter(blades, (sx, sy), number(op.penumbra_mm), border),)
    ratio = number(op.scatter_to_primary)
    if ratio == 0.0:
        return ()
    spread = number(op.spread_mm)
    log_range = number(op.log_range) if op.scale == "log" else None
    return (ScatterVeil(ratio, (spread / sx, spread / sy), log_range),)
