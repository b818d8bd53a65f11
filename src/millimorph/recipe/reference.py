"""The reference domain: the grid onto which every image of a case is resampled."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, StringConstraints, model_validator

from millimorph.parameters import PerAxis, Range, Whole, given_schema
from millimorph.values import Value, mistake

_MM_ABOVE_ZERO = Range(low=0.0, above_low=True, unit="mm", constant=True)
_VOXELS = Whole(low=1, constant=True)
_WAYS = ("size", "spacing_mm", "size_x", "like")


class Reference(Value):
    """A grid over the largest physical extent of the images, centred on each case's first one.

    In a data set these are the images of all cases, where voxels fit the extent (`size`, `size_x`);
    otherwise those of the case. A case without images has the extent of its label maps.

    Exactly one of: `size`, (x, y, z) in voxels, which fit the extent on each axis; `spacing_mm`,
    one for all axes or one for each; `size_x`, the voxels along x of an isotropic grid; `like`, the
    name of an image or label map of the case whose grid it is, as it lies.

    `extent_mm`: (x, y, z), in place of the extent that the images have. `alignment`: along each
    image's own axes, or along the patient's (LPS).
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [given_schema(way) for way in _WAYS]})

    size: Annotated[tuple[int, ...] | None, PerAxis(_VOXELS, single=False, optional=True)] = None
    spacing_mm: Annotated[
        float | tuple[float, ...] | None, PerAxis(_MM_ABOVE_ZERO, optional=True)
    ] = None
    size_x: Annotated[int | None, Whole(low=1, constant=True, optional=True)] = None
    like: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100)] | None = None
    extent_mm: Annotated[
        tuple[float, ...] | None, PerAxis(_MM_ABOVE_ZERO, single=False, optional=True)
    ] = None
    alignment: Literal["image", "patient"] = "image"

    @model_validator(mode="after")
    def _one_resolution(self) -> Self:
        if sum(getattr(self, way) is not None for way in _WAYS) != 1:
            raise mistake("takes exactly one of size, spacing_mm, size_x and like")
        if self.like is not None and (self.extent_mm is not None or self.alignment != "image"):
            raise mistake("takes neither extent_mm nor alignment with like, which is a whole grid")
        return self

    def implied_dimensions(self) -> dict[str, int]:
        """The dimension that each per-axis list has numbers for, by field."""
        lists = {"size": self.size, "spacing_mm": self.spacing_mm, "extent_mm": self.extent_mm}
        return {name: len(value) for name, value in lists.items() if isinstance(value, tuple)}
