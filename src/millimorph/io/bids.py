"""BIDS, raw or derivative: the anatomical images of a data set with their segmentations and masks.

The part of BIDS 1.11 that is read: sub-*/[ses-*/]anat/ENTITIES_SUFFIX.nii[.gz]. A case is a
subject, session, run and space; the other entities and the suffix name its files, so the role of
sub-01_ses-2_acq-fast_T1w.nii.gz is "acq-fast_T1w". The suffixes dseg and mask are label maps; of a
raw data set they are also looked for in derivatives/*/. In a derivative of millimorph every
augmented copy is a case too, told by its desc entity ("aug0007", or "brain+aug0007" of a source
with desc-brain), and so is every original ("orig").
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from millimorph.errors import FileError
from millimorph.io import limits
from millimorph.io.data_set import DataSet, checked_cases, read_description, require_cases
from millimorph.io.extensions import NIFTI_EXTENSIONS, extension_of, stem_of
from millimorph.io.layouts import CaseFiles, folded, listed_cases

LAYOUT = "BIDS"
DESCRIPTION = "dataset_description.json"

_LABEL_SUFFIXES = ("dseg", "mask")
_OTHER_SUFFIXES = ("probseg", "defacemask")
_OF_CASE = ("sub", "ses", "run", "space")
_MADE = "millimorph"
_COPY = re.compile(r"(?:(.+)\+)?(aug[0-9]+|orig)")
_NAME = re.compile(r"((?:[A-Za-z0-9]+-[A-Za-z0-9+]+_)+)([A-Za-z0-9]+)")


@dataclass(frozen=True)
class _File:
    """A file by its entities: those of its case, and its role."""

    path: Path
    case: str
    subject: str
    role: str
    is_labels: bool


def read_bids(folder: Path) -> DataSet:
    """Return a case per subject, session, run and space, with the subject as its group.

    Raises FileError without Name or BIDSVersion, for two files of one case and role, and without
    anatomical images.
    """
    path = folder / DESCRIPTION
    content = read_description(path)
    missing = [key for key in ("Name", "BIDSVersion") if not isinstance(content.get(key), str)]
    if missing:
        raise FileError(f"{path}: {missing[0]} must be there, as a text; BIDS requires it")
    images: dict[str, list[_File]] = {}
    labels: dict[str, list[_File]] = {}
    read = _copies if _is_made_here(content) else _files
    for file in chain(read(folder, ""), _derived(folder)):
        (labels if file.is_labels else images).setdefault(file.case, []).append(file)
    cases = [_case_files(files, labels.get(case, [])) for case, files in images.items()]
    data_set = DataSet(
        f"BIDS {_kind(content)}",
        f"{DESCRIPTION} has BIDSVersion {content['BIDSVersion']}",
        path,
        checked_cases(folder, cases),
        label_names=_label_names(cases),
        notes=tuple(_notes(cases, labels)),
    )
    return require_cases(data_set, folder)


def _kind(content: Mapping[str, Any]) -> str:
    return "derivative" if content.get("DatasetType") == "derivative" else "raw"


def _is_made_here(content: Mapping[str, Any]) -> bool:
    made_by = content.get("GeneratedBy")
    entries = made_by if isinstance(made_by, list) else []
    return any(isinstance(one, dict) and one.get("Name") == _MADE for one in entries)


def _copies(folder: Path, prefix: str) -> Iterator[_File]:
    """Yield the files of a derivative of millimorph: the copy that a file is of is its case's."""
    for file in _files(folder, prefix):
        descs = [text for text in file.role.split("_") if text.startswith("desc-")]
        match = _COPY.fullmatch(descs[0].removeprefix("desc-")) if descs else None
        if match is None:
            yield file
            continue
        kept = [f"desc-{match[1]}"] if match[1] else []
        parts = [text for text in file.role.split("_") if text != descs[0]]
        role = "_".join([*parts[:-1], *kept, parts[-1]])
        yield replace(file, case=f"{file.case}_desc-{match[2]}", role=role)


def _label_names(cases: list[CaseFiles]) -> dict[str, str]:
    """Return the names of label values in the table beside the first segmentation, if any."""
    if len({role for case in cases for role in case.labels}) > 1:
        return {}
    for case in cases:
        for path in case.labels.values():
            table = path.with_name(f"{stem_of(path)}.tsv")
            if table.is_file():
                return read_label_table(table)
    return {}


def read_label_table(path: Path) -> dict[str, str]:
    """Return the value of each name in a dseg.tsv, which has the columns index and name.

    Raises FileError for a table without these columns and for a value that is no integer.
    """
    try:
        text = limits.read_all(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(f"{path}: not a text table in UTF-8; save it as such") from None
    header, *rows = [line.split("\t") for line in text.splitlines() if line] or [[]]
    if not {"index", "name"} <= set(header):
        raise FileError(f"{path}: must have the columns index and name, as BIDS wants them")
    index, name = header.index("index"), header.index("name")
    named = {}
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header) or not row[index].isdecimal():
            raise FileError(f"{path}: line {line} must have a whole number as index, and a name")
        named[row[name]] = str(int(row[index]))
    return named


def _derived(folder: Path) -> Iterator[_File]:
    """Yield the label maps of all derivatives; of several, roles begin with the folder's name."""
    found = {}
    for one in _folders(folder / "derivatives", ""):
        files = [file for file in _files(one, "") if file.is_labels]
        if files:
            found[one] = files
    for one, files in found.items():
        yield from files if len(found) == 1 else _files_of_labels(one)


def _files_of_labels(folder: Path) -> Iterator[_File]:
    return (file for file in _files(folder, f"{folder.name}_") if file.is_labels)


def _files(folder: Path, prefix: str) -> Iterator[_File]:
    """Yield what lies in the anat folders of all subjects; role names begin with the prefix."""
    for subject in _folders(folder, "sub-"):
        for parent in (subject, *_folders(subject, "ses-")):
            for path in _entries(parent / "anat"):
                if path.is_file() and extension_of(path) in NIFTI_EXTENSIONS:
                    file = _file(path, subject.name, prefix)
                    if file is not None:
                        yield file


def _file(path: Path, subject: str, prefix: str) -> _File | None:
    match = _NAME.fullmatch(stem_of(path))
    if match is None:
        raise FileError(
            f"{path}: the name is not one of BIDS, such as sub-01_ses-1_T1w.nii.gz; rename it"
        )
    entities = [text for text in match[1].split("_") if text]
    suffix = match[2]
    keys = [text.partition("-")[0] for text in entities]
    if entities[0] != subject or len(set(keys)) < len(keys):
        raise FileError(
            f"{path}: the name must begin with {subject}_ and have every entity once; rename it"
        )
    if suffix in _OTHER_SUFFIXES:
        return None
    pairs = list(zip(keys, entities, strict=True))
    case = "_".join(text for key in _OF_CASE for k, text in pairs if k == key)
    role = "_".join([*(text for key, text in pairs if key not in _OF_CASE), suffix])
    return _File(path, case, subject, prefix + role, suffix in _LABEL_SUFFIXES)


def _case_files(images: list[_File], labels: list[_File]) -> CaseFiles:
    seen: dict[str, Path] = {}
    for file in (*images, *labels):
        other = seen.setdefault(folded(file.role), file.path)
        if other != file.path:
            raise FileError(
                f"{file.path}: is {file.role} of {file.case}, as {other} is; remove or rename one"
            )
    return CaseFiles(
        images[0].case,
        {file.role: file.path for file in images},
        {file.role: file.path for file in labels},
        group=images[0].subject,
    )


def _notes(cases: list[CaseFiles], labels: Mapping[str, list[_File]]) -> Iterator[str]:
    """Yield which roles some cases lack, and which label maps belong to no image."""
    roles = dict.fromkeys(role for case in cases for role in (*case.images, *case.labels))
    for role in roles:
        without = [case.id for case in cases if role not in {*case.images, *case.labels}]
        if without:
            yield f"no {role}: {listed_cases(without)}"
    alone = sorted(set(labels) - {case.id for case in cases})
    if alone:
        yield f"label maps without an image of the same run and space: {listed_cases(alone)}"


def _folders(folder: Path, start: str) -> list[Path]:
    return [path for path in _entries(folder) if path.name.startswith(start) and path.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror or error}") from None
