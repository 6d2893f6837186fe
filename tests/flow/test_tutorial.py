"""docs/tutorial.md, as a reader follows it: its files, its commands, what they print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import ROOT, Cnnaccel

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
EXACT = ("compile", "simulate")
"""Commands whose figures depend on shapes alone, not on weights or on the machine."""


def test_as_a_reader_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnnaccel: Cnnaccel
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in re.findall(
        r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    ):
        Path(name).write_text(text, encoding="utf-8")
    ran = 0
    for command, expected in sessions():
        result = cnnaccel(*command)
        assert result.code == 0, result.err
        told = normalized if command[0] not in EXACT else spaced
        printed = iter([told(line) for line in result.out.splitlines()])
        for line in expected:
            assert told(line) in printed, f"cnnaccel {' '.join(command)} does not print {line!r}"
        ran += 1
    assert ran == 6
    assert Path("build/my_net/report/report.html").is_file()


def sessions() -> Iterator[tuple[list[str], list[str]]]:
    """Each command of the page, and the lines that follow it, without those left out."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        prompt, *printed = block.splitlines()
        assert prompt.startswith("$ cnnaccel ")
        yield prompt.split()[2:], [line for line in printed if line != "..."]


def spaced(line: str) -> str:
    """A line with single spaces."""
    return " ".join(line.split())


def normalized(line: str) -> str:
    """A line with single spaces and without its figures, and so without their signs."""
    return re.sub(r"[+-]?\d[\d.,e-]*", "#", spaced(line))
