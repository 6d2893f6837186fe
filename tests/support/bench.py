"""`compute` and its scratchpads in simulation: sequences of instructions, next to `execute()`.

Act is compared as a whole, in every byte; cycles with the law that `cost` states.
"""

from __future__ import annotations

import ctypes
import dataclasses
import math
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_double, c_uint8, c_uint32, c_uint64
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.execute import cost, execute
from cnnaccel.isa.instructions import Compute
from cnnaccel.isa.latency import (
    FIRST_STEP_CYCLES,
    READ_AHEAD_CYCLES,
    step_to_done_cycles,
)
from cnnaccel.isa.random_instruction import touched
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.resources import resource
from cnnaccel.tools.verilate import build
from tests.support.nests import par_bytes

HW = resource("hw")
COMPUTE = [
    HW / "rtl" / f"{name}.sv"
    for name in (
        "cnnaccel_pkg", "accumulator", "act_scratchpad", "adder_tree", "compute", "delay",
        "dot_product", "drain", "fifo", "issue", "lane_address", "lane_operand", "loop_controller",
        "lut_product", "mac_array", "par_scratchpad", "pooling", "product", "ram_sdp", "ram_tdp",
        "requantize", "walker", "walkers", "wgt_scratchpad", "write_back",
    )
]  # fmt: skip
TESTBENCH = HW / "tb" / "compute_tb.sv"
HARNESS = HW / "tb" / "compute_tb.cpp"


def engine(p: int, c: int, k: int, **rest: Any) -> HardwareConfig:
    """With scratchpads that are filled and read back in no time."""
    sizes = {"act_kib": 4 * c, "wgt_kib": max(4, c * k // 8), "par_groups": 16}
    return HardwareConfig(pixel_lanes=p, input_lanes=c, output_lanes=k, **(sizes | rest))


def name_of(hw: HardwareConfig) -> str:
    """2x4x4: the id of an engine."""
    return "x".join(map(str, hw.lanes)) + ("" if hw.dsp_packing else " unpacked")


class _Traffic(Structure):
    _fields_ = (
        ("count", c_uint32),
        ("address", POINTER(c_uint32)),
        ("log2_l", POINTER(c_uint8)),
        ("data", POINTER(c_uint8)),
    )


class _Run(Structure):
    _fields_ = (
        ("count", c_uint32),
        ("instructions", ctypes.c_char_p),
        ("taken", POINTER(c_uint64)),
        ("done", POINTER(c_uint64)),
        ("most_cycles", c_uint64),
        ("steps", c_uint64),
        ("writes", c_uint64),
        ("gap", c_double),
        ("seed", c_uint64),
        ("load", _Traffic),
        ("store", _Traffic),
    )


@cache
def library(hardware: HardwareConfig, trace: bool = False) -> ctypes.CDLL:
    """The simulation of an engine; built if it has not been."""
    path = build(
        "compute_tb", [*COMPUTE, TESTBENCH], hardware, HARNESS, trace="vcd" if trace else None
    )
    found = ctypes.CDLL(str(path))
    found.bench_open.restype = ctypes.c_void_p
    found.bench_run.restype = c_uint64
    return found


@dataclass
class Transfers:
    """Words of act that load writes, or store reads, while instructions run."""

    address: np.ndarray
    log2_l: np.ndarray
    data: np.ndarray
    """uint8[words, C]"""

    def as_struct(self) -> _Traffic:
        return _Traffic(
            len(self.address),
            self.address.ctypes.data_as(POINTER(c_uint32)),
            self.log2_l.ctypes.data_as(POINTER(c_uint8)),
            self.data.ctypes.data_as(POINTER(c_uint8)),
        )


@dataclass(frozen=True)
class Ran:
    """When instructions were taken and done, in cycles, and what was counted."""

    taken: list[int]
    done: list[int]
    cycles: int
    steps: int
    writes: int


class Bench:
    """An engine's `compute` with its scratchpads."""

    def __init__(self, hardware: HardwareConfig) -> None:
        self.hardware = hardware
        self._library = library(hardware)
        self._bench = ctypes.c_void_p(self._library.bench_open())

    def __del__(self) -> None:
        self._library.bench_close(self._bench)

    def load(self, pads: Scratchpads) -> None:
        """Fill the scratchpads."""
        act = np.ascontiguousarray(_linear(pads))
        parameters = {name: getattr(pads, name) for name in ("bias", "multiplier", "shift")}
        for call, data, count in (
            (self._library.bench_load_act, act.tobytes(), len(act)),
            (self._library.bench_load_wgt, pads.wgt.tobytes(), len(pads.wgt)),
            (self._library.bench_load_par, par_bytes(parameters), len(pads.bias)),
        ):
            call(self._bench, data, count)

    def act(self) -> np.ndarray:
        """uint8[banks, rows, C]"""
        hw = self.hardware
        words = np.zeros((hw.act_words, hw.input_lanes), np.uint8)
        to = words.ctypes.data_as(ctypes.c_void_p)
        self._library.bench_store_act(self._bench, to, len(words))
        return words.reshape(-1, hw.pixel_lanes, hw.input_lanes).transpose(1, 0, 2)

    def interrupt(self, instructions: Sequence[Compute], after_cycles: int) -> None:
        """Run for so many cycles, then reset for one."""
        none = Transfers(*(np.zeros(0, dtype) for dtype in (np.uint32, np.uint8, np.uint8)))
        with pytest.raises(AssertionError, match="not done"):
            self.run(instructions, none, none, most_cycles=after_cycles)
        self._library.bench_reset(self._bench)

    def run(
        self,
        instructions: Sequence[Compute],
        load: Transfers,
        store: Transfers,
        *,
        gap: float = 0.0,
        seed: int = 0,
        most_cycles: int = 10_000_000,
    ) -> Ran:
        count = len(instructions)
        taken, done = (c_uint64 * count)(), (c_uint64 * count)()
        run = _Run(
            count, b"".join(one.pack() for one in instructions), taken, done, most_cycles, 0, 0,
            gap, seed, load.as_struct(), store.as_struct(),
        )  # fmt: skip
        cycles = self._library.bench_run(self._bench, ctypes.byref(run))
        assert cycles, f"not done after {most_cycles} cycles: taken {[*taken]}, done {[*done]}"
        return Ran([*taken], [*done], cycles, run.steps, run.writes)


def _linear(pads: Scratchpads) -> np.ndarray:
    """uint8[words, C] of act, in the order of addresses of a region without interleave."""
    return pads.act.transpose(1, 0, 2).reshape(-1, pads.act.shape[2])


# -- the law -------------------------------------------------------------------------------------


def law(hardware: HardwareConfig, instructions: Sequence[Compute]) -> tuple[list[int], list[int]]:
    """The cycles in which instructions are taken and done, offered all at once.

    A tile takes its steps, or what the tile before takes to drain, if that is more: `cost` sums
    this up for an instruction; across instructions it holds too.
    """
    to_done = step_to_done_cycles(hardware.input_lanes)
    lanes = hardware.pixel_lanes
    taken: list[int] = []
    done: list[int] = []
    free = free_to_take = 0  # when a tile may end, and an instruction be taken
    for number, one in enumerate(instructions):
        spent = cost(lanes, one)
        at = free_to_take if number else 1
        if one.wait_drain and number:
            at = max(at, done[-1] - READ_AHEAD_CYCLES)
        steps = math.prod(one.bounds[6:])
        begin = at + FIRST_STEP_CYCLES
        waits = max(0, free - (begin + steps - 1))
        end = begin + waits + spent.cycles - spent.last_drain - 1
        words = lanes * one.words_last if one.drain else 1
        free = end + max(words, spent.last_drain)
        free_to_take = end + (spent.steps == 1)
        taken.append(at)
        done.append(end + to_done + words - 1)
    return taken, done


# -- together ------------------------------------------------------------------------------------


def after(
    hardware: HardwareConfig, pads: Scratchpads, instructions: Sequence[Compute]
) -> Scratchpads:
    """What `execute` makes of the scratchpads."""
    copied = Scratchpads(*(getattr(pads, field.name).copy() for field in dataclasses.fields(pads)))
    sums = np.zeros((hardware.pixel_lanes, hardware.output_lanes), np.int64)
    for one in instructions:
        sums = execute(copied, one, sums)
    return copied


def transfers(
    rng: np.random.Generator, pads: Scratchpads, instructions: Sequence[Compute], count: int
) -> tuple[Transfers, Transfers]:
    """Words that load writes and store reads, none of which the instructions care for."""
    used = np.zeros(pads.act.shape[:2], bool)
    wrote = used.copy()
    for one in instructions:
        read, written = touched(pads, one)
        used |= read | written
        wrote |= written
    banks, rows, width = pads.act.shape
    at, log2_l = rng.integers(0, banks * rows, 2 * count), rng.integers(0, 3, 2 * count)
    bank, row = (np.zeros(2 * count, np.int64) for _ in range(2))
    for value in range(3):
        same = log2_l == value
        bank[same], row[same] = pads.locate(at[same], 1 << value)
    is_load = np.arange(2 * count) < count
    loaded = is_load & ~used[bank, row]
    wrote[bank[loaded], row[loaded]] = True
    stored = ~is_load & ~wrote[bank, row]
    return tuple(
        Transfers(
            at[some].astype(np.uint32),
            log2_l[some].astype(np.uint8),
            rng.integers(0, 256, (int(some.sum()), width), np.uint8),
        )
        for some in (loaded, stored)
    )  # type: ignore[return-value]


def check(
    hardware: HardwareConfig,
    pads: Scratchpads,
    instructions: Sequence[Compute],
    rng: np.random.Generator,
    *,
    gap: float = 0.0,
    traffic: int = 0,
    bench: Bench | None = None,
) -> Ran:
    """Runs instructions on both. The same bytes in all of act; at gap 0, the cycles of the law."""
    bench = bench or Bench(hardware)
    load, store = transfers(rng, pads, instructions, traffic)
    bench.load(pads)
    ran = bench.run(instructions, load, store, gap=gap, seed=int(rng.integers(1 << 32)))
    found = bench.act()
    for word, address, log2_l in zip(store.data, store.address, store.log2_l, strict=True):
        expected = pads.read(address, 1 << int(log2_l))
        assert np.array_equal(word, expected), f"store of word {address} L {1 << log2_l}"
    wanted = after(hardware, pads, instructions)
    for word, address, log2_l in zip(load.data, load.address, load.log2_l, strict=True):
        wanted.write(address, 1 << int(log2_l), word)
    wrong = np.argwhere(found != wanted.act)
    if len(wrong):
        bank, row, channel = wrong[0]
        pytest.fail(
            f"{len(wrong)} bytes of act differ, first bank {bank} row {row} channel {channel}: "
            f"got {found[tuple(wrong[0])]}, expected {wanted.act[tuple(wrong[0])]}; gap {gap} "
            + "".join(f"\n{one}" for one in instructions)
        )
    assert ran.steps == sum(cost(hardware.pixel_lanes, one).steps for one in instructions)
    if gap == 0:
        assert (ran.taken, ran.done) == law(hardware, instructions), instructions
    return ran
