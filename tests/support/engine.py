"""The whole engine in Verilator, as a driver sees it: registers, memory, an interrupt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pytest

from cnnaccel.compiler.compile import Compiled
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import (
    Base,
    Error,
    Header,
    Register,
    registers,
)
from cnnaccel.isa.interpreter import run_program
from cnnaccel.isa.program import Program, disassemble
from cnnaccel.isa.random_program import Drawn
from cnnaccel.runtime.simulator import Simulator, Style, Timing
from cnnaccel.tools.simulation import simulated_bitstream

Bytes = npt.NDArray[np.uint8]
ORIGIN = 0x1000_0000
"""Physical address of the memory."""
COVERAGE: Counter[str] | None = None
"""How often each point of coverage was reached; `tests/rtl/coverage.py` wants to know."""
_PAGE = 4096
_AT: dict[str, Register] = {register.name: register for register in registers()}


@dataclass
class Engine:
    """An engine after reset, with some memory."""

    hardware: HardwareConfig
    memory_bytes: int = 1 << 22
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        self.memory = np.zeros(self.memory_bytes, np.uint8)
        library = simulated_bitstream(self.hardware, coverage=COVERAGE is not None)
        self.simulator = Simulator(library, self.memory, ORIGIN, self.timing)

    def __del__(self) -> None:
        if COVERAGE is not None:
            COVERAGE.update(self.simulator.coverage())

    def slow(self, timing: Timing) -> None:
        """Let memory be like this from now on; bus_permille 0 answers nothing at all."""
        self.simulator.slow(timing)

    def style(self, style: Style) -> None:
        """Let memory behave in another style from now on, `slow` or not."""
        self.timing = replace(self.timing, style=style)
        self.slow(self.timing)

    def waiting(self) -> set[str]:
        """The flags of register `waiting`."""
        value = self.read("waiting")
        return {flag.name for bit, flag in enumerate(_AT["waiting"].flags) if value >> bit & 1}

    def read(self, name: str) -> int:
        register = _AT[name]
        words = range(register.bits // 32)
        return sum(self.simulator.read(register.at + 4 * i) << 32 * i for i in words)

    def write(self, name: str, value: int) -> None:
        register = _AT[name]
        for i in range(register.bits // 32):
            self.simulator.write(register.at + 4 * i, value >> 32 * i & 0xFFFFFFFF)

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
        self.simulator.run(most_cycles)
        self.write("interrupt_status", 3)

    def reset(self) -> None:
        """Soft reset; the engine is at rest after it."""
        self.write("control", 2)
        self.step(200)
        assert self.read("status") == 0

    def step(self, cycles: int) -> None:
        """So many cycles, or to an interrupt."""
        self.simulator.run(cycles)

    @property
    def done(self) -> bool:
        return self.read("status") == 2

    @property
    def error(self) -> Error:
        return Error(self.read("error"))


def run(engine: Engine, compiled: Compiled, images: np.ndarray) -> np.ndarray:
    """The engine's results; OUTPUT and SCRATCH are the interpreter's, byte for byte."""
    program, ports = compiled.program, compiled.ports
    count = -(-len(images) // ports.images)
    packed = ports.pack(images)
    places = engine.put(program, packed, count)
    engine.start()
    assert engine.done, (engine.read("status"), engine.error, engine.read("failing_instruction"))
    assert engine.read("iteration") == count
    expected = run_program(engine.hardware, program, packed, count)
    for base in (Base.OUTPUT, Base.SCRATCH):
        found = engine.memory[places[base].start : places[base].stop]
        assert np.array_equal(found, expected[base]), base
    output = engine.memory[places[Base.OUTPUT].start : places[Base.OUTPUT].stop]
    return ports.unpack(output, len(images))


STALLS = (0, 300, 900)


def check(engine: Engine, drawn: Drawn, seed: int) -> None:
    """OUTPUT and SCRATCH are the interpreter's, nothing else has changed."""
    hw, program = engine.hardware, drawn.program
    expected = run_program(hw, program, drawn.images, drawn.count, "random", seed)
    places = engine.put(program, drawn.images, drawn.count)
    wanted = engine.memory.copy()
    for base in (Base.OUTPUT, Base.SCRATCH):
        wanted[places[base].start : places[base].stop] = expected[base]
    engine.start(5_000_000)
    story = f"seed {seed} on {hw}, {engine.timing}"
    if not engine.done or engine.read("iteration") != drawn.count:
        pytest.fail(
            f"{story}: status {engine.read('status')}, {engine.error!r} of instruction "
            f"{engine.read('failing_instruction')}, waiting {engine.waiting()}"
        )
    wrong = np.flatnonzero(engine.memory != wanted)
    if wrong.size:
        found, meant = engine.memory[wrong[0]], wanted[wrong[0]]
        where = [base.name for base, place in places.items() if wrong[0] in place]
        print("\n".join(disassemble(program, hw)))
        pytest.fail(
            f"{story}: {wrong.size} bytes differ; the first at {wrong[0]}, {where or 'no buffer'}: "
            f"got {found}, expected {meant}; buffers at {places}"
        )
