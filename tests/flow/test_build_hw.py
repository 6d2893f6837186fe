"""build-hw: what it says of an engine, and of one that is too large; with a Yosys that is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnnaccel.backend import lint, yosys
from cnnaccel.backend.yosys import Synthesis
from cnnaccel.errors import ToolError
from cnnaccel.pipeline import build_hw
from tests.flow.conftest import Cnnaccel

CELLS = {
    "DSP48E1": 144, "RAMB36E1": 71, "RAMB18E1": 57, "LUT2": 6000, "LUT6": 4000, "CARRY4": 2000,
    "RAM32M": 300, "RAM64M": 20, "SRL16E": 93, "FDRE": 20000, "FDSE": 16, "BUFG": 1,
}  # fmt: skip


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What Yosys finds."""
    found = dict(CELLS)
    monkeypatch.setattr(build_hw, "synthesize", lambda *_: Synthesis(found))
    return found


def row(out: str, name: str) -> list[str]:
    line = next(line for line in out.splitlines() if f" {name} " in line)
    return [cell.strip() for cell in line.strip("│ ").split("│")][1:]


def test_it_fits(cnnaccel: Cnnaccel, tmp_path: Path, cells: dict[str, int]) -> None:
    result = cnnaccel("build-hw", "lenet_fashionmnist", "--check", "--build-dir", tmp_path)
    assert result.code == 0, result.err
    assert "no warning: verilator, verible, slang" in result.out and "it fits" in result.out
    assert row(result.out, "DSP48E1") == ["144", "220", "65.5%"]
    assert row(result.out, "RAMB36E1") == ["99.5", "140", "71.1%"]
    assert row(result.out, "LUT") == ["11,373", "53,200", "21.4%"]
    assert row(result.out, "of them memory") == ["1,373", "53,200", "2.6%"]
    assert row(result.out, "flip-flop") == ["20,016", "106,400", "18.8%"]


@pytest.mark.parametrize(
    ("change", "option", "message"),
    [
        ({"DSP48E1": 221}, (), "221 of 220 DSP"),
        ({"DSP48E1": 150}, ("--set", "hardware.overrides.dsp_budget=149"), "150 of 149 DSP"),
        ({"RAMB36E1": 140}, (), "168.5 of 140 BRAM36"),
        ({"LUT6": 50000}, (), "57,373 of 53,200 LUT"),
    ],
)
def test_it_does_not_fit(
    cnnaccel: Cnnaccel,
    tmp_path: Path,
    cells: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, int],
    option: tuple[str, ...],
    message: str,
) -> None:
    cells.update(change)
    monkeypatch.setattr(build_hw, "lint_engine", lambda hardware: None)
    where = ("lenet_fashionmnist", "--check", "--build-dir", tmp_path)
    result = cnnaccel("build-hw", *where, *option)
    assert result.code == 1 and message in result.err and "│" in result.out


def test_a_warning_or_a_missing_tool(
    cnnaccel: Cnnaccel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("build-hw", "tiny", "--check", "--build-dir", tmp_path)
    monkeypatch.setattr(yosys, "find_tool", lambda name: None)
    result = cnnaccel(*where)
    assert result.code == 3 and "pip install 'cnnaccel[check]'" in result.err

    def complains(*_: Any) -> None:
        raise ToolError("verible-verilog-lint ended with code 1: no-tabs")

    monkeypatch.setattr(lint, "lint_texts", complains)
    result = cnnaccel(*where)
    assert result.code == 3 and "no-tabs" in result.err


def test_bitstreams_are_not_built_yet(cnnaccel: Cnnaccel) -> None:
    result = cnnaccel("build-hw", "tiny")
    assert result.code == 3 and "--check" in result.err
