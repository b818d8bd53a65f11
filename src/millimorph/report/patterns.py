"""Which file name patterns with one {case} seem to fit a folder: a guess from names and kinds."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from millimorph.io.extensions import IMAGE_EXTENSIONS, TABLE_EXTENSIONS

Kind = Literal["image", "labels", "landmarks"]

CASE = "{case}"
_SEPARATORS = re.compile(r"[_\-. ]+")
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
_COMMON_NAMES = {"images": "image", "imagestr": "image", "imagests": "image", "labelstr": "labels"}


@dataclass(frozen=True)
class FoundFile:
    """A file by its path relative to the folder, with / between the parts, and what it holds."""

    path: str
    kind: Kind


@dataclass(frozen=True)
class RolePattern:
    """One role of the cases: `name=pattern` as the command line takes it."""

    name: str
    pattern: str
    kind: Kind

    def option(self) -> str:
        """The option's value."""
        return f"{self.name}={self.pattern}"


@dataclass(frozen=True)
class Suggestion:
    """Patterns that share their cases; how many cases and files they cover.

    `incomplete` are cases that lack a file for one of the patterns.
    """

    patterns: tuple[RolePattern, ...]
    cases: int
    files: int
    incomplete: tuple[str, ...] = ()


def suggest_patterns(files: Iterable[FoundFile]) -> Suggestion | None:
    """The patterns that cover the most files with one set of cases; None if there are none.

    A pattern stands for files of one kind. The set of cases is that of an image pattern; another
    pattern belongs to it when most of its cases are in the set, and most of the set in its cases.
    One case alone counts if no two have the same patterns and it has files of several.
    """
    matches = _candidates(list(files))
    found = {frozenset(one.files) for (_, kind), one in matches.items() if kind == "image"}
    several = {cases for cases in found if len(cases) > 1}
    return _best(several, matches) or _best(found - several, matches)


def _best(found: Iterable[frozenset[str]], matches: "_Matches") -> Suggestion | None:
    """The set of cases whose patterns cover the most files, more than one."""
    best: tuple[tuple[int, int, int], Suggestion] | None = None
    for cases in sorted(found, key=sorted):
        suggestion, plainness = _covering(cases, matches)
        if suggestion.files < 2:
            continue
        score = (suggestion.files, -len(suggestion.patterns), plainness)
        if best is None or score > best[0]:
            best = (score, suggestion)
    return None if best is None else best[1]


@dataclass(frozen=True)
class _Matched:
    """What a pattern fits: the files of one kind by case, and the files of other kinds."""

    files: Mapping[str, str]
    others: frozenset[str]


_Matches = Mapping[tuple[str, Kind], _Matched]


def _candidates(files: list[FoundFile]) -> _Matches:
    """Every pattern that some file fits, for each kind of file that fits it."""
    found: dict[str, dict[str, FoundFile]] = defaultdict(dict)
    for file in files:
        for pattern, case in _generalised(file.path):
            found[pattern][case] = file
    matches: dict[tuple[str, Kind], _Matched] = {}
    for pattern, by_case in found.items():
        for kind in {file.kind for file in by_case.values()}:
            own = {case: file.path for case, file in by_case.items() if file.kind == kind}
            others = {file.path for file in by_case.values() if file.kind != kind}
            matches[pattern, kind] = _Matched(own, frozenset(others))
    return matches


def _generalised(path: str) -> Iterator[tuple[str, str]]:
    """The ways to see one part of a path as the case: a folder, a file name or a part of one."""
    *folders, name = path.split("/")
    for k, folder in enumerate(folders):
        yield "/".join([*folders[:k], CASE, *folders[k + 1 :], name]), folder
    prefix = "".join(f"{folder}/" for folder in folders)
    stem, ending = _split_name(name)
    yield f"{prefix}{CASE}{ending}", stem
    for separator in _SEPARATORS.finditer(stem):
        before, after = stem[: separator.start()], stem[separator.end() :]
        if before and after:
            yield f"{prefix}{CASE}{separator.group()}{after}{ending}", before
            yield f"{prefix}{before}{separator.group()}{CASE}{ending}", after


def _split_name(name: str) -> tuple[str, str]:
    lower = name.lower()
    endings = [e for e in (*IMAGE_EXTENSIONS, *TABLE_EXTENSIONS) if lower.endswith(e)]
    length = max((len(e) for e in endings), default=0)
    return name[: len(name) - length], name[len(name) - length :]


def _covering(cases: frozenset[str], matches: _Matches) -> tuple[Suggestion, int]:
    """The patterns that belong to a set of cases, those with the most files first.

    A file belongs to the longest pattern it fits, so a pattern that files of another kind fit has
    to wait until longer ones have taken them.
    """
    fitting = []
    for (pattern, kind), match in matches.items():
        common = len(cases & match.files.keys())
        if 2 * common > len(cases) and 2 * common > len(match.files):
            fitting.append((-common, -_plainness(pattern), pattern, kind))
    covered: set[str] = set()
    chosen: list[tuple[str, Kind]] = []
    for waiting in (False, True):
        for _, _, pattern, kind in sorted(fitting):
            match = matches[pattern, kind]
            files = {file for case, file in match.files.items() if case in cases}
            free = match.others <= covered if waiting else not match.others
            if free and len(files) >= min(2, len(cases)) and not files & covered:
                covered |= files
                chosen.append((pattern, kind))
    plainness = sum(_plainness(pattern) for pattern, _ in chosen)
    sets = [set(matches[one].files) for one in chosen]
    incomplete = set().union(*sets) - cases.intersection(*sets)
    suggestion = Suggestion(_named(chosen), len(cases), len(covered), tuple(sorted(incomplete)))
    return suggestion, plainness


def _plainness(pattern: str) -> int:
    """Whole names and folders stand for a case more plainly than parts of names do."""
    part = next(part for part in pattern.split("/") if CASE in part)
    stem, _ = _split_name(part)
    return 2 if stem == CASE else int(stem.startswith(CASE))


def _named(chosen: list[tuple[str, Kind]]) -> tuple[RolePattern, ...]:
    """Short names that differ, images first."""
    order: dict[Kind, int] = {"image": 0, "labels": 1, "landmarks": 2}
    taken: set[str] = set()
    named = []
    for pattern, kind in sorted(chosen, key=lambda one: (order[one[1]], one[0])):
        base = name = _role_name(pattern, kind)
        number = 2
        while name in taken:
            name, number = f"{base}{number}", number + 1
        taken.add(name)
        named.append(RolePattern(name, pattern, kind))
    return tuple(named)


def _role_name(pattern: str, kind: Kind) -> str:
    """The constant part of the file's name, else the folder's name, else the kind."""
    *folders, name = pattern.split("/")
    stem, _ = _split_name(name)
    constant = [folder for folder in folders if CASE not in folder]
    for words in (stem.replace(CASE, ""), *reversed(constant)):
        short = _NO_NAME.sub("_", words).strip("_")
        if short and not short.isdigit():
            return _COMMON_NAMES.get(short.lower(), short)
    return kind
