"""The registers behind AXI4-Lite against the table of `isa/instructions.py`."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from cnnaccel.hardware import FORMAT_VERSION, HardwareConfig
from cnnaccel.isa.instructions import MAGIC, Base, Register, registers
from cnnaccel.tools.verilate import build, lint
from tests.support.load_store import HW, tiny
from tests.support.modules import REGISTERS

TOP = "axi_lite_regs_tb"
TESTBENCH = HW / "tb" / f"{TOP}.sv"
COUNTERS = tuple(
    r for r in registers() if r.access == "read" and r.bits == 64 and r.name != "digest"
)
BY_NAME = {register.name: register for register in registers()}
STORED = tuple(r for r in registers() if r.access == "read, write" and not r.flags)


class _State(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_uint32)
            for name in (
                "busy", "done", "failed", "error", "failing_instruction", "iteration", "waiting",
            )
        ),
        ("counters", ctypes.c_uint64 * 8),
    )  # fmt: skip


class _Outputs(ctypes.Structure):
    _fields_ = (
        ("program_address", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("once_bytes", "body_bytes", "count")),
        ("base", ctypes.c_uint64 * 4),
        ("size", ctypes.c_uint32 * 4),
        *((name, ctypes.c_uint32) for name in ("input_stride", "output_stride")),
        *((name, ctypes.c_uint32) for name in ("interrupt", "starts", "resets")),
    )


@cache
def _library(hardware: HardwareConfig) -> ctypes.CDLL:
    library = ctypes.CDLL(
        str(build(TOP, (*REGISTERS, TESTBENCH), hardware, HW / "tb" / f"{TOP}.cpp"))
    )
    library.bench_open.restype = ctypes.c_void_p
    return library


class Host:
    """Reads and writes; every response must be OKAY."""

    def __init__(self, hardware: HardwareConfig, seed: int, stall: float) -> None:
        self.library = _library(hardware)
        self.bench = ctypes.c_void_p(self.library.bench_open(seed, round(1000 * stall)))
        self.state = _State()

    def write(self, at: int, value: int, strobes: int = 15) -> None:
        assert self.library.bench_write(self.bench, at, ctypes.c_uint32(value), strobes) == 0

    def read(self, at: int) -> int:
        value = ctypes.c_uint32()
        assert self.library.bench_read(self.bench, at, ctypes.byref(value)) == 0
        return value.value

    def value(self, register: Register) -> int:
        words = range(register.bits // 32)
        return sum(self.read(register.at + 4 * word) << 32 * word for word in words)

    def put(self, register: Register, value: int) -> None:
        for word in range(register.bits // 32):
            self.write(register.at + 4 * word, value >> 32 * word & 0xFFFFFFFF)

    def engine(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self.state, name, value)
        self.library.bench_set(self.bench, ctypes.byref(self.state))

    def outputs(self) -> _Outputs:
        found = _Outputs()
        self.library.bench_get(self.bench, ctypes.byref(found))
        return found


@pytest.fixture(params=[32, 40], ids=lambda bits: f"{bits} bits")
def hardware(request: pytest.FixtureRequest) -> HardwareConfig:
    values = vars(tiny()) | {"address_bits": request.param}
    return HardwareConfig(**values)


@pytest.fixture(params=[0.0, 0.3, 0.9], ids=lambda stall: f"stall {stall}")
def host(
    request: pytest.FixtureRequest, hardware: HardwareConfig, rng: np.random.Generator
) -> Iterator[Host]:
    opened = Host(hardware, int(rng.integers(1 << 31)), request.param)
    yield opened
    opened.library.bench_close(opened.bench)


def test_identity(host: Host, hardware: HardwareConfig) -> None:
    assert host.value(BY_NAME["id"]) == MAGIC
    assert host.value(BY_NAME["version"]) == FORMAT_VERSION
    assert host.value(BY_NAME["digest"]) == hardware.digest
    assert host.read(BY_NAME["control"].at) == 0
    for at in range(registers()[-1].at + 4, 256, 4):
        assert host.read(at) == 0


def test_stored_values(host: Host, hardware: HardwareConfig, rng: np.random.Generator) -> None:
    written: dict[str, int] = {}
    for _ in range(2):
        for register in rng.permutation(np.array(STORED, dtype=object)):
            value = int.from_bytes(rng.bytes(register.bits // 8), "little")
            host.put(register, value)
            written[register.name] = value
        for register in STORED:
            assert host.value(register) == written[register.name], register.name
    found = host.outputs()
    mask = (1 << hardware.address_bits) - 1
    for name in ("once_bytes", "body_bytes", "count", "input_stride", "output_stride"):
        assert getattr(found, name) == written[name]
    assert found.program_address == written["program_address"] & mask
    for base in Base:
        assert found.base[base] == written[f"{base.name.lower()}_address"] & mask
        assert found.size[base] == written[f"{base.name.lower()}_bytes"]
    assert found.starts == found.resets == 0


def test_strobes(host: Host, rng: np.random.Generator) -> None:
    at = BY_NAME["count"].at
    value = 0
    host.write(at, 0)
    for _ in range(40):
        written, strobes = int(rng.integers(1 << 32)), int(rng.integers(16))
        host.write(at, written, strobes)
        for byte in range(4):
            if strobes >> byte & 1:
                value = value & ~(255 << 8 * byte) | written & 255 << 8 * byte
        assert host.read(at) == value


def test_accesses_in_a_row(host: Host, rng: np.random.Generator) -> None:
    """Each has its response, though the host does not wait for it."""
    words = [r.at + 4 * word for r in STORED for word in range(r.bits // 32)]
    count = len(words)
    at = (ctypes.c_uint32 * count)(*rng.permutation(words).tolist())
    values = (ctypes.c_uint32 * count)(*rng.integers(1 << 32, size=count).tolist())
    assert host.library.bench_write_all(host.bench, count, at, values) == 0
    found = (ctypes.c_uint32 * count)()
    assert host.library.bench_read_all(host.bench, count, at, found) == 0
    assert list(found) == list(values)


def test_what_cannot_be_written(host: Host, rng: np.random.Generator) -> None:
    for register in STORED:
        host.put(register, 0x0123_4567)
    stored = {r.at + 4 * word for r in STORED for word in range(r.bits // 32)}
    stored |= {BY_NAME["control"].at, BY_NAME["interrupt_enable"].at}
    for at in range(0, 256, 4):
        if at not in stored:
            host.write(at, int(rng.integers(1 << 32)))
    assert all(host.value(register) == 0x0123_4567 for register in STORED)
    assert host.read(BY_NAME["interrupt_enable"].at) == 0


def test_what_the_engine_says(host: Host, rng: np.random.Generator) -> None:
    counters = [int.from_bytes(rng.bytes(8), "little") for _ in COUNTERS]
    host.engine(error=4, failing_instruction=0xDEADBEEF, iteration=0x87654321, waiting=0x2A5,
                counters=(ctypes.c_uint64 * 8)(*counters))  # fmt: skip
    assert host.value(BY_NAME["error"]) == 4
    assert host.value(BY_NAME["failing_instruction"]) == 0xDEADBEEF
    assert host.value(BY_NAME["iteration"]) == 0x87654321
    assert host.value(BY_NAME["waiting"]) == 0x2A5
    for register, value in zip(COUNTERS, counters, strict=True):
        assert host.value(register) == value, register.name
        host.put(register, 0)
        assert host.value(register) == value
    host.put(BY_NAME["iteration"], 5)
    assert host.value(BY_NAME["iteration"]) == 0x87654321
    for bits in range(8):
        host.engine(busy=bits & 1, done=bits >> 1 & 1, failed=bits >> 2)
        assert host.value(BY_NAME["status"]) == bits


def test_start_and_reset(host: Host) -> None:
    at = BY_NAME["control"].at
    host.write(at, 1)
    host.write(at, 1, 0b1110)  # not this byte
    host.write(at, 1 << 8)
    assert (host.outputs().starts, host.outputs().resets) == (1, 0)
    host.engine(busy=1)
    host.write(at, 1)
    assert host.outputs().starts == 1
    host.write(at, 2)
    assert host.outputs().resets == 1
    host.engine(busy=0)
    host.write(at, 3)
    assert (host.outputs().starts, host.outputs().resets) == (1, 2)


def test_interrupts(host: Host) -> None:
    enable, status = BY_NAME["interrupt_enable"].at, BY_NAME["interrupt_status"].at
    assert host.read(enable) == host.read(status) == host.outputs().interrupt == 0
    for bit, name in enumerate(("done", "failed")):
        host.engine(**{name: 1})
        assert host.read(status) == 1 << bit
        assert host.outputs().interrupt == 0
        host.write(enable, 1 << bit)
        assert host.read(enable) == 1 << bit
        assert host.outputs().interrupt == 1
        host.write(status, 3 ^ 1 << bit)
        assert host.outputs().interrupt == 1
        host.write(status, 1 << bit)  # the level stays, the edge is over
        assert host.outputs().interrupt == host.read(status) == 0
        host.engine(**{name: 0})
        host.write(enable, 0)
    assert host.read(status) == 0


def test_lint(hardware: HardwareConfig) -> None:
    lint("axi_lite_regs", REGISTERS, hardware)
