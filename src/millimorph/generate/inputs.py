"""The cases of an input folder by their headers, and what a pipeline has to know of them all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from millimorph.errors import MillimorphError, PipelineError
from millimorph.generate.manifest import RESERVED_NAMES, Failure
from millimorph.generate.sample import collected
from millimorph.generate.sidecar import Kind
from millimorph.geometry import ImageGrid, reference_grid
from millimorph.io import CaseFiles, read_image
from millimorph.io.extensions import NIFTI_EXTENSIONS, extension_of
from millimorph.io.nifti import read_head
from millimorph.recipe import Pipeline, Reference


@dataclass(frozen=True)
class CaseInput:
    """A case's files by role, and the grids of its images (of its label maps if it has none)."""

    id: str
    files: tuple[tuple[str, Kind, Path], ...]
    grids: tuple[ImageGrid, ...]

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.grids[0].dimension


def read_headers(
    cases: Iterable[CaseFiles], folder: Path
) -> tuple[tuple[CaseInput, ...], tuple[Failure, ...]]:
    """Read the headers of all cases; those that cannot be read are told apart."""
    readable, failures = [], []
    for case in cases:
        try:
            readable.append(_read_header(case))
        except MillimorphError as error:
            failures.append(Failure(case.id, None, relative_text(str(error), folder)))
    return tuple(readable), tuple(failures)


def read_grid(path: Path) -> ImageGrid:
    """Read where an image's voxels are, without the voxels where the format allows it."""
    if extension_of(path) in NIFTI_EXTENSIONS and not path.is_dir():
        return read_head(path).grid
    return read_image(path).grid


def relative_text(text: str, folder: Path) -> str:
    """Name files as seen from a folder: records must not tell where it is."""
    for one in dict.fromkeys((str(folder), str(folder.absolute()), str(folder.resolve()))):
        text = text.replace(f"{one}/", "").replace(f"{one}\\", "")
    return text


def pipelines_by_dimension(
    pipeline: Pipeline, cases: Sequence[CaseInput]
) -> tuple[dict[int, Pipeline], tuple[Failure, ...]]:
    """Set the dimension and, where a reference needs it, the largest extent of all cases.

    Cases of a dimension that does not fit the pipeline fail; PipelineError if none fits.
    """
    fitting: dict[int, Pipeline] = {}
    failures: list[Failure] = []
    for dimension in sorted({case.dimension for case in cases}):
        own = [case for case in cases if case.dimension == dimension]
        grids = [grid for case in own for grid in case.grids]
        try:
            reference = _with_extent(pipeline.reference, grids)
            fitting[dimension] = pipeline.replace(dimension=dimension, reference=reference)
        except PipelineError as error:
            failures += [Failure(case.id, None, f"is {dimension}D; {error}") for case in own]
    if failures and not fitting:
        raise PipelineError(f"the images do not fit the pipeline: {failures[0].reason}")
    return fitting, tuple(failures)


def _read_header(case: CaseFiles) -> CaseInput:
    if case.id in RESERVED_NAMES:
        raise MillimorphError(f"a case cannot be named {case.id}; rename its files")
    with collected([]):
        grids = [read_grid(path) for path in (case.images or case.labels).values()]
    dimensions = sorted({grid.dimension for grid in grids})
    if len(dimensions) > 1:
        raise MillimorphError("has both 2D and 3D images; a case has one dimension")
    kinds: tuple[tuple[Kind, Mapping[str, Path]], ...] = (
        ("image", case.images),
        ("labels", case.labels),
        ("landmarks", case.landmarks),
    )
    files = tuple((role, kind, path) for kind, paths in kinds for role, path in paths.items())
    return CaseInput(case.id, files, tuple(grids))


def _with_extent(reference: Reference | None, grids: Sequence[ImageGrid]) -> Reference | None:
    """Fix the extent that a size is spread over: that of one case must not depend on the others."""
    if reference is None or reference.extent_mm is not None or reference.spacing_mm is not None:
        return reference
    one_voxel = (1,) * grids[0].dimension
    extent = reference_grid(grids, size=one_voxel, alignment=reference.alignment).spacing_mm
    return reference.replace(extent_mm=extent)
