"""The place of a tensor in act, whole or a block of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

LONGEST_ROW = 65535
"""Columns that `in_w` can name, and `ox` count on one lane."""


@dataclass(frozen=True)
class Place:
    """The place of a tensor in act. Pixel (y, x) of channel word g is at

        base + g*plane + (y - first_row)*row + (x - first_column)*step

    A block holds some of the rows and columns. A tensor that is written for a dense layer has
    `step` images side by side, each with a base of its own.
    """

    base: int
    words: int
    """Channel words of a pixel."""
    rows: int
    """Rows of the whole tensor; beyond is padding."""
    columns: int
    signed: bool
    interleave: int = 1
    """L of the region."""
    first_row: int = 0
    held_rows: int | None = None
    """Rows from `first_row` on that are in act; None for all."""
    first_column: int = 0
    held_columns: int | None = None
    """Columns from `first_column` on that are in act; None for all."""
    step: int = 1
    pitch: int | None = None
    """Words between two channel words of a pixel; None where nothing lies between."""

    @property
    def row(self) -> int:
        """Words between two rows."""
        return self.step * (self.columns if self.held_columns is None else self.held_columns)

    @property
    def plane(self) -> int:
        """Words between two channel words of a pixel."""
        if self.pitch is not None:
            return self.pitch
        return self.row * (self.rows if self.held_rows is None else self.held_rows)

    @property
    def size(self) -> int:
        """Words from the first to behind the last."""
        return self.words * self.plane

    def at(self, row: int, column: int) -> int:
        """The address of a pixel's first word."""
        down, right = row - self.first_row, column - self.first_column
        return self.base + down * self.row + right * self.step

    def part(self, words: range) -> Place:
        """Some of the channel words."""
        base = self.base + words.start * self.plane
        return replace(self, base=base, words=len(words))


def one_row(rows: range, columns: range, *places: Place) -> bool:
    """Whether rows that hold these columns follow one another without gaps, so that they may be
    taken as one: 7x7 is 13 tiles of 4 lanes, not 14."""
    return len(rows) * len(columns) <= LONGEST_ROW and all(
        place.row == place.columns * place.step and len(columns) == place.columns
        for place in places
    )


def merged(place: Place, rows: range | None = None) -> Place:
    """Some rows of a tensor, or all, as one row."""
    rows = range(place.rows) if rows is None else rows
    length = len(rows) * place.columns
    base = place.at(rows.start, place.first_column)
    return replace(
        place,
        base=base,
        rows=1,
        columns=length,
        first_row=0,
        held_rows=None,
        first_column=0,
        held_columns=None,
        pitch=place.plane,
    )
