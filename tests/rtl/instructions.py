"""Random legal `Compute` instructions: layers between tensors that lie anywhere, and free ones.

Scratchpads are garbage, so weights and inputs need not be laid out for a layer.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from cnnaccel.compiler import pack
from cnnaccel.compiler.execute import reads, writes
from cnnaccel.compiler.isa import LEVELS, Compute, Opcode
from cnnaccel.compiler.loopnest import Place, Pool, jumps
from cnnaccel.compiler.mapping import Part, Work, nest, work_of
from cnnaccel.compiler.scratchpad import Scratchpads
from cnnaccel.hardware import HardwareConfig
from cnnaccel.ir.graph import AnyLayer
from tests.unit.nests import align, fresh, wanted_interleave

_ALL_COLUMNS = 131071
"""The greatest out_w."""


def garbage(hw: HardwareConfig, rng: np.random.Generator) -> Scratchpads:
    """Random parameters leave nothing but 0 and the limits: three of four are moderate."""
    pads = fresh(hw, int(rng.integers(1 << 32)))
    some = rng.random(pads.shift.shape) < 0.75
    pads.shift[some] = rng.integers(20, 26, some.sum())
    pads.bias[some] = rng.integers(-(2**13), 2**13, some.sum())
    return pads


def touched(pads: Scratchpads, instruction: Compute) -> tuple[np.ndarray, np.ndarray]:
    """bool[banks, rows]: words of act that an instruction reads, and writes.

    Lanes whose results no slot keeps count too: an instruction without `clear` goes on with them.
    """
    read, written = (np.zeros(pads.act.shape[:2], bool) for _ in range(2))
    every_lane = dataclasses.replace(instruction, out_w=_ALL_COLUMNS)
    read[pads.locate(reads(pads, every_lane)["act"], instruction.interleave_in)] = True
    to = writes(pads, instruction).get("act", np.zeros(0, np.int64))
    written[pads.locate(to, instruction.interleave_out)] = True
    return read, written


def separate(pads: Scratchpads, instruction: Compute) -> bool:
    """It reads nothing that it writes, so that it does not matter when it writes."""
    read, written = touched(pads, instruction)
    return not (read & written).any()


def synchronised(pads: Scratchpads, instructions: list[Compute]) -> list[Compute]:
    """With wait_drain where a word is read that may still be draining, and only there."""
    made = []
    draining = np.zeros(pads.act.shape[:2], bool)
    for one in instructions:
        read, written = touched(pads, one)
        wait = bool((read & draining).any())
        draining = written if wait else written | draining
        made.append(dataclasses.replace(one, wait_drain=wait))
    return made


# -- layers --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Anywhere:
    """A layer, and where its tensors lie: also across the end of act."""

    work: Work
    sources: list[Place]
    target: Place
    fits: bool
    """Else they overlap."""

    def nest(
        self, hw: HardwareConfig, rng: np.random.Generator, part: Part | None = None, **rest: Any
    ) -> Compute:
        """An instruction with weights and parameters from anywhere."""
        words = range(self.work.channels.reduction)
        if part is not None:
            words = self.work.input_words(range(self.work.channels.groups), part)
        sources = self.sources if part is None else [self.sources[0].part(words)]
        w_init = int(rng.integers(0, hw.wgt_words))
        par_init = int(rng.integers(0, hw.par_groups))
        return nest(
            hw, self.work, sources, self.target, part=part, w_init=w_init, par_init=par_init, **rest
        )


def anywhere(
    hw: HardwareConfig,
    rng: np.random.Generator,
    layer: AnyLayer,
    inputs: list[np.ndarray],
    pool: Pool | None = None,
    pooled: AnyLayer | None = None,
) -> Anywhere:
    """Inputs are [C, H, W], one after another; then comes the output."""
    lanes = [pack.in_order(len(x), hw.input_lanes) for x in inputs]
    interleave = wanted_interleave(hw, layer, pool)
    base = align(hw, int(rng.integers(0, hw.act_words)))
    places = []
    for x, own in zip(inputs, lanes, strict=True):
        words, (_, rows, columns) = len(own) // hw.input_lanes, x.shape
        places.append(Place(base, words, rows, columns, x.dtype == np.int8, interleave))
        base = align(hw, base + places[-1].size)
    output = layer.output if pooled is None else pooled.output
    lanes.append(pack.in_order(output.shape[0], hw.input_lanes))
    words, (_, rows, columns) = len(lanes[-1]) // hw.input_lanes, output.shape
    base %= hw.act_words
    signed, interleave_out = output.dtype == "int8", int(rng.choice((1, 2, 4)))
    target = Place(base, words, rows, columns, signed, interleave_out)
    used = sum(align(hw, place.size) for place in (*places, target))
    fits = used < hw.act_words - 8 * hw.pixel_lanes
    return Anywhere(work_of(hw, layer, lanes), places, target, fits)


# -- free ----------------------------------------------------------------------------------------

_BOUNDS = (1, 1, 1, 2, 2, 3, 5)
_MOST_STEPS = 600
_TRIES = 200


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
