"""The scripts of hw/tcl/asic without their tools: linted, and run in tclsh under a mock that knows
the commands and options of each. What the tools make of them nobody has seen."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from cnnaccel.errors import ToolError
from cnnaccel.hardware import load_hardware
from cnnaccel.resources import resource
from cnnaccel.tools.asic import prepare_asic, record_yosys
from cnnaccel.tools.tool import find_tool, run_tool

TINY = load_hardware("tiny")
MOCK = Path(__file__).with_name("asic_mock.tcl")
SCRIPTS = resource("hw") / "tcl" / "asic"
KEYS = re.compile(r"^    (\w+) +\S", re.MULTILINE)

pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh: apt install tcl")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What build-hw leaves, with the technology of the example, whose files are empty."""
    prepare_asic(TINY, tmp_path)
    example = (SCRIPTS / "technology.example.tcl").read_text(encoding="utf-8")
    (tmp_path / "technology.tcl").write_text(example, encoding="utf-8")
    (tmp_path / "pdk").mkdir()
    for name in re.findall(r"pdk/\S+", example):
        (tmp_path / name).touch()
    (tmp_path / "netlist.v").touch()
    monkeypatch.setenv("MOCK_FIGURE", "0.5")
    return tmp_path


def mock(folder: Path, tool: str) -> list[str]:
    """The commands that the script of a tool gives."""
    command = ["tclsh", str(MOCK), tool, f"tcl/{tool}.tcl"]
    return run_tool(command, timeout_seconds=30, folder=folder).splitlines()


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_tclint_does_not_complain() -> None:
    tclint = find_tool("tclint")
    if tclint is None:
        pytest.skip("no tclint: pip install 'cnnaccel[check]'")
    rules = resource("hw") / "lint" / "tclint.toml"
    run_tool([tclint, "-c", rules, SCRIPTS, MOCK], timeout_seconds=60)


def test_openroad(folder: Path) -> None:
    said = mock(folder, "openroad")
    assert said[-1] == "cnnaccel: openroad is done"
    assert "link_design cnnaccel_engine" in said and "read_lef pdk/sram_2048x64.lef" in said
    order = ["initialize_floorplan", "rtl_macro_placer", "pdngen", "global_placement",
             "clock_tree_synthesis", "global_route", "detailed_route", "write_def"]  # fmt: skip
    steps = [line.split()[0] for line in said if line.split()[0] in order]
    assert steps == order
    figures = (folder / "openroad" / "figures.txt").read_text(encoding="utf-8")
    assert dict(line.split() for line in figures.splitlines()) == {
        "setup_slack": "0.5", "hold_slack": "0.5", "area": "0.5", "route_violations": "0",
    }  # fmt: skip
    sdc = (folder / "constraints.sdc").read_text(encoding="utf-8")
    assert "create_clock -name clk -period 5.0 [get_ports clk]" in sdc


def test_negative_slack_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_FIGURE", "-0.1")
    with pytest.raises(ToolError, match=r"openroad: setup slack -0\.1, hold slack -0\.1"):
        mock(folder, "openroad")
    assert (folder / "openroad" / "engine.def").parent.is_dir()


def test_the_clock_is_the_board_s_unless_set(folder: Path) -> None:
    edit(folder, "technology.tcl", "    clock_mhz      200\n", "")
    edit(folder, "technology.tcl", "units_per_ns   1.0", "units_per_ns   1000")
    mock(folder, "openroad")
    sdc = (folder / "constraints.sdc").read_text(encoding="utf-8")
    assert f"-period {1e6 / TINY.clock_mhz}" in sdc


def test_genus_then_innovus(folder: Path) -> None:
    with pytest.raises(ToolError, match=r"genus/engine\.v is not there; run genus\.tcl first"):
        mock(folder, "innovus")
    said = mock(folder, "genus")
    assert said[-1] == "cnnaccel: genus is done"
    (elaborate,) = [line for line in said if line.startswith("elaborate ")]
    assert "{AddressBits 32} {WordBytes 4}" in elaborate
    (read,) = [line for line in said if line.startswith("read_hdl ")]
    assert "src/cnnaccel_pkg.sv" in read and read.endswith("pdk/sram.sv}")
    said = mock(folder, "innovus")
    assert said[-1] == "cnnaccel: innovus is done"
    assert "set_analysis_view -setup slow -hold fast" in said


@pytest.mark.parametrize(
    ("tool", "old", "new", "message"),
    [
        ("openroad", "make_tracks", "make_track", 'invalid command name "make_track"'),
        ("openroad", "-followpins", "-follow_pins", "add_pdn_stripe has no option -follow_pins"),
        ("openroad", "read_verilog netlist.v", "read_verilog other.v", r"other\.v is read and is"),
        ("openroad", "make_tracks", "make_tracks met1", "make_tracks takes 0 to 0 words"),
        ("genus", "syn_map", "syn_map -fast", "syn_map has no option -fast"),
        ("genus", "auto_ungroup", "auto_group", "no attribute auto_group"),
        ("innovus", "-set_to_set_distance $pitch", "-set_to_set_distance", "has no value"),
        ("innovus", "planDesign", "plan_design", 'invalid command name "plan_design"'),
    ],
)
def test_the_mock_complains(folder: Path, tool: str, old: str, new: str, message: str) -> None:
    mock(folder, "genus")
    edit(folder, f"tcl/{tool}.tcl", old, new)
    with pytest.raises(ToolError, match=rf"ERROR: \[cnnaccel\] {tool}: .*{message}"):
        mock(folder, tool)


# -- what a technology leaves out ------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["openroad", "genus", "innovus", "yosys"])
def test_no_technology(folder: Path, tool: str) -> None:
    (folder / "technology.tcl").unlink()
    with pytest.raises(ToolError, match=r"technology\.tcl is not in .*technology\.example\.tcl"):
        record_yosys(folder) if tool == "yosys" else mock(folder, tool)


def test_no_cells(folder: Path) -> None:
    (folder / "pdk" / "cells_slow.lib").unlink()
    with pytest.raises(ToolError, match=r"cells_slow\.lib of technology\(liberty\) is not there"):
        record_yosys(folder)


def test_no_config(folder: Path) -> None:
    (folder / "config.tcl").unlink()
    with pytest.raises(ToolError, match=r"config\.tcl is not in .*build-hw CONFIG --asic"):
        record_yosys(folder)


def test_every_key_is_asked_for(folder: Path) -> None:
    """A key that is left out either has another meaning or is named; none is without use."""
    example = (folder / "technology.tcl").read_text(encoding="utf-8")
    mock(folder, "genus")
    silent = set()
    for key in KEYS.findall(example):
        line = next(line for line in example.splitlines() if line.startswith(f"    {key} "))
        (folder / "technology.tcl").write_text(example.replace(line, ""), encoding="utf-8")
        said = ""
        for tool in ("openroad", "genus", "innovus"):
            try:
                mock(folder, tool)
            except ToolError as error:
                said += str(error)
        if f"technology.tcl sets no technology({key})" not in said:
            silent.add(key)
    assert silent == {"units_per_ns", "clock_mhz", "dont_use"}


def test_macros_take_the_place_of_black_boxes(folder: Path) -> None:
    record_yosys(folder)
    script = (folder / "yosys.ys").read_text(encoding="utf-8")
    assert "read_liberty -lib -ignore_miss_func pdk/sram_2048x64.lib" in script
    assert "pdk/sram.sv\n" in script and "src/sram.sv" not in script and "blackbox" not in script


def test_a_word_that_yosys_would_split(folder: Path) -> None:
    edit(folder, "technology.tcl", "pdk/sram.sv", '"pdk/my sram.sv"')
    os.rename(folder / "pdk" / "sram.sv", folder / "pdk" / "my sram.sv")
    with pytest.raises(ToolError, match=r"Yosys would split the word 'pdk/my sram\.sv'"):
        record_yosys(folder)
