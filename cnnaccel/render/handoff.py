"""The files that say which engine a bitstream is: for SystemVerilog, C, Vivado, Linux, JSON.

The same hardware gives the same bytes; what built it stands in the manifest beside.
"""

from __future__ import annotations

import json

from cnnaccel import __version__
from cnnaccel.hardware import FORMAT_VERSION, HardwareConfig
from cnnaccel.processing_system import ENGINE_CELL, REGION_BYTES
from cnnaccel.render.device_tree import BOOT_TREE, OVERLAY, render_device_trees
from cnnaccel.render.params import render_params_h, render_params_svh
from cnnaccel.render.tcl import OLDEST_VIVADO, render_config_tcl
from cnnaccel.render.template import render_template

HW_JSON = "hw.json"
HW_FILES = ("params.svh", "params.h", "config.tcl", HW_JSON, BOOT_TREE, OVERLAY)
_NOT_OF_THE_ENGINE = ("clock_mhz", "part", "ps_preset", "name")


def render_hw_files(hardware: HardwareConfig) -> dict[str, str]:
    """Name and text of each file of `HW_FILES`."""
    return {
        "params.svh": render_params_svh(hardware),
        "params.h": render_params_h(hardware),
        "config.tcl": render_config_tcl(hardware),
        HW_JSON: render_hw_json(hardware),
        **render_device_trees(hardware),
    }


def render_hw_json(hardware: HardwareConfig) -> str:
    """`hw.json`: lies beside a bitstream and says which engine it is."""
    values, ps = hardware.recorded, hardware.system
    parameters = [
        f"{json.dumps(name)}: {json.dumps(value)}"
        for name, value in values.items()
        if name not in _NOT_OF_THE_ENGINE and not name.startswith("dram_")
    ]
    return render_template(
        "hw.json.j2",
        version=FORMAT_VERSION,
        digest=f"{hardware.digest:016x}",
        board=hardware.name or hardware.part,
        part=hardware.part,
        asked_mhz=hardware.clock_mhz,
        clock_mhz=round(ps.clock_mhz(hardware.clock_mhz), 6),
        parameters=parameters,
        engine=ENGINE_CELL,
        base=f"0x{ps.base:08x}",
        span=REGION_BYTES,
        master=ps.master,
        cnnaccel=__version__,
        vivado="{}.{}".format(*OLDEST_VIVADO),
    )
