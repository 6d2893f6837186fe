"""Records of bit fields: declared as frozen dataclasses, packed into bytes and back.

Knows no instruction; `isa.py` declares them. Bits count from bit 0 of the first byte (little
endian). Fields follow one another without gaps in the order of the class, element 0 of an array
lowest; what is left of a record is zero.
"""

from __future__ import annotations

import dataclasses
import operator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar, Literal

from typing_extensions import Self

from cnnaccel.errors import ProgramError


class Code(IntEnum):
    """A number with a meaning."""

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> Code:
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code


@dataclass(frozen=True)
class Field:
    """A field of a record: where a value, or an array of `count` values, lies, and its range."""

    name: str
    meaning: str
    kind: type[int]
    at: int
    """Position of the lowest bit."""
    bits: int
    """Bits of one element."""
    count: int | None
    """Elements of an array; None for a single value."""
    signed: bool
    stored: Literal["value", "value - 1", "log2"]
    low: int
    high: int

    @property
    def width(self) -> int:
        """Bits of all elements."""
        return self.bits * (self.count or 1)

    @property
    def end(self) -> int:
        """The first bit after this field."""
        return self.at + self.width

    def encode(self, value: int) -> int:
        """The `bits` bits that stand for `value`.

        Raises:
            ProgramError: the field has no such value.
        """
        number = self._valid(operator.index(value))
        if self.stored == "log2":
            if number & (number - 1):
                raise ProgramError(f"{self.name} must be a power of two, got {number}")
            return number.bit_length() - 1
        return (number - (self.stored == "value - 1")) & ((1 << self.bits) - 1)

    def decode(self, code: int) -> int:
        """The value that the bits `code` stand for.

        Raises:
            ProgramError: they stand for none.
        """
        match self.stored:
            case "value":
                value = code - (code >> (self.bits - 1) << self.bits) if self.signed else code
            case "value - 1":
                value = code + 1
            case "log2":
                value = 1 << code
        return self._valid(value)

    def _valid(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise ProgramError(f"{self.name} must be {self.low} to {self.high}, got {value}")
        try:
            return self.kind(value)
        except ValueError:
            raise ProgramError(f"{self.name} has no value {value}") from None


def bits(
    width: int,
    meaning: str,
    default: Any = 0,
    *,
    signed: bool = False,
    stored: Literal["value", "value - 1", "log2"] = "value",
    low: int | None = None,
    high: int | None = None,
    compare: bool = True,
) -> Any:
    """A field of a record: `width` bits, or as many elements of that as a tuple `default` has."""
    match stored:
        case "value":
            lowest, highest = -signed << (width - 1), (1 << (width - signed)) - 1
        case "value - 1":
            lowest, highest = 1, 1 << width
        case "log2":
            lowest, highest = 1, 1 << ((1 << width) - 1)
    metadata = {
        "bits": width,
        "meaning": meaning,
        "signed": signed,
        "stored": stored,
        "low": lowest if low is None else low,
        "high": highest if high is None else high,
    }
    return dataclasses.field(default=default, compare=compare, metadata=metadata)


def layout(record: type[Record]) -> tuple[Field, ...]:
    """The fields of a record, lowest first."""
    return _layout(record)  # type: ignore[arg-type]  # mypy takes __hash__ of the instances


@cache
def _layout(record: type[Record]) -> tuple[Field, ...]:
    fields: list[Field] = []
    for declared in dataclasses.fields(record):
        default: Any = declared.default
        array = isinstance(default, tuple)
        fields.append(
            Field(
                name=declared.name,
                kind=int if array else type(default),
                at=fields[-1].end if fields else 0,
                count=len(default) if array else None,
                **declared.metadata,
            )
        )
    return tuple(fields)


@dataclass(frozen=True, kw_only=True)
class Record:
    """Fields that become `BYTES` bytes and back."""

    BYTES: ClassVar[int]

    def check(self) -> None:
        """Raise a ProgramError if fields that are each in range contradict one another."""

    def pack(self) -> bytes:
        """The record as bytes.

        Raises:
            ProgramError: a field is out of its range, or contradicts another.
        """
        packed = 0
        try:
            self.check()
            for field in layout(type(self)):
                value = getattr(self, field.name)
                elements = (value,) if field.count is None else value
                if len(elements) != (field.count or 1):
                    raise ProgramError(f"{field.name} has {field.count} elements: {value}")
                for index, element in enumerate(elements):
                    packed |= field.encode(element) << (field.at + index * field.bits)
        except ProgramError as error:
            raise ProgramError(f"{type(self).__name__}: {error}") from None
        return packed.to_bytes(self.BYTES, "little")

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """The record in exactly these bytes.

        Raises:
            ProgramError: truncated, or bits that `pack` never sets.
        """
        if len(data) != cls.BYTES:
            raise ProgramError(f"{cls.__name__} has {cls.BYTES} bytes, got {len(data)}")
        packed = int.from_bytes(data, "little")
        values: dict[str, Any] = {}
        try:
            for field in layout(cls):
                elements = tuple(
                    field.decode(
                        packed >> (field.at + index * field.bits) & ((1 << field.bits) - 1)
                    )
                    for index in range(field.count or 1)
                )
                values[field.name] = elements[0] if field.count is None else elements
            if packed >> layout(cls)[-1].end:
                raise ProgramError("bits are set that belong to no field")
            record = cls(**values)
            record.check()
        except ProgramError as error:
            raise ProgramError(f"{cls.__name__}: {error}") from None
        return record
