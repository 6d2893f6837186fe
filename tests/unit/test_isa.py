"""Records: every field at both ends of its range, through bytes and back; what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import FORMAT_VERSION
from cnnaccel.isa import instructions as isa
from cnnaccel.isa.instructions import Compute, Header, Instruction, Load, Opcode, Par, Store, Unit
from cnnaccel.isa.record import Code, Field, Record, layout

RECORDS: tuple[type[Record], ...] = (Compute, Load, Store, Par, Header)
PROTECTED = {"magic", "version", "header_crc"}  # of the header; no value but one
FIELDS = [
    pytest.param(record, field, id=f"{record.__name__}.{field.name}")
    for record in RECORDS
    for field in layout(record)
    if field.name not in PROTECTED
]

NUMBERS = [p for p in FIELDS if p.values[1].kind not in (Opcode, Unit)]  # type: ignore[union-attr]


def values(record: type[Record], field: Field) -> st.SearchStrategy[Any]:
    """Whatever a field may hold."""
    if issubclass(record, Instruction) and field.kind is Opcode:
        return st.sampled_from([code for code in Opcode if code.unit == record.UNIT])
    if issubclass(field.kind, Code):
        return st.sampled_from(list(field.kind))
    if issubclass(record, Instruction) and field.kind is Unit:
        return st.sampled_from([Unit(n) for n in range(8) if not n & record.UNIT])
    if field.stored == "log2":
        return st.sampled_from([1 << n for n in range(field.high.bit_length())])
    one = st.integers(field.low, field.high).map(field.kind)
    return one if field.count is None else st.tuples(*[one] * field.count)


def harmonious(record: Record) -> Record:
    """The record without contradictions between its fields."""
    if isinstance(record, Compute):
        joined = not (record.clear and record.drain)
        bounds = (1,) * 6 + record.bounds[6:] if joined else record.bounds
        low, high = sorted((record.low, record.high))
        return dataclasses.replace(
            record,
            bounds=bounds,
            low=low,
            high=high,
            words_last=min(record.words, record.words_last),
        )
    if isinstance(record, Load) and record.kernel_w * record.pixel_bytes > isa.UNFOLD_BYTES:
        return dataclasses.replace(record, pixel_bytes=1)
    return record


def records(record: type[Record]) -> st.SearchStrategy[Record]:
    fields = {f.name: values(record, f) for f in layout(record) if f.name not in PROTECTED}
    return st.builds(record, **fields).map(harmonious)


def normal(record: Record) -> Record:
    return record.normal() if isinstance(record, Compute) else record


@given(st.data())
@pytest.mark.parametrize("record", RECORDS)
def test_round_trip(record: type[Record], data: st.DataObject) -> None:
    value = data.draw(records(record))
    packed = value.pack()
    assert len(packed) == record.BYTES
    again = record.unpack(packed)
    assert again == normal(value) and again.pack() == packed
    for field in layout(record):
        old, new = getattr(value, field.name), getattr(again, field.name)
        assert type(new) is type(old), field.name
    if isinstance(value, Instruction):
        assert isa.unpack_instruction(b"?" + packed + b"more", 1) == again


def ends(record: type[Record], field: Field) -> list[Any]:
    """The least and the greatest value; every element of an array; every code."""
    if issubclass(record, Instruction) and field.kind is Opcode:
        return [code for code in Opcode if code.unit == record.UNIT]
    if issubclass(record, Instruction) and field.kind is Unit:
        return [Unit(0), Unit(7) & ~record.UNIT]
    both: list[Any] = [field.kind(field.low), field.kind(field.high)]
    return both if field.count is None else [(end,) * field.count for end in both]


def around(record: type[Record], field: Field) -> dict[str, Any]:
    """Values of the other fields, with which this one may be anything."""
    if record is not Compute or field.name in ("clear", "drain", "bounds"):
        return {}
    return {"bounds": (2,) * 9, "words": 4, "low": -128, "high": 255}  # so that all jumps are taken


@pytest.mark.parametrize(("record", "field"), FIELDS)
def test_both_ends_of_a_field(record: type[Record], field: Field) -> None:
    """They come back, and set no bit of another field but the checksum."""
    others = around(record, field)
    blank = int.from_bytes(record(**others).pack(), "little")
    own = (1 << field.end) - (1 << field.at)
    own |= sum((1 << f.end) - (1 << f.at) for f in layout(record) if f.name == "header_crc")
    for end in ends(record, field):
        packed = record(**{**others, field.name: end}).pack()
        assert getattr(record.unpack(packed), field.name) == end
        assert (int.from_bytes(packed, "little") ^ blank) & ~own == 0


@pytest.mark.parametrize(("record", "field"), NUMBERS)
def test_beyond_the_ends_of_a_field(record: type[Record], field: Field) -> None:
    for beyond in (field.low - 1, field.high + 1):
        value = beyond if field.count is None else (beyond,) * field.count
        with pytest.raises(ProgramError, match=rf"^{record.__name__}: ") as caught:
            record(**{**around(record, field), field.name: value}).pack()
        assert field.name in str(caught.value) and str(beyond) in str(caught.value)


@pytest.mark.parametrize("record", RECORDS)
def test_fields_fill_the_record_without_gaps(record: type[Record]) -> None:
    at = 0
    for field in layout(record):
        assert field.at == at and field.width > 0
        at = field.end
    assert at <= record.BYTES * 8
    names = [field.name for field in layout(record)]
    assert len(set(names)) == len(names)


def test_sizes() -> None:
    sizes = {record: (layout(record)[-1].end, record.BYTES) for record in RECORDS}
    assert sizes == {
        Compute: (968, 128),
        Load: (233, 64),
        Store: (168, 64),
        Par: (56, 7),
        Header: (608, 128),
    }
    head = layout(Instruction)
    assert head[-1].end <= 32
    for kind in isa.INSTRUCTIONS:
        assert layout(kind)[: len(head)] == tuple(dataclasses.replace(field) for field in head)


def test_a_changed_layout_is_another_version() -> None:
    """If this fails: raise FORMAT_VERSION in cnnaccel/hardware.py, then put both in here."""
    table = [
        (record.__name__, f.name, f.at, f.bits, f.count, f.signed, f.stored)
        for record in RECORDS
        for f in layout(record)
    ]
    codes = [(c.name, c.value) for kind in (Opcode, isa.Base, isa.Error) for c in kind]
    places = [(r.name, r.at, [flag.name for flag in r.flags]) for r in isa.registers()]
    found = hashlib.sha256(repr((table, codes, places)).encode()).hexdigest()[:16]
    assert (FORMAT_VERSION, found) == (2, "736baf2063d0390a")


# ---- rules that hold between fields ----------------------------------------------------------


def test_jumps_that_are_never_taken_are_not_checked() -> None:
    junk = (10**9,) * 9
    assert Compute(a_jumps=junk, y_jumps=junk[:7], o_jumps=junk[:4]).pack() == Compute().pack()
    with pytest.raises(ProgramError, match=r"Compute: a_jumps must be .* got 1000000000"):
        Compute(bounds=(1,) * 8 + (2,), a_jumps=junk).pack()


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (Compute(bounds=(1,) * 8), "bounds has 9 elements"),
        (Compute(a_jumps=(0,) * 10), "a_jumps has 9 elements"),
        (Compute(interleave_in=3), "interleave_in must be a power of two, got 3"),
        (Compute(bounds=(1, 2) + (1,) * 7, clear=False), "single tile"),
        (Compute(bounds=(1, 1, 1, 1, 2) + (1,) * 4, drain=False), "single tile"),
        (Compute(words=1, words_last=2), "words_last 2 > words 1"),
        (Compute(low=1, high=0), "low 1 > high 0"),
        (Compute(opcode=Opcode.STORE), "STORE is no opcode of this unit"),
        (Load(opcode=Opcode.MAC), "MAC is no opcode of this unit"),
        (Load(wait_for=Unit.LOAD), "no tokens to itself"),
        (Store(signal_to=Unit.STORE | Unit.LOAD), "no tokens to itself"),
        (Load(kernel_w=17, pixel_bytes=4), "unfold holds 64 bytes of a kernel row, not 68"),
    ],
)
def test_refused(instruction: Instruction, message: str) -> None:
    with pytest.raises(ProgramError, match=f"{type(instruction).__name__}: .*{message}"):
        instruction.pack()


def test_one_tile_may_keep_its_sums() -> None:
    Compute(bounds=(1,) * 6 + (3, 3, 64), clear=False, drain=False).pack()


# ---- bytes that are no program ---------------------------------------------------------------


@pytest.mark.parametrize("opcode", sorted(set(range(32)) - set(Opcode)))
def test_unknown_opcode(opcode: int) -> None:
    with pytest.raises(ProgramError, match=f"opcode has no value {opcode}"):
        isa.unpack_instruction(bytes([opcode]) + bytes(127))


@pytest.mark.parametrize("data", [b"", Compute().pack()[:-1], Load().pack()[:1]])
def test_truncated_instruction(data: bytes) -> None:
    with pytest.raises(ProgramError, match=r"has (128|64) bytes, got|opcode has no value 0"):
        isa.unpack_instruction(data)


@pytest.mark.parametrize("record", [Compute, Load, Store])
def test_bits_that_belong_to_no_field(record: type[Record]) -> None:
    packed = record().pack()
    with pytest.raises(ProgramError, match=f"{record.__name__}: bits are set"):
        record.unpack(packed[:-1] + b"\x80")


HEADER = Header(digest=0x1234, once_bytes=64, body_bytes=128, weights_crc=0xFFFFFFFF)


def test_every_flipped_bit_of_a_header_is_seen() -> None:
    packed = HEADER.pack()
    assert packed[:4] == b"CNNA" and Header.unpack(packed) == HEADER
    for bit in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProgramError):
            Header.unpack(bytes(flipped))


def test_headers_of_something_else() -> None:
    packed = HEADER.pack()
    for other in (b"", b"CNN", bytes(128), b"\x7fELF" + packed[4:]):
        with pytest.raises(ProgramError, match="not a cnnaccel program"):
            Header.unpack(other)
    with pytest.raises(ProgramError, match="format version 1, this cnnaccel reads 2"):
        Header.unpack(packed[:4] + b"\x01" + packed[5:])
    with pytest.raises(ProgramError, match="Header has 128 bytes, got 127"):
        Header.unpack(packed[:-1])


# ---- registers -------------------------------------------------------------------------------


def test_registers_are_aligned_and_named_once() -> None:
    at = 0
    for register in isa.registers():
        assert register.at == at and at % (register.bits // 8) == 0, register.name
        at += register.bits // 8
        assert len(register.flags) <= register.bits
    names = [register.name for register in isa.registers()]
    assert len(set(names)) == len(names)
