"""The Verilated engine and its memory, as the library of `hw/sim/engine_sim.cpp` offers them."""

from __future__ import annotations

import ctypes
import tempfile
from dataclasses import asdict, dataclass
from enum import IntFlag
from pathlib import Path
from typing import Any

import numpy as np

from cnnaccel.errors import EngineError

EVENTS = (
    "cycles", "steps", "compute_waits_load", "compute_waits_store", "load_busy", "store_busy",
    "read_beats", "written_beats",
)  # fmt: skip
"""Columns of `Activity.counts`."""


class Style(IntFlag):
    """How a memory may behave within the rules of AXI; at most one of the first four."""

    PLAIN = 0
    """An address of a write is taken at any time, its data after it, several bursts at a time."""
    WITH_DATA = 1
    """An address of a write is taken only in the cycle of its first word."""
    AFTER_WORD = 2
    """Only after its first word was taken."""
    AFTER_BURST = 4
    """Only after its last word was taken."""
    ADDRESS_FIRST = 8
    """A word is taken only 64 cycles after its address."""
    ONE_AT_A_TIME = 16
    """An address is taken only when no other burst is under way, read or write."""
    GAPS = 32
    """Each channel is shut for up to 40 cycles now and then."""
    LATE = 64
    """The first beat of a read and the response to a write come up to 500 cycles later."""
    JUNK = 128
    """What is not valid is random."""


@dataclass(frozen=True)
class Timing:
    """Parameters of the memory model; the defaults are our model of a Zynq-7000's HP port."""

    latency: int = 40
    """Cycles from a read's address to its first beat, from a write's last beat to its response."""
    bus_permille: int = 800
    """Share of the cycles in which a beat can pass, in each direction; 0 answers nothing at all."""
    outstanding: int = 8
    """Bursts under way, in each direction."""
    stall_permille: int = 0
    """Share of the handshakes that chance holds up for a cycle, on top."""
    seed: int = 0
    style: Style = Style.PLAIN


class _Memory(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("base", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("latency", ctypes.c_uint32),
        ("bus_permille", ctypes.c_uint32),
        ("outstanding", ctypes.c_uint32),
        ("stall_permille", ctypes.c_uint32),
        ("seed", ctypes.c_uint32),
        ("style", ctypes.c_uint32),
    ]


class _Activity(ctypes.Structure):
    _fields_ = [
        ("first", ctypes.c_uint64),
        ("cycles", ctypes.c_uint32),
        ("bins", ctypes.c_uint32),
        ("counts", ctypes.c_void_p),
        ("room", ctypes.c_uint32),
        ("begun", ctypes.c_uint32),
        ("instructions", ctypes.c_void_p),
    ]


class Activity:
    """What the units do over time, filled while the simulation runs."""

    def __init__(self, first: int, cycles: int, bins: int, room: int) -> None:
        self.cycles = cycles
        """Cycles of a bin."""
        self.counts = np.zeros((bins, len(EVENTS)), np.uint32)
        """[bins, events]: cycles in which it was so, and beats; the first bin from `first` on."""
        self._instructions = np.zeros((room, 3), np.uint32)
        self._struct = _Activity(
            first, cycles, bins, self.counts.ctypes.data, room, 0, self._instructions.ctypes.data
        )

    @property
    def instructions(self) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """[begun, 3]: cycle, unit (0 load, 1 compute, 2 store), index in once and body."""
        return self._instructions[: self._struct.begun]


class Simulator:
    """An engine after power-up, in front of the caller's memory, which begins at `base`.

    Raises:
        EngineError: the library is none of ours.
    """

    def __init__(
        self, library: str | Path, memory: np.ndarray[Any, Any], base: int, timing: Timing
    ) -> None:
        try:
            calls = ctypes.CDLL(str(library))
            calls.sim_new.restype = ctypes.c_void_p
            calls.sim_run.restype = ctypes.c_uint64
            calls.sim_now.restype = ctypes.c_uint64
            calls.sim_read.restype = ctypes.c_uint32
            calls.sim_trace.restype = calls.sim_interrupt.restype = ctypes.c_bool
            calls.sim_complaint.restype = ctypes.c_char_p
        except (OSError, AttributeError) as error:
            raise EngineError(f"{library}: no simulated engine ({error})") from None
        self._calls = calls
        self._memory = memory
        self._base = base
        self._activity: Activity | None = None
        self._sim = ctypes.c_void_p(calls.sim_new(ctypes.byref(self._as_struct(timing))))

    def __del__(self) -> None:
        if hasattr(self, "_sim"):
            self._calls.sim_free(self._sim)

    def _as_struct(self, timing: Timing) -> _Memory:
        at, size = self._memory.ctypes.data, self._memory.nbytes
        return _Memory(at, self._base, size, **asdict(timing))

    def slow(self, timing: Timing) -> None:
        """Let memory be like this from now on, but for the seed."""
        self._calls.sim_slow(self._sim, ctypes.byref(self._as_struct(timing)))

    def read(self, offset: int) -> int:
        """The 32 bits of a register; takes a few cycles."""
        value = int(self._calls.sim_read(self._sim, offset))
        self._check()
        return value

    def write(self, offset: int, value: int) -> None:
        """Set 32 bits of a register; takes a few cycles."""
        self._calls.sim_write(self._sim, offset, ctypes.c_uint32(value))
        self._check()

    def run(self, most_cycles: int) -> int:
        """Until the interrupt line is high, at most so many cycles; how many it was."""
        count = int(self._calls.sim_run(self._sim, ctypes.c_uint64(most_cycles)))
        self._check()
        return count

    @property
    def interrupt(self) -> bool:
        """Whether the interrupt line is high."""
        return bool(self._calls.sim_interrupt(self._sim))

    @property
    def now(self) -> int:
        """Cycles since power-up."""
        return int(self._calls.sim_now(self._sim))

    def record(self, activity: Activity | None) -> None:
        """Count into `activity`, or stop counting."""
        self._activity = activity  # the library writes there
        struct = None if activity is None else ctypes.byref(activity._struct)
        self._calls.sim_record(self._sim, struct)

    def trace(self, path: str | Path, first: int, last: int) -> None:
        """Write the waves of cycles first to last - 1, until `end_trace`.

        Raises:
            EngineError: the library was built without, or the file cannot be written.
        """
        if not self._calls.sim_trace(
            self._sim, str(path).encode(), ctypes.c_uint64(first), ctypes.c_uint64(last)
        ):
            raise EngineError(f"{path}: cannot write waves there")

    def end_trace(self) -> None:
        """Complete the file."""
        self._calls.sim_trace(self._sim, b"", ctypes.c_uint64(0), ctypes.c_uint64(0))

    def coverage(self) -> dict[str, int]:
        """How often each point was reached, by its name in Verilator's file; of libraries that
        were built for it."""
        with tempfile.NamedTemporaryFile() as file:
            self._calls.sim_coverage(self._sim, file.name.encode())
            lines = Path(file.name).read_text(encoding="utf-8").splitlines()[1:]
        return {name: int(count) for name, count in (line.rsplit(" ", 1) for line in lines)}

    def _check(self) -> None:
        complaint = bytes(self._calls.sim_complaint(self._sim)).decode()
        if complaint:
            raise EngineError(f"the engine broke a rule of AXI: {complaint}")
