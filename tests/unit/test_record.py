"""Fields of bits: what they hold, how they are stored, what they refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from cnnaccel.errors import ProgramError
from cnnaccel.isa.record import Code, Record, bits, layout


class Colour(Code):
    """A code for tests."""

    RED = 0, "as blood"
    BLUE = 2, "as the sky"


@dataclass(frozen=True, kw_only=True)
class Example(Record):
    """One field of each kind."""

    BYTES: ClassVar[int] = 4

    colour: int = bits(2, "a code", Colour.RED)
    offset: int = bits(5, "with a sign", signed=True)
    count: int = bits(4, "from 1", 1, stored="value - 1")
    lanes: int = bits(2, "a power of two", 1, stored="log2")
    pair: tuple[int, ...] = bits(3, "two", (0, 0))
    low: int = bits(4, "at most 9", high=9)


def test_where_fields_lie() -> None:
    assert [(f.name, f.at, f.width, f.low, f.high) for f in layout(Example)] == [
        ("colour", 0, 2, 0, 3),
        ("offset", 2, 5, -16, 15),
        ("count", 7, 4, 1, 16),
        ("lanes", 11, 2, 1, 8),
        ("pair", 13, 6, 0, 7),
        ("low", 19, 4, 0, 9),
    ]


def test_bits_of_a_record() -> None:
    one = Example(colour=Colour.BLUE, offset=-3, count=16, lanes=4, pair=(1, 6), low=9)
    number = 2 | (-3 & 31) << 2 | 15 << 7 | 2 << 11 | 1 << 13 | 6 << 16 | 9 << 19
    assert one.pack() == number.to_bytes(4, "little")
    assert Example.unpack(one.pack()) == one
    assert Example.unpack(one.pack()).colour is Colour.BLUE


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"offset": 16}, "Example: offset must be -16 to 15, got 16"),
        ({"count": 0}, "count must be 1 to 16, got 0"),
        ({"lanes": 3}, "lanes must be a power of two, got 3"),
        ({"low": 10}, "low must be 0 to 9, got 10"),
        ({"pair": (1,)}, r"pair has 2 elements: \(1,\)"),
        ({"colour": 1}, "colour has no value 1"),
    ],
)
def test_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        Example(**values).pack()  # type: ignore[arg-type]


def test_bytes_that_are_no_record() -> None:
    for data, message in (
        (bytes(3), "Example has 4 bytes, got 3"),
        (b"\1\0\0\0", "colour has no value 1"),
        (b"\0\0\0\x80", "bits are set that belong to no field"),
    ):
        with pytest.raises(ProgramError, match=message):
            Example.unpack(data)
    assert Colour.BLUE.meaning == "as the sky"
