"""Tilings: the pieces that a task is done in, and their cost in words of act, cycles and bytes of
DRAM.

A piece is a block of output pixels, a chunk of groups co, and, where a reduction does not fit, a
part of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum

from cnnaccel.compiler.lower.loopnest import Pool, interleave_for, phases
from cnnaccel.compiler.lower.mapping import Part, Work
from cnnaccel.compiler.lower.network import Task
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Compute, Load

UNFOLD_ROW_CYCLES = 1
"""Cycles between two rows of the image that are unfolded."""
_BYTE_CYCLES = 1 / 24
"""Cycles that a byte of DRAM costs besides its time: the schedule that moves less wins a tie."""


class Role(Enum):
    """The role of a buffer of act."""

    SOURCE = "source"
    MIDDLE = "middle"
    """Results of a task on their way to its addition."""
    RESULT = "result"


@dataclass(frozen=True)
class Buffer:
    """One buffer of a task, in act."""

    role: Role
    slot: int = 0
    """Number of the buffer among those with its role, where there are two."""
    source: int = 0
    """Index in `Task.reads` of the tensor that passes through a buffer of sources."""

    def __str__(self) -> str:
        match self.role:
            case Role.SOURCE:
                return f"source {self.source}.{self.slot}"
            case Role.MIDDLE:
                return "middle"
            case Role.RESULT:
                return f"result {self.slot}"


Slots = tuple[int, int, int]
Buffers = tuple[tuple[Buffer, int], ...]
"""Buffers with the words they take."""


@dataclass(frozen=True)
class Cut:
    """A cut of a task into pieces."""

    rows: int
    columns: int
    """Rows and columns of a block of output pixels."""
    groups: int
    """Groups of a chunk."""
    parts: tuple[Part, ...]
    """Parts of the reduction; more than one only in single tiles."""
    blocks_outer: bool = True
    """Whether all chunks of a block come before the next block, or all blocks of a chunk."""
    part_sources: bool = False
    """Whether what a part reads is loaded, not what a block reads."""


@dataclass(frozen=True)
class Moved:
    """Bytes that a task moves and instructions that it takes, as planned or as emitted."""

    loaded_bytes: int
    """Bytes of sources, weights and parameters."""
    stored_bytes: int
    computes: int
    transfers: int

    def __mul__(self, times: int) -> Moved:
        """The figures of so many times the task."""
        return Moved(*(times * value for value in dataclasses.astuple(self)))

    @property
    def dram_bytes(self) -> int:
        """Bytes of DRAM, those of the instructions included."""
        return self.loaded_bytes + self.stored_bytes + self.instruction_bytes

    @property
    def instruction_bytes(self) -> int:
        """Bytes of the instructions."""
        return self.computes * Compute.BYTES + self.transfers * Load.BYTES


@dataclass(frozen=True)
class Tiling:
    """A cut with its buffers, and what it costs."""

    cut: Cut
    slots: Slots
    """Buffers for sources, for weights, for results: 2 to overlap, 1 not to; 0 for none."""
    buffers: Buffers
    cycles: float
    moved: Moved

    @property
    def dram_bytes(self) -> int:
        """Bytes of DRAM, those of the instructions included."""
        return self.moved.dram_bytes

    @property
    def instructions(self) -> int:
        """Number of instructions of all units."""
        return self.moved.computes + self.moved.transfers

    @property
    def cost(self) -> float:
        """The cost that the schedule keeps least, in cycles."""
        return self.cycles + self.dram_bytes * _BYTE_CYCLES


@dataclass(frozen=True)
class Residency:
    """Residency: what does not lie in DRAM while a task runs, and its room in wgt and par."""

    sources: tuple[int, ...]
    """Interleave L of the region of each tensor in `reads`; 0 where it comes from DRAM."""
    target: bool
    """Whether the target is on the chip."""
    resident: bool
    """Whether weights and parameters are on the chip."""
    wgt_words: int
    """Words of wgt that weights stream through."""
    par_words: int
    alone: bool
    """Whether images come one at a time, with all weights on the chip: the first waits for its own
    loads only."""


@dataclass(frozen=True)
class Lanes:
    """The assignment of output columns to lanes."""

    pool: Pool | None
    phases: int
    """F; 0 where blocks must be single columns."""


def wanted_interleave(hardware: HardwareConfig, task: Task) -> int:
    """The L that lets a task read its source in one phase."""
    if task.work.window is None:
        return 1
    across = task.work.window.stride[1]
    if task.pool is not None and not _by_lanes(hardware, task.pool[1]):
        across *= task.pool[1]
    return interleave_for(hardware, across)


def lanes_for(hardware: HardwareConfig, task: Task, interleave: int) -> Lanes:
    """The lanes by which a task reads a source of interleave L; 0 stands for the one it wants."""
    interleave = interleave or wanted_interleave(hardware, task)
    window = task.work.window
    stride = 1 if window is None else window.stride[1]
    adjacent = task.pool is not None and _by_lanes(hardware, task.pool[1])
    if task.pool and adjacent and _phases(hardware, stride, interleave) == 1:
        return Lanes(Pool(task.pool, "lanes"), 1)
    across = stride * (task.pool[1] if task.pool else 1)
    pool = Pool(task.pool, "window") if task.pool else None
    return Lanes(pool, _phases(hardware, across, interleave))


def _by_lanes(hardware: HardwareConfig, columns: int) -> bool:
    return columns in (2, 4) and hardware.pixel_lanes % columns == 0


def _phases(hardware: HardwareConfig, across: int, interleave: int) -> int:
    try:
        return phases(hardware, across, interleave)
    except ProgramError:
        return 0


def round_up(words: int, unit: int) -> int:
    """Words rounded up to whole units of a region."""
    return -(-words // unit) * unit


def region_unit(hardware: HardwareConfig) -> int:
    """Regions of act begin and end on multiples of this many words."""
    return 4 * hardware.pixel_lanes


def buffer_words(hardware: HardwareConfig, tiling: Tiling) -> int:
    """Words of act that the buffers of a tiling take."""
    unit = region_unit(hardware)
    return sum(round_up(words, unit) for _, words in tiling.buffers)


def extent(work: Work, outputs: range, taps: range, size: int, axis: int, pool: int = 1) -> range:
    """The input rows (axis 0) or columns (1) under some outputs, without padding."""
    assert work.window is not None
    stride, dilation = work.window.stride[axis], work.window.dilation[axis]
    origin = -work.window.padding[axis]
    first = outputs.start * pool * stride + taps.start * dilation + origin
    last = (outputs.stop * pool - 1) * stride + (taps.stop - 1) * dilation + origin
    first, last = max(first, 0), min(last, size - 1)
    return range(first, max(first, last + 1))


def split(total: int, most: int) -> list[range]:
    """The fewest ranges of nearly equal length that cover `total`, none longer than `most`."""
    count = -(-total // most)
    length = -(-total // count)
    return [range(start, min(start + length, total)) for start in range(0, total, length)]


def lengths(total: int, least: int = 1) -> list[int]:
    """Lengths, the longest first, that cut `total` into nearly equal pieces: 1, 2, 3, ... of them;
    none is shorter than `least`, which is among them."""
    counts = (*range(1, 9), 10, 12, 14, 16, 19, 24, 28, 32, 38, 48, 56, 64, 112, 128, 224, 256, 512)
    lengths = {-(-total // count) for count in counts if count <= total}
    least = min(least, total)
    return sorted({length for length in lengths if length > least} | {least}, reverse=True)


def unfold_cycles(rows: int, columns: int, words: int, kernel_w: int, stride_x: int) -> int:
    """Cycles to unfold rows: a pixel a cycle until the last column is complete, or a word if that
    is longer."""
    row = kernel_w + (columns - 1) * max(stride_x, words)
    return rows * (row + UNFOLD_ROW_CYCLES)


def sizes(total: int, most: int) -> list[tuple[int, int]]:
    """Lengths of the ranges that `split` gives, with how many there are of each."""
    length = -(-total // -(-total // most))
    rest = total % length
    return [(length, total // length)] + ([(rest, 1)] if rest else [])


def under(work: Work, axis: int, outputs: int, taps: int, size: int, pool: int) -> int:
    """Input rows or columns under so many outputs, wherever they are."""
    assert work.window is not None
    stride, dilation = work.window.stride[axis], work.window.dilation[axis]
    return min(size, (outputs * pool - 1) * stride + (taps - 1) * dilation + 1)


def parts(whole: Part, most: int) -> tuple[Part, ...]:
    """A reduction in parts of at most so many steps: ci first, then kernel rows, then columns."""
    rows, columns, words = len(whole.rows), len(whole.columns), len(whole.words)
    per_column = max(1, min(columns, most))
    per_row = max(1, min(rows, most // columns))
    per_word = max(1, min(words, most // (rows * columns)))
    return tuple(
        Part(y, x, w)
        for w in split(words, per_word)
        for y in split(rows, per_row)
        for x in split(columns, per_column)
    )
