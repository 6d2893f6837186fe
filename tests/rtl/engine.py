"""The whole engine in Verilator, as a driver sees it: registers, memory, an interrupt."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnaccel.backend.verilate import build
from cnnaccel.compiler.isa import Base, Error, Header, Register, registers
from cnnaccel.compiler.program import Program
from cnnaccel.hardware import HardwareConfig
from cnnaccel.resources import resource

Bytes = npt.NDArray[np.uint8]
RTL = Path(str(resource("hw"))) / "rtl"
PACKAGE = RTL / "cnnaccel_pkg.sv"
SOURCES = (PACKAGE, *sorted(path for path in RTL.glob("*.sv") if path != PACKAGE))
HARNESS = RTL.parent / "sim" / "engine_sim.cpp"
ORIGIN = 0x1000_0000
"""Physical address of the memory."""
_PAGE = 4096
_AT: dict[str, Register] = {register.name: register for register in registers()}


class _Memory(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("base", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        *(
            (name, ctypes.c_uint32)
            for name in (
                "word_bytes", "latency", "bus_permille", "outstanding", "stall_permille", "seed",
            )
        ),
    ]  # fmt: skip


@dataclass
class Timing:
    """Of the memory model."""

    latency: int = 40
    bus_permille: int = 800
    outstanding: int = 8
    stall_permille: int = 0
    seed: int = 0


@dataclass
class Engine:
    """An engine after reset, with some memory."""

    hardware: HardwareConfig
    memory_bytes: int = 1 << 22
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        library = ctypes.CDLL(str(build("engine", SOURCES, self.hardware, HARNESS)))
        library.sim_new.restype = ctypes.c_void_p
        library.sim_run.restype = ctypes.c_uint64
        library.sim_read.restype = ctypes.c_uint32
        library.sim_complaint.restype = ctypes.c_char_p
        self.calls = library
        self.memory = np.zeros(self.memory_bytes, np.uint8)
        self.sim = ctypes.c_void_p(library.sim_new(ctypes.byref(self._as_struct(self.timing))))

    def __del__(self) -> None:
        self.calls.sim_free(self.sim)

    def _as_struct(self, timing: Timing) -> _Memory:
        return _Memory(
            self.memory.ctypes.data, ORIGIN, self.memory_bytes, self.hardware.input_lanes,
            *vars(timing).values(),
        )  # fmt: skip

    def slow(self, timing: Timing) -> None:
        """Let memory be like this from now on; bus_permille 0 answers nothing at all."""
        self.calls.sim_slow(self.sim, ctypes.byref(self._as_struct(timing)))

    def waiting(self) -> set[str]:
        """The flags of register `waiting`."""
        value = self.read("waiting")
        return {flag.name for bit, flag in enumerate(_AT["waiting"].flags) if value >> bit & 1}

    def read(self, name: str) -> int:
        register = _AT[name]
        value = int(self.calls.sim_read(self.sim, register.at))
        if register.bits == 64:
            value |= int(self.calls.sim_read(self.sim, register.at + 4)) << 32
        return value

    def write(self, name: str, value: int) -> None:
        register = _AT[name]
        for word in range(register.bits // 32):
            part = ctypes.c_uint32(value >> 32 * word & 0xFFFFFFFF)
            self.calls.sim_write(self.sim, register.at + 4 * word, part)

    def put(self, program: Program, images: Bytes, count: int) -> dict[Base, range]:
        """Everything into memory and registers; where the buffers lie in memory."""
        packed = np.frombuffer(program.pack()[Header.BYTES :], np.uint8)
        contents = {
            None: packed,
            Base.WEIGHTS: np.frombuffer(program.weights, np.uint8),
            Base.INPUT: images,
            Base.OUTPUT: np.zeros(count * program.output_stride, np.uint8),
            Base.SCRATCH: np.zeros(program.scratch_bytes, np.uint8),
        }
        at, places = _PAGE, {}
        for base, content in contents.items():
            assert at + content.size <= self.memory_bytes, "too little memory"
            self.memory[at : at + content.size] = content
            name = "program" if base is None else base.name.lower()
            self.write(f"{name}_address", ORIGIN + at)
            if base is not None:
                self.write(f"{name}_bytes", content.size)
                places[base] = range(at, at + content.size)
            at += -(-content.size // _PAGE) * _PAGE + _PAGE
        self.write("once_bytes", sum(one.BYTES for one in program.once))
        self.write("body_bytes", sum(one.BYTES for one in program.body))
        self.write("count", count)
        self.write("input_stride", program.input_stride)
        self.write("output_stride", program.output_stride)
        self.write("interrupt_enable", 3)
        return places

    def start(self, most_cycles: int = 50_000_000) -> None:
        """Start, and wait for the interrupt, which is cleared."""
        self.write("interrupt_status", 3)
        self.write("control", 1)
        self.wait(most_cycles)

    def wait(self, most_cycles: int) -> None:
        """For the interrupt."""
        self.calls.sim_run(self.sim, ctypes.c_uint64(most_cycles))
        self.write("interrupt_status", 3)
        assert self.complaint == ""

    def reset(self) -> None:
        """Soft reset; the engine is at rest after it."""
        self.write("control", 2)
        self.step(200)
        assert self.read("status") == 0

    def step(self, cycles: int) -> None:
        """So many cycles, or to an interrupt."""
        self.calls.sim_run(self.sim, ctypes.c_uint64(cycles))

    @property
    def complaint(self) -> str:
        """What the memory did not like."""
        return bytes(self.calls.sim_complaint(self.sim)).decode()

    @property
    def done(self) -> bool:
        return self.read("status") == 2

    @property
    def error(self) -> Error:
        return Error(self.read("error"))
