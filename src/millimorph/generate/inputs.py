"""The cases of an input folder by their headers, and what a pipeline has to know of them all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from millimorph.errors import FileError, MillimorphError, PipelineError
from millimorph.generate.child import Step, Work
from millimorph.generate.limits import Limits
from millimorph.generate.manifest import RESERVED_NAMES, Failure
from millimorph.generate.pool import Crew, Died
from millimorph.generate.sample import collected
from millimorph.generate.sidecar import Kind
from millimorph.geometry import ImageGrid, reference_grid
from millimorph.io import CaseFiles, DataSet, Layout, find_cases, find_data_set, read_image
from millimorph.io.extensions import NIFTI_EXTENSIONS, extension_of
from millimorph.io.layouts import FourthAxis, folded, natural_key
from millimorph.io.nifti import read_head
from millimorph.recipe import Pipeline, Reference

_SAME_PLACE_VOXELS = 0.1
_CASES_PER_READER = 32


@dataclass(frozen=True)
class CaseInput:
    """A case's files by role, and the grids of its images (of its label maps if it has none).

    `group` is the patient, if the data set's layout tells. Of a case under a pseudonym, `secret`
    are the texts that must not be told; its files have their own names. Neither is in its `repr`,
    which Dask logs of a task that failed.
    """

    id: str
    files: tuple[tuple[str, Kind, Path], ...] = field(repr=False)
    grids: tuple[ImageGrid, ...]
    group: str | None = None
    fourth_axis: FourthAxis = "frames"
    secret: tuple[str, ...] = field(default=(), repr=False)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.grids[0].dimension


@dataclass(frozen=True)
class Patterns:
    """Which files of a folder are which: role names to patterns with one `{case}`."""

    folder: Path
    images: Mapping[str, str]
    labels: Mapping[str, str]
    landmarks: Mapping[str, str]

    @property
    def roles(self) -> tuple[tuple[Kind, str, str], ...]:
        """Kind, name and pattern of every role."""
        kinds: tuple[tuple[Kind, Mapping[str, str]], ...] = (
            ("image", self.images),
            ("labels", self.labels),
            ("landmarks", self.landmarks),
        )
        return tuple((kind, name, text) for kind, m in kinds for name, text in m.items())


def recognised(patterns: Patterns, layout: Layout) -> DataSet | None:
    """Return the data set of a folder; None with patterns, and if no layout is recognised.

    Raises PipelineError for patterns together with a layout, and FileError as `find_data_set`.
    """
    if not patterns.roles:
        return find_data_set(patterns.folder, layout)
    if layout in {"auto", "files"}:
        return None
    raise PipelineError(
        f"the layout {layout} says which files are which, and so do patterns; give one of the two"
    )


@dataclass(frozen=True)
class Readers:
    """The processes that read headers, and what that may take."""

    crew: Crew
    limits: Limits


def read_inputs(
    patterns: Patterns, data_set: DataSet | None = None, readers: Readers | None = None
) -> tuple[tuple[CaseInput, ...], tuple[Failure, ...]]:
    """Find all cases and read their headers; those that lack a file or cannot be read fail.

    The cases are those of the data set, or, without one, those that the patterns find. Without
    readers the headers are read in this process.

    Raises FileError for a pattern that is malformed or fits nothing, and if no case is complete.
    """
    if data_set is None:
        cases, lacking = _find(patterns)
    else:
        cases = list(data_set.cases)
        lacking = [Failure(one.case, None, one.reason) for one in data_set.lacking]
    one_grid = data_set is not None and data_set.shares_grid
    channels = data_set.channel_names if data_set is not None and one_grid else {}
    readable, failures = [], list(lacking)
    for found in _headers(cases, _Headers(patterns.folder, one_grid, channels), readers):
        if isinstance(found, Failure):
            failures.append(found)
        else:
            readable.append(found)
    return tuple(readable), tuple(failures)


@dataclass(frozen=True)
class _Headers:
    """How the headers of cases are read: `one_grid` says that a case must lie on one.

    Images then have the `channels` that are named by role, and no others.
    """

    folder: Path
    one_grid: bool
    channels: Mapping[str, tuple[str, ...]]
    limits: Limits | None = None

    def of(self, case: CaseFiles) -> CaseInput | Failure:
        try:
            if self.limits is None:
                return self._read(case)
            self.limits.check_sizes(_paths(case))
            with self.limits.on_memory():
                return self._read(case)
        except MillimorphError as error:
            return Failure(case.id, None, relative_text(str(error), self.folder))
        except MemoryError:
            if self.limits is None:
                raise
            return Failure(case.id, None, self.limits.memory_reason())

    def _read(self, case: CaseFiles) -> CaseInput:
        if not self.one_grid:
            return _read_header(case)
        _check_channels(case, self.channels)
        return _read_on_one_grid(case)


def _headers(
    cases: Sequence[CaseFiles], headers: _Headers, readers: Readers | None
) -> Iterator[CaseInput | Failure]:
    """Read the headers of cases, and keep their order."""
    if readers is None:
        yield from map(headers.of, cases)
        return
    work = Work(_start, replace(headers, limits=readers.limits))
    most = 1 + len(cases) // _CASES_PER_READER
    found: dict[str, CaseInput | Failure] = {}
    for case, result in readers.crew.each(work, cases, most):
        if isinstance(result, Died):
            reason = f"reading a header {result.reason()}; is a file of it damaged?"
            found[case.id] = Failure(case.id, None, reason)
        else:
            found[case.id] = result
    yield from (found[case.id] for case in cases)


def _start(headers: _Headers) -> Callable[[CaseFiles], Iterator[Step | CaseInput | Failure]]:
    limits = headers.limits or Limits()

    def read(case: CaseFiles) -> Iterator[Step | CaseInput | Failure]:
        yield Step(None, limits.seconds_for(_paths(case)))
        yield headers.of(case)

    return read


def _paths(case: CaseFiles) -> list[Path]:
    return [*case.images.values(), *case.labels.values(), *case.landmarks.values()]


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


def _find(patterns: Patterns) -> tuple[list[CaseFiles], list[Failure]]:
    """Find the complete cases, and name the others with what they lack."""
    kinds = (patterns.images, patterns.labels, patterns.landmarks)
    try:
        return find_cases(patterns.folder, *kinds), []
    except FileError:
        found = _matches(patterns)
        whole = set.intersection(*(set(paths) for paths in found.values())) if found else set()
        if not whole:
            raise
    failures = [
        Failure(case, None, f"has no file for {name} ({text})")
        for (_, name, text), paths in found.items()
        for case in sorted({*chain(*found.values())} - set(paths))
    ]
    cases = []
    for case in sorted(whole, key=natural_key):
        files: dict[Kind, dict[str, Path]] = {"image": {}, "labels": {}, "landmarks": {}}
        for (kind, name, _), paths in found.items():
            files[kind][name] = paths[case]
        cases.append(CaseFiles(case, files["image"], files["labels"], files["landmarks"]))
    return cases, failures


def _matches(patterns: Patterns) -> dict[tuple[Kind, str, str], dict[str, Path]]:
    """Find the files of each role by case; a file of two roles belongs to the longer pattern."""
    found: dict[tuple[Kind, str, str], dict[str, Path]] = {}
    taken: dict[Path, str] = {}
    for role in sorted(patterns.roles, key=lambda role: -len(role[2])):
        kind, name, text = role
        one = {name: text}
        cases = find_cases(
            patterns.folder,
            one if kind == "image" else None,
            one if kind == "labels" else None,
            one if kind == "landmarks" else None,
        )
        paths = {
            case.id: path
            for case in cases
            for path in (*case.images.values(), *case.labels.values(), *case.landmarks.values())
        }
        tied = [path for path in paths.values() if len(taken.get(path, "")) == len(text)]
        if tied:
            raise FileError(f"{tied[0]}: fits both {taken[tied[0]]} and {text}; change one")
        found[role] = {case: path for case, path in paths.items() if path not in taken}
        taken = dict.fromkeys(paths.values(), text) | taken
    return {role: found[role] for role in patterns.roles}


def _read_header(case: CaseFiles) -> CaseInput:
    if folded(case.id) in map(folded, RESERVED_NAMES):
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
    return CaseInput(case.id, files, tuple(grids), case.group, case.fourth_axis)


def _check_channels(case: CaseFiles, names: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a NIfTI file with another number of values per voxel than the layout says."""
    wanted = {role: names.get(role, ()) for role in case.images} | dict.fromkeys(case.labels, ())
    for role, path in {**case.images, **case.labels}.items():
        if extension_of(path) not in NIFTI_EXTENSIONS:
            continue
        with collected([]):
            head = read_head(path)
        found, expected = head.sizes[3] * head.sizes[4] * max(1, head.colours), wanted[role]
        if found != max(1, len(expected)):
            listed = f" ({', '.join(expected)})" if expected else ""
            raise MillimorphError(
                f"{path}: has {found} values for each voxel, the layout wants "
                f"{max(1, len(expected))}{listed}"
            )


def _read_on_one_grid(case: CaseFiles) -> CaseInput:
    """Read the headers of a case whose layout wants its images and labels on one grid."""
    found = _read_header(case)
    name, *_ = case.images
    with collected([]):
        others = {role: read_grid(path) for role, path in case.labels.items()}
    others |= dict(zip(case.images, found.grids, strict=True))
    for role, grid in others.items():
        if not is_same_place(grid, found.grids[0]):
            raise MillimorphError(
                f"{role} lies on {grid.describe()}, {name} on {found.grids[0].describe()}; the "
                f"layout wants one grid, so resample {role}, or use patterns instead"
            )
    return found


def is_same_place(one: ImageGrid, other: ImageGrid) -> bool:
    """Tell whether all corners of two grids agree to a tenth of a voxel."""
    if one.size != other.size:
        return False
    furthest = float(np.max(np.abs(one.corner_points_mm - other.corner_points_mm)))
    return bool(furthest <= _SAME_PLACE_VOXELS * min(one.spacing_mm))


def _with_extent(reference: Reference | None, grids: Sequence[ImageGrid]) -> Reference | None:
    """Fix the extent that a size is spread over: that of one case must not depend on the others."""
    if reference is None or reference.extent_mm is not None:
        return reference
    if reference.spacing_mm is not None or reference.like is not None:
        return reference
    one_voxel = (1,) * grids[0].dimension
    extent = reference_grid(grids, size=one_voxel, alignment=reference.alignment).spacing_mm
    return reference.replace(extent_mm=extent)
