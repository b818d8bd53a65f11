"""What is asked of `generate_dataset`, and what can be told to be wrong before a file is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from millimorph.errors import ImageError, PipelineError
from millimorph.generate.limits import Limits
from millimorph.images import check_name
from millimorph.io import DataSet, Layout, b2nd
from millimorph.io.extensions import BLOSC2_EXTENSIONS, WRITTEN_EXTENSIONS
from millimorph.io.layouts import DEFAULT_IMAGE
from millimorph.ops import LabelsToImage
from millimorph.recipe import Pipeline
from millimorph.runner import Backend


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count` of a job, for machines that share the output folder."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise PipelineError(
                f"a shard is a number and how many there are, such as 2/8, got "
                f"{self.number}/{self.count}"
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `2/8`."""
        number, sign, count = text.partition("/")
        if not (sign and number.isascii() and number.isdigit() and count.isdigit()):
            raise PipelineError(
                f"a shard is a number and how many there are, such as 2/8, got {text!r}"
            )
        return cls(int(number), int(count))


@dataclass(frozen=True)
class DatasetRequest:
    """What to generate.

    `images`, `labels` and `landmarks` map role names to patterns relative to `folder` with one
    `{case}`. Without any, `layout` says which files are which: "auto" recognises it, and every
    image is a case where none is known, as with "files". `count` wins over the pipeline's design,
    whose default is Random with 10 samples per case; `seed` wins over the pipeline's. `suffix` is
    the file type of images and labels.
    With a `shard` only that part of the samples is made; all parts together make all of them.
    Files are read and samples made in processes that are held to `limits`; without any, one worker
    is this process itself. `scheduler` is the address of a Dask scheduler, whose workers then make
    the samples instead.
    With `pseudonyms`, a key file that is made if it is not there, no name of a case, patient or
    input file is in anything that is written or told.
    """

    folder: Path
    pipeline: Pipeline
    out: Path
    images: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    landmarks: Mapping[str, str] = field(default_factory=dict)
    count: int | None = None
    seed: int | None = None
    suffix: str = ".nii.gz"
    workers: int = 1
    backend: Backend = "cpu"
    layout: Layout = "auto"
    shard: Shard = field(default_factory=lambda: Shard(1, 1))
    limits: Limits | None = field(default_factory=Limits)
    scheduler: str | None = None
    pseudonyms: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        object.__setattr__(self, "out", Path(self.out))


def check_request(request: DatasetRequest) -> None:
    """Refuse what is wrong with the request itself."""
    if request.workers < 1:
        raise PipelineError(f"workers must be at least 1, got {request.workers}")
    if request.suffix not in WRITTEN_EXTENSIONS:
        known = ", ".join(one.lstrip(".") for one in WRITTEN_EXTENSIONS)
        raise PipelineError(f"format {request.suffix.lstrip('.')!r} is not written; known: {known}")
    if request.suffix in BLOSC2_EXTENSIONS:
        b2nd.check_available()
    names = [*request.images, *request.labels, *request.landmarks]
    for name in names:
        try:
            check_name(name, "name")
        except ImageError as error:
            raise PipelineError(str(error)) from None
        if names.count(name) > 1:
            raise PipelineError(f'the name "{name}" is given to two patterns; names are unique')


def check_names(request: DatasetRequest, data_set: DataSet | None) -> None:
    """Refuse a pipeline whose names do not fit those of the images and labels."""
    images, labels, landmarks = map(tuple, (request.images, request.labels, request.landmarks))
    if data_set is not None:
        images, labels = data_set.roles("image"), data_set.roles("labels")
        landmarks = data_set.roles("landmarks")
    names = [*images, *labels, *landmarks]
    made = [op.image for op in request.pipeline.single_ops if isinstance(op, LabelsToImage)]
    taken = [name for name in made if name in names]
    if taken:
        raise PipelineError(
            f'the pipeline makes the image "{taken[0]}", but an input has that name already; name '
            "one of them otherwise"
        )
    sampled = [*images, *labels] or [DEFAULT_IMAGE]
    unknown = [name for name in request.pipeline.sampling if name not in sampled]
    if unknown:
        raise PipelineError(
            f"the pipeline gives sampling for {', '.join(unknown)}; the images and labels are "
            f"named {', '.join(sampled)}"
        )
