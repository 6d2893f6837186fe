"""build-hw: the engine as hardware, and what can be said of it without the vendor's tools."""

from __future__ import annotations

from dataclasses import replace

from cnnaccel.backend.lint import TOP, lint_engine, top_parameters, top_sources
from cnnaccel.backend.yosys import Synthesis, synthesize
from cnnaccel.errors import ConfigError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.pipeline.job import Job
from cnnaccel.report.tables import table


def check(job: Job) -> None:
    """Lint the engine, elaborate it, synthesize it, and hold it against its device.

    Raises:
        ToolError: a tool is missing, or what a linter or Yosys does not like.
        ConfigError: it takes more than its device, or its budget, has.
    """
    hardware = job.hardware
    with job.console.status("linting"):
        lint_engine(hardware)
    job.say(f"no warning: verilator, verible, slang, on {len(top_sources())} files")
    with job.console.status("synthesizing; minutes, unless it is known already"):
        made = synthesize(TOP, top_sources(), hardware, top_parameters(hardware))
    title = f"{hardware.name}: {TOP} on {hardware.part}, by Yosys"
    job.console.print(table(title, ["resource", "used", "device", "share"], usage(made, hardware)))
    if short := exceeds(made, hardware):
        raise ConfigError(f"{hardware.name}: the engine takes {', '.join(short)}")
    job.say("it fits")


def usage(made: Synthesis, hardware: HardwareConfig) -> list[tuple[str, str, str, str]]:
    """Resource, used, what the device has, share: of a table."""
    take, have = made.resources, hardware.device
    counted: list[tuple[str, float, float]] = [
        ("DSP48E1", take.dsp, have.dsp),
        ("RAMB36E1", take.bram36, have.bram36),
        ("LUT", take.lut, have.lut),
        ("  of them memory", made.memory_luts, have.lut),
        ("flip-flop", made.registers, 2 * have.lut),  # two beside every LUT
    ]
    return [(name, f"{a:,g}", f"{b:,g}", f"{a / b:.1%}") for name, a, b in counted]


def exceeds(made: Synthesis, hardware: HardwareConfig) -> tuple[str, ...]:
    """What the device has too little of, or the budget, as `221 of 220 DSP`."""
    have, budget = hardware.device, hardware.dsp_budget
    allowed = have if budget is None else replace(have, dsp=min(budget, have.dsp))
    return made.resources.beyond(allowed)
