"""What a file or a folder holds: grid, type, range, labels, and which command would use it."""

import math
import shlex
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from millimorph.errors import FileError, MillimorphError, MillimorphWarning
from millimorph.generate.child import Step, Work
from millimorph.generate.limits import Limits
from millimorph.generate.pool import Crew, Died
from millimorph.geometry import ImageGrid
from millimorph.images import Landmarks, ScalarImage
from millimorph.io import (
    DataSet,
    find_data_set,
    is_dicom_folder,
    is_series_choice,
    read_landmarks,
    series_choices,
)
from millimorph.io.extensions import IMAGE_EXTENSIONS, TABLE_EXTENSIONS, extension_of
from millimorph.io.layouts import FourthAxis, read_as
from millimorph.kernels.smallmatrix import determinant
from millimorph.report import tables
from millimorph.report.measure import (
    LabelCount,
    Values,
    label_counts,
    looks_like_hounsfield,
    looks_like_labels,
    measure,
    oblique_deg,
)
from millimorph.report.patterns import FoundFile, Kind, Suggestion, suggest_patterns

_NAMED_LABELS = ("label", "seg", "mask", "organ", "annotation", "parcel")

Progress = Callable[[int, int], None]

_LIMITS = Limits()


@dataclass(frozen=True)
class Content:
    """An image or a label map: its grid, its array in numbers, and the reader's warnings.

    `oblique_deg` is the largest angle between a grid axis and the nearest patient axis. `labels` is
    given when the content looks like a label map. `frames` and `channels` are 1 without a further
    axis.
    """

    grid: ImageGrid
    dtype: str
    channels: int
    frames: int
    frame_spacing_s: float | None
    values: Values
    labels: tuple[LabelCount, ...] | None
    oblique_deg: float
    right_handed: bool
    warnings: tuple[str, ...]

    @property
    def looks_like_hounsfield(self) -> bool:
        """Whether the values reach from air in HU to tissue."""
        values = self.values
        return self.labels is None and looks_like_hounsfield(values.minimum, values.maximum)


@dataclass(frozen=True)
class FileInspection:
    """One file, or one folder with a DICOM series: an image, landmarks, or why it is unreadable."""

    path: str
    content: Content | None = None
    landmarks: Landmarks | None = None
    error: str | None = None

    @property
    def kind(self) -> Kind | None:
        """What it holds; None if it cannot be read."""
        if self.landmarks is not None:
            return "landmarks"
        if self.content is None:
            return None
        return "image" if self.content.labels is None else "labels"

    def text(self) -> str:
        """A block of lines for people."""
        return tables.file_text(self)

    def as_data(self) -> dict[str, Any]:
        """The same as JSON data."""
        data: dict[str, Any] = {"path": self.path, "kind": self.kind}
        if self.error is not None:
            data["error"] = self.error
        if self.landmarks is not None:
            names = self.landmarks.names or tuple(map(str, range(len(self.landmarks))))
            points = self.landmarks.points_mm.tolist()
            data["points_mm"] = dict(zip(names, points, strict=True))
        if self.content is not None:
            data |= _content_data(self.content)
        return data


@dataclass(frozen=True)
class FolderInspection:
    """All files of a folder, which patterns seem to fit them, and the command that would do it.

    `ignored` is the number of files of other types. `data_set` are the cases if the layout is
    known; `layout_error` says which rule of its layout the folder breaks.
    """

    path: str
    files: tuple[FileInspection, ...]
    ignored: int
    suggestion: Suggestion | None
    next_command: str | None
    data_set: DataSet | None = None
    layout_error: str | None = None

    def text(self) -> str:
        """A table, a summary and the next command for people."""
        return tables.folder_text(self)

    def as_data(self) -> dict[str, Any]:
        """The same as JSON data."""
        return {
            "path": self.path,
            "data_set": None if self.data_set is None else self.data_set.as_data(),
            "layout_error": self.layout_error,
            "files": [file.as_data() for file in self.files],
            "ignored": self.ignored,
            "suggestion": None if self.suggestion is None else asdict(self.suggestion),
            "next_command": self.next_command,
        }


Inspection = FileInspection | FolderInspection


def inspect_path(
    path: Path | str, progress: Progress | None = None, limits: Limits = _LIMITS
) -> Inspection:
    """Read a file, a folder with a DICOM series, or all files of a folder, and say what they hold.

    Voxels are read, in a process held to the limits, so damage is found. Files of a folder that
    cannot be read are listed with the reason; a single file raises. `progress` is called with the
    files done and their number.

    Raises:
        FileError: when the path does not exist, or the single file cannot be read.
    """
    place = Path(path)
    if not place.exists() and not is_series_choice(place):
        raise FileError(f"{place}: there is no such file or folder")
    one_series = is_dicom_folder(place) and len(series_choices(place)) == 1
    if place.is_dir() and not one_series:
        return _inspect_folder(place, progress, limits)
    (found,) = _inspections([_Entry(place, str(place), place.name)], None, limits)
    if found.error is not None:
        raise FileError(found.error)
    return found


def _inspect_folder(folder: Path, progress: Progress | None, limits: Limits) -> FolderInspection:
    data_set, layout_error = _layout(folder)
    described = None if data_set is None else data_set.description
    labels = _label_files(data_set)
    channels = _channel_files(data_set)
    everything = list(_entries(folder))
    entries = [entry for entry in everything if _is_looked_at(entry) and entry != described]
    files = _inspections(
        [
            _Entry(
                entry,
                entry.relative_to(folder).as_posix(),
                _NAMED_LABELS[0] if entry in labels else entry.name,
                "channels" if entry in channels else "frames",
            )
            for entry in entries
        ],
        progress,
        limits,
    )
    found = [FoundFile(file.path, file.kind) for file in files if file.kind is not None]
    suggestion = suggest_patterns(found) if data_set is None else None
    command = _next_command(folder, files, suggestion, data_set or layout_error)
    ignored = len(everything) - len(entries)
    return FolderInspection(
        str(folder), tuple(files), ignored, suggestion, command, data_set, layout_error
    )


def _layout(folder: Path) -> tuple[DataSet | None, str | None]:
    """Recognise a data set, or say what is wrong with it."""
    try:
        return find_data_set(folder), None
    except FileError as error:
        return None, str(error)


def _entries(folder: Path) -> Iterator[Path]:
    """Files and DICOM series below a folder, in the order of their names."""
    if is_dicom_folder(folder):
        yield from (one.path for one in series_choices(folder))
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _entries(entry)
        else:
            yield entry


def _is_looked_at(entry: Path) -> bool:
    series = entry.is_dir() or is_series_choice(entry)
    return series or extension_of(entry) in (*IMAGE_EXTENSIONS, *TABLE_EXTENSIONS)


def _label_files(data_set: DataSet | None) -> frozenset[Path]:
    """The files that a data set says are label maps."""
    cases = () if data_set is None else data_set.cases
    return frozenset(path for case in cases for path in case.labels.values())


def _channel_files(data_set: DataSet | None) -> frozenset[Path]:
    """The images whose fourth axis holds channels, as the data set's layout says."""
    cases = () if data_set is None else data_set.cases
    return frozenset(
        path for case in cases if case.fourth_axis == "channels" for path in case.images.values()
    )


@dataclass(frozen=True)
class _Entry:
    """A file or DICOM folder, how it is shown, and a name that may tell what it is."""

    path: Path
    shown: str
    name: str
    fourth_axis: FourthAxis = "frames"


def _inspections(
    entries: list[_Entry], progress: Progress | None, limits: Limits
) -> list[FileInspection]:
    """Inspect entries in a process of their own, which may crash or hang."""
    tell = progress or (lambda _done, _total: None)
    tell(0, len(entries))
    found = {}
    with Crew(1) as crew:
        for entry, result in crew.each(Work(_start, limits), entries):
            if isinstance(result, Died):
                told = f"{entry.path}: reading it {result.reason()}; is it damaged?"
                found[entry] = FileInspection(entry.shown, error=told)
            else:
                found[entry] = result
            tell(len(found), len(entries))
    return [found[entry] for entry in entries]


def _start(limits: Limits) -> Callable[[_Entry], Iterator[Step | FileInspection]]:
    def read(entry: _Entry) -> Iterator[Step | FileInspection]:
        yield Step(None, limits.seconds_for([entry.path]))
        try:
            with limits.on_memory():
                found = _inspect_entry(entry.path, entry.shown, entry.name, entry.fourth_axis)
        except MemoryError:
            found = FileInspection(entry.shown, error=f"{entry.path}: {limits.memory_reason()}")
        yield found

    return read


def _inspect_entry(
    entry: Path, shown: str, name: str, fourth_axis: FourthAxis = "frames"
) -> FileInspection:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MillimorphWarning)
        try:
            if extension_of(entry) in TABLE_EXTENSIONS and not entry.is_dir():
                return FileInspection(shown, landmarks=read_landmarks(entry))
            image = read_as(entry, fourth_axis)
        except MillimorphError as error:
            return FileInspection(shown, error=str(error))
    told = [str(one.message) for one in caught if issubclass(one.category, MillimorphWarning)]
    prefix = f"{entry}: "
    return FileInspection(shown, inspect_image(image, name, told, prefix))


def inspect_image(
    image: ScalarImage, name: str = "", told: list[str] | None = None, prefix: str = ""
) -> Content:
    """Measure an image that was read; a name such as "seg" helps to see that it is a label map."""
    counts = label_counts(image)
    named = any(word in name.lower() for word in _NAMED_LABELS)
    is_labels = looks_like_labels(image, counts) or (
        named and counts is not None and counts[0].value >= 0
    )
    grid = image.grid
    return Content(
        grid=grid,
        dtype=str(image.dtype),
        channels=1 if image.frames is not None else image.channels,
        frames=image.channels if image.frames is not None else 1,
        frame_spacing_s=None if image.frames is None else image.frames.spacing_s,
        values=measure(image),
        labels=counts if is_labels else None,
        oblique_deg=oblique_deg(grid),
        right_handed=bool(determinant(grid.direction) > 0.0),
        warnings=tuple(text.removeprefix(prefix) for text in told or ()),
    )


def _content_data(content: Content) -> dict[str, Any]:
    grid = content.grid
    data = {
        "size": list(grid.size),
        "spacing_mm": list(grid.spacing_mm),
        "origin_mm": list(grid.origin_mm),
        "direction": grid.direction.tolist(),
        "extent_mm": list(grid.extent_mm),
        "orientation": grid.orientation,
    }
    data |= {key: value for key, value in asdict(content).items() if key not in {"grid", "labels"}}
    values = {key: _json_number(value) for key, value in asdict(content.values).items()}
    labels = None if content.labels is None else [asdict(one) for one in content.labels]
    return {**data, "values": values, "labels": labels, "warnings": list(content.warnings)}


def _json_number(value: Any) -> Any:
    """JSON has no NaN: null, as for the range of an image without a finite voxel."""
    if isinstance(value, tuple):
        return [_json_number(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _next_command(
    folder: Path,
    files: list[FileInspection],
    suggestion: Suggestion | None,
    layout: DataSet | str | None,
) -> str | None:
    """`layout` is the recognised data set, or what is wrong with it."""
    images = [file.content for file in files if file.kind == "image" and file.content is not None]
    if not images:
        return None
    pipeline = "ct" if all(image.looks_like_hounsfield for image in images) else "starter"
    words = ["millimorph", "generate", str(folder), "--pipeline", pipeline]
    words += ["--out", "augmented"]
    if isinstance(layout, DataSet):
        return shlex.join(words)
    only_images = all(file.kind == "image" for file in files)
    if suggestion is not None and not (only_images and len(suggestion.patterns) == 1):
        options = {"image": "--image", "labels": "--label", "landmarks": "--landmarks"}
        for pattern in suggestion.patterns:
            words += [options[pattern.kind], pattern.option()]
    elif not only_images:
        return None
    elif layout is not None:
        words += ["--layout", "files"]
    return shlex.join(words)
