"""The SystemVerilog sources of the engine, and the parameters of the module on top of them."""

from __future__ import annotations

from pathlib import Path

from cnnaccel.hardware import HardwareConfig
from cnnaccel.resources import resource

ENGINE = "engine"
"""The module that simulations are made of."""
WRAPPER = "cnnaccel_engine"
"""The module that a block design takes: `ENGINE` in Verilog, with Vivado's names of its ports."""


def engine_sources() -> tuple[Path, ...]:
    """All of `hw/rtl` that module `ENGINE` needs, packages first."""
    rtl = resource("hw") / "rtl"
    package = rtl / "cnnaccel_pkg.sv"
    return package, *sorted(path for path in rtl.glob("*.sv") if path != package)


def probe_sources() -> tuple[Path, ...]:
    """What shows the inside of module `ENGINE` to a simulation of it, after its sources."""
    sim = resource("hw") / "sim"
    return sim / "activity.vlt", sim / "engine_probe.sv"  # waivers before what they are of


def wrapper_sources() -> tuple[Path, ...]:
    """All of `hw/rtl` that module `WRAPPER` needs, packages first."""
    return (*engine_sources(), resource("hw") / "rtl" / f"{WRAPPER}.v")


def wrapper_parameters(hardware: HardwareConfig) -> dict[str, int]:
    """Parameters of `WRAPPER` and their values for an engine."""
    return {"AddressBits": hardware.address_bits, "WordBytes": hardware.input_lanes}
