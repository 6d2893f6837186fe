"""A layer as one affine loop nest: bounds, strides and jumps of one `Compute`.

Knows where tensors lie in act, nothing of programs, DRAM or tokens. Every layer kind is a window
that slides over a tensor; what differs is which counters run, how far each walker moves with them,
and what the weight words hold.

    co  groups of output words      wy, wx  pooling window      ky, kx  kernel
    oy, ox, phase  output pixels, P lanes at a time             ci      input words
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import ACT_ADDRESS_BITS, HardwareConfig
from cnnaccel.isa.instructions import LEVELS, Compute
from cnnaccel.isa.walkers import jumps

Pair = tuple[int, int]
MOST_ROWS = 2047
"""Rows that `in_h` can name."""
_LONGEST_ROW = 65535
"""Columns that `in_w` can name, and `ox` count on one lane."""


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in act: pixel (y, x) of channel word g is at

        base + g*plane + (y - first_row)*row + (x - first_column)*step

    A block holds some of the rows and columns. A tensor that is written for a dense layer has
    `step` images side by side, each with a base of its own.
    """

    base: int
    words: int
    """Channel words of a pixel."""
    rows: int
    """Of the whole tensor; beyond is padding."""
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


@dataclass(frozen=True)
class Window:
    """A kernel that slides over a tensor. Pairs are rows, columns."""

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    """Above and to the left; the output's size says how far it goes below and to the right."""
    dilation: Pair = (1, 1)


@dataclass(frozen=True)
class Pool:
    """A maximum over windows of outputs that neither overlap nor are padded, before writing."""

    size: Pair = (1, 1)
    by: Literal["lanes", "window"] = "window"
    """The columns of a window are adjacent lanes, or a loop."""


@dataclass(frozen=True)
class Channels:
    """How the words of input and output meet. One group co makes up to K/C output words."""

    groups: int
    """Bound of co."""
    reduction: int
    """Input words that one output word is summed over: bound of ci."""
    advance: int
    """Input words between two groups co; 0 where all read the same."""
    words: int = 1
    """Output words of a group."""
    words_last: int = 1

    @classmethod
    def full(cls, hardware: HardwareConfig, inputs: int, outputs: int) -> Channels:
        """All output words read all input words."""
        words = hardware.output_lanes // hardware.input_lanes
        groups = -(-outputs // words)
        return cls(groups, inputs, 0, words, outputs - (groups - 1) * words)

    @classmethod
    def each(cls, words: int) -> Channels:
        """Output word g reads input word g alone."""
        return cls(words, 1, 1)


def phases(hardware: HardwareConfig, columns: int, interleave: int) -> int:
    """F: in how many phases output columns are taken, `columns` input columns apart.

    The smallest power of two with columns*F/L an odd integer, which keeps P lanes in P banks.

    Raises:
        ProgramError: there is none; the region needs a greater L.
    """
    if hardware.pixel_lanes == 1:
        return 1
    count = interleave // math.gcd(columns, interleave)
    if count & (count - 1) or (columns * count // interleave) % 2 == 0:
        raise ProgramError(
            f"columns {columns} apart in a region of interleave {interleave} meet in one bank"
        )
    return count


def interleave_for(hardware: HardwareConfig, columns: int) -> int:
    """The L with which columns so far apart are read in one phase."""
    return 1 if hardware.pixel_lanes == 1 else min(columns & -columns, 4)


def slide(
    hardware: HardwareConfig,
    source: Place,
    target: Place,
    window: Window,
    channels: Channels,
    limits: Pair,
    *,
    pool: Pool | None = None,
    rows: range | None = None,
    columns: range | None = None,
    one_weight: bool = False,
    one_parameter: bool = False,
    **rest: Any,
) -> Compute:
    """The nest of a window over `source` that writes the pixels `rows` x `columns` of `target`.

    limits: least and greatest result. one_weight, one_parameter: a single wgt word, or par word,
    serves every step. rest: further fields of the instruction.

    Raises:
        ProgramError: lanes would meet in a bank.
    """
    assert source.step == 1, "only a producer writes images side by side"
    lanes = hardware.pixel_lanes
    rows = range(target.rows) if rows is None else rows
    columns = range(target.columns) if columns is None else columns
    inside = rows.stop <= source.rows  # rows below are padding
    if window == Window() and pool is None and inside and one_row(rows, columns, source, target):
        length = len(rows) * len(columns)
        source, target = merged(source, rows), merged(target, rows)
        rows, columns = range(1), range(length)
    pool = pool or Pool()
    (pool_y, pool_x), (kernel_y, kernel_x) = pool.size, window.kernel
    by_lanes = pool.by == "lanes" and pool_x > 1
    per_slot = pool_x if by_lanes else 1
    across = window.stride[1] * (1 if by_lanes else pool_x)  # input columns between two lanes
    if len(columns) == 1 and not by_lanes:  # one lane works, the others need banks of their own
        across = source.interleave
    count = phases(hardware, across, source.interleave)
    if by_lanes and (count != 1 or lanes % per_slot):
        raise ProgramError(f"{pool_x} adjacent lanes do not pool here; pool by window")
    slots = lanes // per_slot * count  # output columns of one ox
    down, right = window.stride[0] * pool_y, window.stride[1] * pool_x
    dy, dx = window.dilation
    bounds = {
        "co": channels.groups,
        "oy": len(rows),
        "ox": -(-len(columns) // slots),
        "phase": count,
        "wy": pool_y,
        "wx": 1 if by_lanes else pool_x,
        "ky": kernel_y,
        "kx": kernel_x,
        "ci": channels.reduction,
    }
    y = {"oy": down, "wy": window.stride[0], "ky": dy}
    x = {
        "ox": lanes * count * across,
        "phase": across,
        "wx": window.stride[1],
        "kx": dx,
    }
    a = {level: source.row * by for level, by in y.items()}
    a |= x | {"co": channels.advance * source.plane, "ci": source.plane}
    first_y = rows.start * down - window.padding[0]
    last_y = (rows.stop - 1) * down + (pool_y - 1) * window.stride[0] + (kernel_y - 1) * dy
    above, held = counted_rows(source.rows, first_y, last_y - window.padding[0])
    first_x = columns.start * right - window.padding[1]
    reduction = kernel_y * kernel_x * channels.reduction
    ox = {"ox": slots, "phase": 1}
    o = {level: target.step * by for level, by in ox.items()}
    o["oy"], o["co"] = target.row, channels.words * target.plane
    fields = {"signed_first": source.signed, "signed_rest": source.signed} | rest
    return Compute(
        interleave_in=source.interleave,
        interleave_out=target.interleave,
        bounds=tuple(bounds[level] for level in LEVELS),
        a_init=_wrapped(source.at(first_y, first_x)),
        a_jumps=tuple(map(_wrapped, jumps(bounds, a, 9))),
        y_init=first_y - above,
        y_jumps=jumps(bounds, y, 7),
        x_init=first_x,
        x_jumps=jumps(bounds, x, 8),
        w_step=0 if one_weight else 1,
        w_rewind=0 if one_weight else reduction - 1,
        w_co=0 if one_weight else 1,
        par_co=0 if one_parameter else 1,
        o_init=target.at(rows.start, columns.start),
        o_jumps=tuple(map(_wrapped, jumps(bounds, o, 4))),
        ox_jumps=jumps(bounds, ox, 4),
        lane_distance=across * count,
        in_w=source.columns,
        in_h=held,
        out_w=len(columns),
        out_lane_distance=count * target.step,
        out_lane_columns=count,
        words=channels.words,
        words_last=channels.words_last,
        out_plane=target.plane,
        lanes_per_slot=per_slot,
        low=limits[0],
        high=limits[1],
        **fields,
    ).normal()


def counted_rows(rows: int, first: int, last: int) -> tuple[int, int]:
    """Rows of a tensor that are not counted, and how many are, for windows from row `first` to row
    `last`: all, but where there are more than `in_h` counts those above or below the windows."""
    if rows <= MOST_ROWS:
        return 0, rows
    above = max(first, 0)
    return above, min(rows - above, max(MOST_ROWS, last + 1 - above))


def add(
    hardware: HardwareConfig,
    first: Place,
    second: Place,
    target: Place,
    limits: Pair,
    *,
    rows: range | None = None,
    columns: range | None = None,
    one_parameter: bool = False,
    **rest: Any,
) -> Compute:
    """A residual addition: a kernel of two taps whose distance is that of the tensors.

    Two diagonal weight words hold the operands' weights. With one par word for all channels, words
    that lie next to each other are one long row.

    Raises:
        ProgramError: the operands' pixels, or words, are not equally far apart.
    """
    rows = range(target.rows) if rows is None else rows
    columns = range(target.columns) if columns is None else columns
    words = target.words
    if one_row(rows, columns, first, second, target):
        length = len(rows) * len(columns)
        first, second, target = (merged(place, rows) for place in (first, second, target))
        rows, columns = range(1), range(length)
        adjacent = {first.plane, second.plane, target.plane} == {length} and target.step == 1
        if one_parameter and adjacent and words * length <= _LONGEST_ROW:
            words, columns = 1, range(words * length)
    if (words > 1 and first.plane != second.plane) or (len(rows) > 1 and first.row != second.row):
        raise ProgramError("the operands of an addition lie in blocks of different shape")
    if first.interleave != second.interleave:
        raise ProgramError("the operands of an addition lie in regions of different interleave")
    lanes = hardware.pixel_lanes
    count = phases(hardware, 1, first.interleave)
    bounds = dict.fromkeys(LEVELS, 1) | {
        "co": words,
        "oy": len(rows),
        "ox": -(-len(columns) // (lanes * count)),
        "phase": count,
        "ky": 2,
    }
    start = first.at(rows.start, columns.start)
    tap = second.at(rows.start, columns.start) - start
    ox = {"ox": lanes * count, "phase": 1}
    a = ox | {"co": first.plane, "oy": first.row, "ky": tap}
    o = {level: target.step * by for level, by in ox.items()}
    o |= {"co": target.plane, "oy": target.row}
    return Compute(
        signed_first=first.signed,
        signed_rest=second.signed,
        interleave_in=first.interleave,
        interleave_out=target.interleave,
        bounds=tuple(bounds[level] for level in LEVELS),
        a_init=start,
        a_jumps=tuple(map(_wrapped, jumps(bounds, a, 9))),
        w_rewind=1,
        w_co=-1,
        par_co=0 if one_parameter else 1,
        o_init=target.at(rows.start, columns.start),
        o_jumps=tuple(map(_wrapped, jumps(bounds, o, 4))),
        ox_jumps=jumps(bounds, ox, 4),
        lane_distance=count,
        out_w=len(columns),
        out_lane_distance=count * target.step,
        out_lane_columns=count,
        low=limits[0],
        high=limits[1],
        **rest,
    ).normal()


def one_row(rows: range, columns: range, *places: Place) -> bool:
    """Whether rows that hold these columns follow one another without gaps, so that they may be
    taken as one: 7x7 is 13 tiles of 4 lanes, not 14."""
    return len(rows) * len(columns) <= _LONGEST_ROW and all(
        place.row == place.columns * place.step and len(columns) == place.columns
        for place in places
    )


def merged(place: Place, rows: range | None = None) -> Place:
    """Some rows of a tensor, or all, as one row."""
    rows = range(place.rows) if rows is None else rows
    length = len(rows) * place.columns
    base = place.at(rows.start, place.first_column)
    return replace(
        place, base=base, rows=1, columns=length, first_row=0, held_rows=None,
        first_column=0, held_columns=None, pitch=place.plane,
    )  # fmt: skip


def _wrapped(words: int) -> int:
    """The same address of act, or distance, in its field: all wrap at the size of act, a power of
    two, and what lies far outside is padding."""
    half = 1 << (ACT_ADDRESS_BITS - 1)
    return (words + half) % (2 * half) - half
