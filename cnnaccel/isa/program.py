"""A program: two sections of instructions and the weights, as files, checked, and to read.

Knows what an instruction may be on an engine, not what it does; the interpreter knows that.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.execute import Words, dram_runs, reads, writes
from cnnaccel.isa.instructions import (
    LEVELS,
    UNFOLD_BYTES,
    Base,
    Compute,
    Header,
    Instruction,
    Load,
    Memory,
    Opcode,
    Store,
    Unit,
    unpack_instruction,
)
from cnnaccel.isa.scratchpad import Scratchpads
from cnnaccel.runtime.network import PROGRAM_FILE, WEIGHTS_FILE
from cnnaccel.workspace import write_atomic

Section = Literal["once", "body"]


class Note(NamedTuple):
    """The purpose of an instruction, for people."""

    layer: str
    what: str


NOTHING = Compute(opcode=Opcode.MAX, drain=False, out_w=0)
"""Takes a step and touches nothing; carries tokens."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program of the engine: `once`, then `body` `count` times."""

    digest: int
    """Digest of the hardware that the program is made for."""
    once: tuple[Instruction, ...] = ()
    body: tuple[Instruction, ...] = ()
    weights: bytes = b""
    """The DRAM buffer WEIGHTS."""
    count: int = 1
    """Iterations of body, unless the host wants others."""
    images_per_iteration: int = 1
    input_stride: int = 0
    """Bytes of INPUT per iteration."""
    output_stride: int = 0
    """Bytes of OUTPUT per iteration."""
    scratch_bytes: int = 0
    """The DRAM buffer SCRATCH."""
    notes: tuple[Note, ...] = field(default=(), compare=False)
    """Notes on the instructions of once, then of body; not in the files."""

    @property
    def again(self) -> tuple[Instruction, ...]:
        """The warm start: the end of once, all that is needed where weights are on the chip
        already."""
        fences = [at for at, one in enumerate(self.once) if Unit.LOAD in one.wait_for]
        return self.once[max(fences, default=-1) + 1 :]

    def note(self, section: Section, index: int) -> Note | None:
        """The note on an instruction, where there is one."""
        at = index if section == "once" else len(self.once) + index
        return self.notes[at] if at < len(self.notes) else None

    def name_of(self, section: Section, index: int) -> str:
        """The name of an instruction in messages: `body 3 LOAD_ACT (conv1: image words 0 rows
        0..27)`."""
        instruction = (self.once if section == "once" else self.body)[index]
        name = f"{section} {index} {instruction.opcode.name}"
        note = self.note(section, index)
        return f"{name} ({note.layer}: {note.what})" if note else name

    def sections(self) -> Iterator[tuple[Section, int, Instruction]]:
        """Every instruction with its section and its number there, in the order of the file."""
        for index, instruction in enumerate(self.once):
            yield "once", index, instruction
        for index, instruction in enumerate(self.body):
            yield "body", index, instruction

    def pack(self) -> bytes:
        """The bytes of `program.bin`.

        Raises:
            ProgramError: a field is out of its range, or contradicts another.
        """
        packed: dict[Section, bytearray] = {"once": bytearray(), "body": bytearray()}
        for section, index, instruction in self.sections():
            try:
                packed[section] += instruction.pack()
            except ProgramError as error:
                raise ProgramError(f"{self.name_of(section, index)}: {error}") from None
        once, body = bytes(packed["once"]), bytes(packed["body"])
        header = Header(
            digest=self.digest,
            once_bytes=len(once),
            body_bytes=len(body),
            again_bytes=sum(one.BYTES for one in self.again),
            once_instructions=len(self.once),
            body_instructions=len(self.body),
            again_instructions=len(self.again),
            count=self.count,
            images_per_iteration=self.images_per_iteration,
            input_stride=self.input_stride,
            output_stride=self.output_stride,
            weights_bytes=len(self.weights),
            scratch_bytes=self.scratch_bytes,
            sections_crc=zlib.crc32(once + body),
            weights_crc=zlib.crc32(self.weights),
        )
        return header.pack() + once + body

    def to_files(self, folder: Path) -> None:
        """Write `program.bin` and `weights.bin`; the same program gives the same bytes.

        Raises:
            ProgramError: as `pack`, before anything is written.
        """
        packed = self.pack()
        write_atomic(folder / WEIGHTS_FILE, self.weights)
        write_atomic(folder / PROGRAM_FILE, packed)


def folder_of(path: Path) -> Path:
    """The folder of a program, of which `path` names the program file or the folder itself.

    Raises:
        ProgramError: a file of another name, or nothing at all.
    """
    if path.is_dir():
        return path
    if path.name != PROGRAM_FILE:
        raise ProgramError(f"{path}: no folder, and no {PROGRAM_FILE}; see build/<config>/compile")
    return path.parent


def load_program(folder: Path, hardware: HardwareConfig) -> Program:
    """The program in a folder, if every bit is as it was written, and for this hardware.

    Raises:
        ProgramError: missing, foreign, damaged, of another version or for other hardware.
    """
    path = folder / PROGRAM_FILE
    try:
        packed, weights = path.read_bytes(), (folder / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise ProgramError(f"{error.filename}: {error.strerror}; compile again") from None
    try:
        return unpack_program(packed, weights, hardware)
    except ProgramError as error:
        raise ProgramError(f"{path}: {error}") from None


def unpack_program(packed: bytes, weights: bytes, hardware: HardwareConfig) -> Program:
    """The program in the bytes of its two files.

    Raises:
        ProgramError: as `load_program`.
    """
    header, sections = Header.unpack(packed[: Header.BYTES]), packed[Header.BYTES :]
    _check_digest(header.digest, hardware)
    for name, length, expected, crc, data in (
        (
            PROGRAM_FILE,
            len(packed),
            Header.BYTES + header.once_bytes + header.body_bytes,
            header.sections_crc,
            sections,
        ),
        (WEIGHTS_FILE, len(weights), header.weights_bytes, header.weights_crc, weights),
    ):
        if length != expected:
            raise ProgramError(f"{name} should have {expected} bytes, has {length}; compile again")
        if zlib.crc32(data) != crc:
            raise ProgramError(f"{name} is damaged, its checksum is another; compile again")
    program = Program(
        digest=header.digest,
        once=_unpack_section("once", sections[: header.once_bytes], header.once_instructions),
        body=_unpack_section("body", sections[header.once_bytes :], header.body_instructions),
        weights=weights,
        count=header.count,
        images_per_iteration=header.images_per_iteration,
        input_stride=header.input_stride,
        output_stride=header.output_stride,
        scratch_bytes=header.scratch_bytes,
    )
    check(program, hardware)
    return program


def check(program: Program, hardware: HardwareConfig) -> None:
    """Check that this engine can execute every instruction.

    Raises:
        ProgramError: which one is not, and why; or the program is for other hardware.
    """
    _check_digest(program.digest, hardware)
    for section, index, instruction in program.sections():
        try:
            instruction.check()
            match instruction:
                case Compute():
                    _check_compute(instruction, hardware)
                case Load() | Store():
                    _check_transfer(instruction, hardware)
                    _check_stride(instruction, program, hardware)
        except ProgramError as error:
            raise ProgramError(f"{program.name_of(section, index)}: {error}") from None


def _check_digest(digest: int, hardware: HardwareConfig) -> None:
    if digest != hardware.digest:
        raise ProgramError(
            f"made for hardware {digest:016x}, this is {hardware.digest:016x}; compile again"
        )


def _unpack_section(name: Section, data: bytes, count: int) -> tuple[Instruction, ...]:
    found: list[Instruction] = []
    at = 0
    while at < len(data):
        try:
            found.append(unpack_instruction(data, at))
        except ProgramError as error:
            raise ProgramError(f"{name} {len(found)}: {error}") from None
        at += found[-1].BYTES
    if len(found) != count:
        raise ProgramError(f"section {name} has {len(found)} instructions, should have {count}")
    return tuple(found)


def _check_compute(instruction: Compute, hardware: HardwareConfig) -> None:
    p, c, k = hardware.lanes
    distance, interleave = instruction.lane_distance, instruction.interleave_in
    if p > 1 and (distance % interleave or distance // interleave % 2 == 0):
        raise ProgramError(
            f"lanes meet in a bank: lane_distance {distance} / interleave_in {interleave} is "
            "no odd integer"
        )
    if instruction.lanes_per_slot > p:
        raise ProgramError(f"lanes_per_slot {instruction.lanes_per_slot} > P = {p}")
    most = k // c if instruction.opcode is Opcode.MAC else 1
    if instruction.words > most:
        raise ProgramError(f"words {instruction.words}, a group has {most}")
    for name, depth in (
        ("o_init", hardware.act_words),
        ("w_init", hardware.wgt_words),
        ("par_init", hardware.par_groups),
    ):
        if getattr(instruction, name) >= depth:
            raise ProgramError(f"{name} {getattr(instruction, name)} of {depth} words")


def _check_transfer(instruction: Load | Store, hardware: HardwareConfig) -> None:
    width = hardware.input_lanes
    steps = [(instruction.runs, instruction.stride)]
    if isinstance(instruction, Load) and instruction.opcode is Opcode.UNFOLD:
        held, needed = instruction.column_words * width, instruction.kernel_w
        needed *= instruction.pixel_bytes
        if held < needed:
            raise ProgramError(
                f"column_words {instruction.column_words} hold {held} bytes of a kernel row "
                f"of {needed}"
            )
        if held > UNFOLD_BYTES:
            raise ProgramError(
                f"column_words {instruction.column_words} hold {held} bytes, unfold {UNFOLD_BYTES}"
            )
        steps += [
            (instruction.columns, instruction.distance),
            (instruction.column_words, instruction.plane),
        ]
    else:
        _check_multiple("dram_offset", instruction.dram_offset, width)
        _check_multiple("dram_stride", instruction.dram_stride, width)
        steps += [(instruction.run_words, instruction.distance)]
    match instruction.opcode:
        case Opcode.LOAD_WGT:
            name, depth = Memory.WGT, hardware.wgt_words
        case Opcode.LOAD_PAR:
            name, depth = Memory.PAR, hardware.par_groups
        case _:
            name, depth = Memory.ACT, hardware.act_words
    ends = [(count - 1) * by for count, by in steps]
    first = instruction.address + sum(min(0, end) for end in ends)
    last = instruction.address + sum(max(0, end) for end in ends)
    if first < 0 or last >= depth:
        raise ProgramError(f"words {first} to {last} of {name}, which has {depth}")


def _check_stride(instruction: Load | Store, program: Program, hardware: HardwareConfig) -> None:
    if isinstance(instruction, Store) and instruction.base not in (Base.OUTPUT, Base.SCRATCH):
        raise ProgramError(f"a store goes to OUTPUT or SCRATCH, not to {instruction.base.name}")
    if instruction.advances and instruction.opcode is not Opcode.UNFOLD:
        name = f"{instruction.base.name.lower()}_stride"
        _check_multiple(name, getattr(program, name, 0), hardware.input_lanes)


def _check_multiple(name: str, value: int, width: int) -> None:
    if value % width:
        raise ProgramError(f"{name} {value} is no multiple of an AXI word of {width} bytes")


def disassemble(program: Program, hardware: HardwareConfig) -> Iterator[str]:
    """A line for the program and one for each instruction.

    It names the units whose tokens the instruction takes and to which it gives some, the first and
    last byte or word of each memory it reads and writes, interleave, the bounds that are not 1,
    and flags.
    """
    yield (
        f"digest {program.digest:016x}; body runs {program.count} times for "
        f"{program.images_per_iteration} images, {program.input_stride} bytes of INPUT, "
        f"{program.output_stride} of OUTPUT; {len(program.weights)} bytes of WEIGHTS, "
        f"{program.scratch_bytes} of SCRATCH"
    )
    pads = Scratchpads.empty(hardware)
    for section, index, instruction in program.sections():
        source, target = _ranges(reads(pads, instruction)), _ranges(writes(pads, instruction))
        match instruction:
            case Compute():
                details = _compute_details(instruction)
            case Load() | Store():
                dram = dram_runs(pads, instruction, instruction.dram_offset)
                place = f"{instruction.base.name} {dram.min()}..{dram.max()}"
                place += " advancing" if instruction.advances else ""
                source, target = source or place, target or place
                details = [f"L {instruction.interleave}"] if instruction.interleave > 1 else []
        tokens = [f"{verb} {_units(units)}" for verb, units in
                  (("waits for", instruction.wait_for), ("signals", instruction.signal_to))
                  if units]  # fmt: skip
        move = f"{source or 'nothing'} -> {target or 'sums'}"
        head = f"{section} {index:4} {instruction.opcode.name:8} {move}"
        note = program.note(section, index)
        yield "; ".join(
            [head, *details, *tokens, *([f"{note.layer}: {note.what}"] if note else [])]
        )


def _compute_details(instruction: Compute) -> list[str]:
    named = zip(LEVELS, instruction.bounds, strict=True)
    bounds = " ".join(f"{level} {bound}" for level, bound in named if bound > 1)
    interleaves = instruction.interleave_in, instruction.interleave_out
    flags = [name for name in ("wait_drain", "signed_first", "signed_rest")
             if getattr(instruction, name)]  # fmt: skip
    flags += [f"no {name}" for name in ("clear", "drain") if not getattr(instruction, name)]
    found = [bounds, "" if interleaves == (1, 1) else "L {} -> {}".format(*interleaves)]
    return [part for part in (*found, " ".join(flags)) if part]


def _ranges(words: Words) -> str:
    return ", ".join(f"{name} {at.min()}..{at.max()}" for name, at in words.items() if at.size)


def _units(units: Unit) -> str:
    return " ".join(unit.name.lower() for unit in Unit if unit in units and unit.name)
