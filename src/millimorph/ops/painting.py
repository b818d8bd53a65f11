"""The op that makes an image from a label map."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from millimorph.errors import ImageError
from millimorph.images import check_name
from millimorph.ops.base import Op
from millimorph.ops.labels import LabelValues
from millimorph.parameters import Checked, Listed, Range
from millimorph.values import Value, as_list, mistake, shown


class RoleName(Checked):
    """A name that may stand in a file name."""

    def parse(self, given: Any) -> str:
        """The name."""
        try:
            check_name(given, "role name")
        except ImageError as error:
            raise ValueError(f"must be a role name: {error}") from None
        return str(given)

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"type": "string", "minLength": 1, "maxLength": 100}


_GREY_LEVELS = Range(constant=True)
_DEVIATIONS = Range(low=0.0, constant=True)
Bounds = tuple[float, float]


class LabelClass(Value):
    """Labels that share one normal distribution, and the bounds it is drawn from.

    `labels`: at least one. `means`, `stds`: [low, high]; left out, those of the op. Equal bounds
    fix a number.
    """

    labels: Annotated[tuple[int, ...], LabelValues()]
    means: Annotated[tuple[float, ...] | None, Listed(_GREY_LEVELS, optional=True)] = None
    stds: Annotated[tuple[float, ...] | None, Listed(_DEVIATIONS, optional=True)] = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_bounds(self.means, "means")
        _check_bounds(self.stds, "stds")
        return self


class LabelsToImage(Op):
    """Make a float32 image from a label map: each label's voxels are drawn from a normal law.

    Mean and standard deviation of each label are drawn once, uniformly between bounds, and belong
    to the sample, the op's id and the label (of a class: its first label), so that they are the
    same whatever other labels there are. Label 0 is a label like any other. Grey levels may be
    negative; put `Clamp` behind it where that matters. The image lies on the grid of the label map
    after the resample; ops that follow see it, and what they ask of "the original image" they ask
    of it as it was made.

    `labels`: the role name of the label map; left out, the case's only one. `image`: the role name
    of the new image. `means`, `stds`: bounds [low, high] in grey levels, by default 25 to 225 and 5
    to 25. `classes`: labels that share one distribution, with bounds of their own if they have any.

    Raises CompileError when the case has that image already, has not the label map, or has it in
    several channels or frames. Source: Billot et al. 2023, SynthSeg, Medical Image Analysis 86.
    """

    op: Literal["labels_to_image"] = "labels_to_image"
    labels: Annotated[str, RoleName()] | None = None
    image: Annotated[str, RoleName()] = "synthetic"
    means: Annotated[tuple[float, ...], Listed(_GREY_LEVELS)] = (25.0, 225.0)
    stds: Annotated[tuple[float, ...], Listed(_DEVIATIONS)] = (5.0, 25.0)
    classes: Annotated[tuple[LabelClass, ...], BeforeValidator(as_list)] = ()

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        _check_bounds(self.means, "means")
        _check_bounds(self.stds, "stds")
        seen: set[int] = set()
        for label in (label for one in self.classes for label in one.labels):
            if label in seen:
                raise mistake(f"has label {label} in two classes", "classes")
            seen.add(label)
        return self


def _check_bounds(bounds: tuple[float, ...] | None, name: str) -> None:
    if bounds is not None and (len(bounds) != 2 or bounds[0] > bounds[1]):
        raise mistake(f"{name} must be two numbers [low, high], got {shown(bounds)}", name)


PaintOp = LabelsToImage
"""Ops that make an image."""
