"""Traffic of a cut between DRAM and the chip: loads, stores and bytes, summed axis by axis.

`blocks` says what a piece reads. Pieces are a product of rows, columns, chunks and parts, so sums
over them are products of sums: exactly what `pieces` emits, without walking the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.lower.mapping import Part
from cnnaccel.compiler.lower.network import Task, Tensor
from cnnaccel.compiler.plan.blocks import (
    Reading,
    in_one_transfer,
    spread,
    unfolded_pixels,
    weights_once,
)
from cnnaccel.compiler.plan.tiling import Cut, sizes, split, unfold_cycles
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.latency import ISSUE_CYCLES

_Sums = npt.NDArray[np.int64]
"""[4] of some blocks: how many, how many that hold anything, their pixels, and those that one
transfer loads with all words; of the raw image, the cycles of unfolding instead of the last."""
_Counts = tuple[int, int, int, int]
"""Sums of some blocks as numbers of Python, which are quicker one by one."""
_LEAST = -1 << 30


@dataclass(frozen=True)
class Flow:
    """The flow through the buffers of a source, of weights or of results."""

    runs: int
    """Blocks that lie in a buffer one after another."""
    dram_bytes: int
    transfers: int
    unfold_cycles: int = 0
    """Cycles of the unit that unfolds, which works beside the bus."""

    def cycles(self, speed: float) -> float:
        """Cycles of the bus, which moves `speed` bytes a cycle, or of the unit that unfolds."""
        return max(self.dram_bytes / speed + self.transfers * ISSUE_CYCLES, self.unfold_cycles)


@dataclass(frozen=True)
class _Axis:
    """The extents of the blocks along rows or columns, in order."""

    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    """The end of each extent; an empty one is like every other."""
    sums: npt.NDArray[np.int64]
    """[blocks, 4]; the product of a row's and a column's is that of a block."""

    def like(self, before: _Axis, shift: int) -> npt.NDArray[np.bool_]:
        """Flags of the blocks from `shift` on that equal the one of `before` so many places
        earlier."""
        stop = len(before.first) - shift
        same = (self.first[shift:] == before.first[:stop]) & (
            self.last[shift:] == before.last[:stop]
        )
        return np.asarray(same)

    def same(self, before: _Axis, shift: int) -> _Sums:
        """The sum over the blocks that `like` marks."""
        return np.asarray((self.sums[shift:] * self.like(before, shift)[:, None]).sum(axis=0))

    @cached_property
    def total(self) -> _Sums:
        """The sum over all blocks."""
        return np.asarray(self.sums.sum(axis=0))

    def wraps(self, after: _Axis) -> bool:
        """Whether the first block of `after` equals the last one of this."""
        return bool(after.first[0] == self.first[-1] and after.last[0] == self.last[-1])


@dataclass
class Sources:
    """Loads of one source by the cuts of a task."""

    hardware: HardwareConfig
    task: Task
    number: int
    tensor: Tensor
    axes: dict[tuple[object, ...], _Axis] = field(default_factory=dict)
    """Axes that were asked for, kept for the next cut."""
    blocks: dict[tuple[int, int], tuple[_Counts, _Counts, _Counts]] = field(default_factory=dict)
    """`_blocks` by rows and columns of a block."""

    def flow(self, cut: Cut, blocks: int, chunks: int) -> Flow:
        """All loads of a cut. blocks, chunks: how many it has."""
        reading = Reading(self.task, self.number, self.tensor, cut)
        counted = (
            self._by_part(reading, chunks) if reading.by_part else self._whole(reading, chunks)
        )
        runs = sum(sums[0] for _, sums in counted)
        served = blocks * chunks * len(cut.parts) // runs
        if self.tensor.unfold is not None:
            filled, pixels, cycles = (sum(sums[at] for _, sums in counted) for at in (1, 2, 3))
            return Flow(runs, pixels * self.tensor.unfold.pixel_bytes, filled, cycles)
        moved = loads = 0
        for words, (_, filled, pixels, together) in counted:
            moved += words * pixels * self.hardware.input_lanes
            loads += words * (filled - together)
            if together:
                loads += len(spread(words, served)) * together
        return Flow(runs, moved, loads)

    def _whole(self, reading: Reading, chunks: int) -> list[tuple[int, _Counts]]:
        """Counts by words of a block, where all parts of a piece find the same block."""
        cut, task = reading.cut, self.task
        if (cut.rows, cut.columns) not in self.blocks:
            self.blocks[cut.rows, cut.columns] = self._blocks(reading)
        every, changed, again = self.blocks[cut.rows, cut.columns]
        groups, whole = task.work.channels.groups, task.work.whole
        length = -(-groups // chunks)
        if chunks == 1 or reading.words_shared:
            words = len(reading.words(range(length), whole))
            if cut.blocks_outer:
                return [(words, changed)]
            return [(words, _plus(_times(changed, chunks), _times(again, 1 - chunks)))]
        found = every if cut.blocks_outer else changed
        last = len(reading.words(range((chunks - 1) * length, groups), whole))
        first = len(reading.words(range(length), whole))
        return [(first, _times(found, chunks - 1)), (last, found)]

    # -- blocks in the order of rows and columns -----------------------------------------------

    def _pair(self, reading: Reading, part: Part) -> tuple[_Axis, _Axis]:
        """The rows and the columns of all blocks."""
        cut = reading.cut
        rows_key = "rows", cut.rows, part.rows if reading.by_part else None
        if rows_key not in self.axes:
            ranges = [reading.rows(rows, part) for rows in split(self.task.rows, cut.rows)]
            self.axes[rows_key] = _axis(ranges, self._rows_sums(ranges))
        columns_key = "columns", cut.columns, part.columns if reading.by_part else None
        if columns_key not in self.axes:
            ranges = [
                reading.columns(columns, part) for columns in split(self.task.columns, cut.columns)
            ]
            self.axes[columns_key] = _axis(ranges, self._columns_sums(ranges))
        return self.axes[rows_key], self.axes[columns_key]

    def _rows_sums(self, ranges: Sequence[range]) -> Sequence[tuple[int, ...]]:
        if self.tensor.unfold is not None:
            return [(1, bool(rows), len(rows), len(rows)) for rows in ranges]
        tensor = self.tensor
        together = [bool(at) and in_one_transfer(tensor, len(at), tensor.columns) for at in ranges]
        return [
            (1, bool(rows), len(rows), all_words)
            for rows, all_words in zip(ranges, together, strict=True)
        ]

    def _columns_sums(self, ranges: Sequence[range]) -> Sequence[tuple[int, ...]]:
        tensor, how = self.tensor, self.tensor.unfold
        if how is None:
            return [(1, bool(at), len(at), len(at) == tensor.columns) for at in ranges]
        found = []
        for at in ranges:
            pixels = unfolded_pixels(tensor, at)[2] if at else 0
            cycles = unfold_cycles(1, len(at), tensor.words, how.kernel_w, how.stride_x)
            found.append((1, bool(at), pixels, cycles if at else 0))
        return found

    def _blocks(self, reading: Reading) -> tuple[_Counts, _Counts, _Counts]:
        """All blocks; those that differ from the one before; the first, if it equals the last, so
        that a new round finds it in its buffer."""
        rows, columns = self._pair(reading, self.task.work.whole)
        total = rows.total * columns.total
        changed = total - rows.total * columns.same(columns, 1)
        again = np.zeros(4, np.int64)
        if columns.wraps(columns):
            changed = changed - rows.same(rows, 1) * columns.sums[0]
            if rows.wraps(rows):
                again = rows.sums[0] * columns.sums[0]
        return _counts(total), _counts(changed), _counts(again)

    # -- blocks, chunks of a block, parts of a chunk -------------------------------------------

    def _by_part(self, reading: Reading, chunks: int) -> list[tuple[int, _Counts]]:
        """Sums by part of what is loaded for parts, one group at a time."""
        parts = reading.cut.parts
        words = [reading.words(range(1), part) for part in parts]
        advance = self.task.work.channels.advance
        if self.tensor.unfold is not None:
            advance = 0
        found = []
        for at, part in enumerate(parts):
            rows, columns = self._pair(reading, part)
            sums = rows.total * columns.total * chunks
            before_rows, before_columns = self._pair(reading, parts[at - 1])
            shift = words[at].start - words[at - 1].start
            alike = len(words[at]) == len(words[at - 1])
            if at > 0:
                if alike and shift == 0:
                    sums = sums - chunks * (
                        rows.same(before_rows, 0) * columns.same(before_columns, 0)
                    )
            elif alike:
                if advance + shift == 0:  # the last part of the chunk before
                    sums = sums - (chunks - 1) * (
                        rows.same(before_rows, 0) * columns.same(before_columns, 0)
                    )
                if (chunks - 1) * advance == shift:  # of the last chunk of the block before
                    sums = sums - rows.same(before_rows, 0) * columns.same(before_columns, 1)
                    if before_columns.wraps(columns):
                        sums = sums - rows.same(before_rows, 1) * columns.sums[0]
            found.append((len(words[at]), _counts(sums)))
        return found


def _axis(ranges: Sequence[range], sums: Sequence[tuple[int, ...]]) -> _Axis:
    return _Axis(
        np.array([at.start if at else _LEAST for at in ranges], np.int64),
        np.array([at.stop if at else _LEAST for at in ranges], np.int64),
        np.array(sums, np.int64),
    )


def _counts(sums: _Sums) -> _Counts:
    blocks, filled, pixels, special = sums.tolist()
    return blocks, filled, pixels, special


def _times(counts: _Counts, times: int) -> _Counts:
    return counts[0] * times, counts[1] * times, counts[2] * times, counts[3] * times


def _plus(one: _Counts, other: _Counts) -> _Counts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


def weights_flow(hardware: HardwareConfig, task: Task, cut: Cut, blocks: int, chunks: int) -> Flow:
    """All loads of weights and parameters of a cut whose weights are not resident."""
    work, parts = task.work, len(cut.parts)
    par_rounds = blocks if cut.blocks_outer and chunks > 1 else 1  # through all chunks
    wgt_rounds = blocks if parts > 1 else par_rounds
    groups = work.channels.groups
    wgt_loads = wgt_rounds * chunks * parts
    wgt = work.weight_count(groups, work.whole)
    if weights_once(task):
        wgt_loads = 1 if wgt else 0  # a maximum has none
    else:
        every_load = work.window is None or work.one_weight
        wgt *= wgt_rounds * (chunks * parts if every_load else 1)
    par = chunks if work.one_parameter else groups
    if task.addition is not None:
        added = task.addition.work
        wgt += wgt_rounds * chunks * added.weight_count(1, added.whole)
        par += chunks if added.one_parameter else task.words
    moved = wgt * hardware.wgt_word_bytes + par_rounds * par * hardware.par_word_bytes
    loads = wgt_loads + par_rounds * chunks
    return Flow(max(wgt_loads, par_rounds * chunks), moved, loads)


def results_flow(
    hardware: HardwareConfig, task: Task, target: Tensor, cut: Cut, chunks: int
) -> Flow:
    """All stores of a cut whose target lies in DRAM."""
    strips = sizes(task.rows, cut.rows)
    blocks = sum(count for _, count in strips) * -(-task.columns // cut.columns)
    words, together = task.words, 0
    if cut.columns >= task.columns:
        together = sum(n for rows, n in strips if in_one_transfer(target, rows, task.columns))
    moved = task.rows * task.columns * words * hardware.input_lanes
    return Flow(blocks * chunks, moved, together * chunks + (blocks - together) * words)
