"""Names of BIDS: entities of sources, labels of letters and digits, and suffixes of images."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from millimorph.io.extensions import stem_of

LABEL_SUFFIXES = ("dseg", "mask", "probseg")

_SUFFIXES = {
    "t1": "T1w",
    "t1w": "T1w",
    "t2": "T2w",
    "t2w": "T2w",
    "flair": "FLAIR",
    "pd": "PDw",
    "pdw": "PDw",
}
_KNOWN = frozenset(_SUFFIXES.values())
_MR = frozenset(("mr", "mri"))
_NOT_ALNUM = re.compile(r"[^A-Za-z0-9]+")
_HASH_BYTES = 3


@dataclass(frozen=True)
class BidsName:
    """A name by its parts: entities such as "sub-01" in order without desc, and the suffix.

    `desc` is the label of the source's own desc entity, if it has one.
    """

    entities: tuple[str, ...]
    desc: str | None
    suffix: str

    @property
    def subject(self) -> str:
        """The first entity, such as "sub-01"."""
        return self.entities[0]

    @property
    def folder(self) -> str:
        """Where the file lies: sub-01/[ses-a/]anat."""
        sessions = [text for text in self.entities if text.startswith("ses-")]
        return "/".join((self.subject, *sessions, "anat"))

    def path(self, copy: str, ending: str) -> str:
        """Return the path of a copy of it, such as "aug0007"."""
        desc = copy if self.desc is None else f"{self.desc}+{copy}"
        return f"{self.folder}/{'_'.join((*self.entities, f'desc-{desc}', self.suffix))}{ending}"


def name_of_source(path: Path) -> BidsName:
    """Return the parts of a name that the reader of BIDS has accepted."""
    *entities, suffix = stem_of(path).split("_")
    descs = [text.removeprefix("desc-") for text in entities if text.startswith("desc-")]
    kept = tuple(text for text in entities if not text.startswith("desc-"))
    return BidsName(kept, descs[0] if descs else None, suffix)


def labels_of(names: Iterable[str]) -> dict[str, str]:
    """Return names of letters and digits only, all different whatever their case.

    Where two would become equal, or nothing is left, a short hash is added.
    """
    plain = {name: _NOT_ALNUM.sub("", name.removeprefix("sub-")) for name in names}
    folded = [text.casefold() for text in plain.values()]
    return {
        name: text if text and folded.count(text.casefold()) == 1 else f"{text}{_hash(name)}"
        for name, text in plain.items()
    }


def suffixes_of(channels: Sequence[str]) -> tuple[str, ...]:
    """Return the suffix of each channel: BIDS' own for T1, T2, FLAIR and PD, else its name."""
    known = [_SUFFIXES.get(name.casefold()) for name in channels]
    suffixes = [
        suffix if suffix is not None and known.count(suffix) == 1 else None for suffix in known
    ]
    taken = {*LABEL_SUFFIXES, *(one.casefold() for one in suffixes if one is not None)}
    names = [f"{name} {k}" if channels.count(name) > 1 else name for k, name in enumerate(channels)]
    own = labels_of(names)
    return tuple(
        suffix
        if suffix is not None
        else own[name]
        if own[name].casefold() not in taken
        else f"image{own[name]}"
        for suffix, name in zip(suffixes, names, strict=True)
    )


def is_known(suffix: str) -> bool:
    """Tell whether BIDS has such an image, so that its validator may look at it."""
    return suffix in _KNOWN


def is_mr(channel: str, suffix: str) -> bool:
    """Tell whether an image is known to be of magnetic resonance."""
    return is_known(suffix) or channel.casefold() in _MR


def _hash(text: str) -> str:
    encoded = text.encode("utf-8", errors="surrogateescape")
    return hashlib.blake2b(encoded, digest_size=_HASH_BYTES).hexdigest()
