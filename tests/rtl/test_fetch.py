"""fetch: which instructions reach which unit, with which index and offset."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Base, Error, Opcode
from cnnaccel.tools.verilate import build, lint
from tests.support.load_store import HW, tiny
from tests.support.modules import FETCH

TESTBENCH = HW / "tb" / "fetch_tb.sv"
LANES = ((2, 4, 4), (2, 16, 64), (4, 8, 8))
STALLS = (0.0, 0.3, 0.9)
ADDRESS = 0x1000
UNITS = 3
NO_STRIDES = {Base.INPUT: 0, Base.OUTPUT: 0}
Record = bytes
Given = tuple[int, Record, int, int]
"""Unit, record, index, advance."""


class _Given(ctypes.Structure):
    _fields_ = (
        ("record", ctypes.c_uint8 * 128),
        *((name, ctypes.c_uint32) for name in ("unit", "index", "advance", "reserved")),
    )


class _Setup(ctypes.Structure):
    _fields_ = (
        ("memory", ctypes.c_char_p),
        ("origin", ctypes.c_uint64),
        ("program_address", ctypes.c_uint64),
        *(
            (name, ctypes.c_uint32)
            for name in ("once_bytes", "body_bytes", "count", "input_stride", "output_stride",
                         "word_bytes", "seed", "stall_permille", "latency")
        ),
        ("read_error", ctypes.c_int64),
        ("closed", ctypes.c_uint32),
        ("most_given", ctypes.c_uint32),
        ("given", ctypes.POINTER(_Given)),
        ("most_cycles", ctypes.c_uint64),
    )  # fmt: skip


class _Result(ctypes.Structure):
    _fields_ = (
        ("complaint", ctypes.c_char * 120),
        *((name, ctypes.c_uint64) for name in ("cycles", "beats")),
        *(
            (name, ctypes.c_uint32)
            for name in ("given", "iteration", "finished", "still", "error", "error_index")
        ),
    )


@cache
def _library(hardware: HardwareConfig) -> ctypes.CDLL:
    library = ctypes.CDLL(
        str(build("fetch_tb", (*FETCH, TESTBENCH), hardware, HW / "tb" / "fetch_tb.cpp"))
    )
    library.run.argtypes = [ctypes.POINTER(_Setup), ctypes.POINTER(_Result)]
    library.run.restype = None
    return library


@dataclass
class Case:
    """A program, as records, and how it is fetched."""

    hardware: HardwareConfig
    once: list[Record]
    body: list[Record]
    count: int
    strides: dict[Base, int]
    seed: int = 0
    stall: float = 0.0
    latency: int = 10
    read_error: int = -1
    closed: int = 0
    address: int = ADDRESS
    found: _Result = field(default_factory=_Result)

    def run(self) -> list[list[Given]]:
        """What each unit was given."""
        once, body = b"".join(self.once), b"".join(self.body)
        most = len(self.once) + self.count * len(self.body)
        given = (_Given * max(1, most))()
        setup = _Setup(
            memory=once + body, origin=self.address, program_address=self.address,
            once_bytes=len(once), body_bytes=len(body), count=self.count,
            input_stride=self.strides[Base.INPUT], output_stride=self.strides[Base.OUTPUT],
            word_bytes=self.hardware.input_lanes, seed=self.seed,
            stall_permille=round(1000 * self.stall), latency=self.latency,
            read_error=self.read_error, closed=self.closed, most_given=most, given=given,
            most_cycles=1_000_000,
        )  # fmt: skip
        _library(self.hardware).run(ctypes.byref(setup), ctypes.byref(self.found))
        assert not self.found.complaint, self.found.complaint.decode()
        units: list[list[Given]] = [[] for _ in range(UNITS)]
        for each in given[: self.found.given]:
            size = 128 if each.unit == 1 else 64
            units[each.unit].append(
                (each.unit, bytes(each.record)[:size], each.index, each.advance)
            )
        return units

    def expected(self, most: int | None = None) -> list[list[Given]]:
        """The same of the first `most` instructions, as docs/isa.md has it."""
        units: list[list[Given]] = [[] for _ in range(UNITS)]
        flat = [(index, record, 0) for index, record in enumerate(self.once)]
        for iteration in range(self.count):
            flat += [(len(self.once) + i, record, iteration) for i, record in enumerate(self.body)]
        for index, record, iteration in flat[:most]:
            unit = unit_of(record)
            by = 0
            if unit != 1 and record[1] >> 5 & 1:
                by = self.strides.get(Base(record[1] >> 3 & 3), 0) * iteration
            units[unit].append((unit, record, index, min(by, (1 << 32) - 1)))
        return units


def unit_of(record: Record) -> int:
    return Opcode(record[0] & 31).unit.bit_length() - 1


def record(rng: np.random.Generator, opcode: Opcode | int) -> Record:
    """Any bytes behind the opcode."""
    data = bytearray(rng.bytes(128 if int(opcode) >> 2 == 2 else 64))
    data[0] = data[0] & ~31 | int(opcode)
    return bytes(data)


def records(rng: np.random.Generator, count: int) -> list[Record]:
    return [record(rng, Opcode(int(code))) for code in rng.choice(list(Opcode), count)]


def random_case(hardware: HardwareConfig, rng: np.random.Generator, stall: float) -> Case:
    once, body = (records(rng, int(rng.choice([0, 1, 2, 9, 20]))) for _ in range(2))
    strides = {base: int(rng.integers(1 << 20)) for base in (Base.INPUT, Base.OUTPUT)}
    return Case(
        hardware, once, body, int(rng.integers(0, 6)), strides,
        seed=int(rng.integers(1 << 31)), stall=stall, latency=int(rng.integers(1, 60)),
    )  # fmt: skip


# whole networks run on the last one every day
@pytest.fixture(
    params=[*LANES[:2], pytest.param(LANES[2], marks=pytest.mark.slow)],
    ids=lambda lanes: "x".join(map(str, lanes)),
)
def hardware(request: pytest.FixtureRequest) -> HardwareConfig:
    return tiny(request.param)


@pytest.mark.parametrize("stall", STALLS)
def test_random_programs(hardware: HardwareConfig, stall: float, rng: np.random.Generator) -> None:
    beats = 0
    for _ in range(15):
        case = random_case(hardware, rng, stall)
        assert case.run() == case.expected()
        found = case.found
        assert found.finished and found.still and found.error == Error.NONE
        assert found.iteration == (case.count if case.body else 0)
        beats += found.beats
    assert beats > 1000


def test_advance_saturates(hardware: HardwareConfig, rng: np.random.Generator) -> None:
    strides = {Base.INPUT: 0x4000_0001, Base.OUTPUT: 0xFFFF_FFFF}
    case = Case(hardware, [], records(rng, 20), 6, strides)
    assert case.run() == case.expected()
    last = {given[3] for unit in case.expected() for given in unit}
    assert (1 << 32) - 1 in last


@pytest.mark.parametrize("unit", range(UNITS))
def test_a_full_queue(hardware: HardwareConfig, unit: int, rng: np.random.Generator) -> None:
    """The program stops behind it; what was asked for is taken all the same."""
    opcode = (Opcode.LOAD_WGT, Opcode.MAC, Opcode.STORE)[unit]
    case = Case(hardware, [record(rng, opcode)] * 40, records(rng, 3), 2, NO_STRIDES)
    case.closed = 1 << unit
    assert case.run() == [[], [], []]
    assert case.found.still and not case.found.finished


@pytest.mark.parametrize("stall", STALLS[:2])
def test_unknown_opcode(hardware: HardwareConfig, stall: float, rng: np.random.Generator) -> None:
    unknown = [code for code in range(32) if code not in list(Opcode)]
    for code in unknown:
        case = random_case(hardware, rng, stall)
        case.body, case.count = records(rng, 5), 2
        at = int(rng.integers(5))
        case.body[at] = bytes([case.body[at][0] & ~31 | code]) + case.body[at][1:]
        assert case.run() == case.expected(len(case.once) + at)
        assert case.found.error == Error.OPCODE
        assert case.found.error_index == len(case.once) + at
        assert not case.found.finished


@pytest.mark.parametrize("stall", STALLS[:2])
def test_read_error(hardware: HardwareConfig, stall: float, rng: np.random.Generator) -> None:
    width = hardware.input_lanes
    for _ in range(10):
        case = random_case(hardware, rng, stall)
        case.once, case.body, case.count = records(rng, 9), records(rng, 9), 1
        everything = [*case.once, *case.body]
        ends = np.cumsum([len(record) for record in everything])
        case.read_error = int(rng.integers(ends[-1] // width))
        failing = int(np.searchsorted(ends, case.read_error * width, side="right"))
        assert case.run() == case.expected(failing)
        assert case.found.error == Error.READ
        assert case.found.error_index == failing


def test_keeps_the_bus_busy(hardware: HardwareConfig, rng: np.random.Generator) -> None:
    case = Case(hardware, [record(rng, Opcode.MAC)] * 64, [], 0, NO_STRIDES)
    case.latency = 20 if hardware.input_lanes < 16 else 12
    case.run()
    assert case.found.cycles - 200 <= case.found.beats * 1.15 + 40


@pytest.mark.parametrize("module", [path.stem for path in FETCH[2:]])
def test_lint(module: str) -> None:
    for lanes in LANES:
        lint(module, FETCH, tiny(lanes))
