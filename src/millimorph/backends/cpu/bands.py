"""Parts of a volume that are worked on one after the other, or by several threads."""

from typing import NamedTuple


class Band(NamedTuple):
    """The same rows of some slices; what works row by row takes all rows if there are several."""

    first_row: int
    rows: int
    first_slice: int
    slices: int

    def cut(self, count: int) -> list["Band"]:
        """About `count` parts: of whole slices, or of rows where there are fewer slices."""
        if self.slices >= count:
            step = -(-self.slices // count)
            return [
                self._replace(first_slice=k, slices=min(step, self.end_slice - k))
                for k in range(self.first_slice, self.end_slice, step)
            ]
        step = max(1, self.rows * self.slices // count)
        return [
            Band(j, min(step, self.end_row - j), k, 1)
            for k in range(self.first_slice, self.end_slice)
            for j in range(self.first_row, self.end_row, step)
        ]

    @property
    def end_row(self) -> int:
        """The row behind the last one."""
        return self.first_row + self.rows

    @property
    def end_slice(self) -> int:
        """The slice behind the last one."""
        return self.first_slice + self.slices

    def row_range(self, ny: int) -> tuple[int, int]:
        """The rows from the first to behind the last, counted through slices of `ny` rows."""
        first = self.first_slice * ny + self.first_row
        return first, (self.end_slice - 1) * ny + self.end_row

    def voxels(self, shape: tuple[int, int]) -> slice:
        """The voxels from the first to behind the last."""
        first, last = self.row_range(shape[1])
        return slice(first * shape[0], last * shape[0])
