"""`config.tcl`: what the Tcl scripts of `hw/tcl` must know of an engine, its board and its device.

Constants only, no path but names of files in the folder that the scripts work in.
"""

from __future__ import annotations

from cnnaccel.errors import ConfigError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.processing_system import ENGINE_CELL, INTERRUPT_CELL, REGION_BYTES
from cnnaccel.render.params import register_words
from cnnaccel.render.sources import WRAPPER, wrapper_parameters, wrapper_sources
from cnnaccel.render.template import render_template

PRESET_PARTS = {"pynq_z1": "xc7z020clg400", "pynq_z2": "xc7z020clg400", "zcu104": "xczu7ev"}
"""The beginning of the part on the board that a preset is of."""
DRAM_BYTES = {"pynq_z1": 512 << 20, "pynq_z2": 512 << 20, "zcu104": 2 << 30}
"""DRAM that the engine reaches, from address 0: `preset(dram_bytes)` of the board's Tcl."""

OLDEST_VIVADO = (2020, 1)
"""The oldest version that knows all the commands of `hw/tcl/vivado`: year, number in it."""
BURST_BEATS = 16
"""The longest burst of the engine: `hw/rtl/burst_splitter.sv`."""
BURSTS = 8
"""Under way at a time, each way: Outstanding of `hw/rtl/axi_read_master.sv` and `_write_`."""


def render_config_tcl(hardware: HardwareConfig) -> str:
    """`config.tcl`; the same hardware gives the same bytes.

    Raises:
        ConfigError: the preset is of a board with another part.
    """
    _check_preset(hardware)
    ps = hardware.system
    parameters = wrapper_parameters(hardware)
    p, c, k = hardware.lanes
    constants: dict[str, object] = {
        "board": _word(hardware.name or hardware.part),
        "part": hardware.part,
        "preset": hardware.ps_preset,
        "family": hardware.device.family.name,
        "digest": f"{hardware.digest:016x}",
        "top": WRAPPER,
        "pixel_lanes": p,
        "input_lanes": c,
        "output_lanes": k,
        "address_bits": parameters["AddressBits"],
        "word_bytes": parameters["WordBytes"],
        "burst_beats": BURST_BEATS,
        "bursts": BURSTS,
        "clock_mhz": f"{hardware.clock_mhz:g}",
        "made_clock_mhz": f"{ps.clock_mhz(hardware.clock_mhz):.6f}",
        "engine": ENGINE_CELL,
        "interrupt_controller": INTERRUPT_CELL,
        "ps": ps.cell,
        "ps_ip": ps.ip,
        "engine_base": f"0x{ps.base:08X}",
        "interrupt_base": f"0x{ps.base + REGION_BYTES:08X}",
        "region_bytes": REGION_BYTES,
    }
    return render_template(
        "config.tcl.j2",
        board=_word(hardware.name or hardware.part),
        constants=constants.items(),
        sources=["params.svh", *(path.name for path in wrapper_sources())],
        registers=[
            {"name": name, "at": f"0x{at:02x}", "access": access, "meaning": meaning,
             "flags": flags}
            for name, at, meaning, access, flags in register_words()
        ],
    )  # fmt: skip


def _check_preset(hardware: HardwareConfig) -> None:
    of = PRESET_PARTS[hardware.ps_preset]
    if not hardware.part.startswith(of):
        fitting = [name for name, part in PRESET_PARTS.items() if hardware.part.startswith(part)]
        way_out = f"set ps_preset to {' or '.join(fitting)}" if fitting else (
            "docs/build-hw.md says how to add the preset of another board"
        )  # fmt: skip
        raise ConfigError(
            f"ps_preset {hardware.ps_preset} is of a board with {of}, the part is "
            f"{hardware.part}; {way_out}"
        )


def _word(name: str) -> str:
    """A name as one word of Tcl: what is neither letter nor digit becomes `_`."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
