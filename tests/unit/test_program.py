"""Programs: to files and back, every refusal, and lines that a person can follow."""

from __future__ import annotations

import dataclasses
import random
import zlib
from pathlib import Path

import pytest

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig, load_hardware
from cnnaccel.isa.instructions import Base, Compute, Header, Instruction, Load, Opcode, Store, Unit
from cnnaccel.isa.program import (
    Program,
    check,
    disassemble,
    load_program,
    unpack_program,
)
from tests.support.example import example

TINY, PYNQ = load_hardware("tiny"), HardwareConfig()


@pytest.mark.parametrize("hardware", [TINY, PYNQ], ids=["tiny", "pynq"])
def test_round_trip(hardware: HardwareConfig, tmp_path: Path) -> None:
    program = example(hardware).program
    program.to_files(tmp_path)
    first = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    again = load_program(tmp_path, hardware)
    assert again == program
    again.to_files(tmp_path)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == first
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["program.bin", "weights.bin"]


def test_empty_program() -> None:
    program = Program(digest=TINY.digest)
    assert unpack_program(program.pack(), b"", TINY) == program


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"program\.bin: No such file"):
        load_program(tmp_path, TINY)
    program = example().program
    program.to_files(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ProgramError, match=r"weights\.bin: No such file"):
        load_program(tmp_path, TINY)


def test_refusal_names_the_file(tmp_path: Path) -> None:
    example().program.to_files(tmp_path)
    with pytest.raises(ProgramError, match=r"program\.bin: made for hardware .*compile again"):
        load_program(tmp_path, PYNQ)


def test_nothing_is_written_of_a_wrong_program(tmp_path: Path) -> None:
    example().program.to_files(tmp_path)
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    wrong = Program(digest=TINY.digest, body=(Load(run_words=0),), weights=b"other")
    with pytest.raises(ProgramError):
        wrong.to_files(tmp_path)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before


def test_foreign_and_other_version() -> None:
    program = example().program
    packed = program.pack()
    for other in (b"", b"PK\3\4" + packed[4:], bytes(len(packed))):
        with pytest.raises(ProgramError, match="not a cnnaccel program"):
            unpack_program(other, program.weights, TINY)
    with pytest.raises(ProgramError, match="format version 7"):
        unpack_program(packed[:4] + b"\7\0\0\0" + packed[8:], program.weights, TINY)


def test_any_flipped_bit_is_refused() -> None:
    program = example().program
    files = [program.pack(), program.weights]
    choose = random.Random(0)
    bits = [(0, bit) for bit in range(8 * Header.BYTES)]
    bits += [(0, choose.randrange(8 * len(files[0]))) for _ in range(300)]
    bits += [(1, choose.randrange(8 * len(files[1]))) for _ in range(300)]
    for file, bit in bits:
        damaged = [bytearray(data) for data in files]
        damaged[file][bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProgramError):
            unpack_program(bytes(damaged[0]), bytes(damaged[1]), TINY)


def test_other_lengths_are_refused() -> None:
    program = example().program
    packed, weights = program.pack(), program.weights
    for length in {0, 3, 4, 127, 128, 129, 256, len(packed) - 64, len(packed) - 1}:
        with pytest.raises(ProgramError):
            unpack_program(packed[:length], weights, TINY)
    for length in (0, 1, len(weights) - 1):
        with pytest.raises(ProgramError, match=r"weights\.bin should have"):
            unpack_program(packed, weights[:length], TINY)
    with pytest.raises(ProgramError, match=r"program\.bin should have"):
        unpack_program(packed + b"\0", weights, TINY)
    with pytest.raises(ProgramError, match=r"weights\.bin should have"):
        unpack_program(packed, weights + b"\0", TINY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"once_instructions": 5}, "section once has 4 instructions, should have 5"),
        ({"body_instructions": 5}, "section body has 6 instructions, should have 5"),
        ({"once_bytes": 128, "body_bytes": 768}, "section once has 1 instructions, should have 4"),
        ({"once_bytes": 64, "body_bytes": 832}, "once 0: Compute has 128 bytes, got 64"),
        ({"once_bytes": 100}, r"program\.bin should have"),
        ({"weights_bytes": 3}, r"weights\.bin should have"),
        ({"sections_crc": 1}, r"program\.bin is damaged"),
        ({"weights_crc": 1}, r"weights\.bin is damaged"),
    ],
)  # fmt: skip
def test_header_that_disagrees(changes: dict[str, int], message: str) -> None:
    program = example().program
    packed = program.pack()
    header = dataclasses.replace(Header.unpack(packed[:128]), **changes)
    with pytest.raises(ProgramError, match=message):
        unpack_program(header.pack() + packed[128:], program.weights, TINY)


def test_section_that_is_no_instructions() -> None:
    data = bytes(64)
    header = Header(digest=TINY.digest, body_bytes=64, body_instructions=1,
                    sections_crc=zlib.crc32(data))  # fmt: skip
    with pytest.raises(ProgramError, match="body 0: opcode has no value 0"):
        unpack_program(header.pack() + data, b"", TINY)


WRONG = {
    "even lane distance": (Compute(lane_distance=2), "body 1 MAC: lanes meet in a bank"),
    "even D/L": (Compute(lane_distance=4, interleave_in=2), "meet in a bank"),
    "fraction D/L": (Compute(lane_distance=3, interleave_in=2), "meet in a bank"),
    "slots": (Compute(lanes_per_slot=4), "lanes_per_slot 4 > P = 2"),
    "words": (Compute(words=2), "words 2, a group has 1"),
    "words_last": (Compute(words_last=2), "words_last 2 > words 1"),
    "o_init": (Compute(o_init=1024), "o_init 1024 of 1024 words"),
    "w_init": (Compute(w_init=256), "w_init 256 of 256"),
    "par_init": (Compute(par_init=16), "par_init 16 of 16"),
    "offset": (Load(dram_offset=2), "body 1 LOAD_ACT: dram_offset 2 is no multiple"),
    "stride": (Store(base=Base.OUTPUT, dram_stride=-6), "STORE: dram_stride -6 is no multiple"),
    "iteration": (Load(base=Base.INPUT, advances=True), "input_stride 3 is no multiple"),
    "store": (Store(base=Base.WEIGHTS), "a store goes to OUTPUT or SCRATCH, not to WEIGHTS"),
    "act": (Load(address=1020, run_words=5), "words 1020 to 1024 of act, which has 1024"),
    "below": (Load(runs=2, stride=-1), "words -1 to 0 of act"),
    "wgt": (Load(opcode=Opcode.LOAD_WGT, address=256), "words 256 to 256 of wgt, which has 256"),
    "par": (Load(opcode=Opcode.LOAD_PAR, runs=17, stride=1), "words 0 to 16 of par"),
    "unfold": (Load(opcode=Opcode.UNFOLD, kernel_w=5), "column_words 1 hold 4 bytes of .* of 5"),
    "unfolded": (Load(opcode=Opcode.UNFOLD, column_words=17), "17 hold 68 bytes, unfold 64"),
    "column": (Load(opcode=Opcode.UNFOLD, columns=2, distance=2000), "words 0 to 2000 of act"),
    "tokens": (Load(wait_for=Unit.LOAD), "a unit passes no tokens to itself"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_instructions_no_engine_executes(wrong: str) -> None:
    instruction, message = WRONG[wrong]
    program = Program(digest=TINY.digest, body=(Compute(), instruction), input_stride=3)
    with pytest.raises(ProgramError, match=message):
        check(program, TINY)


@pytest.mark.parametrize(
    "instruction",
    [
        Compute(lane_distance=6, interleave_in=2),
        Load(opcode=Opcode.UNFOLD, dram_offset=3, base=Base.INPUT, advances=True),
        Load(run_words=1024),
        Load(address=1, runs=2, stride=-1),
    ],
)
def test_instructions_that_look_odd_but_are_fine(instruction: Instruction) -> None:
    check(Program(digest=TINY.digest, once=(instruction,), input_stride=3), TINY)
    wide = HardwareConfig(pixel_lanes=1, input_lanes=4, output_lanes=16)
    check(Program(digest=wide.digest, once=(Compute(lane_distance=0, words=4),)), wide)


def test_disassembly_follows_a_tensor() -> None:
    lines = list(disassemble(example().program, TINY))
    assert len(lines) == 11
    assert "body runs 2 times for 2 images" in lines[0]
    assert [line.split()[:3] for line in lines[3:7]] == [
        ["once", "2", "LOAD_WGT"],
        ["once", "3", "LOAD_PAR"],
        ["body", "0", "LOAD_ACT"],
        ["body", "1", "LOAD_ACT"],
    ]
    assert "WEIGHTS 0..575 -> wgt 0..35" in lines[3]
    assert "INPUT 0..335 advancing -> act 0..83; waits for compute; signals compute" in lines[5]
    assert "act 0..83, wgt 0..35, par 0..1 -> act 176..259" in lines[7]
    assert "co 2 oy 6 ox 4 ky 3 kx 3 ci 2; waits for load; signals load store" in lines[7]
    assert "act 176..259 -> OUTPUT 0..335 advancing" in lines[9]


def test_disassembly_shows_flags() -> None:
    flags = Compute(wait_drain=True, drain=False, signed_rest=True, interleave_in=2,
                    lane_distance=2)  # fmt: skip
    line = list(disassemble(Program(digest=TINY.digest, body=(flags,)), TINY))[1]
    assert "-> sums; L 2 -> 1; wait_drain signed_rest no drain" in line
