"""A layer as one affine loop nest: bounds, strides and jumps of one `Compute`.

Knows where tensors lie in act, nothing of programs, DRAM or tokens. Every layer kind is a window
that slides over a tensor; what differs is which counters run, how far each walker moves with them,
and what the weight words hold.

    co  groups of output words      wy, wx  pooling window      ky, kx  kernel
    oy, ox, phase  output pixels, P lanes at a time             ci      input words
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from cnnaccel.compiler.isa import LEVELS, Compute, Opcode
from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig

Pair = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in act: pixel (y, x) of channel word g is at

        base + g*plane + (y - first_row)*row + x*step

    Tensors lie [g][y][x] without gaps. A strip holds some of the rows. A tensor that is written for
    a dense layer has `step` images side by side, each with a base of its own.
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
    step: int = 1

    @property
    def row(self) -> int:
        """Words between two rows."""
        return self.columns * self.step

    @property
    def plane(self) -> int:
        """Words between two channel words of a pixel."""
        return self.row * (self.rows if self.held_rows is None else self.held_rows)

    @property
    def size(self) -> int:
        """Words from the first to behind the last."""
        return self.words * self.plane


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
    opcode: Opcode = Opcode.MAC,
    pool: Pool | None = None,
    rows: range | None = None,
    w_init: int = 0,
    par_init: int = 0,
    one_weight: bool = False,
    one_parameter: bool = False,
) -> Compute:
    """The nest of a window over `source` that writes the rows `rows` of `target`.

    limits: least and greatest result. one_weight, one_parameter: a single wgt word, or
    par word, serves every step.

    Raises:
        ProgramError: lanes would meet in a bank.
    """
    assert source.step == 1, "only a dense layer reads images side by side"
    lanes = hardware.pixel_lanes
    pool = pool or Pool()
    rows = range(target.rows) if rows is None else rows
    (pool_y, pool_x), (kernel_y, kernel_x) = pool.size, window.kernel
    by_lanes = pool.by == "lanes" and pool_x > 1
    per_slot = pool_x if by_lanes else 1
    across = window.stride[1] * (1 if by_lanes else pool_x)  # input columns between two lanes
    if target.columns == 1 and not by_lanes:  # one lane works, the others need banks of their own
        across = source.interleave
    count = phases(hardware, across, source.interleave)
    if by_lanes and (count != 1 or lanes % per_slot):
        raise ProgramError(f"{pool_x} adjacent lanes do not pool here; pool by window")
    slots = lanes // per_slot * count  # output columns of one ox
    down = window.stride[0] * pool_y
    dy, dx = window.dilation
    bounds = {
        "co": channels.groups,
        "oy": len(rows),
        "ox": -(-target.columns // slots),
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
    first = rows.start * down - window.padding[0]
    reduction = kernel_y * kernel_x * channels.reduction
    ox = {"ox": slots, "phase": 1}
    o = {level: target.step * by for level, by in ox.items()}
    o["oy"], o["co"] = target.row, channels.words * target.plane
    return Compute(
        opcode=opcode,
        signed_first=source.signed,
        signed_rest=source.signed,
        interleave_in=source.interleave,
        interleave_out=target.interleave,
        bounds=tuple(bounds[level] for level in LEVELS),
        a_init=source.base + (first - source.first_row) * source.row - window.padding[1],
        a_jumps=jumps(bounds, a, 9),
        y_init=first,
        y_jumps=jumps(bounds, y, 7),
        x_init=-window.padding[1],
        x_jumps=jumps(bounds, x, 8),
        w_init=w_init,
        w_step=0 if one_weight else 1,
        w_rewind=0 if one_weight else reduction - 1,
        w_co=0 if one_weight else 1,
        par_init=par_init,
        par_co=0 if one_parameter else 1,
        o_init=target.base + (rows.start - target.first_row) * target.row,
        o_jumps=jumps(bounds, o, 4),
        ox_jumps=jumps(bounds, ox, 4),
        lane_distance=across * count,
        in_w=source.columns,
        in_h=source.rows,
        out_w=target.columns,
        out_lane_distance=count * target.step,
        out_lane_columns=count,
        words=channels.words,
        words_last=channels.words_last,
        out_plane=target.plane,
        lanes_per_slot=per_slot,
        low=limits[0],
        high=limits[1],
    ).normal()


def dense(
    hardware: HardwareConfig,
    source: Place,
    target: Place,
    limits: Pair,
    *,
    w_init: int = 0,
    par_init: int = 0,
) -> Compute:
    """The nest of a dense layer with images in the lanes.

    `source` and `target` have one column and `step` images, a multiple of P, side by side; the
    words and rows of `source` are the elements that are summed over.
    """
    lanes, images = hardware.pixel_lanes, source.step
    assert images == target.step and images % lanes == 0 and source.columns == target.columns == 1
    length = source.words * source.rows
    channels = Channels.full(hardware, length, target.words)
    bounds = dict.fromkeys(LEVELS, 1) | {
        "co": channels.groups,
        "ox": images // lanes,
        "ci": length,
    }
    return _unpadded(
        source,
        target,
        bounds,
        {"ox": lanes, "ci": images},
        {"co": channels.words * images, "ox": lanes},
        images,
        limits,
        w_init=w_init,
        w_rewind=length - 1,
        par_init=par_init,
        words=channels.words,
        words_last=channels.words_last,
        out_plane=images,
    )


def add(
    hardware: HardwareConfig,
    first: Place,
    second: Place,
    target: Place,
    limits: Pair,
    *,
    w_init: int = 0,
    par_init: int = 0,
    one_parameter: bool = False,
) -> Compute:
    """A residual addition: a kernel of two taps whose distance is that of the tensors.

    Two diagonal weight words hold the operands' weights. With one par word for all channels all
    words are one long row.
    """
    lanes = hardware.pixel_lanes
    assert first.interleave == second.interleave and first.size == second.size == target.size
    groups = 1 if one_parameter else target.words
    length = target.size // groups
    bounds = dict.fromkeys(LEVELS, 1) | {"co": groups, "ox": -(-length // lanes), "ky": 2}
    return _unpadded(
        first,
        target,
        bounds,
        {"co": length, "ox": lanes, "ky": second.base - first.base},
        {"co": length, "ox": lanes},
        length,
        limits,
        signed_rest=second.signed,
        w_init=w_init,
        w_rewind=1,
        w_co=-1,
        par_init=par_init,
        par_co=0 if one_parameter else 1,
    )


def _unpadded(
    source: Place,
    target: Place,
    bounds: Mapping[str, int],
    a: Mapping[str, int],
    o: Mapping[str, int],
    columns: int,
    limits: Pair,
    **rest: Any,
) -> Compute:
    """A nest over one row of `columns` neighbouring words, none of them padding.

    a, o: strides of the walkers over what is read and what is written.
    """
    own = {"signed_rest": source.signed} | rest
    return Compute(
        signed_first=source.signed,
        interleave_in=source.interleave,
        interleave_out=target.interleave,
        bounds=tuple(bounds[level] for level in LEVELS),
        a_init=source.base,
        a_jumps=jumps(bounds, a, 9),
        o_init=target.base,
        o_jumps=jumps(bounds, o, 4),
        ox_jumps=jumps(bounds, {"ox": o["ox"]}, 4),
        out_w=columns,
        low=limits[0],
        high=limits[1],
        **own,
    ).normal()


def merged(place: Place) -> Place:
    """The tensor as one row, for layers of single pixels: 7x7 is 13 tiles of 4 lanes, not 14."""
    return replace(place, rows=1, columns=place.rows * place.columns)


def jumps(bounds: Mapping[str, int], strides: Mapping[str, int], levels: int) -> tuple[int, ...]:
    """What a walker moves by when a level is the outermost to step: its stride, less what the
    levels inside, which start over, have moved it by. For the first `levels` of LEVELS."""
    result = []
    for outer, level in enumerate(LEVELS[:levels]):
        inside = sum(strides.get(name, 0) * (bounds[name] - 1) for name in LEVELS[outer + 1 :])
        result.append(strides.get(level, 0) - inside)
    return tuple(result)


def strides(bounds: tuple[int, ...], moves: tuple[int, ...]) -> tuple[int, ...]:
    """The inverse of `jumps`, a stride for each of the nine levels; those of bound 1 are 0."""
    result = [0] * len(LEVELS)
    for level in reversed(range(len(moves))):
        if bounds[level] > 1:
            inside = sum(
                result[inner] * (bounds[inner] - 1) for inner in range(level + 1, len(LEVELS))
            )
            result[level] = moves[level] + inside
    return tuple(result)
