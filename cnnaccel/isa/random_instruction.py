"""Random legal instructions: any values their tables allow, on scratchpads full of garbage.

Knows single instructions; `random_program` makes programs of them.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.intmath import SHIFT_MAX
from cnnaccel.isa.execute import reads, writes
from cnnaccel.isa.instructions import LEVELS, UNFOLD_BYTES, Compute, Load, Memory, Opcode, Unit
from cnnaccel.isa.record import Code, layout
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.isa.walkers import jumps

Flags = npt.NDArray[np.bool_]
_ALL_COLUMNS = 131071
"""The greatest out_w."""
_BOUNDS = (1, 1, 1, 2, 2, 3, 5)
_MOST_STEPS = 600
_TRIES = 200

# -- scratchpads -----------------------------------------------------------------------------------


def fresh(hw: HardwareConfig, seed: int = 0) -> Scratchpads:
    """Scratchpads full of garbage."""
    pads = Scratchpads.empty(hw)
    rng = np.random.default_rng(seed)
    for memory in (pads.act, pads.wgt):
        memory[:] = np.frombuffer(rng.bytes(memory.size), memory.dtype).reshape(memory.shape)
    pads.bias[:] = rng.integers(-(2**16), 2**16, pads.bias.shape)
    pads.multiplier[:] = rng.integers(0, 2**16, pads.multiplier.shape)
    pads.shift[:] = rng.integers(0, SHIFT_MAX + 1, pads.shift.shape)
    return pads


def garbage(hw: HardwareConfig, rng: np.random.Generator) -> Scratchpads:
    """Random parameters leave nothing but 0 and the limits: three of four are moderate."""
    pads = fresh(hw, int(rng.integers(1 << 32)))
    some = rng.random(pads.shift.shape) < 0.75
    pads.shift[some] = rng.integers(20, 26, some.sum())
    pads.bias[some] = rng.integers(-(2**13), 2**13, some.sum())
    return pads


def wgt_bytes(pads: Scratchpads) -> npt.NDArray[np.uint8]:
    """uint8[words, C*K], as the words lie in DRAM."""
    return pads.wgt.view(np.uint8).reshape(len(pads.wgt), -1)


def par_bytes(pads: Scratchpads) -> npt.NDArray[np.uint8]:
    """uint8[groups, 7*K], as the words lie in DRAM."""
    parts = [array[..., None].view(np.uint8) for array in (pads.bias, pads.multiplier, pads.shift)]
    return np.ascontiguousarray(np.concatenate(parts, axis=-1)).reshape(len(pads.bias), -1)


# -- compute ---------------------------------------------------------------------------------------


def touched(pads: Scratchpads, instruction: Compute) -> tuple[Flags, Flags]:
    """bool[banks, rows]: words of act that an instruction reads, and writes.

    Lanes whose results no slot keeps count too: an instruction without `clear` goes on with them.
    """
    read, written = (np.zeros(pads.act.shape[:2], bool) for _ in range(2))
    every_lane = dataclasses.replace(instruction, out_w=_ALL_COLUMNS)
    read[pads.locate(reads(pads, every_lane)[Memory.ACT], instruction.interleave_in)] = True
    to = writes(pads, instruction).get(Memory.ACT, np.zeros(0, np.int64))
    written[pads.locate(to, instruction.interleave_out)] = True
    return read, written


def separate(pads: Scratchpads, instruction: Compute) -> bool:
    """Whether an instruction reads nothing that it writes, so that it does not matter when it
    writes."""
    read, written = touched(pads, instruction)
    return not (read & written).any()


def synchronised(pads: Scratchpads, instructions: list[Compute]) -> list[Compute]:
    """The instructions with wait_drain where a word is read that may still be draining, only
    there."""
    made = []
    draining = np.zeros(pads.act.shape[:2], bool)
    for one in instructions:
        read, written = touched(pads, one)
        wait = bool((read & draining).any())
        draining = written if wait else written | draining
        made.append(dataclasses.replace(one, wait_drain=wait))
    return made


def free(
    hw: HardwareConfig,
    rng: np.random.Generator,
    pads: Scratchpads,
    *,
    single: float = 0.3,
    opcode: Opcode | None = None,
) -> Compute:
    """Any bounds, any strides; it writes each word once, and none that it reads.

    single: how likely it is a single tile, which may have clear or drain off. opcode: MAC or MAX,
    at random if not said.
    """
    for _ in range(_TRIES):
        bounds = dict(zip(LEVELS, rng.choice(_BOUNDS, len(LEVELS)).tolist(), strict=True))
        if rng.random() < single:
            bounds |= dict.fromkeys(LEVELS[:6], 1)
        if math.prod(bounds.values()) > _MOST_STEPS:
            continue
        any_opcode = Opcode.MAX if rng.random() < 0.3 else Opcode.MAC
        made = _free(hw, rng, bounds, any_opcode if opcode is None else opcode)
        if separate(pads, made):
            return made
    raise AssertionError("no instruction found")


def _free(
    hw: HardwareConfig, rng: np.random.Generator, bounds: dict[str, int], opcode: Opcode
) -> Compute:
    def some(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    def moves(levels: int, low: int, high: int) -> tuple[int, ...]:
        return jumps(bounds, {level: some(low, high) for level in LEVELS[:levels]}, levels)

    lanes, group = hw.pixel_lanes, hw.output_lanes // hw.input_lanes
    per_slot = int(rng.choice([n for n in (1, 2, 4) if n <= lanes]))
    words = 1 if opcode is Opcode.MAX else some(1, group)
    out = {level: bounds[level] for level in LEVELS[:4]} | {"slot": lanes // per_slot, "g": words}
    strides, size = {}, 1
    for axis in rng.permutation(list(out)).tolist():
        strides[axis] = size
        size *= out[axis]
    interleave = some(0, 2)
    padded, alone = rng.random() < 0.7, math.prod(bounds[level] for level in LEVELS[:6]) == 1
    steps = math.prod(bounds[level] for level in LEVELS[6:])
    target = some(0, hw.act_words - 1)
    limits = (-128, 127), (0, 255), (-128, 255), tuple(sorted((some(-128, 255), some(-128, 255))))
    low, high = limits[some(0, 3)]
    return Compute(
        opcode=opcode,
        clear=not alone or rng.random() < 0.6,
        drain=not alone or rng.random() < 0.6,
        signed_first=rng.random() < 0.5,
        signed_rest=rng.random() < 0.5,
        interleave_in=1 << interleave,
        interleave_out=1 << some(0, 2),
        bounds=tuple(bounds.values()),
        a_init=target + hw.act_words // 2 - hw.act_words,
        a_jumps=moves(9, -9, 30),
        y_init=some(-4, 4) if padded else 0,
        y_jumps=moves(7, -1, 2) if padded else (0,) * 7,
        x_init=some(-9, 9),
        x_jumps=moves(8, -1, 4),
        w_init=some(0, 2**16 - 1),
        w_step=some(0, 1),
        w_rewind=some(0, 2**16 - 1) if rng.random() < 0.3 else steps - 1,
        w_co=some(-(2**15), 2**15 - 1) if rng.random() < 0.3 else 1,
        par_init=some(0, 1023),
        par_co=some(0, 1),
        o_init=target,
        o_jumps=jumps(bounds, strides, 4),
        ox_jumps=moves(4, 0, 3),
        lane_distance=(2 * some(0, 5) + 1) << interleave,
        in_w=some(1, 30) if padded else 65535,
        in_h=some(1, 6) if padded else 2047,
        out_w=some(0, 20) if rng.random() < 0.5 else _ALL_COLUMNS,
        out_lane_distance=strides["slot"],
        out_lane_columns=some(0, 15) if rng.random() < 0.3 else 1,
        words=words,
        words_last=some(1, words),
        out_plane=strides["g"],
        lanes_per_slot=per_slot,
        low=low,
        high=high,
    ).normal()


# -- load and store --------------------------------------------------------------------------------


def drawn(rng: np.random.Generator, kind: type[Any]) -> dict[str, Any]:
    """Any value its table allows for every field of a transfer; no tokens of its own unit."""
    values: dict[str, Any] = {}
    for field in layout(kind):
        if field.stored == "log2":
            values[field.name] = 1 << int(rng.integers(0, field.high.bit_length()))
        elif not issubclass(field.kind, Code):
            values[field.name] = field.kind(int(rng.integers(field.low, field.high, endpoint=True)))
    for name in ("wait_for", "signal_to"):
        values[name] = Unit(values[name]) & ~kind.UNIT
    if kind is Load:
        values["kernel_w"] = min(values["kernel_w"], UNFOLD_BYTES // values["pixel_bytes"])
    return values


def count(rng: np.random.Generator, most: int) -> int:
    """A number from 1 up; every second time at most 3."""
    return int(rng.integers(1, min(most, 3 if rng.random() < 0.5 else most), endpoint=True))


def unfold_fields(rng: np.random.Generator, width: int) -> dict[str, int]:
    pixel_bytes = int(rng.integers(1, 4, endpoint=True))
    kernel_w = count(rng, min(31, UNFOLD_BYTES // pixel_bytes))
    needed = -(-kernel_w * pixel_bytes // width)
    return {
        "pixel_bytes": pixel_bytes,
        "kernel_w": kernel_w,
        "column_words": int(rng.integers(needed, UNFOLD_BYTES // width, endpoint=True)),
        "columns": count(rng, 30),
        "row_pixels": count(rng, 70),
    }


def place(
    rng: np.random.Generator, runs: int, length: int, unit: int, size: int
) -> tuple[int, int]:
    """Offset and stride, multiples of `unit`, of runs that lie within a buffer."""
    room = (size - length) // max(1, runs - 1) // unit
    stride = int(rng.integers(-room, room, endpoint=True)) * unit
    if rng.random() < 0.3:
        stride = length if length <= room * unit else stride  # one run behind the other
    span = (runs - 1) * stride
    first, last = max(0, -span), size - length - max(0, span)
    return int(rng.integers(-(-first // unit), last // unit, endpoint=True)) * unit, stride
