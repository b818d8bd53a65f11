"""Splits by patient: the originals of the patients of a fold validate in it.

Neither these nor a copy of them train in that fold, and a copy never validates.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from millimorph.generate.exports.members import Member

SPLITS_FILE = "splits_final.json"
FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """Who trains and who validates; a held-out patient's copies do neither."""

    train: tuple[Member, ...]
    val: tuple[Member, ...]


def fold_of_group(members: Sequence[Member]) -> dict[str, int]:
    """Return the fold in which each patient is held out: five, or one per patient if fewer.

    Patients are in an order without meaning that is the same everywhere.
    """
    groups = sorted({member.group for member in members}, key=_shuffled)
    count = min(FOLDS, len(groups))
    return {group: k % count for k, group in enumerate(groups)}


def folds(members: Sequence[Member]) -> list[Fold]:
    """Return the folds, each patient held out in one of them."""
    held_out = fold_of_group(members)
    return [
        Fold(
            tuple(one for one in members if held_out[one.group] != fold),
            tuple(one for one in members if held_out[one.group] == fold and not one.is_copy),
        )
        for fold in range(max(held_out.values()) + 1)
    ]


def _shuffled(group: str) -> bytes:
    return hashlib.blake2b(group.encode("utf-8", errors="surrogateescape")).digest()
