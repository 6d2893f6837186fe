"""docs/tutorial.md, as a reader follows it: its files, its commands, what they print.

The figures of the guides are of the same network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import ROOT, Cnnaccel

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
EXACT = ("compile", "simulate", "explore")
"""Commands whose figures depend on shapes alone, not on weights or on the machine."""


def test_as_a_reader_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnnaccel: Cnnaccel
) -> None:
    with_files(tmp_path, monkeypatch)
    ran = 0
    for command, expected in sessions():
        prints(cnnaccel, command, expected)
        ran += 1
    assert ran == 6
    assert Path("build/my_net/report/report.html").is_file()


@pytest.mark.slow
def test_figures_of_the_guides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cnnaccel: Cnnaccel
) -> None:
    with_files(tmp_path, monkeypatch)
    for stage in ("train", "quantize", "compile"):
        assert cnnaccel(stage, "my_net.yaml").code == 0
    for page, begins, command in (
        ("engine", "P x C x K", ["explore", "my_net.yaml"]),
        ("debug", "up to layer", ["simulate", "my_net.yaml", "--layers", "--images", "4"]),
        ("accuracy", "layer  ", ["quantize", "my_net.yaml", "--sensitivity"]),
    ):
        text = (ROOT / f"docs/guides/{page}.md").read_text(encoding="utf-8")
        (rows,) = re.findall(rf"^ +{begins}.*\n((?:    .*\n)+)", text, re.MULTILINE)
        prints(cnnaccel, command, rows.splitlines())


def with_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder with the files of the tutorial the working directory."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for name, text in re.findall(r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.M | re.DOTALL):
        Path(name).write_text(text, encoding="utf-8")


def sessions() -> Iterator[tuple[list[str], list[str]]]:
    """Each command of the page, and the lines that follow it, without those left out."""
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        prompt, *printed = block.splitlines()
        assert prompt.startswith("$ cnnaccel ")
        yield prompt.split()[2:], [line for line in printed if line != "..."]


def prints(cnnaccel: Cnnaccel, command: list[str], expected: list[str]) -> None:
    """A command prints these lines, in this order, among others."""
    told: Callable[[str], str] = words if command[0] in EXACT else without_figures
    result = cnnaccel(*command)
    assert result.code == 0, result.err
    printed = iter([told(line) for line in result.out.splitlines()])
    for line in expected:
        found = any(told(line) in one for one in printed)
        assert found, f"cnnaccel {' '.join(command)} does not print {line!r}"


def words(line: str) -> str:
    """A line with single spaces, and without the rules of a table."""
    return " ".join(line.replace("│", " ").split())


def without_figures(line: str) -> str:
    """A line as `words` has it, with a sign in the place of each figure."""
    return re.sub(r"[+-]?\d[\d.,e-]*", "#", words(line))
