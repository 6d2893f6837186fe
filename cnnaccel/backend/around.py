"""What stands around the engine in its block design, which no tool of ours can count: an estimate.

Vivado's IPs come with Vivado. Figures are of reports of real designs: a SmartConnect of one master
and four slaves at 32 bits took 533 LUT; ones between a bursting master and a port of the processing
system, at 64 bits, 1,500 to 3,000, of which the upper end is taken. An interrupt controller of one
input and a proc_sys_reset take 100 and 20 together with their registers. None has DSP or BRAM.
"""

from __future__ import annotations

from cnnaccel.hardware import HardwareConfig

ESTIMATED = "estimated, of real designs"
_CONTROL_SMARTCONNECT = 533
_MEMORY_SMARTCONNECT = 3000
"""At 64 bits; half of it grows with the width of the bus."""
_INTERRUPT_CONTROLLER = 100
_RESET = 20


def luts_around(hardware: HardwareConfig) -> int:
    """LUTs of both SmartConnects, the interrupt controller and the reset, at most."""
    half = _MEMORY_SMARTCONNECT // 2
    memory = half + half * 8 * hardware.input_lanes // 64
    return _CONTROL_SMARTCONNECT + memory + _INTERRUPT_CONTROLLER + _RESET
