"""The meaning of one instruction: what it does to the scratchpads, in numpy.

Knows nothing of programs, tokens and time; the DRAM buffer of a transfer it is given.
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

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import PAR_BYTES
from cnnaccel.ir import intmath
from cnnaccel.isa.instructions import (
    TILE_LEVEL,
    Compute,
    Instruction,
    Load,
    Memory,
    Opcode,
    Store,
    Transfer,
)
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.isa.walkers import strides

Array = npt.NDArray[Any]
Addresses = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Words = dict[Memory, Addresses]
"""Ascending addresses by scratchpad."""
_BLOCK_BYTES = 16 << 20
_PADDING = {Opcode.MAC: 0, Opcode.MAX: -128}
"""Value that a lane outside the input reads."""


@dataclass(frozen=True)
class Cost:
    """Cycles of one instruction that runs alone, without the pipeline's length."""

    steps: int
    cycles: int
    """A tile takes its steps, or what the tile before it takes to drain, if that is more."""
    last_drain: int = 0
    """Cycles at the end in which the next instruction's steps may already run."""


def cost(lanes: int, instruction: Compute) -> Cost:
    """Steps, and cycles from the first step to the last word."""
    bounds = instruction.bounds
    groups, tile = bounds[0], math.prod(bounds[TILE_LEVEL:])
    tiles = math.prod(bounds[1:TILE_LEVEL])
    steps = groups * tiles * tile
    if not instruction.drain:
        return Cost(steps, steps)
    drain = max(2, lanes * instruction.words)
    last = max(2, lanes * instruction.words_last)
    waits = (groups - 1) * tiles * max(tile, drain) + (tiles - 1) * max(tile, last)
    return Cost(steps, tile + waits + last, last)


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


def transfer(pads: Scratchpads, instruction: Load | Store, dram: Bytes, start: int) -> None:
    """Move words between the scratchpads and a DRAM buffer, from its byte `start` on.

    Raises:
        ProgramError: bytes outside the buffer, or a shift that no par word has.
    """
    rows = dram_runs(pads, instruction, start)  # [runs, bytes]
    first, last = int(rows.min()), int(rows.max())
    if first < 0 or last >= len(dram):
        raise ProgramError(f"bytes {first} to {last} of {instruction.base.name} with {len(dram)}")
    to = _transfer_addresses(instruction)
    width = pads.act.shape[2]
    match instruction.opcode:
        case Opcode.STORE:
            dram[rows] = pads.read(to, instruction.interleave).reshape(rows.shape)
        case Opcode.LOAD_ACT:
            pads.write(to, instruction.interleave, dram[rows].reshape(*to.shape, width))
        case Opcode.UNFOLD:
            assert isinstance(instruction, Load)
            pads.write(to, instruction.interleave, _unfold(instruction, dram[rows], width))
        case Opcode.LOAD_WGT:
            kernels = dram[rows].view(np.int8)
            pads.wgt[to % len(pads.wgt)] = kernels.reshape(*to.shape, *pads.wgt.shape[1:])
        case Opcode.LOAD_PAR:
            words = dram[rows].reshape(*to.shape, -1, PAR_BYTES)
            if words[..., 6].max() > intmath.SHIFT_MAX:
                raise ProgramError(f"shift {words[..., 6].max()}, at most {intmath.SHIFT_MAX}")
            groups = to % len(pads.bias)
            for field, part in (
                (pads.bias, words[..., :4]),
                (pads.multiplier, words[..., 4:6]),
                (pads.shift, words[..., 6:]),
            ):
                little = field.dtype.newbyteorder("<")
                field[groups] = np.ascontiguousarray(part).view(little)[..., 0]
        case _:
            raise AssertionError(f"{instruction.opcode.name} is no transfer")


def dram_runs(pads: Scratchpads, instruction: Load | Store, start: int) -> Addresses:
    """int64[runs, bytes]: the bytes in DRAM of each run, or of each image row in UNFOLD."""
    if instruction.opcode is Opcode.UNFOLD:
        assert isinstance(instruction, Load)
        length = instruction.row_pixels * instruction.pixel_bytes
    else:
        length = instruction.run_words * _word_bytes(pads, instruction)
    run = np.arange(instruction.runs, dtype=np.int64)[:, None]
    return start + run * instruction.dram_stride + np.arange(length)


def reads(pads: Scratchpads, instruction: Instruction) -> Words:
    """The words whose content matters to an instruction.

    Lanes in padding read none, nor do those whose results no slot keeps.
    """
    match instruction:
        case Compute():
            return _Nest(pads, instruction).reads()
        case Store():
            return {
                Memory.ACT: _distinct(_transfer_addresses(instruction), _depth(pads, Memory.ACT))
            }
        case _:
            return {}


def writes(pads: Scratchpads, instruction: Instruction) -> Words:
    """The words that an instruction writes."""
    match instruction:
        case Compute():
            return _Nest(pads, instruction).writes()
        case Load():
            name = _SCRATCHPAD[instruction.opcode]
            return {name: _distinct(_transfer_addresses(instruction), _depth(pads, name))}
        case _:
            return {}


_SCRATCHPAD = {
    Opcode.LOAD_ACT: Memory.ACT,
    Opcode.LOAD_WGT: Memory.WGT,
    Opcode.LOAD_PAR: Memory.PAR,
    Opcode.UNFOLD: Memory.ACT,
    Opcode.STORE: Memory.ACT,
}


def _word_bytes(pads: Scratchpads, instruction: Transfer) -> int:
    k, c = pads.wgt.shape[1:]
    return {Memory.ACT: c, Memory.WGT: c * k, Memory.PAR: k * PAR_BYTES}[
        _SCRATCHPAD[instruction.opcode]
    ]


def _depth(pads: Scratchpads, name: Memory) -> int:
    banks, rows, _ = pads.act.shape
    return {Memory.ACT: banks * rows, Memory.WGT: len(pads.wgt), Memory.PAR: len(pads.bias)}[name]


def _distinct(addresses: Addresses, depth: int) -> Addresses:
    """The different words among the addresses, which wrap; ascending."""
    touched = np.zeros(depth, bool)
    touched[addresses % depth] = True
    return np.flatnonzero(touched)


def _transfer_addresses(instruction: Transfer) -> Addresses:
    """int64[runs, words]: scratchpad words; int64[rows, columns, words of a column] in UNFOLD."""
    run = instruction.address + np.arange(instruction.runs, dtype=np.int64) * instruction.stride
    if isinstance(instruction, Load) and instruction.opcode is Opcode.UNFOLD:
        column = np.arange(instruction.columns) * instruction.distance
        word = np.arange(instruction.column_words) * instruction.plane
        return np.asarray(run[:, None, None] + column[:, None] + word)
    return np.asarray(run[:, None] + np.arange(instruction.run_words) * instruction.distance)


def _unfold(instruction: Load, rows: Bytes, width: int) -> Bytes:
    """uint8[rows, columns, words, C] of image rows uint8[rows, bytes]: byte b of a column is the
    b-th before the end of its kernel row; older bytes go on to the left of it."""
    ends = np.arange(instruction.columns) * instruction.stride_x - instruction.pad_left
    ends = (ends + instruction.kernel_w) * instruction.pixel_bytes
    at = ends[:, None] - 1 - np.arange(instruction.column_words * width)  # [columns, bytes]
    inside = (at >= 0) & (at < rows.shape[1])
    laid = np.where(inside, rows[:, np.where(inside, at, 0)], np.uint8(0))
    return np.asarray(laid.reshape(len(rows), instruction.columns, -1, width))


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
        self.w_span = (self.steps - 1) * instruction.w_step
        self.w_drift = self.w_span - instruction.w_rewind
        """Distance from the first wgt word of a tile to that of the next; 0 in every layer's
        nest."""

    def blocks(self) -> Iterator[slice]:
        """Slices of the tiles of a group, of a size whose operands fit in memory."""
        tile_bytes = self.windows * self.steps * self.lanes * self.channels * 8
        count = max(1, _BLOCK_BYTES // tile_bytes)
        for start in range(0, self.tiles, count):
            yield slice(start, min(start + count, self.tiles))

    def sums(self, group: int, tiles: slice) -> Array:
        """int64[tiles, windows, P, K]: the sums, or maxima, without those of before."""
        ins = self.ins
        a, inside = self._operands(group, tiles)
        banks, _ = self.pads.locate(a[0, 0, 0], ins.interleave_in)
        if len(set(banks.tolist())) != self.lanes:
            raise ProgramError(f"lanes meet in a bank: {banks.tolist()}")
        words = self.pads.read(a, ins.interleave_in)  # [tiles, windows, steps, P, C]
        first = self.steps // ins.bounds[TILE_LEVEL]  # steps with ky = 0
        values = np.empty(words.shape, np.float64)
        for part, signed in (
            (np.s_[:, :, :first], ins.signed_first),
            (np.s_[:, :, first:], ins.signed_rest),
        ):
            values[part] = words[part].view(np.int8) if signed else words[part]
        values = np.where(inside[..., None], values, _PADDING[ins.opcode])
        if ins.opcode is Opcode.MAX:
            totals = np.zeros((*values.shape[:2], self.lanes, self.outputs), np.int64)
            totals[..., : self.channels] = values.max(axis=2)
            return totals
        length = self.steps * self.channels
        flat = values.transpose(0, 1, 3, 2, 4).reshape(*values.shape[:2], self.lanes, length)
        address = self._weight_words(group, tiles) % len(self.pads.wgt)
        weights = self.pads.wgt[address].astype(np.float64)  # [tiles, windows, steps, K, C]
        weights = weights.transpose(0, 1, 2, 4, 3).reshape(*address.shape[:2], length, -1)
        if self.w_drift == 0:  # one product for all
            flat, weights = flat.reshape(-1, length), weights[0, 0]
        products: Array = (flat @ weights).astype(np.int64)
        return products.reshape(*values.shape[:2], self.lanes, self.outputs)

    def drain(self, group: int, tiles: slice, totals: Array) -> None:
        """Requantize, pool and write the sums of some tiles."""
        ins = self.ins
        par = self._par_word(group) % len(self.pads.bias)
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
        kept, to = self._kept(group, tiles), self._targets(group, tiles)
        for word, address in enumerate(to):
            part = pooled[..., word * self.channels : (word + 1) * self.channels]
            self.pads.write(
                address[kept], ins.interleave_out, part[kept].astype(np.int64).astype(np.uint8)
            )

    def reads(self) -> Words:
        """Words that a `Compute` reads, as the function `reads` gives them."""
        ins = self.ins
        act = np.zeros(_depth(self.pads, Memory.ACT), bool)
        moves = (ins.a_jumps, ins.x_jumps, ins.y_jumps, ins.ox_jumps)
        alike = not any(strides(ins.bounds, jumps)[0] for jumps in moves)
        groups = range(ins.bounds[0])
        for group in groups[:1] if alike else groups:
            for tiles in self.blocks():
                a, inside = self._operands(group, tiles)
                kept = self._kept(group, tiles).repeat(ins.lanes_per_slot, axis=1)
                act[a[inside & kept[:, None, None]] % len(act)] = True
        found: Words = {Memory.ACT: np.flatnonzero(act)}
        if ins.opcode is Opcode.MAC:
            words = np.concatenate(
                [self._weight_words(group, np.s_[:]).reshape(-1) for group in groups]
            )
            found[Memory.WGT] = _distinct(words, _depth(self.pads, Memory.WGT))
        if ins.drain:
            words = np.array([self._par_word(group) for group in groups])
            found[Memory.PAR] = _distinct(words, _depth(self.pads, Memory.PAR))
        return found

    def writes(self) -> Words:
        """Words that a `Compute` writes, as the function `writes` gives them."""
        if not self.ins.drain:
            return {}
        act = np.zeros(_depth(self.pads, Memory.ACT), bool)
        for group in range(self.ins.bounds[0]):
            kept = self._kept(group, np.s_[:])
            for address in self._targets(group, np.s_[:]):
                act[address[kept] % len(act)] = True
        return {Memory.ACT: np.flatnonzero(act)}

    def _operands(self, group: int, tiles: slice) -> tuple[Addresses, npt.NDArray[np.bool_]]:
        """[tiles, windows, steps, P]: act words of the lanes, and whether they are in the input."""
        ins, lane = self.ins, self.lane * self.ins.lane_distance
        x = self._walk(ins.x_init, ins.x_jumps, group, tiles)[..., None] + lane
        y = self._walk(ins.y_init, ins.y_jumps, group, tiles)[..., None]
        a = self._walk(ins.a_init, ins.a_jumps, group, tiles)[..., None] + lane
        return a, (x >= 0) & (x < ins.in_w) & (y >= 0) & (y < ins.in_h)

    def _kept(self, group: int, tiles: slice) -> npt.NDArray[np.bool_]:
        """[tiles, slots]: whether a slot lies in the output."""
        slot = np.arange(self.lanes // self.ins.lanes_per_slot)
        column = self._walk(0, self.ins.ox_jumps, group, tiles)[:, 0, :1]
        return np.asarray(column + slot * self.ins.out_lane_columns < self.ins.out_w)

    def _targets(self, group: int, tiles: slice) -> Addresses:
        """int64[words, tiles, slots]: where the words of the slots go."""
        ins = self.ins
        slot = np.arange(self.lanes // ins.lanes_per_slot)
        word = np.arange(ins.words_last if group == ins.bounds[0] - 1 else ins.words)
        address = self._walk(ins.o_init, ins.o_jumps, group, tiles)[:, 0, :1]
        address = address + slot * ins.out_lane_distance
        return np.asarray(address + word[:, None, None] * ins.out_plane)

    def _par_word(self, group: int) -> int:
        return self.ins.par_init + group * self.ins.par_co

    def _walk(self, init: int, moves: tuple[int, ...], group: int, tiles: slice) -> Addresses:
        """int64[tiles, windows, steps]: a walker's value in every step of some tiles."""
        by = strides(self.ins.bounds, moves)
        levels = [*zip(self.ins.bounds, by, strict=True)]
        tile, window = _outer(levels[1:4])[tiles], _outer(levels[4:TILE_LEVEL])
        step = init + group * by[0] + _outer(levels[TILE_LEVEL:])
        return np.asarray(tile[:, None, None] + window[:, None] + step)

    def _weight_words(self, group: int, tiles: slice) -> Addresses:
        """int64[tiles, windows, steps]; [1, 1, steps] where all tiles use the same words."""
        count = self.tiles * self.windows
        between = (count - 1) * self.w_drift + self.w_span + self.ins.w_co
        tile = np.arange(count, dtype=np.int64).reshape(self.tiles, self.windows)[tiles]
        starts = tile * self.w_drift if self.w_drift else np.zeros((1, 1), np.int64)
        steps = np.arange(self.steps, dtype=np.int64) * self.ins.w_step
        return np.asarray(self.ins.w_init + group * between + starts[..., None] + steps)


def _outer(levels: list[tuple[int, int]]) -> Addresses:
    """Offsets of all steps of some levels, given as bound and stride, the last fastest."""
    total: Addresses = np.zeros(1, np.int64)
    for bound, stride in levels:
        if bound > 1:
            total = (total[:, None] + np.arange(bound, dtype=np.int64) * stride).reshape(-1)
    return total
