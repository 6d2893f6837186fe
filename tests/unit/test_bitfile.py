"""A .bit, made by hand, as Linux's fpga_manager wants it; and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pynq.pl_server.embedded_device import bit2bin

from cnnaccel.errors import ProgramError
from cnnaccel.runtime import bitfile

WORDS = (0xFFFFFFFF, 0x000000BB, 0x11220044, 0xFFFFFFFF, 0xAA995566, 0x20000000, 0x30022001, 0)


def bit(words: tuple[int, ...] = WORDS, part: str = "7z020clg400") -> bytes:
    """A header as Vivado writes it, and the words of a device."""
    header = bytes.fromhex("00090ff00ff00ff00ff0000001")
    texts = ("cnnaccel_wrapper;UserID=0XFFFFFFFF;Version=2023.2", part, "2025/03/01", "12:00:00")
    for key, text in zip("abcd", texts, strict=True):
        header += key.encode() + (len(text) + 1).to_bytes(2, "big") + text.encode() + b"\0"
    data = b"".join(word.to_bytes(4, "big") for word in words)
    return header + b"e" + len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize("part", ["7z020clg400", "xczu7ev-ffvc1156-2-e"])
def test_words_the_other_way_round(part: str) -> None:
    found = bitfile.to_bin(bit(part=part))
    assert tuple(np.frombuffer(found, "<u4").tolist()) == WORDS
    assert found[16:20] == bytes.fromhex("665599aa")
    assert found == bit2bin(bit(part=part)), "as pynq writes it"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "its header is another"),
        (bit()[13:], "its header is another"),
        (bit()[:-4], "cut off or damaged"),
        (bit()[:60], "cut off or damaged"),
        (bit() + b"\0", "cut off or damaged"),
        (bit(WORDS[:4]), "no word that starts a device"),
        (bit().replace(b"e\0\0\0\x20", b"e\0\0\0\x1e")[:-2], "cut off or damaged"),
    ],
)
def test_no_bit(data: bytes, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        bitfile.to_bin(data)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "cnnaccel.bit", tmp_path / "cnnaccel.bit.bin"
    source.write_bytes(bit())
    assert bitfile.main([str(source), str(target)]) == 0
    assert target.read_bytes() == bitfile.to_bin(bit())
    source.write_bytes(bit()[:99])
    assert bitfile.main([str(source), str(target)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {source}: this .bit is cut off")
    assert bitfile.main([str(tmp_path / "none.bit"), str(target)]) == 1
    assert "none.bit: No such file" in capsys.readouterr().err
    assert bitfile.main([]) == 2 and "usage: " in capsys.readouterr().err
