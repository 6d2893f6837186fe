"""asic: the engine as cells of a generic library, and a folder to take to a foundry's."""

from __future__ import annotations

import dataclasses

from cnnaccel.pipeline.identity import Inputs, hardware_inputs
from cnnaccel.pipeline.job import Job, write_results
from cnnaccel.report.progress import working
from cnnaccel.report.tables import table
from cnnaccel.resources import resource
from cnnaccel.tools.asic import AsicSynthesis, synthesize_asic
from cnnaccel.tools.yosys import synthesizing
from cnnaccel.workspace import sha256_of

STAGE = "asic"
_COLUMNS = ("module", "instances", "cells", "NAND2", "with those below", "share", "memory bits")


def asic_inputs(job: Job) -> Inputs:
    hw = resource("hw")
    texts = sorted(path for name in ("rtl", "asic", "tcl/asic") for path in (hw / name).iterdir())
    return {**hardware_inputs(job), "hw": sha256_of(*texts)}


def asic(job: Job) -> None:
    """Synthesize, print what every module takes, and leave the folder that a tool starts in.

    Raises:
        ConfigError: as `render_config_tcl`.
        ToolError: as `synthesize_asic`.
    """
    stage = job.workspace.stage(STAGE)
    with stage.write(asic_inputs(job)) as folder:
        with working(job.console, synthesizing()):
            made = synthesize_asic(job.hardware, folder)
        top = made.top
        headline = f"{top.area:,.0f} NAND2, {top.cells:,} cells, {top.memory_bits:,} bits of memory"
        modules = [dataclasses.asdict(module) for module in made.modules]
        write_results(folder, headline, modules=modules, kinds=dict(made.kinds))
    title = f"{job.hardware.name}: {top.name} in cells of no foundry, by Yosys"
    job.console.print(table(title, _COLUMNS, area_rows(made)))
    job.say(headline)
    job.say(f"{stage.folder}: netlist.v, and scripts for cells of yours: docs/asic.md says how")


def area_rows(made: AsicSynthesis) -> list[tuple[str, ...]]:
    """One for each module: how often, its cells and area without those below, area with them."""
    return [
        (
            part.name,
            str(part.instances),
            f"{part.own_cells:,}",
            f"{part.own_area:,.0f}",
            f"{part.area:,.0f}",
            f"{part.area / made.top.area:.1%}",
            f"{part.memory_bits:,}" if part.memory_bits else "",
        )
        for part in made.modules
    ]
