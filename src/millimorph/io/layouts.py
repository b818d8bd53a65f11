"""Which files of a folder belong to which case, from patterns with one {case} in each.

A pattern is a path below the folder with "/" between its parts, such as "images/{case}_t1.nii.gz"
or "{case}/t1.nii.gz"; {case} stands for one or more characters but "/", and there are no wildcards.
Besides files it may match folders with a DICOM series (without patterns each of several in a
folder is a case). Names that start with a dot are not looked
at. Every case must have a file for every pattern; a file that fits several patterns belongs to the
one with the longest text.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from millimorph.errors import FileError, ImageError
from millimorph.images import Case, ScalarImage, check_name
from millimorph.io import dicom_series, files
from millimorph.io.extensions import DICOM_EXTENSIONS, IMAGE_EXTENSIONS, extension_of, stem_of

CASE = "{case}"
DEFAULT_IMAGE = "image"

_SHOWN = 5
_LONGEST_ID = 80
_HASH_DIGITS = 8
_NOT_PLAIN = re.compile(r"[^\w.+=@-]+")

FourthAxis = Literal["frames", "channels"]


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case by role name; `group` is the patient, if the layout tells.

    `fourth_axis` is what the fourth axis of its images means: time, but channels in some layouts.
    """

    id: str
    images: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[str, Path] = field(default_factory=dict)
    landmarks: Mapping[str, Path] = field(default_factory=dict)
    group: str | None = None
    fourth_axis: FourthAxis = "frames"


@dataclass(frozen=True)
class _Role:
    kind: str
    name: str
    pattern: str

    @property
    def text(self) -> str:
        return f'{self.kind} "{self.name}" ({self.pattern})'

    @property
    def literal(self) -> int:
        return len(self.pattern) - len(CASE)


def find_cases(
    folder: str | Path,
    images: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    landmarks: Mapping[str, str] | None = None,
) -> list[CaseFiles]:
    """Return the cases of a folder in natural order ("p2" before "p10").

    Each mapping is from a role name to a pattern. Without any pattern every image file and every
    folder with a DICOM series is a case of one image named "image"; its id is its path without the
    ending, made a safe file name and kept unique by a short hash where two would become equal.

    Raises FileError for a bad pattern, an unsafe case id, a case without one of its files (with the
    names on both sides) and a folder without cases.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileError(f"{folder}: no such folder")
    kinds = {"images": images or {}, "labels": labels or {}, "landmarks": landmarks or {}}
    roles = [_Role(kind, name, text) for kind, m in kinds.items() for name, text in m.items()]
    cases = _matched(folder, roles) if roles else _every_image(folder)
    if not cases:
        wanted = "; ".join(role.text for role in roles) or "any image"
        raise FileError(f"{folder}: nothing here fits {wanted}")
    return sorted(cases, key=lambda case: natural_key(case.id))


def load_case(case_files: CaseFiles) -> Case:
    """Read all files of a case; every error names the file."""
    try:
        return Case(
            id=case_files.id,
            images={
                name: read_as(path, case_files.fourth_axis)
                for name, path in case_files.images.items()
            },
            labels={name: files.read_labels(path) for name, path in case_files.labels.items()},
            landmarks={
                name: files.read_landmarks(path) for name, path in case_files.landmarks.items()
            },
        )
    except ImageError as error:
        paths = (*case_files.images.values(), *case_files.labels.values())
        listed = ", ".join(str(path) for path in (*paths, *case_files.landmarks.values()))
        raise FileError(f"{error} (files: {listed})") from error


def read_as(path: Path, fourth_axis: FourthAxis) -> ScalarImage:
    """Read an image whose fourth axis means what the layout says."""
    image = files.read_image(path)
    if fourth_axis == "channels" and image.frames is not None:
        return ScalarImage(image.array, image.grid)
    return image


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key that compares digits as numbers and the rest as text."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    key = [(0, int(p), p) if p[0] in "0123456789" else (1, 0, p.casefold()) for p in parts]
    return [*key, (-1, 0, text)]


def _matched(folder: Path, roles: list[_Role]) -> list[CaseFiles]:
    found: dict[_Role, dict[str, Path]] = {role: {} for role in roles}
    owners: dict[Path, _Role] = {}
    for role in sorted(roles, key=lambda role: -role.literal):
        for case, path in _matches(folder, role):
            owner = owners.setdefault(path, role)
            if owner is not role and owner.literal == role.literal:
                raise FileError(f"{path}: fits both {owner.text} and {role.text}; change one")
            if owner is role:
                check_id(path, case)
                found[role][case] = path
    ids = {case for cases in found.values() for case in cases}
    check_distinct(ids, folder)
    _check_complete(folder, found, ids)
    return [_case_files(case, found) for case in ids]


def _matches(folder: Path, role: _Role) -> Iterator[tuple[str, Path]]:
    """Yield case and path of everything that fits a pattern, part by part."""
    parts = _parts(folder, role)
    reached: list[tuple[str, Path]] = [("", folder)]
    for last, part in ((k == len(parts) - 1, part) for k, part in enumerate(parts)):
        if CASE not in part:
            reached = [(case, path / part) for case, path in reached]
        else:
            before, after = part.split(CASE)
            fitting = re.compile(f"{re.escape(before)}(.+){re.escape(after)}", re.DOTALL)
            reached = [
                (match[1], entry)
                for _, path in reached
                for entry in _entries(path)
                if (match := fitting.fullmatch(entry.name))
            ]
        reached = [(case, path) for case, path in reached if last or path.is_dir()]
    for case, path in reached:
        if path.is_file() or (path.is_dir() and role.kind == "images" and _has_dicom(path)):
            yield case, path


def _parts(folder: Path, role: _Role) -> list[str]:
    parts = role.pattern.split("/")
    unsafe = role.pattern.startswith("/") or "\\" in role.pattern or {"", ".", ".."} & set(parts)
    if role.pattern.count(CASE) != 1 or unsafe:
        raise FileError(
            f'{folder}: the pattern of {role.kind} "{role.name}" is {role.pattern!r}; it must be a '
            f"path below the folder with {CASE} in it once, such as {CASE}/t1.nii.gz"
        )
    return parts


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from error


def _has_dicom(folder: Path) -> bool:
    try:
        return dicom_series.is_dicom_folder(folder)
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from error


def check_id(path: Path, case: str) -> None:
    """Raise FileError, naming the path, unless a case id can be part of a file name."""
    try:
        check_name(case, "case id")
    except ImageError as error:
        raise FileError(f"{path}: {error}; rename it") from error


def check_distinct(ids: set[str], folder: Path) -> None:
    """Refuse ids that are one file name on a system that ignores case or composes accents."""
    seen: dict[str, str] = {}
    for case in sorted(ids):
        other = seen.setdefault(folded(case), case)
        if other != case:
            raise FileError(
                f"{folder}: the case ids {other!r} and {case!r} differ only in spelling"
            )


def _check_complete(folder: Path, found: Mapping[_Role, Mapping[str, Path]], ids: set[str]) -> None:
    problems = []
    for role, cases in found.items():
        missing = sorted(ids - set(cases), key=natural_key)
        if missing:
            alone = f"{role.text} has no file for {listed_cases(missing)}"
            if not cases:
                alone = f"{role.text} fits no file"
            problems.append(alone)
    if problems:
        raise FileError(
            f"{folder}: cases must have a file for every pattern; {'; '.join(problems)}"
        )


def listed_cases(names: list[str]) -> str:
    """Return how many cases there are, and the first of them."""
    return f"{len(names)} cases: {_first_of(names)}"


def listed_files(names: list[str]) -> str:
    """Return how many files there are, and the first of them."""
    return f"{len(names)} {'file' if len(names) == 1 else 'files'}: {_first_of(names)}"


def _first_of(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _case_files(case: str, found: Mapping[_Role, Mapping[str, Path]]) -> CaseFiles:
    kinds: dict[str, dict[str, Path]] = {"images": {}, "labels": {}, "landmarks": {}}
    for role, cases in found.items():
        kinds[role.kind][role.name] = cases[case]
    return CaseFiles(case, kinds["images"], kinds["labels"], kinds["landmarks"])


def _every_image(folder: Path) -> list[CaseFiles]:
    above = folder.resolve().name
    ids = {}
    for path, place, suffix in _image_paths(folder):
        named = Path(above) if place == folder else place.relative_to(folder)
        ids[path] = _plain_id(named) + suffix
    counts: dict[str, int] = {}
    for case in ids.values():
        counts[folded(case)] = counts.get(folded(case), 0) + 1
    cases = []
    for path, case in ids.items():
        relative = path.relative_to(folder).as_posix()
        plain = case if counts[folded(case)] == 1 else f"{case}-{_hash(relative)}"
        cases.append(CaseFiles(plain, {DEFAULT_IMAGE: path}))
    return cases


def _image_paths(folder: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield every readable image file and every DICOM series once, with what its name is made of.

    That is the file or the folder, and a suffix that sets several series of a folder apart.
    """
    if _has_dicom(folder):
        yield from _all_series(folder)
    visited: set[Path] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        here = Path(root).resolve()
        if here in visited:
            folders.clear()
            continue
        visited.add(here)
        inside = [name for name in folders if not name.startswith(".")]
        series = {name for name in inside if _has_dicom(Path(root) / name)}
        for name in sorted(series):
            yield from _all_series(Path(root) / name)
        folders[:] = sorted(set(inside) - series)
        for name in sorted(names):
            extension = extension_of(Path(name))
            readable = extension in IMAGE_EXTENSIONS and extension not in DICOM_EXTENSIONS
            if readable and not name.startswith("."):
                yield Path(root) / name, Path(root) / name, ""


def _all_series(folder: Path) -> Iterator[tuple[Path, Path, str]]:
    for one in dicom_series.series_choices(folder):
        yield one.path, folder, one.suffix


def _plain_id(relative: Path) -> str:
    """Return a safe id made of a relative path; a hash is added where characters were lost."""
    ending = extension_of(relative)
    stem = stem_of(relative) if ending in IMAGE_EXTENSIONS else relative.name
    text = "_".join((*relative.parent.parts, stem)) or "case"
    plain = plain_text(text) or "case"
    if plain == text and len(plain) <= _LONGEST_ID:
        return plain
    return f"{plain[: _LONGEST_ID - _HASH_DIGITS - 1]}-{_hash(relative.as_posix())}"


def plain_text(text: str) -> str:
    """Return a text with what is unsafe in a file name made into "-"; perhaps empty."""
    return _NOT_PLAIN.sub("-", unicodedata.normalize("NFC", text)).strip(".-")


def _hash(text: str) -> str:
    encoded = text.encode("utf-8", errors="surrogateescape")
    return hashlib.blake2b(encoded, digest_size=_HASH_DIGITS // 2).hexdigest()


def folded(text: str) -> str:
    """Return what two names share that are one on some file system."""
    return unicodedata.normalize("NFC", text).casefold()
