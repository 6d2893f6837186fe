"""A layer as one affine loop nest: bounds, strides and jumps of one `Compute`.

Knows where tensors lie in act, nothing of programs, DRAM or tokens. Every layer kind is a window
that slides over a tensor; what differs is which counters run, how far each walker moves with them,
and what the weight words hold.

    co  groups of output words      wy, wx  pooling window      ky, kx  kernel
    oy, ox, phase  output pixels, P lanes at a time             ci      input words
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cnnaccel.compiler.lower.place import LONGEST_ROW, Place, merged, one_row
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import ACT_ADDRESS_BITS, HardwareConfig
from cnnaccel.isa.instructions import LEVELS, Compute, Opcode
from cnnaccel.isa.walkers import jumps

Pair = tuple[int, int]
MOST_ROWS = 2047
"""Rows that `in_h` can name."""


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
    """Channel words of input and output in a nest. One group co makes up to K/C output words."""

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
        """The channels of a layer whose every output word reads all input words."""
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


@dataclass(frozen=True)
class Operands:
    """The words of wgt and par that an instruction uses, and what becomes of its sums."""

    w_init: int = 0
    """First word of wgt."""
    par_init: int = 0
    """First word of par."""
    one_weight: bool = False
    """A single wgt word serves every step."""
    one_parameter: bool = False
    """A single par word serves all groups."""
    clear: bool = True
    """Sums begin at 0, not where the instruction before left them."""
    drain: bool = True
    """Sums are written, not kept for the instruction behind."""


@dataclass(frozen=True)
class _Deal:
    """The assignment of output columns to lanes."""

    across: int
    """Input columns between two lanes' windows, in one phase."""
    phases: int
    per_slot: int
    """Lanes whose maximum is one output column."""
    slots: int
    """Output columns of one ox, in all phases."""

    @property
    def distance(self) -> int:
        """Words of act between two lanes: field lane_distance."""
        return self.across * self.phases


def slide(
    hardware: HardwareConfig,
    source: Place,
    target: Place,
    window: Window,
    channels: Channels,
    limits: Pair,
    *,
    opcode: Opcode = Opcode.MAC,
    pool: Pool | None = None,
    rows: range | None = None,
    columns: range | None = None,
    operands: Operands | None = None,
) -> Compute:
    """The nest of a window over `source` that writes the pixels `rows` x `columns` of `target`.

    limits: least and greatest result.

    Four walkers follow the counters: a, the word of act that lane 0 reads; y and x, its row and
    column, which say whether it is padding; o, the word that slot 0 writes. Each has a stride for
    each counter that moves it. Here a kernel of 3x3 goes over rows of 8 columns, padded by 1:

                   x  -1  0  1  2  3  4  5  6  7  8
        ox 0  lane 0   [--------]                        stride ox:  P columns
              lane 1      [--------]                     stride kx:  1 column, in all lanes
              lane 2         [--------]                  stride oy:  a row of 8 words
              lane 3            [--------]               stride ky:  a row of 8 words
        ox 1  lane 0               [--------]            x_init -1, a_init one row and one word back

    >>> image = Place(base=0, words=1, rows=8, columns=8, signed=False)
    >>> result = Place(base=64, words=1, rows=8, columns=8, signed=False)
    >>> nest = slide(HardwareConfig(), image, result, Window((3, 3), padding=(1, 1)),
    ...              Channels.each(1), (0, 255))
    >>> dict(zip(LEVELS, nest.bounds))  # doctest: +NORMALIZE_WHITESPACE
    {'co': 1, 'oy': 8, 'ox': 2, 'phase': 1, 'wy': 1, 'wx': 1, 'ky': 3, 'kx': 3, 'ci': 1}
    >>> nest.a_init, nest.x_init, nest.y_init, nest.o_init
    (-9, -1, -1, 64)
    >>> from cnnaccel.isa.walkers import strides
    >>> strides(nest.bounds, nest.a_jumps)  # of a, by counter
    (0, 8, 4, 0, 0, 0, 8, 1, 0)

    A jump is what the engine adds after a step: the stride of the outermost counter that changes,
    less what those inside, which start over, had moved. From the last tap of a window, two rows and
    two columns on, to the first tap of the next ox it is 4 - 2*8 - 2*1 = -14:

    >>> dict(zip(LEVELS, nest.a_jumps))["ox"]
    -14

    Raises:
        ProgramError: lanes would meet in a bank.
    """
    assert source.step == 1, "only a producer writes images side by side"
    rows = range(target.rows) if rows is None else rows
    columns = range(target.columns) if columns is None else columns
    operands = operands or Operands()
    inside = rows.stop <= source.rows  # rows below are padding
    if window == Window() and pool is None and inside and one_row(rows, columns, source, target):
        length = len(rows) * len(columns)
        source, target = merged(source, rows), merged(target, rows)
        rows, columns = range(1), range(length)
    pool = pool or Pool()
    deal = _dealt(hardware, source, window, pool, columns)
    (pool_y, pool_x), (kernel_y, kernel_x) = pool.size, window.kernel
    (stride_y, stride_x), (dy, dx) = window.stride, window.dilation
    bounds = {
        "co": channels.groups,
        "oy": len(rows),
        "ox": -(-len(columns) // deal.slots),
        "phase": deal.phases,
        "wy": pool_y,
        "wx": 1 if deal.per_slot > 1 else pool_x,
        "ky": kernel_y,
        "kx": kernel_x,
        "ci": channels.reduction,
    }
    y = {"oy": stride_y * pool_y, "wy": stride_y, "ky": dy}
    ox = {"ox": deal.slots, "phase": 1}
    x = {
        "ox": hardware.pixel_lanes * deal.distance,
        "phase": deal.across,
        "wx": stride_x,
        "kx": dx,
    }
    a = {level: source.row * by for level, by in y.items()}
    a |= x | {"co": channels.advance * source.plane, "ci": source.plane}
    o = {level: target.step * by for level, by in ox.items()}
    o |= {"oy": target.row, "co": channels.words * target.plane}
    first_y = rows.start * y["oy"] - window.padding[0]
    last_y = first_y + sum(y[level] * (bounds[level] - 1) for level in y)
    above, held = counted_rows(source.rows, first_y, last_y)
    first_x = columns.start * stride_x * pool_x - window.padding[1]
    reduction = kernel_y * kernel_x * channels.reduction
    return Compute(
        opcode=opcode,
        signed_first=source.signed,
        signed_rest=source.signed,
        interleave_in=source.interleave,
        interleave_out=target.interleave,
        bounds=tuple(bounds[level] for level in LEVELS),
        a_init=_wrapped(source.at(first_y, first_x)),
        a_jumps=tuple(map(_wrapped, jumps(bounds, a, 9))),
        y_init=first_y - above,
        y_jumps=jumps(bounds, y, 7),
        x_init=first_x,
        x_jumps=jumps(bounds, x, 8),
        w_init=operands.w_init,
        w_step=0 if operands.one_weight else 1,
        w_rewind=0 if operands.one_weight else reduction - 1,
        w_co=0 if operands.one_weight else 1,
        par_init=operands.par_init,
        par_co=0 if operands.one_parameter else 1,
        o_init=target.at(rows.start, columns.start),
        o_jumps=tuple(map(_wrapped, jumps(bounds, o, 4))),
        ox_jumps=jumps(bounds, ox, 4),
        lane_distance=deal.distance,
        in_w=source.columns,
        in_h=held,
        out_w=len(columns),
        out_lane_distance=deal.phases * target.step,
        out_lane_columns=deal.phases,
        words=channels.words,
        words_last=channels.words_last,
        out_plane=target.plane,
        lanes_per_slot=deal.per_slot,
        low=limits[0],
        high=limits[1],
        clear=operands.clear,
        drain=operands.drain,
    ).normal()


def _dealt(
    hardware: HardwareConfig, source: Place, window: Window, pool: Pool, columns: range
) -> _Deal:
    """Neighbouring columns to neighbouring lanes, in phases where those would meet in a bank.

    Raises:
        ProgramError: they would in any number of phases, or lanes cannot be pooled.
    """
    pool_x = pool.size[1]
    by_lanes = pool.by == "lanes" and pool_x > 1
    per_slot = pool_x if by_lanes else 1
    across = window.stride[1] * (1 if by_lanes else pool_x)
    if len(columns) == 1 and not by_lanes:  # one lane works, the others need banks of their own
        across = source.interleave
    count = phases(hardware, across, source.interleave)
    if by_lanes and (count != 1 or hardware.pixel_lanes % per_slot):
        raise ProgramError(f"{pool_x} adjacent lanes do not pool here; pool by window")
    return _Deal(across, count, per_slot, hardware.pixel_lanes // per_slot * count)


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
    operands: Operands | None = None,
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
    operands = operands or Operands()
    if one_row(rows, columns, first, second, target):
        length = len(rows) * len(columns)
        first, second, target = (merged(place, rows) for place in (first, second, target))
        rows, columns = range(1), range(length)
        adjacent = {first.plane, second.plane, target.plane} == {length} and target.step == 1
        if operands.one_parameter and adjacent and words * length <= LONGEST_ROW:
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
        w_init=operands.w_init,
        w_rewind=1,
        w_co=-1,
        par_init=operands.par_init,
        par_co=0 if operands.one_parameter else 1,
        o_init=target.at(rows.start, columns.start),
        o_jumps=tuple(map(_wrapped, jumps(bounds, o, 4))),
        ox_jumps=jumps(bounds, ox, 4),
        lane_distance=count,
        out_w=len(columns),
        out_lane_distance=count * target.step,
        out_lane_columns=count,
        low=limits[0],
        high=limits[1],
        clear=operands.clear,
        drain=operands.drain,
    ).normal()


def _wrapped(words: int) -> int:
    """An address of act, or a distance, as its field holds it: it wraps at the size of act, a power
    of two; what lies far outside is padding."""
    half = 1 << (ACT_ADDRESS_BITS - 1)
    return (words + half) % (2 * half) - half
