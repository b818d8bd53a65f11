"""A data set whose layout was recognised, and the rules that the readers of all layouts share.

Descriptions are read strictly (no key twice, no NaN), and a path that a data set's own files give
must lead below its folder: nothing in a data set may point a reader at other files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from millimorph.errors import FileError
from millimorph.io import limits
from millimorph.io.layouts import (
    CaseFiles,
    check_distinct,
    check_id,
    folded,
    listed_cases,
    natural_key,
    plain_text,
)
from millimorph.io.strict_json import strict_json

LABELS = "labels"
OTHERWISE = "to take every image file as a case of its own instead, use --layout files"

_LARGEST_DESCRIPTION = 1 << 28
_LONGEST_ROLE = 60

Kind = Literal["image", "labels", "landmarks"]


@dataclass(frozen=True)
class Lacking:
    """A case that cannot be used, and why."""

    case: str
    reason: str


@dataclass(frozen=True)
class DataSet:
    """The cases of a folder in a known layout.

    `reason` is what the layout was recognised by, `description` the file that tells of it (None if
    there is none). `label_names` are the names of label values where the data set gives them,
    regions as "1+2"; `channel_names` those of the channels of each image, verbatim. `shares_grid`
    says that the layout wants all images and labels of a case on one grid, one value per voxel in
    each channel. `notes` tell what is not used.
    """

    layout: str
    reason: str
    description: Path | None
    cases: tuple[CaseFiles, ...]
    lacking: tuple[Lacking, ...] = ()
    label_names: Mapping[str, str] = field(default_factory=dict)
    channel_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shares_grid: bool = False
    notes: tuple[str, ...] = ()

    def roles(self, kind: Kind) -> tuple[str, ...]:
        """Names of all images, labels or landmarks, in the order in which cases bring them."""
        found = [
            {"image": case.images, "labels": case.labels, "landmarks": case.landmarks}[kind]
            for case in self.cases
        ]
        return tuple(dict.fromkeys(name for files in found for name in files))

    @property
    def groups(self) -> int:
        """The number of patients; 0 if the layout does not tell them."""
        return len({case.group for case in self.cases} - {None})

    def text(self) -> str:
        """One line: the layout, why, and what there is of it."""
        parts = [_count(len(self.cases), "case")]
        if self.groups:
            parts[0] += f" of {_count(self.groups, 'patient')}"
        kinds: tuple[tuple[str, Kind], ...] = (
            ("images", "image"),
            ("labels", "labels"),
            ("points", "landmarks"),
        )
        for word, kind in kinds:
            names = [self._shown(name) for name in self.roles(kind)]
            parts += [f"{word}: {', '.join(names)}"] if names else []
        if self.lacking:
            parts.append(f"{_count(len(self.lacking), 'case')} incomplete")
        return f"{self.layout} ({self.reason}); {', '.join(parts)}"

    def _shown(self, role: str) -> str:
        channels = self.channel_names.get(role, ())
        return f"{role} (channels {', '.join(channels)})" if len(channels) > 1 else role

    def as_data(self) -> dict[str, Any]:
        """The same as JSON data."""
        return {
            "layout": self.layout,
            "reason": self.reason,
            "cases": len(self.cases),
            "patients": self.groups or None,
            "images": list(self.roles("image")),
            "labels": list(self.roles("labels")),
            "landmarks": list(self.roles("landmarks")),
            "channel_names": {role: list(names) for role, names in self.channel_names.items()},
            "label_names": dict(self.label_names),
            "incomplete": {one.case: one.reason for one in self.lacking},
            "notes": list(self.notes),
        }


def checked_cases(folder: Path, cases: Iterable[CaseFiles]) -> tuple[CaseFiles, ...]:
    """Return cases in natural order; FileError unless their ids are safe and all different."""
    found = sorted(cases, key=lambda case: natural_key(case.id))
    for case in found:
        check_id(folder, case.id)
    check_distinct({case.id for case in found}, folder)
    return tuple(found)


def require_cases(data_set: DataSet, folder: Path) -> DataSet:
    """Return a data set that has a complete case; FileError otherwise."""
    if data_set.cases:
        return data_set
    lacking = "; ".join(f"{one.case} {one.reason}" for one in data_set.lacking[:3])
    why = f"; {listed_cases([one.case for one in data_set.lacking])} ({lacking})" if lacking else ""
    raise FileError(
        f"{folder}: seems to be {data_set.layout} ({data_set.reason}), but has no complete "
        f"case{why}; {OTHERWISE}"
    )


def path_below(folder: Path, text: str, place: str) -> Path:
    """Return folder / text; FileError, naming the place, unless that is plainly below the folder.

    Refused are absolute paths, "..", "~", environment variables and backslashes.
    """
    parts = PurePosixPath(text).parts
    windows = PureWindowsPath(text)
    leads_out = ".." in parts or text.startswith(("/", "~")) or bool(windows.drive)
    if not parts or leads_out or "\\" in text or "$" in text or not text.isprintable():
        raise FileError(
            f"{place}: the path {text!r} is not below the data set's folder; only relative paths "
            f"without '..', '~', '$' and backslashes are followed, so put the file (or a link to "
            f"it) below {folder.name or folder} and write its path from there"
        )
    return folder.joinpath(*parts)


def role_names(names: Sequence[str], taken: Sequence[str] = (LABELS,)) -> tuple[str, ...]:
    """Return names that can be part of a file name; equal or taken ones get their number."""
    plain = [plain_text(name)[:_LONGEST_ROLE].strip(".-") or "image" for name in names]
    counts = [folded(name) for name in (*plain, *taken)]
    numbered = tuple(
        name if counts.count(folded(name)) == 1 else f"{name}_{k}" for k, name in enumerate(plain)
    )
    if len({folded(name) for name in numbered}) == len(numbered):
        return numbered
    return tuple(f"image_{k}" for k in range(len(names)))


def read_description(path: Path) -> dict[str, Any]:
    """Read a JSON object; FileError for anything else, a key given twice, NaN and infinity."""
    limits.check_present(path)
    if path.stat().st_size > _LARGEST_DESCRIPTION:
        raise FileError(f"{path}: larger than any description of a data set")
    try:
        content = strict_json(limits.read_all(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: not a JSON file ({error}); correct it; {OTHERWISE}") from None
    if not isinstance(content, dict):
        raise FileError(f"{path}: must be a JSON object, got {type(content).__name__}; {OTHERWISE}")
    return content


def names_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder but those that begin with a dot, in order."""
    try:
        return sorted(
            entry.name
            for entry in folder.iterdir()
            if not entry.name.startswith(".") and entry.is_file()
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from None


def _count(number: int, word: str) -> str:
    return f"{number} {word if number == 1 else word + 's'}"
