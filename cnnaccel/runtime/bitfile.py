"""What Linux's fpga_manager loads, made of a .bit; on a board, without pynq or numpy:

    python3 -m cnnaccel.runtime.bitfile cnnaccel.bit /lib/firmware/cnnaccel.bit.bin

A .bit is a header of fields, then the words of the device, most significant byte first (as every
reader of it knows; the last field, `e`, has 32 bits of length). The manager wants the words alone,
least significant byte first, as pynq writes them for both families, and bootgen.
"""

from __future__ import annotations

import array
import sys
from pathlib import Path

from cnnaccel.errors import CnnaccelError, ProgramError

_FIRST_FIELD = 13
_SYNC = b"\xaa\x99\x55\x66"
_SYNC_WITHIN = 1024
"""Bytes: after padding, and the words that detect the width of a bus."""


def to_bin(bit: bytes) -> bytes:
    """The words of a .bit, each with its bytes the other way round.

    Raises:
        ProgramError: it is none, or is cut off.
    """
    words = array.array("I", _data(bit))
    words.byteswap()
    return words.tobytes()


def _data(bit: bytes) -> bytes:
    """All words, from the field `e`."""
    if bit[:2] != b"\x00\x09" or bit[11:13] != b"\x00\x01":
        raise ProgramError("no .bit: its header is another")
    at = _FIRST_FIELD
    while (key := bit[at : at + 1]) in (b"a", b"b", b"c", b"d"):
        at += 3 + int.from_bytes(bit[at + 1 : at + 3], "big")
    size = int.from_bytes(bit[at + 1 : at + 5], "big")
    data = bit[at + 5 :]
    if key != b"e" or len(data) != size or size % 4:
        raise ProgramError("this .bit is cut off or damaged: copy it again")
    if _SYNC not in data[:_SYNC_WITHIN]:
        raise ProgramError(
            "this .bit has no word that starts a device: it is of a mock, or damaged"
        )
    return data


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 1 with a line that says why."""
    if len(arguments) != 2:
        print("usage: python3 -m cnnaccel.runtime.bitfile FILE.bit FILE.bin", file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    try:
        target.write_bytes(to_bin(source.read_bytes()))
    except CnnaccelError as error:
        print(f"error: {source}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
