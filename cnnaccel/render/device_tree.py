"""Device trees for Linux without pynq: the engine, its interrupt, its memory, its clock.

Nodes as the kernel's bindings have them: `xlnx,xps-intc-1.00.a`, `generic-uio` of uio_pdrv_genirq,
`shared-dma-pool`, `fpga-region`, `xlnx,afi-fpga`; `ikwzm,u-dma-buf` as its README says. Addresses
and numbers are those of the block design.
"""

from __future__ import annotations

from textwrap import indent

from cnnaccel.hardware import HardwareConfig
from cnnaccel.processing_system import REGION_BYTES, ProcessingSystem
from cnnaccel.render.template import render_template

BOOT_TREE = "cnnaccel.dtsi"
OVERLAY = "cnnaccel-overlay.dts"
_DEFAULT_MIB = 64
"""Size of the engine's memory, where the board's file names none."""
_ALIGNMENT = 4 << 20
"""Alignment of memory that the kernel keeps contiguous: its largest block of pages of 4 KiB."""


def render_device_trees(hardware: HardwareConfig) -> dict[str, str]:
    """A part of the tree that Linux starts with, and an overlay; name and text of each."""
    ps = hardware.system
    board = hardware.name or hardware.part
    memory = _aligned(int((hardware.contiguous_mib or _DEFAULT_MIB) * (1 << 20)))
    clock = {
        "clock": ps.linux_clock,
        "clock_hz": round(ps.clock_mhz(hardware.clock_mhz) * 1e6),
    }
    controller = ps.base + REGION_BYTES
    devices = render_template(
        "device_tree_devices.j2",
        controller_at=f"{controller:x}",
        controller_reg=_region(ps, controller, REGION_BYTES),
        engine_at=f"{ps.base:x}",
        engine_reg=_region(ps, ps.base, REGION_BYTES),
        interrupt_parent=ps.linux_interrupts,
        interrupt=ps.shared_interrupt,
        **clock,
    )
    clock_node = render_template("device_tree_clock.j2", **clock)
    boot = render_template(
        "cnnaccel.dtsi.j2",
        board=board,
        cells=ps.address_cells,
        memory_size=_cells(ps, memory),
        memory_alignment=_cells(ps, _ALIGNMENT),
        memory_window=_region(ps, 0, hardware.reached_dram_bytes or ps.low_dram_bytes),
        memory_bytes=f"0x{memory:x}",
        clock=_deeper(clock_node, 1),
        devices=_deeper(devices, 2),
    )
    overlay = render_template(
        "cnnaccel-overlay.dts.j2",
        board=board,
        cells=ps.address_cells,
        region=ps.linux_region,
        switches=[_deeper(node, 1) for node in ps.linux_switches],
        memory_bytes=f"0x{_aligned(memory // 2):x}",  # others want some of it too
        clock=_deeper(clock_node, 1),
        devices=_deeper(devices, 1),
    )
    return {BOOT_TREE: boot, OVERLAY: overlay}


def _aligned(size: int) -> int:
    """The most of a size that the kernel can keep contiguous, in bytes."""
    return max(size // _ALIGNMENT, 1) * _ALIGNMENT


def _deeper(node: str, levels: int) -> str:
    return indent(node.rstrip("\n"), "\t" * levels)


def _cells(ps: ProcessingSystem, value: int) -> str:
    """A number as one cell of 32 bits, or two."""
    words = [value >> 32 * at & 0xFFFF_FFFF for at in reversed(range(ps.address_cells))]
    return " ".join(f"0x{word:x}" for word in words)


def _region(ps: ProcessingSystem, base: int, size: int) -> str:
    return f"{_cells(ps, base)} {_cells(ps, size)}"
