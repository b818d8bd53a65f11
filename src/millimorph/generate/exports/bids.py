"""Export to a BIDS 1.11 derivative: copies named by desc-aug0007, each with sidecar and sources.

Of a BIDS data set only the copies are written, with links to the originals; otherwise the originals
come along as desc-orig. What BIDS has no name for, such as CT, is listed in .bidsignore.
"""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millimorph._version import __version__
from millimorph.errors import OutputError
from millimorph.generate.exports import files, members
from millimorph.generate.exports.bids_names import (
    LABEL_SUFFIXES,
    BidsName,
    is_known,
    is_mr,
    labels_of,
    name_of_source,
    suffixes_of,
)
from millimorph.generate.exports.labels import LabelTable, label_table
from millimorph.generate.exports.members import ORIGINAL, FinishedJob, Member
from millimorph.generate.exports.report import Export, export_of
from millimorph.io.bids import DESCRIPTION
from millimorph.io.data_set import read_description

_VERSION = "1.11.1"
_NIFTI = ".nii.gz"
_NAME = "millimorph"
_RAW = "raw"
_IGNORED = ".bidsignore"
_MASK = "mask"


@dataclass(frozen=True)
class _Part:
    """What becomes one file of each member: an image's channel, or a label map.

    `channel` is its number if the image has several. `is_mr` says that it is an MR image. `names`
    and `sources` (the original, as a BIDS URI) are by case.
    """

    role: str
    channel: int | None
    is_labels: bool
    is_mr: bool
    names: Mapping[str, BidsName]
    sources: Mapping[str, str]

    def path(self, member: Member) -> str:
        return self.names[member.source].path(member.copy_name, _NIFTI)


def export_bids(
    out: str | Path,
    dest: str | Path,
    source_root: str | Path | None = None,
    *,
    skull_stripped: bool = False,
) -> Export:
    """Write the samples of a job as a new BIDS derivative.

    `dest` is the new folder. Names keep the entities of a BIDS source; otherwise the subject is the
    patient, and the session the case where patients have several. `skull_stripped` is what the
    sidecars of MR images say, as BIDS requires. `source_root` is where the input folder is now, if
    it or `out` was moved.

    Raises FileError for files that are missing or have changed; OutputError for a `dest` that is
    there already and for parts that BIDS cannot take.
    """
    out, dest = Path(out), Path(dest)
    if dest.parent.name == "derivatives" and _NAME not in dest.name:
        raise OutputError(
            f"{dest}: BIDS wants the name of the maker in that of a folder in derivatives; call it "
            f"{dest.parent / _NAME}, or {_NAME}-{dest.name}"
        )
    job = members.read_finished(out, source_root)
    files.check_place(dest, (out, job.root))
    members.check_no_series(job, "BIDS")
    members.check_plain_labels(job, "BIDS")
    of_bids = job.data_set is not None and job.data_set.layout.startswith("BIDS")
    parts = _parts_of_bids(job) if of_bids else _parts(job)
    written = [one for one in job.members if one.is_copy or not of_bids]
    _check_apart(parts, written)
    tables = {role: label_table(job, role) for role in job.labels}
    notes: list[str] = []
    with files.writing(dest, notes) as place:
        for member in written:
            for part in parts:
                _put(part, member, place, tables)
                path = part.path(member).removesuffix(_NIFTI)
                sidecar = _sidecar(part, member, skull_stripped)
                files.put_json(place / f"{path}.json", sidecar)
        _put_tables(parts, written, place)
        description = _description(job, dest, of_bids=of_bids)
        files.put_json(place / DESCRIPTION, description)
        files.put_text(place / "README.md", _readme(job, of_bids=of_bids))
        ignored = _ignored(parts)
        if ignored:
            files.put_text(place / _IGNORED, "".join(f"{line}\n" for line in ignored))
            notes.append(f"BIDS has no names for some of the images; they are listed in {_IGNORED}")
    if of_bids:
        notes.append(f"the originals stay in {job.root}, which the sidecars refer to as bids:raw")
    return export_of(job, dest, notes, (f"bids-validator-deno {shlex.quote(str(dest))}",), written)


def _parts_of_bids(job: FinishedJob) -> list[_Part]:
    """Return the parts with the names of their sources."""
    parts = []
    for role, is_labels in (*((r, False) for r in job.images), *((r, True) for r in job.labels)):
        if not is_labels and len(job.channels[role]) > 1:
            raise OutputError(
                f"{job.out}: the image {role} has several channels; BIDS wants a file for each"
            )
        paths = {
            one.source: (one.labels if is_labels else one.images)[role].path
            for one in job.originals
        }
        names = {case: name_of_source(path) for case, path in paths.items()}
        sources = {
            case: f"bids:{_RAW}:{path.relative_to(job.root).as_posix()}"
            for case, path in paths.items()
        }
        parts.append(_Part(role, None, is_labels, not is_labels, names, sources))
    return parts


def _parts(job: FinishedJob) -> list[_Part]:
    """Return the parts with names made of patients, cases and channels."""
    entities = _entities(job)
    suffixes = suffixes_of(job.channel_names)
    labels = labels_of(job.labels)
    parts = []
    for number, (role, channel) in enumerate(_channels(job)):
        suffix = suffixes[number]
        names = {case: BidsName(these, None, suffix) for case, these in entities.items()}
        mr = is_mr(job.channel_names[number], suffix)
        parts.append(_Part(role, channel, False, mr, names, _beside(names)))
    for role in job.labels:
        more = () if len(job.labels) == 1 else (f"seg-{labels[role]}",)
        names = {case: BidsName((*these, *more), None, "dseg") for case, these in entities.items()}
        parts.append(_Part(role, None, True, False, names, _beside(names)))
    return parts


def _beside(names: Mapping[str, BidsName]) -> dict[str, str]:
    """Return the originals' own files in the new data set."""
    return {case: f"bids::{name.path(ORIGINAL, _NIFTI)}" for case, name in names.items()}


def _channels(job: FinishedJob) -> Iterator[tuple[str, int | None]]:
    for role in job.images:
        count = len(job.channels[role])
        yield from ((role, None if count == 1 else k) for k in range(count))


def _entities(job: FinishedJob) -> dict[str, tuple[str, ...]]:
    """Return subject and, where a patient has several cases, session of each case."""
    subjects = labels_of(job.groups)
    sessions = labels_of([one.source for one in job.originals])
    groups = [one.group for one in job.originals]
    several = len(set(groups)) < len(groups)
    return {
        one.source: (
            f"sub-{subjects[one.group]}",
            *((f"ses-{sessions[one.source]}",) if several else ()),
        )
        for one in job.originals
    }


def _check_apart(parts: Sequence[_Part], written: Sequence[Member]) -> None:
    seen: dict[str, str] = {}
    for member in written:
        for part in parts:
            path = part.path(member)
            other = seen.setdefault(path.casefold(), part.role)
            if other != part.role:
                raise OutputError(
                    f"{part.role} and {other} of {member.source} would both be {path}; export "
                    f"without one of them"
                )


def _put(part: _Part, member: Member, place: Path, tables: Mapping[str, LabelTable]) -> None:
    target = place / part.path(member)
    if not part.is_labels:
        files.put_channel(member.images[part.role], part.channel, target)
        return
    files.put_labels(member.labels[part.role], target, {})
    if part.names[member.source].suffix != _MASK:
        rows = [f"{value}\t{name}\n" for value, name in tables[part.role].names.items()]
        table = place / f"{part.path(member).removesuffix(_NIFTI)}.tsv"
        files.put_text(table, "".join(["index\tname\n", *rows]))


def _sidecar(part: _Part, member: Member, skull_stripped: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"Description": _text(member)}
    if member.is_copy:
        content["Sources"] = [part.sources[member.source]]
    if part.is_mr:
        content["SkullStripped"] = skull_stripped
    if member.recipe is not None:
        content["RecipeDigest"] = member.recipe.digest
    return content


def _text(member: Member) -> str:
    if member.recipe is None:
        return "The original, on which the augmented copies are based"
    return (
        f"Augmented copy {member.recipe.index} by millimorph {__version__}, seed "
        f"{member.recipe.seed}; not a measurement"
    )


def _put_tables(parts: Sequence[_Part], written: Sequence[Member], place: Path) -> None:
    descriptions = {}
    for member in written:
        for part in parts:
            kept = part.names[member.source].desc
            label = member.copy_name if kept is None else f"{kept}+{member.copy_name}"
            descriptions[f"desc-{label}"] = _text(member)
    rows = [f"{desc}\t{text}\n" for desc, text in sorted(descriptions.items())]
    files.put_text(place / "descriptions.tsv", "".join(["desc_id\tdescription\n", *rows]))
    subjects = {parts[0].names[one.source].subject: one.group for one in written}
    lines = [f"{subject}\t{_cell(group)}\n" for subject, group in subjects.items()]
    files.put_text(place / "participants.tsv", "".join(["participant_id\tpatient\n", *lines]))
    meaning = {"patient": {"Description": "The patient's name in the data set of the originals"}}
    files.put_json(place / "participants.json", meaning)


def _cell(text: str) -> str:
    """Return a text that fits into a cell of a table."""
    return " ".join(text.split()) or "n/a"


def _description(job: FinishedJob, dest: Path, *, of_bids: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "Name": f"Augmented copies: {dest.name}",
        "BIDSVersion": _VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": _NAME,
                "Version": __version__,
                "Description": "Medical image augmentation: every spatial change as one resample",
            }
        ],
    }
    if of_bids:
        content["DatasetLinks"] = {
            _RAW: Path(os.path.relpath(job.root.resolve(), dest.resolve())).as_posix()
        }
        raw = read_description(job.root / DESCRIPTION)
        content |= {key: raw[key] for key in ("License", "DatasetDOI") if key in raw}
        doi = content.pop("DatasetDOI", None)
        if isinstance(doi, str):
            content["SourceDatasets"] = [{"DOI": doi}]
    return content


def _readme(job: FinishedJob, *, of_bids: bool) -> str:
    originals = (
        "The originals are in the data set that DatasetLinks names."
        if of_bids
        else "The originals are here too, as desc-orig."
    )
    return f"""# Augmented copies

Made by millimorph {__version__}: {sum(one.is_copy for one in job.members)} augmented copies of
{len(job.originals)} cases of {len(job.groups)} patients. {originals}

descriptions.tsv says what the label of each desc entity means. Augmented images are for training
and are no measurements. Keep all copies of a subject on one side of a split.
"""


def _ignored(parts: Sequence[_Part]) -> list[str]:
    """Return patterns of the images that BIDS has no names for."""
    suffixes = {name.suffix for part in parts for name in part.names.values()}
    unknown = sorted(one for one in suffixes if one not in LABEL_SUFFIXES and not is_known(one))
    return [f"*_{suffix}{ending}" for suffix in unknown for ending in (_NIFTI, ".json")]
