"""The processors beside the engine: their names in Vivado and Linux, clocks, addresses.

One home for what the simulated `.hwh`, `config.tcl`, the device trees and the tests of all three
must agree on. Knows no device and no engine: `devices.py` says which devices have which.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

ENGINE_CELL = "engine"
"""The engine's name in a block design."""
INTERRUPT_CELL = "axi_intc_0"
"""The interrupt controller's name in a block design."""
REGION_BYTES = 1 << 16
"""Size of the address range of the engine's registers, and of the interrupt controller's, which
follows it."""
_MOST_DIVISOR = 63


@dataclass(frozen=True)
class ProcessingSystem:
    """The processing system of one family of devices; names are Vivado's."""

    ip: str
    version: str
    irq: str
    """The interrupt input."""
    master: str
    """The AXI port to the registers of the engine."""
    pll_mhz: int
    """Frequency of the IO PLL, which makes the engine's clock."""
    clock_enable: str
    """Parameter in the `.hwh` that enables clock {0}."""
    clock_divisor: str
    """Parameter in the `.hwh` with divisor {1} of clock {0}."""
    base: int
    """Address of the engine's registers."""
    low_dram_bytes: int
    """DRAM below 4 GiB that an engine can reach, from address 0, at most: UG585, table 4-1, and
    UG1085, table 10-1."""
    address_cells: int
    """Cells of 32 bits that an address, or a size, takes in Linux's device tree."""
    linux_interrupts: str
    """Label of the processors' interrupt controller in that tree."""
    shared_interrupt: int
    """Number there, among the shared ones, of the first interrupt from the logic: 32 less than in
    UG585, table 7-4 (61), and UG1085, table 13-1 (121)."""
    linux_clock: str
    """Clock 0 of the logic there: the label of its provider, its number."""
    linux_region: tuple[str, ...] = ()
    """Properties of the region that a bitstream is loaded into: resets of the logic, after it."""
    linux_switches: tuple[str, ...] = ()
    """Nodes for what is set before: widths of the ports, where an earlier design had others."""

    @property
    def cell(self) -> str:
        """The name in a block design."""
        return f"{self.ip}_0"

    def divisors(self, clock_mhz: float) -> tuple[int, int]:
        """Two divisors of the PLL, 1 to 63 each, whose clock comes nearest to the one asked for."""
        pairs = product(range(1, _MOST_DIVISOR + 1), repeat=2)
        return min(
            ((first, second) for second, first in pairs),
            key=lambda pair: abs(self.pll_mhz / (pair[0] * pair[1]) - clock_mhz),
        )

    def clock_mhz(self, wanted_mhz: float) -> float:
        """The clock that one asked for becomes."""
        first, second = self.divisors(wanted_mhz)
        return self.pll_mhz / (first * second)

    def clock_up_to(self, most_mhz: float) -> float:
        """The fastest clock that can be made and is not faster than `most_mhz`."""
        ratios = {a * b for a in range(1, _MOST_DIVISOR + 1) for b in range(a, _MOST_DIVISOR + 1)}
        enough = [ratio for ratio in ratios if self.pll_mhz / ratio <= most_mhz]
        return self.pll_mhz / min(enough, default=_MOST_DIVISOR**2)


ZYNQ_7000 = ProcessingSystem(
    ip="processing_system7",
    version="5.5",
    irq="IRQ_F2P",
    master="M_AXI_GP0",
    pll_mhz=1000,
    clock_enable="PCW_FPGA_FCLK{}_ENABLE",
    clock_divisor="PCW_FCLK{}_PERIPHERAL_DIVISOR{}",
    base=0x43C0_0000,
    low_dram_bytes=1 << 30,
    address_cells=1,
    linux_interrupts="intc",
    shared_interrupt=29,
    linux_clock="clkc 15",
)
ZYNQ_ULTRASCALE = ProcessingSystem(
    ip="zynq_ultra_ps_e",
    version="3.3",
    irq="pl_ps_irq0",
    master="M_AXI_HPM0_FPD",
    pll_mhz=1500,
    clock_enable="PSU__FPGA_PL{}_ENABLE",
    clock_divisor="PSU__CRL_APB__PL{}_REF_CTRL__DIVISOR{}",
    base=0xA000_0000,
    low_dram_bytes=2 << 30,
    address_cells=2,
    linux_interrupts="gic",
    shared_interrupt=89,
    linux_clock="zynqmp_clk 71",
    linux_region=("resets = <&zynqmp_reset 116>",),
    linux_switches=(
        # 128 bits of S_AXI_HP0_FPD, read and write, and of M_AXI_HPM0_FPD and HPM1_FPD
        "cnnaccel-widths {\n"
        '\tcompatible = "xlnx,afi-fpga";\n'
        "\tconfig-afi = <4 0>, <5 0>, <14 0xa00>;\n"
        "};\n",
    ),
)
