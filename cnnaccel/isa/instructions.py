"""The instruction set: every field of instructions, program header and registers, once.

The classes below are the tables. `render/params.py` makes SystemVerilog, C and `docs/isa.md` from
them, so nobody writes a bit position by hand. Knows no network and no schedule.
"""

# ruff: noqa: RUF009 - bits() makes a dataclass field

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from enum import Enum, IntFlag
from functools import cache
from math import prod
from typing import Any, ClassVar, Literal

from typing_extensions import Self

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import (
    ACT_ADDRESS_BITS,
    FORMAT_VERSION,
    PAR_ADDRESS_BITS,
    PAR_BYTES,
    WGT_ADDRESS_BITS,
)
from cnnaccel.isa.record import Code, Record, bits, layout

MAGIC = 0x414E4E43
"""`CNNA`: the first bytes of a program, and register `id`."""
LEVELS = ("co", "oy", "ox", "phase", "wy", "wx", "ky", "kx", "ci")
"""The nine counters of `compute`, outermost first. Jumps are given for the first few of them."""
TILE_LEVEL = 6
"""Levels from here on are the reduction of one tile: ky, kx, ci."""
TOKEN_BITS = 8
"""Bits of each token counter."""
UNFOLD_BYTES = 64
"""Most bytes under a kernel row that `unfold` holds."""


class Unit(IntFlag):
    """A set of units; tokens pass between every ordered pair of them."""

    LOAD = 1
    COMPUTE = 2
    STORE = 4


class Memory(str, Enum):
    """A scratchpad."""

    ACT = "act"
    WGT = "wgt"
    PAR = "par"

    def __str__(self) -> str:
        return self.value


class Opcode(Code):
    """The operation of an instruction; its upper three bits are the unit."""

    LOAD_ACT = 0b001_00, "DRAM to act, words of C bytes"
    LOAD_WGT = 0b001_01, "DRAM to wgt, words of C*K bytes"
    LOAD_PAR = 0b001_10, "DRAM to par, words of 7*K bytes"
    UNFOLD = 0b001_11, "raw image rows in DRAM to words of act"
    MAC = 0b010_00, "acc[p][k] += sum over c of act[p][c] * wgt[k][c]"
    MAX = 0b010_01, "acc[p][c] = max(acc[p][c], act[p][c])"
    STORE = 0b100_00, "act to DRAM, words of C bytes"

    @property
    def unit(self) -> Unit:
        return Unit(self >> 2)


class Base(Code):
    """The buffer in DRAM that an offset counts from."""

    WEIGHTS = 0, "weights and parameters"
    INPUT = 1, "images"
    OUTPUT = 2, "results"
    SCRATCH = 3, "tensors that do not stay on the chip"


class Error(Code):
    """Why the engine stopped."""

    NONE = 0, "it did not fail"
    OPCODE = 1, "unknown opcode"
    ADDRESS = 2, "DRAM address outside its buffer"
    READ = 3, "AXI error response to a read"
    WRITE = 4, "AXI error response to a write"
    TOKEN = 5, "every unit waits for a token, or a token counter overflowed"


@dataclass(frozen=True, kw_only=True)
class Par(Record):
    """One channel's parameters; a word of par is K of them, channel 0 first."""

    BYTES: ClassVar[int] = PAR_BYTES

    bias: int = bits(32, "added to the sum", signed=True)
    multiplier: int = bits(16, "of the biased sum")
    shift: int = bits(8, "to the right, rounding half up", high=47)


def _opcode(default: Opcode) -> Any:
    return bits(5, "what to do, and which unit does it", default)


def _jumps(width: int, levels: int, meaning: str) -> Any:
    return bits(width, meaning, (0,) * levels, signed=True)


@dataclass(frozen=True, kw_only=True)
class Instruction(Record):
    """The head, by which fetch knows the unit and the size, and every unit its tokens."""

    UNIT: ClassVar[Unit]

    opcode: Opcode = _opcode(Opcode.MAC)
    wait_for: Unit = bits(3, "units to take a token from before the start", Unit(0))
    signal_to: Unit = bits(3, "units to give a token to after the last write", Unit(0))

    def check(self) -> None:
        if self.opcode.unit != self.UNIT:
            raise ProgramError(f"{self.opcode.name} is no opcode of this unit")
        if self.UNIT & (self.wait_for | self.signal_to):
            raise ProgramError("a unit passes no tokens to itself")


@dataclass(frozen=True, kw_only=True)
class Compute(Instruction):
    """One affine loop nest over act; `docs/isa.md` says what a step does.

    A jump is what its walker moves by when that level is the outermost to step. Jumps of levels
    whose bound is 1 are never taken: `pack` sets them to 0, whatever they are.
    """

    BYTES: ClassVar[int] = 128
    UNIT: ClassVar[Unit] = Unit.COMPUTE

    clear: bool = bits(1, "set the sums to 0 first; no effect in MAX", True)
    drain: bool = bits(1, "requantize and write the sums", True)
    wait_drain: bool = bits(1, "start after the last write of the instruction before", False)
    signed_first: bool = bits(1, "act is int8, not uint8, where ky = 0", False)
    signed_rest: bool = bits(1, "act is int8, not uint8, where ky > 0", False)
    interleave_in: int = bits(2, "L of the region that is read", 1, stored="log2", high=4)
    interleave_out: int = bits(2, "L of the region that is written", 1, stored="log2", high=4)
    bounds: tuple[int, ...] = bits(16, "of the nine levels", (1,) * 9, stored="value - 1")
    a_init: int = bits(ACT_ADDRESS_BITS, "act word that lane 0 reads first", signed=True)
    a_jumps: tuple[int, ...] = _jumps(ACT_ADDRESS_BITS, 9, "of the act word, co to ci")
    y_init: int = bits(12, "input row of the first step", signed=True)
    y_jumps: tuple[int, ...] = _jumps(12, 7, "of the input row, co to ky")
    x_init: int = bits(17, "input column of lane 0 in the first step", signed=True)
    x_jumps: tuple[int, ...] = _jumps(17, 8, "of the input column, co to kx")
    w_init: int = bits(WGT_ADDRESS_BITS, "first wgt word")
    w_step: int = bits(1, "added to the wgt word where ky, kx, ci step", 1)
    w_rewind: int = bits(WGT_ADDRESS_BITS, "taken from the wgt word where oy to wx step")
    w_co: int = bits(WGT_ADDRESS_BITS, "added to the wgt word where co steps", 1, signed=True)
    par_init: int = bits(PAR_ADDRESS_BITS, "first par word")
    par_co: int = bits(1, "added to the par word where co steps", 1)
    o_init: int = bits(ACT_ADDRESS_BITS, "act word of the first slot")
    o_jumps: tuple[int, ...] = _jumps(ACT_ADDRESS_BITS, 4, "of that word, co to phase")
    ox_jumps: tuple[int, ...] = _jumps(17, 4, "of its output column, 0 at first, co to phase")
    lane_distance: int = bits(16, "D: words, and columns, between lanes; D/L is odd", 1)
    in_w: int = bits(16, "columns of the input; a lane outside is padding", 65535, low=1)
    in_h: int = bits(12, "rows of the input; a lane outside is padding", 2047, low=1, high=2047)
    out_w: int = bits(17, "columns of the output; a slot beyond writes nothing", 131071)
    out_lane_distance: int = bits(16, "words between slots", 1)
    out_lane_columns: int = bits(4, "output columns between slots", 1)
    words: int = bits(3, "words per pixel and group co", 1, low=1, high=4)
    words_last: int = bits(3, "the same in the last group", 1, low=1, high=4)
    out_plane: int = bits(20, "words between two words of a pixel")
    lanes_per_slot: int = bits(2, "adjacent lanes pooled into one slot", 1, stored="log2", high=4)
    low: int = bits(9, "least result", -128, signed=True, low=-128, high=255)
    high: int = bits(9, "greatest result", 127, signed=True, low=-128, high=255)

    def check(self) -> None:
        super().check()
        if not (self.clear and self.drain) and prod(self.bounds[:TILE_LEVEL]) != 1:
            raise ProgramError("clear and drain can be off in a single tile only")
        if self.words_last > self.words:
            raise ProgramError(f"words_last {self.words_last} > words {self.words}")
        if self.low > self.high:
            raise ProgramError(f"low {self.low} > high {self.high}")

    def normal(self) -> Compute:
        """This instruction with 0 for every jump that is never taken."""

        def taken(jumps: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(
                0 if self.bounds[level : level + 1] == (1,) else jump
                for level, jump in enumerate(jumps)
            )

        return dataclasses.replace(
            self,
            a_jumps=taken(self.a_jumps),
            y_jumps=taken(self.y_jumps),
            x_jumps=taken(self.x_jumps),
            o_jumps=taken(self.o_jumps),
            ox_jumps=taken(self.ox_jumps),
        )

    def pack(self) -> bytes:
        return super(Compute, self.normal()).pack()


@dataclass(frozen=True, kw_only=True)
class Transfer(Instruction):
    """Runs of words between DRAM and a scratchpad, both sides strided.

    Word i of run j: DRAM bytes `dram_offset + j*dram_stride + i*word`, scratchpad word
    `address + j*stride + i*distance`.
    """

    BYTES: ClassVar[int] = 64

    base: Base = bits(2, "buffer in DRAM", Base.WEIGHTS)
    advances: bool = bits(1, "the offset grows by the buffer's stride per iteration", False)
    interleave: int = bits(2, "L of the region in act", 1, stored="log2", high=4)
    dram_offset: int = bits(32, "first byte; whole AXI words but for UNFOLD")
    dram_stride: int = bits(32, "bytes from run to run", signed=True)
    run_words: int = bits(16, "scratchpad words of a run", 1, stored="value - 1")
    runs: int = bits(16, "runs", 1, stored="value - 1")
    address: int = bits(ACT_ADDRESS_BITS, "first scratchpad word")
    distance: int = bits(16, "scratchpad words between two words of a run", 1)
    stride: int = bits(ACT_ADDRESS_BITS, "scratchpad words from run to run", signed=True)


@dataclass(frozen=True, kw_only=True)
class Load(Transfer):
    """DRAM to a scratchpad. The last eight fields are of UNFOLD, whose runs are image rows."""

    UNIT: ClassVar[Unit] = Unit.LOAD

    opcode: Opcode = _opcode(Opcode.LOAD_ACT)
    pixel_bytes: int = bits(3, "channels of a pixel", 1, low=1, high=4)
    row_pixels: int = bits(12, "pixels of an image row", 1, low=1)
    columns: int = bits(12, "output columns of a row", 1, low=1)
    kernel_w: int = bits(5, "pixels under the kernel row", 1, low=1)
    stride_x: int = bits(4, "pixels from output column to output column", 1, low=1)
    pad_left: int = bits(4, "zero pixels before the row")
    column_words: int = bits(5, "words of one output column", 1, low=1)
    plane: int = bits(ACT_ADDRESS_BITS, "act words between two words of an output column")

    def check(self) -> None:
        super().check()
        if self.kernel_w * self.pixel_bytes > UNFOLD_BYTES:
            held = self.kernel_w * self.pixel_bytes
            raise ProgramError(f"unfold holds {UNFOLD_BYTES} bytes of a kernel row, not {held}")


@dataclass(frozen=True, kw_only=True)
class Store(Transfer):
    """act to DRAM."""

    UNIT: ClassVar[Unit] = Unit.STORE

    opcode: Opcode = _opcode(Opcode.STORE)


@dataclass(frozen=True, kw_only=True)
class Header(Record):
    """The beginning of `program.bin`; behind it the instructions of section once, then of body.

    The host reads it; the engine gets what it needs in registers. Checksums are CRC-32 (zlib).
    """

    BYTES: ClassVar[int] = 128

    magic: int = bits(32, "CNNA", MAGIC)
    version: int = bits(32, "of this format", FORMAT_VERSION)
    digest: int = bits(64, "of the hardware the program is made for")
    once_bytes: int = bits(32, "section once")
    body_bytes: int = bits(32, "section body")
    again_bytes: int = bits(32, "at the end of once: enough while the chip holds the weights")
    once_instructions: int = bits(32, "section once")
    body_instructions: int = bits(32, "section body")
    again_instructions: int = bits(32, "of once, as again_bytes")
    count: int = bits(32, "iterations of body, unless the host wants others", 1)
    images_per_iteration: int = bits(32, "images one iteration computes", 1)
    input_stride: int = bits(32, "bytes of input per iteration")
    output_stride: int = bits(32, "bytes of output per iteration")
    weights_bytes: int = bits(32, "weights.bin")
    scratch_bytes: int = bits(32, "DRAM for tensors that do not stay on the chip")
    sections_crc: int = bits(32, "of both sections")
    weights_crc: int = bits(32, "of weights.bin")
    header_crc: int = bits(32, "of the header before this field; set by pack", compare=False)

    def pack(self) -> bytes:
        record = super().pack()
        at = _header_crc_byte()
        return record[:at] + zlib.crc32(record[:at]).to_bytes(4, "little") + record[at + 4 :]

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """The header in these bytes; refuses what `Record.unpack` does, and another magic, version
        or checksum."""
        if data[:4] != MAGIC.to_bytes(4, "little"):
            raise ProgramError("not a cnnaccel program")
        version = int.from_bytes(data[4:8], "little")
        if len(data) == cls.BYTES and version != FORMAT_VERSION:
            raise ProgramError(
                f"program of format version {version}, this cnnaccel reads {FORMAT_VERSION}; "
                "compile again"
            )
        header = super().unpack(data)
        if header.header_crc != zlib.crc32(data[: _header_crc_byte()]):
            raise ProgramError("Header: damaged, its checksum is another; compile again")
        return header


def _header_crc_byte() -> int:
    return layout(Header)[-1].at // 8


INSTRUCTIONS: tuple[type[Instruction], ...] = (Compute, Load, Store)


def unpack_instruction(data: bytes, at: int = 0) -> Instruction:
    """The instruction that begins at byte `at`; its class's `BYTES` lead to the next one.

    Raises:
        ProgramError: unknown opcode, truncated, or bits that `pack` never sets.
    """
    opcode = layout(Instruction)[0].decode(int.from_bytes(data[at : at + 1], "little") & 31)
    assert isinstance(opcode, Opcode)
    kind = next(kind for kind in INSTRUCTIONS if opcode.unit == kind.UNIT)
    return kind.unpack(data[at : at + kind.BYTES])


@dataclass(frozen=True)
class Flag:
    """One bit of a register; the first flag is bit 0."""

    name: str
    meaning: str


@dataclass(frozen=True)
class Register:
    """One or two 32-bit words behind AXI4-Lite, the low word first."""

    name: str
    access: Literal["read", "write", "read, write", "read, clear"]
    """`clear`: writing a 1 clears the bit."""
    meaning: str
    bits: Literal[32, 64] = 32
    flags: tuple[Flag, ...] = ()
    at: int = 0
    """Byte offset."""


_START = Flag("start", "run the program: once, then body `count` times; ignored while busy")
_RESET = Flag("reset", "stop, keep nothing but the registers; busy until DRAM has answered")
_BUSY = Flag("busy", "between start and done or failed")
_DONE = Flag("done", "the program ended and all it wrote is in DRAM")
_FAILED = Flag("failed", "`error` says why; the engine waits for reset")
_WAITING = (
    Flag("fetch_dram", "fetch waits for instructions from DRAM"),
    Flag("fetch_queue", "fetch waits for room in the queue of a unit"),
    Flag("load_busy", "load has instructions under way"),
    Flag("load_dram", "load waits for data from DRAM"),
    Flag("load_compute", "the next load waits for a token of compute"),
    Flag("load_store", "the next load waits for a token of store"),
    Flag("compute_busy", "compute has instructions under way"),
    Flag("compute_load", "the next MAC or MAX waits for a token of load"),
    Flag("compute_store", "the next MAC or MAX waits for a token of store"),
    Flag("store_busy", "store has instructions under way"),
    Flag("store_dram", "store waits for DRAM to take or acknowledge data"),
    Flag("store_load", "the next store waits for a token of load"),
    Flag("store_compute", "the next store waits for a token of compute"),
    Flag("end_dram", "reset, or a failure, waits for DRAM to end what it was asked for"),
)


@cache
def registers() -> tuple[Register, ...]:
    """All registers, in the order of their offsets; nothing is between them."""
    placed: list[Register] = []
    at = 0
    for register in (
        Register("id", "read", "the magic, CNNA"),
        Register("version", "read", "of this format"),
        Register("digest", "read", "of the hardware", 64),
        Register("control", "write", "what to do", flags=(_START, _RESET)),
        Register("status", "read", "what it does", flags=(_BUSY, _DONE, _FAILED)),
        Register("error", "read", "why it failed, a code below"),
        Register("failing_instruction", "read", "its index in the program, once and body"),
        Register("interrupt_enable", "read, write", "what interrupts", flags=(_DONE, _FAILED)),
        Register("interrupt_status", "read, clear", "what interrupted", flags=(_DONE, _FAILED)),
        Register("program_address", "read, write", "first byte of section once", 64),
        Register("once_bytes", "read, write", "section once"),
        Register("body_bytes", "read, write", "section body, which follows"),
        Register("count", "read, write", "iterations of body"),
        Register("iteration", "read", "of body: begun since the last start"),
        *(
            Register(f"{base.name.lower()}_address", "read, write", base.meaning, 64)
            for base in Base
        ),
        *(Register(f"{base.name.lower()}_bytes", "read, write", "its size") for base in Base),
        Register("input_stride", "read, write", "bytes per iteration"),
        Register("output_stride", "read, write", "bytes per iteration"),
        Register("cycles", "read", "while busy", 64),
        Register("steps", "read", "cycles in which the array took a step", 64),
        Register("compute_waits_load", "read", "cycles without a token of load", 64),
        Register("compute_waits_store", "read", "cycles without a token of store", 64),
        Register("load_busy", "read", "cycles", 64),
        Register("store_busy", "read", "cycles", 64),
        Register("read_bytes", "read", "from DRAM, instructions too", 64),
        Register("written_bytes", "read", "to DRAM", 64),
        Register("waiting", "read", "for what, in this cycle; 0 at rest", flags=_WAITING),
    ):
        placed.append(dataclasses.replace(register, at=at))
        at += register.bits // 8
    return tuple(placed)
