"""The Tcl of `hw/tcl` without Vivado: linted, and run by a mock that checks what it is given."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_params_svh
from cnnaccel.render.sources import wrapper_sources
from cnnaccel.render.tcl import PRESET, preset_of, render_config_tcl
from cnnaccel.resources import resource
from cnnaccel.tools.tool import find_tool, run_tool
from cnnaccel.workspace import write_atomic

STEPS = ("package", "design", "synthesize", "implement", "bitstream", "report")
"""Scripts of `hw/tcl/vivado`, each one process of Vivado, in this order."""
_SECONDS = 120.0
_TOLD = "board.txt"
"""File that tells the mock of a board that is not in its table."""


def mock_vivado() -> Path:
    """The mock, an executable that takes Vivado's command line."""
    return resource("hw") / "tcl" / "mock" / "vivado"


def check_tcl(hardware: HardwareConfig, folder: Path) -> None:
    """Lint the scripts, run every step under the mock in `folder`, and leave there what it made.

    Raises:
        ConfigError: as `render_config_tcl`.
        ToolError: tclsh or tclint is missing, or what one of them does not like.
    """
    lint_tcl()
    tclsh = find_tool("tclsh")
    if tclsh is None:
        raise ToolError("tclsh is not there; `apt install tcl` brings it")
    prepare_vivado(hardware, folder)
    if unknown_board(hardware):
        told = f"{hardware.board_part} {hardware.part} {hardware.dram_mib}\n"
        write_atomic(folder / _TOLD, told.encode())
    for step in STEPS:  # by tclsh, for an archive may have lost that the mock is a program
        command = [tclsh, *vivado_command(mock_vivado(), step)]
        run_tool(command, timeout_seconds=_SECONDS, folder=folder)


def unknown_board(hardware: HardwareConfig) -> str:
    """A sentence that says why the mock cannot check the board's name; or empty."""
    name = hardware.board_part
    known = re.findall(
        r"^ {8}([\w.-]+:[\w.-]+) \{([\d. ]+)\}",
        (mock_vivado().parent / "boards.tcl").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    names = [f"{board}:part0:{version}" for board, some in known for version in some.split()]
    if name is None or name in names:
        return ""
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return (
        f"the mock of Vivado does not know board_part {name}, and takes part and memory of the "
        f"board's file on trust; whether there is such a board, Vivado will say.{hint}"
    )


def lint_tcl() -> None:
    """Run tclint on all of `hw/tcl`.

    Raises:
        ToolError: it is missing, or what it does not like.
    """
    command = find_tool("tclint")
    if command is None:
        raise ToolError("tclint is not there; `pip install 'cnnaccel[check]'` brings it")
    hw = resource("hw")
    options: list[str | Path] = ["-c", hw / "lint" / "tclint.toml"]
    run_tool([command, *options, hw / "tcl", mock_vivado()], timeout_seconds=_SECONDS)


def prepare_vivado(hardware: HardwareConfig, folder: Path) -> None:
    """Write what the scripts read: the engine's sources in `folder/src`, `folder/config.tcl`, and
    the preset of the processing system, where Vivado's files of the board do not set it.

    Raises:
        ConfigError: as `render_config_tcl`.
    """
    config, preset = render_config_tcl(hardware), preset_of(hardware)
    sources = folder / "src"
    shutil.rmtree(sources, ignore_errors=True)
    sources.mkdir(parents=True)
    for path in wrapper_sources():
        shutil.copyfile(path, sources / path.name)
    write_atomic(sources / "params.svh", render_params_svh(hardware).encode())
    write_atomic(folder / "config.tcl", config.encode())
    (folder / PRESET).unlink(missing_ok=True)
    if preset is not None:
        write_atomic(folder / PRESET, preset.text.encode())


def vivado_command(vivado: Path, step: str, jobs: int = 1) -> list[str | Path]:
    """The command line of one step; to be run in the folder that was prepared."""
    script = resource("hw") / "tcl" / "vivado" / f"{step}.tcl"
    options = ["-mode", "batch", "-nojournal", "-notrace", "-log", f"{step}.log", "-source"]
    return [vivado, *options, script, "-tclargs", "config.tcl", str(jobs)]
