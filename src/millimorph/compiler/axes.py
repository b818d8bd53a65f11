"""Axes that are named by the patient or by the grid."""

from millimorph.compiler.maps import GRID_AXES, PATIENT_AXES
from millimorph.compiler.subject import Subject
from millimorph.errors import CompileError

_LETTERS = ("LR", "PA", "SI")


def grid_axis(name: object, subject: Subject, op_id: str | None) -> int:
    """The axis (0: x) of the image's grid: a grid axis, or the one nearest to a patient axis.

    Raises CompileError for an axis that a two-dimensional image has not.
    """
    grid = subject.grid
    axes = PATIENT_AXES if name in PATIENT_AXES else GRID_AXES
    axis = axes.index(str(name))
    if axis >= grid.dimension:
        raise CompileError(
            f'{op_id} acts along "{name}", "{subject.name}" is 2D; choose {axes[0]} or {axes[1]}'
        )
    if axes is GRID_AXES:
        return axis
    return next(k for k, letter in enumerate(grid.orientation) if letter in _LETTERS[axis])
