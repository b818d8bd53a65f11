"""A recipe: what will happen, in numbers only. It holds no distribution, image or path."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from millimorph._version import __version__
from millimorph.errors import PipelineError
from millimorph.kernels.philox import StreamKey, stream_key
from millimorph.ops import IntensityOp, SpatialOp
from millimorph.parameters import Whole
from millimorph.recipe.pipeline import LARGEST_SEED
from millimorph.recipe.reading import read_json
from millimorph.recipe.reference import Reference
from millimorph.recipe.sampling import ImageSampling, LabelSampling, RoleSampling
from millimorph.values import Value, canonical_json, digest, mistake, problems, shown

RECIPE_SCHEMA_VERSION = 1
ENGINE = f"millimorph {__version__}"
"""What a recipe says it was drawn by."""

CaseId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1000)]
_Digest = Annotated[str, StringConstraints(strict=True, pattern="^[0-9a-f]{64}$")]


class Recipe(Value):
    """One sample of a case: the ops that take part, each with its id and numbers.

    `case`, `seed` and `index` say which sample; `pipeline` is the digest of the pipeline. Lists per
    axis have 3 numbers, or 2 (one angle) for a 2D pipeline. A 2D image under a recipe of 3 axes
    takes the angle about z and the x and y components.

    Raises:
        PipelineError: ops that still hold distributions or choices or have no id, doubled ids.
    """

    schema_version: Literal[1] = 1
    engine: Annotated[str, StringConstraints(strict=True, max_length=100)] = ENGINE
    case: CaseId
    seed: Annotated[int, Whole(low=0, high=LARGEST_SEED, constant=True)]
    index: Annotated[int, Whole(low=0, high=LARGEST_SEED, constant=True)]
    pipeline: _Digest
    reference: Reference | None = None
    images: ImageSampling = Field(default_factory=ImageSampling)
    labels: LabelSampling = Field(default_factory=LabelSampling)
    sampling: dict[str, RoleSampling] = Field(default_factory=dict)
    spatial: tuple[Annotated[SpatialOp, Field(discriminator="op")], ...] = ()
    intensity: tuple[Annotated[IntensityOp, Field(discriminator="op")], ...] = ()

    @model_validator(mode="after")
    def _numbers_only(self) -> Self:
        seen: set[str] = set()
        for name, ops in (("spatial", self.spatial), ("intensity", self.intensity)):
            for k, op in enumerate(ops):
                if not op.is_realised():
                    raise mistake(
                        "must hold numbers only, one per axis, with an id and probability 1",
                        place=(name, k, op.op),
                    )
                if str(op.id) in seen:
                    raise mistake(f'has the id "{op.id}" of another op', place=(name, k, op.op))
                seen.add(str(op.id))
        return self

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON text."""
        return digest(self)

    def json(self) -> str:  # type: ignore[override]
        """The recipe as JSON in one line: sorted keys, every digit of every number."""
        return canonical_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The recipe that `json` wrote.

        Raises:
            PipelineError: text that is not JSON, another schema version, unknown or missing keys,
                distributions, numbers that are not finite.
        """
        try:
            decoded = text if isinstance(text, str) else text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise PipelineError(f"recipe: not UTF-8 at byte {error.start}") from None
        return cls.from_data(read_json(decoded, "recipe").data)

    @classmethod
    def from_data(cls, found: Any) -> Self:
        """The recipe from plain data, such as a sidecar's key `recipe`; checked like from_json."""
        if not isinstance(found, dict):
            raise PipelineError(f"recipe: must be a mapping, got {shown(found)}")
        version = found.get("schema_version")
        if version != RECIPE_SCHEMA_VERSION or isinstance(version, bool | float):
            raise PipelineError(
                f"recipe: schema_version is {shown(version)}; this version of millimorph reads "
                f"{RECIPE_SCHEMA_VERSION}"
            )
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            told = "; ".join(problem.text() for problem in problems(error))
            raise PipelineError(f"recipe: {told}") from None

    def stream(self, op_id: str) -> StreamKey:
        """The key of the random numbers of one op: control points, noise."""
        return stream_key("op", self.seed, self.case, self.index, op_id)
