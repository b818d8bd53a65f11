"""A case: the images, labels, landmarks and boxes of one patient's visit under role names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

from millimorph.errors import ImageError
from millimorph.geometry import ImageGrid
from millimorph.images.points import Boxes, Landmarks
from millimorph.images.voxels import LabelMap, ScalarImage
from millimorph.transforms import Transform

_LONGEST_NAME = 100
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f/\\<>:"|?*\ud800-\udfff]')


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """What belongs to one patient's visit, each under a role name; grids may differ.

    `transforms` holds maps of physical points, given for the Warp op. The id and the role names of
    images, labels, landmarks and boxes become parts of file names: see `check_name`; role names are
    unique over these four. The mappings are read-only.

    Raises ImageError for an unsafe or doubled name, an empty case, and for mixed dimensions.
    """

    id: str
    images: Mapping[str, ScalarImage] = field(default_factory=dict)
    labels: Mapping[str, LabelMap] = field(default_factory=dict)
    landmarks: Mapping[str, Landmarks] = field(default_factory=dict)
    boxes: Mapping[str, Boxes] = field(default_factory=dict)
    transforms: Mapping[str, Transform] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.id, "case id")
        roles = ("images", "labels", "landmarks", "boxes")
        for role in (*roles, "transforms"):
            object.__setattr__(self, role, MappingProxyType(dict(getattr(self, role))))
        kinds = (ScalarImage, LabelMap, Landmarks, Boxes)
        seen: dict[str, str] = {}
        for role, kind in zip(roles, kinds, strict=True):
            for name, part in getattr(self, role).items():
                check_name(name, f"name in {role}")
                if name in seen:
                    raise ImageError(
                        f'case "{self.id}" has "{name}" in {seen[name]} and in {role}; names must '
                        f"be unique, rename one"
                    )
                if not isinstance(part, kind):
                    raise ImageError(
                        f'case "{self.id}": {role} "{name}" is a {type(part).__name__}, expected '
                        f"{kind.__name__}"
                    )
                seen[name] = role
        for name, part in self.transforms.items():
            if not isinstance(part, get_args(Transform)):
                raise ImageError(
                    f'case "{self.id}": transforms "{name}" is a {type(part).__name__}, expected a '
                    f"transform"
                )
        _check_dimensions(self)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return next(part.dimension for _, _, part in _parts(self))

    @property
    def grid(self) -> ImageGrid:
        """The grid of the first image, else of the first label map; ImageError if there is none."""
        for name in (*self.images, *self.labels):
            return self.grid_of(name)
        raise ImageError(f'case "{self.id}" has no image and no labels, so it has no grid')

    def grid_of(self, name: str) -> ImageGrid:
        """Return the grid of an image or label map; ImageError if none has that name."""
        if name in self.images:
            return self.images[name].grid
        if name in self.labels:
            return self.labels[name].grid
        known = ", ".join(f'"{known}"' for known in (*self.images, *self.labels)) or "none"
        raise ImageError(f'case "{self.id}" has no image or labels "{name}"; it has {known}')

    def __reduce__(self) -> tuple[Any, ...]:
        roles = (self.images, self.labels, self.landmarks, self.boxes, self.transforms)
        return type(self), (self.id, *(dict(role) for role in roles))

    def __repr__(self) -> str:
        parts = ", ".join(f"{role} {name}" for role, name, _ in _parts(self))
        return f"Case({self.id}: {parts})"


def check_name(name: str, what: str) -> None:
    r"""Raise ImageError unless a name can safely be part of a file name on any system.

    Refused: empty or longer than 100 characters; path separators, control characters and any of
    < > : " | ? *; a leading dot or space; a trailing dot or space.
    """
    if not isinstance(name, str):
        raise ImageError(f"a {what} must be text, got {type(name).__name__}")
    bad = _UNSAFE.search(name)
    if bad:
        raise ImageError(
            f"{what} {name!r} has the character {bad.group()!r}, which is not safe in a file name"
        )
    if not name or len(name) > _LONGEST_NAME or name != name.strip(" .").strip():
        raise ImageError(
            f"{what} {name!r} must have 1 to {_LONGEST_NAME} characters and neither start nor end "
            f"with a dot or a space"
        )


def _parts(
    case: Case,
) -> list[tuple[str, str, ScalarImage | LabelMap | Landmarks | Boxes | Transform]]:
    roles = ("images", "labels", "landmarks", "boxes", "transforms")
    return [(role, name, part) for role in roles for name, part in getattr(case, role).items()]


def _check_dimensions(case: Case) -> None:
    parts = _parts(case)
    if not parts:
        raise ImageError(f'case "{case.id}" is empty; give it at least one image or label map')
    first_role, first_name, first = parts[0]
    for role, name, part in parts[1:]:
        if part.dimension != first.dimension:
            raise ImageError(
                f'case "{case.id}" mixes dimensions: {first_role} "{first_name}" is '
                f'{first.dimension}D, {role} "{name}" is {part.dimension}D'
            )
