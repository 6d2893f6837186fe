"""`config.tcl`: what the Tcl scripts of `hw/tcl` must know of an engine, its board and its device.

Constants only, no path but names of files in the folder that the scripts work in.
"""

from __future__ import annotations

from pathlib import Path

from cnnaccel.errors import ConfigError
from cnnaccel.fields import line_of
from cnnaccel.hardware import HardwareConfig
from cnnaccel.presets import HOW_TO, Preset, read_preset, shipped_presets
from cnnaccel.processing_system import ENGINE_CELL, INTERRUPT_CELL, REGION_BYTES
from cnnaccel.render.params import register_words
from cnnaccel.render.sources import WRAPPER, wrapper_parameters, wrapper_sources
from cnnaccel.render.template import render_template

PRESET = "preset.tcl"
"""The preset's copy in a build folder."""
OLDEST_VIVADO = (2020, 1)
"""The oldest version that knows all the commands of `hw/tcl/vivado`: year, number in it."""
BURST_BEATS = 16
"""The longest burst of the engine: `hw/rtl/burst_splitter.sv`."""
BURSTS = 8
"""Bursts under way, each way: Outstanding of `hw/rtl/axi_read_master.sv` and `_write_`."""


def render_config_tcl(hardware: HardwareConfig) -> str:
    """`config.tcl`; the same hardware gives the same bytes.

    Raises:
        ConfigError: as `preset_of`; or the size of DRAM is not known.
    """
    preset_of(hardware)
    ps = hardware.system
    parameters = wrapper_parameters(hardware)
    p, c, k = hardware.lanes
    constants: dict[str, object] = {
        "board": _word(hardware.name or hardware.part),
        "part": hardware.part,
        "preset": _word(Path(hardware.ps_preset or "").stem) or "{}",
        "board_part": hardware.board_part or "{}",
        "dram_bytes": f"0x{_reached_dram(hardware):08X}",
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


def preset_of(hardware: HardwareConfig) -> Preset | None:
    """The preset of the board's processing system; None: Vivado's own files of the board set it.

    Raises:
        ConfigError: with file:line, that there is neither, or that it is of another part or memory.
    """
    if hardware.board_part is not None:
        return None
    if (path := hardware.preset_file) is None:
        raise ConfigError(
            f"{hardware.file or hardware.name or hardware.part}: nothing says how the processing "
            "system of this board is set, so no bitstream can be built for it; give board_part "
            f"or ps_preset: {HOW_TO}"
        )
    preset = read_preset(path)
    if not hardware.part.startswith(preset.part):
        fitting = [
            name
            for name, shipped in shipped_presets().items()
            if hardware.part.startswith(read_preset(shipped).part)
        ]
        way_out = f"set ps_preset to {' or '.join(fitting)}" if fitting else HOW_TO
        raise ConfigError(
            f"{_where(hardware, 'ps_preset')}ps_preset {hardware.ps_preset} is of a board with "
            f"{preset.part}, the part is {hardware.part}; {way_out}"
        )
    if hardware.dram_mib is not None and hardware.dram_mib << 20 != preset.dram_bytes:
        raise ConfigError(
            f"{_where(hardware, 'dram_mib')}dram_mib is {hardware.dram_mib}, and ps_preset "
            f"{hardware.ps_preset} is of a board with {preset.dram_bytes >> 20}; leave dram_mib out"
        )
    return preset


def _reached_dram(hardware: HardwareConfig) -> int:
    """Bytes of DRAM that the engine reaches.

    Raises:
        ConfigError: it is not known.
    """
    if (reached := hardware.reached_dram_bytes) is None:
        raise ConfigError(
            f"{_where(hardware, 'board_part')}board_part wants dram_mib beside it: how many MiB of "
            "DRAM the board has"
        )
    return reached


def _where(hardware: HardwareConfig, key: str) -> str:
    return f"{line_of(hardware.file, key)}: " if hardware.file else ""


def _word(name: str) -> str:
    """A name as one word of Tcl: what is neither letter nor digit becomes `_`."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
