"""The devices that an engine can be built for: a new one is one entry here.

Figures are of the vendor's product tables: DS190 (Zynq-7000), DS891 (Zynq UltraScale+), DS987 (Kria
K26). The names of a family are those of each tool's manual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cnnaccel.processing_system import ZYNQ_7000, ZYNQ_ULTRASCALE, ProcessingSystem


@dataclass(frozen=True)
class Resources:
    """Resources that a device has, or an engine takes; a bram36 is 36 Kbit, two halves of 18."""

    dsp: int
    bram36: float
    lut: int

    def beyond(self, device: Resources) -> tuple[str, ...]:
        """Resources that a device has too few of, each as `272 of 220 DSP`."""
        rows: tuple[tuple[str, float, float], ...] = (
            ("DSP", self.dsp, device.dsp),
            ("BRAM36", self.bram36, device.bram36),
            ("LUT", self.lut, device.lut),
        )
        return tuple(f"{need:,} of {got:,} {name}" for name, need, got in rows if need > got)


@dataclass(frozen=True)
class Family:
    """Facts that all devices of one kind have in common."""

    name: Literal["zynq", "zynquplus"]
    """The name in Vivado and in the Tcl scripts of `hw/tcl/vivado`."""
    port_bytes: int
    """Width of a port of the processing system to DRAM."""
    most_mhz: float
    """The fastest clock that the processing system offers to the logic."""
    architecture: Literal["armv7l", "aarch64"]
    """Architecture of the processors, as `uname -m` says it."""
    yosys: str
    """The value of `synth_xilinx -family`."""
    system: ProcessingSystem


ZYNQ = Family("zynq", 8, 250.0, "armv7l", "xc7", ZYNQ_7000)
ULTRASCALE = Family("zynquplus", 16, 400.0, "aarch64", "xcup", ZYNQ_ULTRASCALE)


@dataclass(frozen=True)
class Device(Resources):
    """One device, of any package and speed grade."""

    memory_lut: int
    """LUTs that can be memory or shift register."""
    family: Family

    @property
    def registers(self) -> int:
        """Flip-flops: two beside every LUT."""
        return 2 * self.lut


DEVICES = {
    "xc7z010": Device(80, 60, 17_600, 6_000, ZYNQ),
    "xc7z020": Device(220, 140, 53_200, 17_400, ZYNQ),
    "xczu3eg": Device(360, 216, 70_560, 28_800, ULTRASCALE),
    "xczu5eg": Device(1248, 144, 117_120, 57_600, ULTRASCALE),
    "xczu7ev": Device(1728, 312, 230_400, 101_760, ULTRASCALE),
    "xck26": Device(1248, 144, 117_120, 57_600, ULTRASCALE),
}
"""Devices by the beginning of the part's name: DSPs, BRAM36, LUTs, LUTs that can be memory.

UltraRAM, of which ZU5EG and K26 have 64 blocks and ZU7EV 96, is not used."""


def device_of(part: str) -> Device | None:
    """The device of a part's name, as `xc7z020clg400-1`; None if it is not in the table."""
    return next((device for name, device in DEVICES.items() if part.startswith(name)), None)
