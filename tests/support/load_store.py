"""The bench of load and store: `hw/tb/load_store_tb.*` with arrays of Python for its memories."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.execute import transfer
from cnnaccel.isa.instructions import Base, Error, Load, Opcode, Store
from cnnaccel.isa.random_instruction import par_bytes, wgt_bytes
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.resources import resource
from cnnaccel.runtime.simulator import Style
from cnnaccel.tools.verilate import build

HW = resource("hw")
MODULES = (
    "skid_buffer", "fifo", "burst_splitter", "burst_issue", "axi_read_master", "axi_read_arbiter",
    "axi_write_master", "axi_masters", "run_commands", "registered_fifo", "word_walker",
    "word_assembler", "byte_window", "unfold", "load_end", "load_commands", "load", "store",
)  # fmt: skip
SOURCES = (HW / "rtl" / "cnnaccel_pkg.sv", *(HW / "rtl" / f"{name}.sv" for name in MODULES))
TOP = "load_store_tb"
BUFFER_BYTES = 1 << 14
"""Of each of the four buffers of random instructions."""
OTHER_BYTES = 1 << 12
"""Of what the other client of the read master reads, behind the buffers."""


def tiny(lanes: tuple[int, int, int] = (2, 4, 4)) -> HardwareConfig:
    p, c, k = lanes
    return HardwareConfig(
        pixel_lanes=p, input_lanes=c, output_lanes=k, act_kib=4, wgt_kib=4, par_groups=16
    )


@dataclass(frozen=True)
class Step:
    """An instruction in the order of the program, and what its iteration adds to its offset."""

    instruction: Load | Store
    advance: int = 0


@dataclass
class Case:
    """Instructions, the memories before them, and how the bench treats them."""

    hardware: HardwareConfig
    steps: Sequence[Step]
    memory: npt.NDArray[np.uint8]
    pads: Scratchpads
    base: dict[Base, int]
    """Where each buffer begins in `memory`."""
    size: dict[Base, int]
    seed: int = 0
    stall: float = 0.0
    style: Style = Style.PLAIN
    """Of the memory's write channels: one of the first four, or plain."""
    latency: int = 20
    act_latency: int = 2
    read_error: int = -1
    write_error: int = -1
    flush_at: int = 0
    origin: int = 0
    """AXI address of the first byte of `memory`."""
    other: tuple[int, int] = (0, 0)
    """First byte in `memory`, and number of bytes, of what the other client reads."""
    ordered: bool = True
    """Each instruction waits for those of the other unit before it."""


@dataclass(frozen=True)
class Outcome:
    memory: npt.NDArray[np.uint8]
    act: npt.NDArray[np.uint8]
    wgt: npt.NDArray[np.uint8]
    par: npt.NDArray[np.uint8]
    complaint: str
    cycles: int
    read_beats: int
    write_beats: int
    other_beats: int
    done: tuple[int, int]
    """Loads, stores."""
    errors: tuple[Error, Error]
    error_index: tuple[int, int]


def words_of(instruction: Load | Store) -> int:
    """Scratchpad words that an instruction moves."""
    if isinstance(instruction, Load) and instruction.opcode is Opcode.UNFOLD:
        return instruction.runs * instruction.columns * instruction.column_words
    return instruction.runs * instruction.run_words


def expected(case: Case) -> Outcome:
    """What `transfer` makes of the same."""
    memory = case.memory.copy()
    pads = Scratchpads(*(array.copy() for array in vars(case.pads).values()))
    for step in case.steps:
        base = step.instruction.base
        buffer = memory[case.base[base] : case.base[base] + case.size[base]]
        transfer(pads, step.instruction, buffer, step.instruction.dram_offset + step.advance)
    loads = sum(isinstance(step.instruction, Load) for step in case.steps)
    none = (Error.NONE, Error.NONE)
    return Outcome(
        memory, pads.act, wgt_bytes(pads), par_bytes(pads), "", 0, 0, 0, 0,
        (loads, len(case.steps) - loads), none, (0, 0),
    )  # fmt: skip


def simulate(case: Case) -> Outcome:
    """What the engine makes of them."""
    hardware = case.hardware
    memory = case.memory.copy()
    act = case.pads.act.copy()
    wgt = wgt_bytes(case.pads).copy()
    par = par_bytes(case.pads).copy()
    loads, stores = _items(case)
    setup = _Setup(
        memory=memory.ctypes.data, memory_bytes=memory.size, origin=case.origin,
        act=act.ctypes.data, wgt=wgt.ctypes.data, par=par.ctypes.data,
        lanes=hardware.pixel_lanes, act_words=hardware.act_words,
        wgt_words=hardware.wgt_words, par_words=hardware.par_groups,
        word_bytes=hardware.input_lanes, wgt_bytes=hardware.wgt_word_bytes,
        par_bytes=hardware.par_word_bytes,
        base=(ctypes.c_uint64 * 4)(*(case.origin + case.base[base] for base in Base)),
        size=(ctypes.c_uint32 * 4)(*(case.size[base] for base in Base)),
        loads=(_Item * max(1, len(loads)))(*loads), stores=(_Item * max(1, len(stores)))(*stores),
        load_count=len(loads), store_count=len(stores),
        other_first=case.origin + case.other[0], other_bytes=case.other[1],
        seed=case.seed, stall_permille=round(1000 * case.stall),
        style=case.style, latency=case.latency, act_latency=case.act_latency,
        read_error=case.read_error, write_error=case.write_error,
        flush_at=case.flush_at, most_cycles=2_000_000,
    )  # fmt: skip
    result = _Result()
    _library(hardware).run(ctypes.byref(setup), ctypes.byref(result))
    return Outcome(
        memory, act, wgt, par,
        result.complaint.decode(), result.cycles,
        result.read_beats, result.write_beats, result.other_beats,
        (result.loads_done, result.stores_done),
        (Error(result.load_error), Error(result.store_error)),
        (result.load_error_index, result.store_error_index),
    )  # fmt: skip


def _items(case: Case) -> tuple[list[_Item], list[_Item]]:
    loads: list[_Item] = []
    stores: list[_Item] = []
    for index, step in enumerate(case.steps):
        mine, others = (loads, stores) if isinstance(step.instruction, Load) else (stores, loads)
        mine.append(
            _Item(
                record=(ctypes.c_uint32 * 16).from_buffer_copy(step.instruction.pack()),
                index=1000 + index,
                advance=step.advance,
                after=len(others) if case.ordered else 0,
                words=words_of(step.instruction),
            )
        )
    return loads, stores


class _Item(ctypes.Structure):
    _fields_ = (
        ("record", ctypes.c_uint32 * 16),
        *((name, ctypes.c_uint32) for name in ("index", "advance", "after", "words")),
    )


class _Setup(ctypes.Structure):
    _fields_ = (
        ("memory", ctypes.c_void_p),
        *((name, ctypes.c_uint64) for name in ("memory_bytes", "origin")),
        *((name, ctypes.c_void_p) for name in ("act", "wgt", "par")),
        *((name, ctypes.c_uint32) for name in ("lanes", "act_words", "wgt_words", "par_words")),
        *((name, ctypes.c_uint32) for name in ("word_bytes", "wgt_bytes", "par_bytes")),
        ("base", ctypes.c_uint64 * 4),
        ("size", ctypes.c_uint32 * 4),
        ("loads", ctypes.POINTER(_Item)),
        ("stores", ctypes.POINTER(_Item)),
        *((name, ctypes.c_uint32) for name in ("load_count", "store_count")),
        *((name, ctypes.c_uint64) for name in ("other_first", "other_bytes")),
        *((name, ctypes.c_uint32) for name in ("seed", "stall_permille", "style")),
        *((name, ctypes.c_uint32) for name in ("latency", "act_latency")),
        *((name, ctypes.c_int64) for name in ("read_error", "write_error")),
        *((name, ctypes.c_uint64) for name in ("flush_at", "most_cycles")),
    )


class _Result(ctypes.Structure):
    _fields_ = (
        ("complaint", ctypes.c_char * 160),
        *(
            (name, ctypes.c_uint64)
            for name in ("cycles", "read_beats", "write_beats", "other_beats")
        ),
        *((name, ctypes.c_uint32) for name in ("loads_done", "stores_done")),
        *(
            (name, ctypes.c_uint32)
            for name in ("load_error", "load_error_index", "store_error", "store_error_index")
        ),
    )


@cache
def _library(hardware: HardwareConfig) -> ctypes.CDLL:
    harness: Path = HW / "tb" / f"{TOP}.cpp"
    library = ctypes.CDLL(str(build(TOP, (*SOURCES, HW / "tb" / f"{TOP}.sv"), hardware, harness)))
    library.run.argtypes = [ctypes.POINTER(_Setup), ctypes.POINTER(_Result)]
    library.run.restype = None
    return library
