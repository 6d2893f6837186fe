"""What one `Compute` does to the scratchpads: the meaning of the instruction, in numpy.

Walkers are affine, so all steps of a group co are computed at once: gathered, multiplied, summed.
Sums are float64 on integers, exact below 2**53, which no int32 accumulator comes near.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnaccel.compiler.isa import TILE_LEVEL, Compute, Opcode
from cnnaccel.compiler.loopnest import strides
from cnnaccel.compiler.scratchpad import Scratchpads
from cnnaccel.errors import ProgramError
from cnnaccel.ir import intmath

Array = npt.NDArray[Any]
Addresses = npt.NDArray[np.int64]
_BLOCK_BYTES = 16 << 20
_PADDING = {Opcode.MAC: 0, Opcode.MAX: -128}
"""What a lane outside the input reads."""


@dataclass(frozen=True)
class Cost:
    """Cycles of one instruction that runs alone, without the pipeline's length."""

    steps: int
    cycles: int
    """A tile takes its steps, or what the tile before it takes to drain, if that is more."""


def cost(lanes: int, instruction: Compute) -> Cost:
    """Steps, and cycles from the first step to the last word."""
    bounds = instruction.bounds
    groups, tile = bounds[0], math.prod(bounds[TILE_LEVEL:])
    tiles = math.prod(bounds[1:TILE_LEVEL])
    steps = groups * tiles * tile
    if not instruction.drain:
        return Cost(steps, steps)
    words = [instruction.words] * (groups - 1) + [instruction.words_last]
    drains = [max(2, lanes * count) for count in words for _ in range(tiles)]
    waits = sum(max(tile, before) for before in drains[:-1])
    return Cost(steps, tile + waits + drains[-1])


def execute(pads: Scratchpads, instruction: Compute, sums: Array) -> Array:
    """Run one instruction; returns the sums it leaves, int64[P, K], given those it finds.

    Raises:
        ProgramError: two lanes meet in a bank, or a sum leaves int32.
    """
    nest = _Nest(pads, instruction)
    for group in range(instruction.bounds[0]):
        for tiles in nest.blocks():
            totals = nest.sums(group, tiles)  # [tiles, windows, P, K]
            if instruction.opcode is Opcode.MAC and not instruction.clear:
                totals = totals + sums
            if not intmath.INT32_MIN <= totals.min() <= totals.max() <= intmath.INT32_MAX:
                raise ProgramError("a sum leaves int32")
            sums = totals[-1, -1]
            if instruction.drain:
                nest.drain(group, tiles, totals)
    return sums


class _Nest:
    """The nest of one instruction: its axes are co | oy ox phase | wy wx | ky kx ci."""

    def __init__(self, pads: Scratchpads, instruction: Compute) -> None:
        self.pads, self.ins = pads, instruction
        self.lanes, _, self.channels = pads.act.shape
        self.outputs = pads.wgt.shape[1]
        self.lane = np.arange(self.lanes)
        bounds = instruction.bounds
        self.tiles = math.prod(bounds[1:4])
        self.windows = math.prod(bounds[4:TILE_LEVEL])
        self.steps = math.prod(bounds[TILE_LEVEL:])

    def blocks(self) -> Iterator[slice]:
        """Slices of the tiles of a group, of a size whose operands fit in memory."""
        tile_bytes = self.windows * self.steps * self.lanes * self.channels * 8
        count = max(1, _BLOCK_BYTES // tile_bytes)
        for start in range(0, self.tiles, count):
            yield slice(start, min(start + count, self.tiles))

    def sums(self, group: int, tiles: slice) -> Array:
        """int64[tiles, windows, P, K]: the sums, or maxima, without those of before."""
        ins = self.ins
        x = self._walk(ins.x_init, ins.x_jumps, group, tiles)[..., None]
        y = self._walk(ins.y_init, ins.y_jumps, group, tiles)[..., None]
        a = self._walk(ins.a_init, ins.a_jumps, group, tiles)[..., None]
        x, a = x + self.lane * ins.lane_distance, a + self.lane * ins.lane_distance
        banks, _ = self.pads.locate(a[0, 0, 0], ins.interleave_in)
        if len(set(banks.tolist())) != self.lanes:
            raise ProgramError(f"lanes meet in a bank: {banks.tolist()}")
        words = self.pads.read(a, ins.interleave_in)  # [tiles, windows, steps, P, C]
        inside = ((x >= 0) & (x < ins.in_w) & (y >= 0) & (y < ins.in_h))[..., None]
        first = self.steps // ins.bounds[TILE_LEVEL]  # steps with ky = 0
        values = np.empty(words.shape, np.float64)
        for part, signed in (
            (np.s_[:, :, :first], ins.signed_first),
            (np.s_[:, :, first:], ins.signed_rest),
        ):
            values[part] = words[part].view(np.int8) if signed else words[part]
        values = np.where(inside, values, _PADDING[ins.opcode])
        if ins.opcode is Opcode.MAX:
            totals = np.zeros((*values.shape[:2], self.lanes, self.outputs), np.int64)
            totals[..., : self.channels] = values.max(axis=2)
            return totals
        weights = self._weights(group).astype(np.float64)  # [steps, K, C]
        flat = values.transpose(0, 1, 3, 2, 4).reshape(-1, self.steps * self.channels)
        products = flat @ weights.transpose(0, 2, 1).reshape(-1, self.outputs)
        return products.astype(np.int64).reshape(*values.shape[:2], self.lanes, self.outputs)

    def drain(self, group: int, tiles: slice, totals: Array) -> None:
        """Requantize, pool and write the sums of some tiles."""
        ins = self.ins
        par = (ins.par_init + group * ins.par_co) % len(self.pads.bias)
        results = intmath.requantize(
            totals + self.pads.bias[par],
            self.pads.multiplier[par],
            self.pads.shift[par],
            ins.low,
            ins.high,
        )
        slots = self.lanes // ins.lanes_per_slot
        per_slot = results.reshape(*results.shape[:2], slots, ins.lanes_per_slot, -1)
        pooled = per_slot.max(axis=(1, 3))  # [tiles, slots, K]
        count = ins.words_last if group == ins.bounds[0] - 1 else ins.words
        slot = np.arange(slots)
        column = self._walk(0, ins.ox_jumps, group, tiles)[:, 0, :1] + slot * ins.out_lane_columns
        address = self._walk(ins.o_init, ins.o_jumps, group, tiles)[:, 0, :1]
        address = address + slot * ins.out_lane_distance
        kept = column < ins.out_w
        for word in range(count):
            part = pooled[..., word * self.channels : (word + 1) * self.channels]
            self.pads.write(
                address[kept] + word * ins.out_plane,
                ins.interleave_out,
                part[kept].astype(np.int64).astype(np.uint8),
            )

    def _walk(self, init: int, moves: tuple[int, ...], group: int, tiles: slice) -> Addresses:
        """int64[tiles, windows, steps]: a walker's value in every step of some tiles."""
        by = strides(self.ins.bounds, moves)
        grids = [
            np.arange(bound, dtype=np.int64) * stride
            for bound, stride in zip(self.ins.bounds, by, strict=True)
        ]
        axes = [_outer(grids[1:4])[tiles], _outer(grids[4:TILE_LEVEL]), _outer(grids[TILE_LEVEL:])]
        start = init + group * by[0]
        return np.asarray(start + axes[0][:, None, None] + axes[1][:, None] + axes[2])

    def _weights(self, group: int) -> npt.NDArray[np.int8]:
        """int8[steps, K, C] of a group; each tile and window of it uses the same."""
        ins = self.ins
        between = ins.w_co + (self.steps - 1) * ins.w_step
        address = ins.w_init + group * between + np.arange(self.steps) * ins.w_step
        return np.asarray(self.pads.wgt[address % len(self.pads.wgt)], np.int8)


def _outer(grids: list[Addresses]) -> Addresses:
    """All sums of one element of each, the last fastest."""
    total: Addresses = np.zeros(1, np.int64)
    for grid in grids:
        total = (total[:, None] + grid).reshape(-1)
    return total
