"""Ops that move anatomy or choose the target grid; all of them fold into one resample per image.

They are listed in the order in which the anatomy moves. Lengths are LPS millimetres, angles
degrees. Left out, a centre is the centre of the reference grid. In 2D an op has x and y only and
one angle, about z; a recipe with numbers for three axes is applied to a 2D image by its angle about
z and its x and y components.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Choice, Parameter, Uniform
from millimorph.ops.base import Centre, Op, PerAxisParameter, WholeParameter
from millimorph.ops.deformations import Diffeomorphic, Elastic, RadialDistortion, Warp
from millimorph.ops.extents import Crop, Pad
from millimorph.ops.pairs import LabelPairs
from millimorph.ops.rotations import random_versor, versor_coordinates
from millimorph.parameters import (
    ANGLES,
    SHEARS,
    Coordinate,
    Drawn,
    Listed,
    PerAxis,
    Range,
    Whole,
    Word,
)
from millimorph.transforms import PARAMETER_NAMES
from millimorph.values import mistake

MAX_DEGREES = 360.0


class Affine(Op):
    """Rotation, scaling, shear and translation: x -> c + t + R H S (x - c).

    `rotation_deg`: about the LPS axes x, y, z, R = Rz Ry Rx; one distribution is drawn for each
    axis by itself. `scale`: above 0; one distribution is one isotropic draw, a list scales each
    axis. `shear`: the entries xy, xz, yz of the unit upper triangular H (2D: one number).
    `translation_mm`: along x, y, z. `centre_mm`: c; left out, the centre of the reference grid.

    With none of the four motions given, `Affine()` turns by up to 10 degrees about each axis and
    scales by 0.9 to 1.1; as soon as one is given, the others stand still.
    """

    ALWAYS_SPELLED: ClassVar[tuple[str, ...]] = ("op", "rotation_deg")

    op: Literal["affine"] = "affine"
    rotation_deg: Annotated[
        PerAxisParameter, PerAxis(Range(-MAX_DEGREES, MAX_DEGREES, unit="degrees"), ANGLES)
    ] = 0.0
    scale: Annotated[PerAxisParameter, PerAxis(Range(low=0.0, above_low=True), together=True)] = 1.0
    shear: Annotated[PerAxisParameter, PerAxis(Range(), SHEARS)] = 0.0
    translation_mm: Annotated[PerAxisParameter, PerAxis(Range(unit="mm"))] = 0.0
    centre_mm: Centre = None

    @model_validator(mode="before")
    @classmethod
    def _varies_when_bare(cls, given: Any) -> Any:
        motions = {"rotation_deg", "scale", "shear", "translation_mm"}
        if not isinstance(given, Mapping) or motions & given.keys():
            return given
        bare = {"rotation_deg": Uniform(-10.0, 10.0), "scale": Uniform(0.9, 1.1)}
        return {**given, **bare}


class Rotation(Op):
    """A rotation drawn uniformly from all rotations by at most an angle.

    The axis is uniform on the sphere and the angle has the density of 1 - cos(angle); equal angles
    about x, y, z would not be uniform. In 2D the angle is uniform between plus and minus the limit.

    `max_angle_deg`: 0 to 180 degrees. `versor`: the rotation as a unit quaternion (x, y, z, w),
    which a recipe holds (in 2D x = y = 0); given in a pipeline, nothing is drawn.
    """

    op: Literal["rotation"] = "rotation"
    max_angle_deg: Annotated[Parameter, Range(low=0.0, high=180.0, unit="degrees")] = 15.0
    centre_mm: Centre = None
    versor: Annotated[
        tuple[float, ...] | None, Listed(Range(-1.0, 1.0, constant=True), optional=True)
    ] = None

    @model_validator(mode="after")
    def _unit_versor(self) -> Self:
        slack = 1e-6
        if self.versor is None:
            return self
        square = sum(component * component for component in self.versor)
        if len(self.versor) != 4 or abs(square - 1.0) > slack:
            raise mistake("versor must be four numbers (x, y, z, w) of length 1", key="versor")
        return self

    def coordinates(self, dimension: int) -> tuple[Coordinate, ...]:
        """The limit where it varies, then what the axis and the angle are drawn from."""
        drawn = () if self.versor is not None else versor_coordinates(dimension)
        return (*super().coordinates(dimension), *drawn)

    def with_numbers(self, dimension: int, drawn: Drawn) -> Self:
        """The rotation as a versor."""
        realised = super().with_numbers(dimension, drawn)
        if realised.versor is not None:
            return realised
        limit = realised.max_angle_deg
        return realised.replace(versor=random_versor(dimension, float(limit), drawn))  # type: ignore[arg-type]

    def is_realised(self) -> bool:
        """Whether the op holds numbers only, the versor among them."""
        return super().is_realised() and self.versor is not None


Kind = Literal[
    "Translation",
    "Scale",
    "Euler2D",
    "Euler3D",
    "Versor",
    "VersorRigid3D",
    "Similarity2D",
    "Similarity3D",
    "ScaleVersor3D",
    "ScaleSkewVersor3D",
    "ComposeScaleSkewVersor3D",
    "Affine",
    "BSpline",
]


class Transform(Op):
    """A transform of ITK's, given by its kind and its parameter vector in ITK's order and units.

    It is the pull-back as in ITK's resampling: it maps a point of the output to a point of the
    source. Angles are in radians, as ITK has them. `centre_mm`: the fixed centre; left out, the
    centre of the reference grid. For "BSpline", `control_points` is the number of control points
    along each axis over the reference grid, and the parameters are their displacements in mm, x
    fastest, all x components first.
    """

    op: Literal["transform"] = "transform"
    kind: Kind
    parameters: Annotated[tuple[Parameter, ...], Listed(Range())]
    centre_mm: Centre = None
    control_points: Annotated[
        tuple[int, ...] | None, PerAxis(Whole(low=4, constant=True), single=False, optional=True)
    ] = None

    @model_validator(mode="after")
    def _fitting_count(self) -> Self:
        if (self.kind == "BSpline") != (self.control_points is not None):
            raise mistake('takes control_points with kind "BSpline", and only then')
        given = len(self.parameters)
        for dimension, count in self._counts().items():
            if count == given:
                return self._with_fitting_centre(dimension)
        wanted = " or ".join(f"{count} ({d}D)" for d, count in self._counts().items())
        raise mistake(f'kind "{self.kind}" takes {wanted} parameters, got {given}', "parameters")

    def _with_fitting_centre(self, dimension: int) -> Self:
        if self.centre_mm is not None and len(self.centre_mm) != dimension:
            raise mistake(
                f"centre_mm has {len(self.centre_mm)} numbers, the parameters are of a "
                f"{dimension}D transform",
                "centre_mm",
            )
        return self

    def _counts(self) -> dict[int, int]:
        """How many parameters the kind takes, by dimension."""
        if self.control_points is None:
            counts = {d: len(PARAMETER_NAMES.get((self.kind, d), ())) for d in (2, 3)}
            return {d: count for d, count in counts.items() if count}
        total = len(self.control_points)
        for count in self.control_points:
            total *= count
        return {len(self.control_points): total}

    def implied_dimensions(self) -> dict[str, int]:
        """Also the dimension that the number of parameters tells."""
        given = len(self.parameters)
        told = [d for d, count in self._counts().items() if count == given]
        return {**super().implied_dimensions(), "parameters": told[0]}


class Flip(Op):
    """A reflection about the centre of the reference grid, along a patient axis or a grid axis.

    `label_pairs`: the labels (numbers), or names of landmarks and boxes (texts), that a left/right
    flip swaps, such as ((2, 3), ("left eye", "right eye")). A left/right flip of a case with labels
    or names asks for them; an empty list says that there are none.
    """

    op: Literal["flip"] = "flip"
    axis: Annotated[
        str | Choice,
        Word(("left-right", "anterior-posterior", "inferior-superior", "i", "j", "k")),
    ] = "left-right"
    label_pairs: LabelPairs = None


class QuarterTurn(Op):
    """Turns by 90 degrees about a grid axis: exact copies where the spacings allow it.

    Without a reference each image's grid turns with its anatomy, so that no voxel is lost.

    `axis`: i, j or k (in 2D only k, the turn within the image). `turns`: 1, 2 or 3.
    """

    op: Literal["quarter_turn"] = "quarter_turn"
    axis: Annotated[str | Choice, Word(("i", "j", "k"))] = "k"
    turns: Annotated[WholeParameter, Whole(low=1, high=3)] = Choice((1, 2, 3))


__all__ = [
    "Affine",
    "Crop",
    "Diffeomorphic",
    "Elastic",
    "Flip",
    "Pad",
    "QuarterTurn",
    "RadialDistortion",
    "Rotation",
    "SpatialOp",
    "Transform",
    "Warp",
]

SpatialOp = (
    Affine
    | Rotation
    | Transform
    | Flip
    | QuarterTurn
    | Elastic
    | Diffeomorphic
    | RadialDistortion
    | Warp
    | Crop
    | Pad
)
