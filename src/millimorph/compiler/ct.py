"""Ops on computed tomograms, as steps."""

import math
from typing import assert_never

import numpy as np

from millimorph.compiler.places import fast_length, index_of, size, spacing_mm
from millimorph.compiler.subject import Subject
from millimorph.compiler.world import number
from millimorph.errors import CompileError
from millimorph.kernels.philox import uniforms
from millimorph.ops.ct import (
    CtCupping,
    CtDoseNoise,
    CtKernelChange,
    CtMetalStreaks,
    CtOp,
    CtRings,
)
from millimorph.program import Pointwise, VolumeStep
from millimorph.program.ct import (
    HardeningCup,
    KernelRatio,
    PinShape,
    PinStreaks,
    Planes,
    QuantumNoise,
    RingPattern,
)

FWHM = 2.3548200450309493
MTF50_CYCLES_PER_VOXEL = 0.25
USUAL_MTF50_PER_MM = 0.4


def ct_steps(op: CtOp, subject: Subject) -> tuple[Pointwise | VolumeStep, ...]:
    """The steps of one op; none where its parameters change nothing."""
    _check_holds_hu(op, subject)
    match op:
        case CtDoseNoise():
            return _dose_noise(op, subject)
        case CtRings():
            return _rings(op, subject)
        case CtMetalStreaks():
            return _streaks(op, subject)
        case CtCupping():
            depth = number(op.depth_hu)
            return (HardeningCup(_planes(subject), depth),) if depth else ()
        case CtKernelChange():
            return _kernel_change(op, subject)
        case _:
            assert_never(op)


def _check_holds_hu(op: CtOp, subject: Subject) -> None:
    kind = np.dtype(subject.dtype)
    if kind.kind == "u" or kind.itemsize < 2:
        raise CompileError(
            f'{op.id} works in HU, from -1024 (air) to 3000; "{subject.name}" is stored as {kind}, '
            "which cannot hold them; rescale it to HU as int16 or float32, or leave it out by "
            "`images`"
        )


def _planes(subject: Subject) -> Planes:
    """The grid planes nearest to across the head-foot axis."""
    axis = 2
    if subject.grid.dimension == 3:
        letters = subject.grid.orientation
        axis = next(k for k, letter in enumerate(letters) if letter in "SI")
    return Planes(axis, spacing_mm(subject))


def _fast_field(planes: Planes, subject: Subject) -> tuple[int, int]:
    """Rows and columns of at least a plane, with fast Fourier transforms."""
    voxels = size(subject)
    column, row = planes.axes
    return fast_length(voxels[row]), fast_length(voxels[column])


def _dose_noise(op: CtDoseNoise, subject: Subject) -> tuple[QuantumNoise, ...]:
    added = math.sqrt(1.0 / number(op.dose_fraction) - 1.0)
    deviation = number(op.full_dose_noise_hu) * added
    if deviation == 0.0:
        return ()
    peak = number(op.peak_frequency_per_mm)
    planes = _planes(subject)
    field = _fast_field(planes, subject)
    return (QuantumNoise(planes, field, deviation, peak, subject.stream(op.id)),)


def _rings(op: CtRings, subject: Subject) -> tuple[RingPattern, ...]:
    amplitude = number(op.amplitude_hu)
    if amplitude == 0.0:
        return ()
    planes = _planes(subject)
    voxels = size(subject)
    middle = (0.5 * (voxels[0] - 1), 0.5 * (voxels[1] - 1), 0.5 * (voxels[2] - 1))
    centre = middle
    if op.centre_mm is not None:
        centre = index_of(op.centre_mm, f"{op.id}.centre_mm", subject)
    reach = min(0.5 * voxels[k] * planes.spacing_mm[k] for k in planes.axes)
    shares = uniforms(subject.stream(f"{op.id}:radii"), int(number(op.count))).tolist()
    width = max(number(op.width_mm), *planes.in_plane_mm)
    radii = tuple(sorted(reach * share for share in shares))
    stream = subject.stream(op.id)
    return (RingPattern(planes, centre, radii, width / FWHM, amplitude, stream),)


def _streaks(op: CtMetalStreaks, subject: Subject) -> tuple[PinStreaks, ...]:
    places = None
    if op.places_mm is not None:
        places = tuple(index_of(place, f"{op.id}.places_mm", subject) for place in op.places_mm)
    shape = PinShape(number(op.radius_mm), number(op.length_mm), number(op.metal_hu))
    return (
        PinStreaks(
            _planes(subject),
            shape,
            number(op.streak_hu),
            int(number(op.count)) if places is None else len(places),
            places,
            subject.stream(f"{op.id}:places"),
            subject.stream(op.id),
        ),
    )


def _kernel_change(op: CtKernelChange, subject: Subject) -> tuple[KernelRatio, ...]:
    sharpness = number(op.sharpness)
    if sharpness == 1.0:
        return ()
    planes = _planes(subject)
    if op.mtf50_per_mm is not None:
        mtf50 = number(op.mtf50_per_mm)
    else:
        mtf50 = min(USUAL_MTF50_PER_MM, MTF50_CYCLES_PER_VOXEL / max(planes.in_plane_mm))
    return (KernelRatio(planes, _fast_field(planes, subject), sharpness, mtf50),)
