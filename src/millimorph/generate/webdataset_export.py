"""`export`: a finished output folder as WebDataset shards, tar files that a trainer streams.

A sample is the files KEY.ROLE.EXT and KEY.json, its sidecar, one after the other; KEY is its name
with dots made into "_", because WebDataset ends a key at the first dot. The samples of a patient
lie together: a shard that they do not fit into any more is closed before them, and only a patient
larger than a shard is spread, over shards of its own. index.json lists shards with their SHA-256
and patients. Shards are the same bytes every time: sorted, no times, no owners.
Source: github.com/webdataset/webdataset, README.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from millimorph.errors import FileError, OutputError
from millimorph.generate.exports.files import check_place
from millimorph.generate.lines import ManifestLine
from millimorph.generate.manifest import first_sidecar, read_manifest
from millimorph.generate.sidecar import Sidecar
from millimorph.io.atomic import Written, replacing_folder, write_pieces, write_text
from millimorph.io.extensions import extension_of
from millimorph.io.layouts import check_distinct, natural_key

INDEX_FILE = "index.json"
DEFAULT_SHARD_BYTES = 512_000_000

_BLOCK = 512
_END = 2 * _BLOCK
_MODE = 0o644


@dataclass(frozen=True)
class ShardsExport:
    """What was written; `split_patients` are those larger than a shard."""

    dest: Path
    samples: int
    shards: int
    patients: int
    split_patients: tuple[str, ...]


@dataclass(frozen=True)
class _Member:
    """A file of a shard: its name there, where it is, and what it must hold."""

    name: str
    path: Path
    sha256: str
    bytes: int

    @property
    def tar_bytes(self) -> int:
        return _BLOCK + -(-self.bytes // _BLOCK) * _BLOCK


@dataclass(frozen=True)
class _Entry:
    """A sample: its patient and its files, the sidecar last."""

    group: str
    members: tuple[_Member, ...]

    @property
    def tar_bytes(self) -> int:
        return sum(member.tar_bytes for member in self.members)


def export_webdataset(
    out: str | Path, dest: str | Path, shard_bytes: int = DEFAULT_SHARD_BYTES
) -> ShardsExport:
    """Write the samples of a job as WebDataset shards of about `shard_bytes` each.

    `dest` is a new folder, there only once it is complete. Patients are those of
    the sidecars; where they do not tell, every case is one.

    Raises FileError for files that are missing or have changed, OutputError for a `dest` that is
    there already or lies in the input or output folder, and for a shard size below 1 MB.
    """
    out, dest = Path(out), Path(dest)
    if shard_bytes < 1_000_000:
        raise OutputError(f"a shard must hold at least 1 MB, got {shard_bytes} bytes")
    check_place(dest, (out, *_inputs(out)))
    entries = _entries(out)
    shards = _shards(entries, shard_bytes)
    groups = sorted({entry.group for entry in entries}, key=natural_key)
    held = [group for shard in shards for group in {entry.group for entry in shard}]
    split = tuple(group for group in groups if held.count(group) > 1)
    with replacing_folder(dest) as place:
        rows = []
        for number, shard in enumerate(shards):
            name = f"shard-{number:06d}.tar"
            written = write_pieces(place / name, _tar(shard))
            rows.append(_row(name, written, shard))
        index = {
            "schema_version": 1,
            "format": "webdataset",
            "samples": len(entries),
            "split_patients": list(split),
            "shards": rows,
        }
        text = json.dumps(index, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(place / INDEX_FILE, f"{text}\n")
    return ShardsExport(dest, len(entries), len(shards), len(groups), split)


def _inputs(out: Path) -> list[Path]:
    """The input folder, if sidecars tell it."""
    first = first_sidecar(out)
    found = None if first is None else Sidecar.read(first).input_folder(first.parent)
    return [] if found is None else [found]


def _entries(out: Path) -> list[_Entry]:
    """All finished samples, patient by patient, case by case."""
    lines = read_manifest(out)
    if not lines:
        raise FileError(f"{out}: no finished samples here; name a folder that generate wrote to")
    check_distinct({_key(name) for name in lines}, out)
    if len({_key(name) for name in lines}) < len(lines):
        raise OutputError(f"{out}: two cases have one name once dots are made into '_'; rename one")
    entries = {}
    for line in lines.values():
        path = out / line.sidecar
        sidecar = Sidecar.read(path)
        group = sidecar.group or line.case
        order = (natural_key(group), natural_key(line.case), line.index)
        entries[_Entry(group, _members(path, sidecar, line))] = order
    return sorted(entries, key=entries.__getitem__)


def _members(path: Path, sidecar: Sidecar, line: ManifestLine) -> tuple[_Member, ...]:
    key = _key(line.sample)
    files = []
    for role, one in sorted(sidecar.outputs.items()):
        file = path.parent / one.file
        files.append(_Member(f"{key}.{role}{extension_of(file)}", file, one.sha256, one.bytes))
    return (*files, _Member(f"{key}.json", path, line.sha256, path.stat().st_size))


def _key(sample: str) -> str:
    return sample.replace(".", "_")


def _shards(entries: Sequence[_Entry], shard_bytes: int) -> list[list[_Entry]]:
    """Fill shards with whole patients; one that is larger gets as many as it needs."""
    room = shard_bytes - _END
    shards: list[list[_Entry]] = []
    filled = room
    for _, patient in groupby(entries, key=lambda entry: entry.group):
        samples = list(patient)
        size = sum(entry.tar_bytes for entry in samples)
        if filled + size > room:
            filled = room
        for entry in samples:
            if filled + entry.tar_bytes > room or not shards:
                shards.append([])
                filled = 0
            shards[-1].append(entry)
            filled += entry.tar_bytes
        if size > room:
            filled = room
    return shards


def _tar(shard: Iterable[_Entry]) -> Iterator[bytes]:
    """Yield a tar file; each member is read whole and held against its digest."""
    for member in chain.from_iterable(entry.members for entry in shard):
        try:
            content = member.path.read_bytes()
        except OSError as error:
            raise FileError(f"{member.path}: cannot be read: {error.strerror or error}") from None
        if hashlib.sha256(content).hexdigest() != member.sha256:
            raise FileError(f"{member.path}: has changed since it was made; see millimorph verify")
        info = tarfile.TarInfo(member.name)
        info.size, info.mode, info.mtime = len(content), _MODE, 0
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8")
        yield content
        yield bytes(-len(content) % _BLOCK)
    yield bytes(_END)


def _row(name: str, written: Written, shard: Sequence[_Entry]) -> dict[str, object]:
    return {
        "file": name,
        "sha256": written.sha256,
        "bytes": written.bytes,
        "samples": len(shard),
        "patients": list(dict.fromkeys(entry.group for entry in shard)),
    }
