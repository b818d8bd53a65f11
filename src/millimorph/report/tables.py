"""Inspections as plain text: aligned lines for a file, a table and a summary for a folder."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millimorph.report.inspect import Content, FileInspection, FolderInspection

_MOST_LABELS_LISTED = 60
_MOST_CASES_LISTED = 5
_OBLIQUE_FROM_DEG = 0.01


def file_text(file: "FileInspection") -> str:
    """Lines of `what  value` for one file."""
    lines = [file.path]
    if file.error is not None:
        lines += _aligned([("unreadable", file.error)])
    if file.landmarks is not None:
        names = file.landmarks.names or tuple(map(str, range(len(file.landmarks))))
        rows = zip(names, file.landmarks.points_mm.tolist(), strict=True)
        lines += _aligned([(name, _numbers(point) + " mm") for name, point in rows])
    if file.content is not None:
        lines += _aligned(_content_rows(file.content))
        lines += _label_lines(file.content)
    return "\n".join(lines)


def _content_rows(content: "Content") -> list[tuple[str, str]]:
    grid, values = content.grid, content.values
    rows = [
        ("holds", _kind_words(content)),
        ("size", f"{_by(grid.size)} voxels"),
        ("spacing", f"{_by(grid.spacing_mm)} mm"),
        ("extent", f"{_by(grid.extent_mm)} mm"),
        ("origin", f"({_numbers(grid.origin_mm)}) mm"),
        ("orientation", _orientation_words(content)),
        ("type", content.dtype),
        ("range", f"{values.minimum:.6g} to {values.maximum:.6g}, mean {values.mean:.6g}"),
        ("1 % to 99 %", f"{values.robust[0]:.6g} to {values.robust[1]:.6g}"),
    ]
    if values.nan_count or values.infinite_count:
        rows.append(("not finite", f"{values.nan_count} NaN, {values.infinite_count} infinite"))
    return rows + [("warning", text) for text in content.warnings]


def _kind_words(content: "Content") -> str:
    words = f"{content.grid.dimension}D image"
    if content.labels is not None:
        words = f"{content.grid.dimension}D label map, {_count(_foreground(content), 'label')}"
    elif content.looks_like_hounsfield:
        words += ", looks like CT in HU"
    if content.channels > 1:
        words += f", {content.channels} channels"
    if content.frames > 1:
        words += f", {content.frames} frames {content.frame_spacing_s:.4g} s apart"
    return words


def _foreground(content: "Content") -> int:
    return sum(one.value != 0 for one in content.labels or ())


def _orientation_words(content: "Content") -> str:
    flat = content.grid.dimension == 2
    words = "2D" if flat else f"{content.grid.orientation} (the sides that the axes run to)"
    if content.oblique_deg >= _OBLIQUE_FROM_DEG:
        words += f", oblique by {content.oblique_deg:.3g} degrees"
    return words + ("" if content.right_handed else ", left-handed")


def _label_lines(content: "Content") -> list[str]:
    """Each label with its voxels and volume, several labels a line."""
    if content.labels is None:
        return []
    unit = "mm2" if content.grid.dimension == 2 else "mm3"
    listed = [one for one in content.labels if one.value != 0]
    rows = [
        (str(one.value), str(one.voxels), f"{one.volume_mm:.6g}")
        for one in listed[:_MOST_LABELS_LISTED]
    ]
    lines = _table(("label", "voxels", unit), rows)
    if len(listed) > _MOST_LABELS_LISTED:
        lines.append(f"and {len(listed) - _MOST_LABELS_LISTED} more")
    return ["", *("  " + line for line in lines)]


def folder_text(folder: "FolderInspection") -> str:
    """A table of the files, a summary and what could be done next."""
    if not folder.files:
        return f"{folder.path}: no image files here"
    header = ("file", "holds", "size", "spacing mm", "axes", "type", "range", "")
    lines = _table(header, [_row(file) for file in folder.files])
    problems = [f"  {file.error}" for file in folder.files if file.error is not None]
    problems += [
        f"  {file.path}: {text}"
        for file in folder.files
        if file.content is not None
        for text in file.content.warnings
    ]
    if problems:
        lines += ["", "problems", *problems]
    return "\n".join([*lines, "", *_layout_lines(folder), *_summary(folder), *_advice(folder)])


def _layout_lines(folder: "FolderInspection") -> list[str]:
    """The recognised layout, its labels and what is not used; or the rule that is broken."""
    if folder.layout_error is not None:
        return [f"layout: not usable: {folder.layout_error}", ""]
    found = folder.data_set
    if found is None:
        return ["layout: none that is known (no dataset.json, BIDS or table of cases)", ""]
    lines = [f"layout: {found.text()}"]
    if found.label_names:
        named = ", ".join(f"{value} {name}" for name, value in found.label_names.items())
        lines.append(f"  label values: {named}")
    lines += [f"  {one.case} {one.reason}" for one in found.lacking[:_MOST_CASES_LISTED]]
    if len(found.lacking) > _MOST_CASES_LISTED:
        lines.append(f"  and {len(found.lacking) - _MOST_CASES_LISTED} more incomplete cases")
    return [*lines, *(f"  {text}" for text in found.notes), ""]


def _row(file: "FileInspection") -> tuple[str, ...]:
    if file.content is None:
        kind = "unreadable" if file.kind is None else f"{len(file.landmarks or ())} points"
        return (file.path, kind, "", "", "", "", "", "")
    content = file.content
    remarks = []
    if content.channels > 1:
        remarks.append(f"{content.channels} channels")
    if content.frames > 1:
        remarks.append(f"{content.frames} frames")
    if content.oblique_deg >= _OBLIQUE_FROM_DEG:
        remarks.append(f"oblique {content.oblique_deg:.3g} deg")
    if not content.right_handed:
        remarks.append("left-handed")
    if content.values.nan_count or content.values.infinite_count:
        remarks.append(f"{content.values.nan_count + content.values.infinite_count} not finite")
    holds = "image" if content.labels is None else _count(_foreground(content), "label")
    return (
        file.path,
        holds,
        _by(content.grid.size),
        _by(content.grid.spacing_mm),
        content.grid.orientation if content.grid.dimension > 2 else "",
        content.dtype,
        f"{content.values.minimum:.5g} to {content.values.maximum:.5g}",
        ", ".join(remarks),
    )


def _summary(folder: "FolderInspection") -> list[str]:
    kinds = Counter(file.kind for file in folder.files)
    counted = [
        _count(kinds["image"], "image"),
        _count(kinds["labels"], "label map"),
        _count(kinds["landmarks"], "table of points", "tables of points"),
        f"{kinds[None]} unreadable",
        _count(folder.ignored, "file of another type", "files of other types"),
    ]
    contents = [file.content for file in folder.files if file.content is not None]
    lines = [", ".join(text for text in counted if not text.startswith("0 "))]
    for dimension in sorted({content.grid.dimension for content in contents}):
        grids = [content.grid for content in contents if content.grid.dimension == dimension]
        lines.append(f"{dimension}D: sizes {_span(grid.size for grid in grids)}")
        lines.append(f"    spacings {_span(grid.spacing_mm for grid in grids)} mm")
    types = Counter(content.dtype for content in contents)
    if types:
        lines.append("types " + ", ".join(f"{name} ({n})" for name, n in types.most_common()))
    return lines


def _advice(folder: "FolderInspection") -> list[str]:
    lines: list[str] = []
    found = folder.suggestion
    if found is not None:
        cases = _count(found.cases, "case")
        lines += ["", f"patterns that fit {found.files} files of {cases}"]
        lines += [f"  {pattern.kind:9} {pattern.option()}" for pattern in found.patterns]
        if found.incomplete:
            some = ", ".join(found.incomplete[:_MOST_CASES_LISTED])
            more = len(found.incomplete) - _MOST_CASES_LISTED
            rest = f" and {more} more" if more > 0 else ""
            lines.append(f"  without a file for each: {some}{rest}")
    if folder.next_command is not None:
        lines += ["", "next", f"  {folder.next_command}"]
    elif any(file.kind == "image" for file in folder.files):
        lines += ["", "no pattern with one {case} fits images and labels; name them like"]
        lines += ["  images/{case}.nii.gz and labels/{case}.nii.gz"]
        lines += ["  {case}/ct.nii.gz and {case}/organs.nii.gz"]
    return lines


def _span(rows: Iterable[Sequence[float]]) -> str:
    """The smallest and the largest of each axis; one of them where all are equal."""
    columns = list(zip(*rows, strict=True))
    low, high = _by([min(column) for column in columns]), _by([max(column) for column in columns])
    return low if low == high else f"{low} to {high}"


def _by(numbers: Sequence[float]) -> str:
    return " x ".join(f"{n:.6g}" if isinstance(n, float) else str(n) for n in numbers)


def _numbers(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.6g}" for number in numbers)


def _count(number: int, word: str, plural: str | None = None) -> str:
    return f"{number} {word if number == 1 else plural or word + 's'}"


def _aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:{width}}  {value}" for name, value in rows]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest entry."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
