"""The originals and samples of a finished job: what every export is made of.

Sources and samples are held against the sidecars. Nothing is written here.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from millimorph.errors import FileError, OutputError
from millimorph.generate.inputs import is_same_place
from millimorph.generate.manifest import read_manifest
from millimorph.generate.sample import collected
from millimorph.generate.sidecar import Sha256, Sidecar, file_digest
from millimorph.geometry import ImageGrid
from millimorph.io import DataSet, find_data_set, is_series_choice
from millimorph.io.extensions import NIFTI_EXTENSIONS, extension_of
from millimorph.io.layouts import FourthAxis, check_distinct, natural_key, read_as
from millimorph.io.nifti import read_head
from millimorph.recipe import Recipe

ORIGINAL = "orig"


@dataclass(frozen=True)
class ExportFile:
    """A file of an original or of a sample, as its sidecar records it."""

    path: Path
    sha256: Sha256
    fourth_axis: FourthAxis = "frames"


@dataclass(frozen=True)
class Look:
    """What a header tells: the grid, values per voxel, whether they are a series, their type."""

    grid: ImageGrid
    channels: int
    is_series: bool
    dtype: str


@dataclass(frozen=True)
class Member:
    """A case of the new data set: an original, or with a `recipe` a sample of one.

    `source` is the id of the original's case, `group` its patient.
    """

    source: str
    group: str
    images: Mapping[str, ExportFile]
    labels: Mapping[str, ExportFile]
    recipe: Recipe | None = None

    @property
    def is_copy(self) -> bool:
        """Whether it is augmented."""
        return self.recipe is not None

    @property
    def id(self) -> str:
        """The case's own id, and for a sample `{case}__aug0007`."""
        return self.source if self.recipe is None else f"{self.source}__{self.copy_name}"

    @property
    def copy_name(self) -> str:
        """`aug0007` for sample 7, `orig` for an original."""
        return ORIGINAL if self.recipe is None else f"aug{self.recipe.index:04d}"

    @property
    def files(self) -> tuple[ExportFile, ...]:
        """All of them, images first."""
        return (*self.images.values(), *self.labels.values())


@dataclass(frozen=True)
class FinishedJob:
    """An output folder and its input folder: all originals once, and all samples.

    All members have the roles `images` and `labels`. `channels` are the names of each image's
    channels, verbatim where the data set gives them. `data_set` is the input folder's, if its
    layout is known and the originals are of it; `patients_known` says that a layout names patients.
    """

    out: Path
    root: Path
    members: tuple[Member, ...]
    images: tuple[str, ...]
    labels: tuple[str, ...]
    channels: Mapping[str, tuple[str, ...]]
    looks: Mapping[Path, Look]
    data_set: DataSet | None
    patients_known: bool
    has_landmarks: bool

    @property
    def originals(self) -> tuple[Member, ...]:
        """The members that are not augmented."""
        return tuple(member for member in self.members if not member.is_copy)

    @property
    def groups(self) -> tuple[str, ...]:
        """The patients, in natural order."""
        return tuple(sorted({member.group for member in self.members}, key=natural_key))

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels of all images, one after the other."""
        return tuple(name for role in self.images for name in self.channels[role])

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.looks[self.members[0].files[0].path].grid.dimension


def read_finished(out: Path, source_root: str | Path | None) -> FinishedJob:
    """Read what generate left in a folder, from the sidecars and headers.

    `source_root` is where the input folder is, if not where the first sidecar says.

    Raises FileError for files that are missing or have changed, OutputError for samples that have
    other roles than their originals.
    """
    sidecars = _sidecars(out)
    path, first = next(iter(sidecars.items()))
    images = tuple(role for role, source in first.sources.items() if source.kind == "image")
    labels = tuple(role for role, source in first.sources.items() if source.kind == "labels")
    if not images:
        raise OutputError(f"{out}: its cases have no images; there is nothing to train on")
    recorded = first.input_folder(path.parent)
    if recorded is None:
        raise OutputError(
            f"{out}: was made with pseudonyms, and an export holds the originals too; generate "
            f"without them to export"
        )
    root = recorded if source_root is None else Path(source_root).absolute()
    data_set = None
    with suppress(FileError):
        data_set = find_data_set(root)
    members = _members(sidecars, root, (images, labels))
    known = data_set if data_set is not None and _is_of(members[0], data_set) else None
    looks = {file.path: look_at(file) for member in members for file in member.files}
    return FinishedJob(
        out,
        root,
        members,
        images,
        labels,
        {role: _channel_names(role, members, looks, known) for role in images},
        looks,
        known,
        any(sidecar.group is not None for sidecar in sidecars.values()),
        any(source.kind == "landmarks" for source in first.sources.values()),
    )


def look_at(file: ExportFile) -> Look:
    """Read what a header tells; of formats other than NIfTI the whole file."""
    with collected([]):
        if extension_of(file.path) in NIFTI_EXTENSIONS and not file.path.is_dir():
            head = read_head(file.path)
            count = head.sizes[3] * head.sizes[4] * max(1, head.colours)
            series = head.sizes[3] > 1 and file.fourth_axis == "frames"
            plain = head.scaling == (1.0, 0.0)
            return Look(head.grid, count, series, head.dtype.name if plain else "float32")
        image = read_as(file.path, file.fourth_axis)
    return Look(image.grid, image.channels, image.frames is not None, image.dtype.name)


def check_one_grid(job: FinishedJob, tool: str) -> None:
    """Refuse a member whose images and label maps do not lie on one grid."""
    for member in job.members:
        first, *others = member.files
        grid = job.looks[first.path].grid
        for other in others:
            if not is_same_place(job.looks[other.path].grid, grid):
                raise OutputError(
                    f"{other.path}: lies on {job.looks[other.path].grid.describe()}, {first.path} "
                    f"on {grid.describe()}; {tool} wants one grid for each case, so generate with "
                    f"a reference, or resample the originals first"
                )


def check_label_map(job: FinishedJob, tool: str) -> None:
    """Refuse cases without exactly one label map, of one value for each voxel."""
    if len(job.labels) != 1:
        raise OutputError(
            f"{job.out}: {tool} wants images and one label map for each case, got "
            f"{len(job.images)} images and {len(job.labels)} label maps; generate with those only"
        )
    check_plain_labels(job, tool)


def check_plain_labels(job: FinishedJob, tool: str) -> None:
    """Refuse label maps of several values for each voxel."""
    for member in job.members:
        for file in member.labels.values():
            count = job.looks[file.path].channels
            if count > 1:
                raise OutputError(
                    f"{file.path}: holds {count} label maps (one-hot, or a series); {tool} wants "
                    f"one value for each voxel, so merge them in the originals first"
                )


def check_no_series(job: FinishedJob, tool: str) -> None:
    """Refuse time series."""
    for member in job.members:
        for file in member.images.values():
            if job.looks[file.path].is_series:
                raise OutputError(
                    f"{file.path}: is a time series; {tool} wants images, so split the originals "
                    f"first"
                )


def check_patients(job: FinishedJob) -> None:
    """Refuse a job of one patient, who cannot both train and validate."""
    if len(job.groups) < 2:
        raise OutputError(f"{job.out}: has one patient; a split by patient needs two or more")


def check_there(path: Path) -> None:
    """Raise FileError for a file (or a DICOM series) that is not there."""
    if not _is_there(path):
        raise FileError(f"{path}: is missing or no plain file; bring it back")


def _is_there(path: Path) -> bool:
    return path.is_file() or path.is_dir() or is_series_choice(path)


def _sidecars(out: Path) -> dict[Path, Sidecar]:
    lines = sorted(read_manifest(out).values(), key=lambda line: natural_key(line.sample))
    if not lines:
        raise FileError(f"{out}: no finished samples here; name a folder that generate wrote to")
    sidecars = {}
    for line in lines:
        path = out / line.sidecar
        sidecars[path] = Sidecar.read(path)
        if file_digest(path)[0] != line.sha256:
            raise FileError(f"{path}: has changed since it was made; see millimorph verify {out}")
    return sidecars


def _members(
    sidecars: Mapping[Path, Sidecar],
    root: Path,
    roles: tuple[tuple[str, ...], tuple[str, ...]],
) -> tuple[Member, ...]:
    """All originals once, and all samples."""
    are_told = any(sidecar.group is not None for sidecar in sidecars.values())
    originals: dict[str, Member] = {}
    copies = []
    for path, sidecar in sidecars.items():
        recipe = sidecar.parsed_recipe()
        case = str(recipe.case)
        sources = _sources(root, path, sidecar)
        group = _group(path, sidecar, are_told=are_told)
        found = {
            role: ExportFile(path.parent / one.file, one.sha256)
            for role, one in sidecar.outputs.items()
        }
        originals.setdefault(case, Member(case, group, *_by_kind(path, roles, sources)))
        _check_outputs(sidecar, roles[0])
        copies.append(Member(case, group, *_by_kind(path, roles, found), recipe))
    members = (*originals.values(), *copies)
    ids = {member.id for member in members}
    check_distinct(ids, root)
    if len(ids) < len(members):
        raise OutputError(f"{root}: a case is named like a copy of another; rename it")
    return members


def _group(path: Path, sidecar: Sidecar, *, are_told: bool) -> str:
    """Return the patient of a sample: its case, where no sidecar names patients."""
    if sidecar.group is not None:
        return sidecar.group
    if are_told:
        raise FileError(
            f"{path}: does not say whose it is, but other sidecars do; name the patient in the "
            f"input data set, and generate again"
        )
    return str(sidecar.recipe["case"])


def _sources(root: Path, path: Path, sidecar: Sidecar) -> dict[str, ExportFile]:
    """Find the originals, which must lie in the input folder as each sidecar sees it."""
    recorded_root = sidecar.input_folder(path.parent)
    files = {}
    for role, source in sidecar.sources.items():
        recorded = Path(os.path.normpath(path.parent.resolve() / source.path))
        if recorded_root is None or not recorded.is_relative_to(recorded_root):
            raise FileError(f"{path}: the source {role} lies outside of the input folder")
        file = root / recorded.relative_to(recorded_root)
        if not _is_there(file):
            raise FileError(
                f"{file}: the source {role} is missing; if the input or the output folder was "
                f"moved, say where the input folder is with --source-root"
            )
        files[role] = ExportFile(file, source.sha256, source.fourth_axis)
    return files


def _check_outputs(sidecar: Sidecar, images: tuple[str, ...]) -> None:
    found = {role for role, one in sidecar.outputs.items() if one.kind == "image"}
    if found != set(images):
        raise OutputError(
            f"the samples have the images {', '.join(sorted(found))}, the originals "
            f"{', '.join(images)}; a data set wants the same in all cases"
        )


def _by_kind(
    path: Path, roles: tuple[tuple[str, ...], tuple[str, ...]], files: Mapping[str, ExportFile]
) -> tuple[dict[str, ExportFile], dict[str, ExportFile]]:
    """Return images and label maps, which must be those of the first case."""
    if not {*roles[0], *roles[1]} <= files.keys():
        raise OutputError(f"{path}: the case lacks an image or a label map that others have")
    for file in files.values():
        check_there(file.path)
    images, labels = roles
    return {role: files[role] for role in images}, {role: files[role] for role in labels}


def _is_of(member: Member, data_set: DataSet) -> bool:
    """Tell whether the files of an original are those of a case of the data set, role by role."""
    wanted = {(role, file.path.resolve()) for role, file in member.images.items()}
    wanted |= {(role, file.path.resolve()) for role, file in member.labels.items()}
    return any(
        wanted
        <= {(role, path.resolve()) for role, path in (*one.images.items(), *one.labels.items())}
        for one in data_set.cases
    )


def _channel_names(
    role: str, members: Sequence[Member], looks: Mapping[Path, Look], data_set: DataSet | None
) -> tuple[str, ...]:
    first = members[0].images[role]
    count = looks[first.path].channels
    for member in members:
        file = member.images[role]
        if looks[file.path].channels != count:
            raise OutputError(
                f"{file.path}: has {looks[file.path].channels} channels, {first.path} has {count}; "
                f"a data set wants the same channels in all cases"
            )
    named = () if data_set is None else data_set.channel_names.get(role, ())
    if len(named) == count:
        return tuple(named)
    return (role,) if count == 1 else tuple(f"{role}_{k}" for k in range(count))
