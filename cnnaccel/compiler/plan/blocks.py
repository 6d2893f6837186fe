"""The pieces of a task, and the block of each source that a piece reads.

The one home of these rules: `traffic` sums over them what a cut moves, `pieces` makes operations of
them. So a plan charges what is emitted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from cnnaccel.compiler.lower.mapping import Part
from cnnaccel.compiler.lower.network import Task, Tensor
from cnnaccel.compiler.plan.tiling import Cut, extent, split
from cnnaccel.isa.instructions import Base

RUN = 65536
"""Words of a run, and runs, that a transfer can name."""
SPREAD = 8
"""Loads that a block of a source is cut into, at most, to lie between computes."""


@dataclass(frozen=True)
class Block:
    """A rectangle of a tensor's words."""

    words: range
    rows: range
    columns: range

    def of(self, tensor: Tensor) -> str:
        """The block in words, as an instruction's note has it."""
        text = f"{tensor.name} words {span(self.words)} rows {span(self.rows)}"
        if len(self.columns) < tensor.columns:
            text += f" columns {span(self.columns)}"
        return text


@dataclass(frozen=True)
class Piece:
    """The work of one compute instruction."""

    rows: range
    columns: range
    groups: range
    part: Part
    first: bool
    last: bool
    """Whether this is the last part of the reduction, as `first` says whether it is the first."""


@dataclass(frozen=True)
class Reading:
    """The reading of one source by the pieces of a task, axis by axis."""

    task: Task
    number: int
    """Index of the source in `task.reads`."""
    tensor: Tensor
    cut: Cut

    @property
    def elementwise(self) -> bool:
        """Whether the source is an operand of an addition, read pixel by pixel."""
        return self.task.work.window is None or self.number >= len(self.task.sources)

    @property
    def words_shared(self) -> bool:
        """Whether all groups read the same words."""
        shared = self.tensor.unfold is not None or self.task.work.channels.advance == 0
        return shared and not self.elementwise

    @property
    def by_part(self) -> bool:
        """Whether each part of the reduction is loaded for itself."""
        return self.cut.part_sources and not self.elementwise

    def words(self, groups: range, part: Part) -> range:
        """The words of the view that some groups read for a part."""
        if self.elementwise:
            return self.task.work.output_words(groups)
        if self.tensor.unfold is not None:
            return range(self.tensor.words)
        return self.task.work.input_words(groups, self._loaded(part))

    def rows(self, rows: range, part: Part) -> range:
        """The rows under some rows of the target, without padding."""
        if self.elementwise:
            return rows
        pool = self.task.pool[0] if self.task.pool else 1
        taps = self._loaded(part).rows
        return extent(self.task.work, rows, taps, self.tensor.rows, 0, pool)

    def columns(self, columns: range, part: Part) -> range:
        """The columns under some columns of the target: all of them where blocks are whole rows."""
        if self.elementwise:
            return columns
        if len(columns) == self.task.columns and not self.by_part:
            return range(self.tensor.columns)
        pool = self.task.pool[1] if self.task.pool else 1
        taps = self._loaded(part).columns
        return extent(self.task.work, columns, taps, self.tensor.columns, 1, pool)

    def block(self, piece: Piece) -> Block:
        """The block that is loaded for a piece."""
        return Block(
            self.words(piece.groups, piece.part),
            self.rows(piece.rows, piece.part),
            self.columns(piece.columns, piece.part),
        )

    def _loaded(self, part: Part) -> Part:
        return part if self.by_part else self.task.work.whole


def pieces(task: Task, cut: Cut) -> list[Piece]:
    """All pieces of a task, in order."""
    blocks = list(itertools.product(split(task.rows, cut.rows), split(task.columns, cut.columns)))
    chunks = split(task.work.channels.groups, cut.groups)
    if cut.blocks_outer:
        pairs = [(block, chunk) for block in blocks for chunk in chunks]
    else:
        pairs = [(block, chunk) for chunk in chunks for block in blocks]
    return [
        Piece(rows, columns, chunk, part, part is cut.parts[0], part is cut.parts[-1])
        for (rows, columns), chunk in pairs
        for part in cut.parts
    ]


def weights_once(task: Task) -> bool:
    """Whether one load of weights serves all pieces."""
    return task.work.one_weight and task.addition is None


def in_one_transfer(tensor: Tensor, rows: int, columns: int) -> bool:
    """Whether a transfer moves all words of a block, or only one, row by row."""
    return columns == tensor.columns and rows * columns <= RUN


def spread(words: int, served: int) -> list[range]:
    """The words of a block by load. served: pieces for which it lies there, as does the next."""
    count = min(words, served, SPREAD)
    return split(words, -(-words // count))


def unfolded_pixels(tensor: Tensor, columns: range) -> tuple[int, int, int]:
    """Pixels of padding, first pixel and number of pixels that some columns are unfolded from."""
    how = tensor.unfold
    assert how is not None and tensor.base is Base.INPUT
    first = columns.start * how.stride_x - how.pad_left
    last = (columns.stop - 1) * how.stride_x - how.pad_left + how.kernel_w
    start = max(first, 0)
    return start - first, start, min(last, how.row_pixels) - start


def apart(operands_held: Sequence[bool], blocks: int) -> bool:
    """Whether an addition takes its words one by one: only one operand lies whole on the chip, so
    that the operands' planes differ."""
    return len(set(operands_held)) > 1 and blocks > 1


def span(numbers: range) -> str:
    """`first..last`, or the only one."""
    return f"{numbers.start}..{numbers.stop - 1}" if len(numbers) > 1 else str(numbers.start)
