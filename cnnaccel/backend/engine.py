"""The engine's sources, and a simulated bitstream of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cnnaccel.backend.render import render_hwh
from cnnaccel.backend.verilate import Trace, build, making
from cnnaccel.hardware import HardwareConfig
from cnnaccel.resources import resource
from cnnaccel.workspace import write_atomic

TOP = "engine"


def engine_sources() -> tuple[Path, ...]:
    """All of `hw/rtl` that a design of module `engine` needs, packages first."""
    rtl = resource("hw") / "rtl"
    package = rtl / "cnnaccel_pkg.sv"
    return package, *sorted(path for path in rtl.glob("*.sv") if path != package)


def simulated_bitstream(
    hardware: HardwareConfig, trace: Trace | None = None, *, coverage: bool = False
) -> Path:
    """A `.bit` that `runtime.device.SimDevice` loads, with the `.hwh` beside; built once.

    Raises:
        ToolError: as `verilate.build`.
    """
    sim = resource("hw") / "sim"
    sources = (*engine_sources(), sim / "activity.vlt")
    harness = sim / "engine_sim.cpp"
    library = build(TOP, sources, hardware, harness, trace=trace, coverage=coverage)
    bitstream = library.with_suffix("") / "cnnaccel.bit"
    with making(bitstream):
        write_atomic(bitstream.with_suffix(".hwh"), render_hwh(hardware).encode())
        if not bitstream.exists():
            partial = bitstream.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            try:
                os.link(library, partial)
            except OSError:  # a file system without links
                shutil.copy(library, partial)
            os.replace(partial, bitstream)
    return bitstream
