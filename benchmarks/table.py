"""Rows of measured numbers, their gates, and how they print."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Gate:
    """The bound that a number has to keep."""

    sense: Literal["at least", "at most"]
    bound: float

    def holds_for(self, value: float) -> bool:
        """Tell whether the number keeps the bound."""
        return value >= self.bound if self.sense == "at least" else value <= self.bound

    def __str__(self) -> str:
        """Print as a sign and a number."""
        return f"{'≥' if self.sense == 'at least' else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Row:
    """One measured number; `value` is None where it could not be measured and `note` says why."""

    work: str
    value: float | None
    unit: str
    gate: Gate | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """What the gate says."""
        if self.value is None:
            return "–"
        if self.gate is None:
            return "no gate"
        return "ok" if self.gate.holds_for(self.value) else "MISSED"


@dataclass(frozen=True)
class Comparison:
    """Nanoseconds per output voxel of both sides; the row's value is theirs / ours."""

    row: Row
    ours_ns: float
    peer: str
    peer_ns: float | None


def comparison_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Return the table of comparisons as lines of text."""
    head = ("work", "ours ns", "peer", "peer ns", "ratio", "gate", "", "")
    body = [
        (
            comparison.row.work,
            f"{comparison.ours_ns:.2f}",
            comparison.peer,
            "–" if comparison.peer_ns is None else f"{comparison.peer_ns:.1f}",
            *_measured(comparison.row),
        )
        for comparison in comparisons
    ]
    return _aligned([head, *body])


def row_lines(rows: Sequence[Row]) -> list[str]:
    """Return the table of single numbers as lines of text."""
    head = ("work", "measured", "gate", "", "")
    return _aligned([head, *((row.work, *_measured(row)) for row in rows)])


def _measured(row: Row) -> tuple[str, str, str, str]:
    value = "–" if row.value is None else f"{row.value:.3g} {row.unit}"
    return value, "" if row.gate is None else str(row.gate), row.verdict, row.note


def _aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
