"""Estimated LUTs of what stands around the engine in its block design, which no tool of ours
counts.

Vivado's IPs come with Vivado, so the figures are of others' designs. A SmartConnect of one master
and four slaves at 32 bits took 533 LUT. One between a master and an HP port of a Zynq-7000 took 910
(analogdevicesinc/hdl, pull request 1054, Vivado 2023.1); with 64 bits and eight bursts under way
each way 1,500 to 3,000 are expected, of which the upper end is taken. 100 and 20 for an interrupt
controller of one input and a proc_sys_reset are judgement. None has DSP or BRAM.
"""

from __future__ import annotations

from cnnaccel.hardware import HardwareConfig

ESTIMATED = "estimated, of real designs"
_CONTROL_SMARTCONNECT = 533
_MEMORY_SMARTCONNECT = 3000
"""LUTs at 64 bits; half of them grow with the width of the bus."""
_INTERRUPT_CONTROLLER = 100
_RESET = 20


def luts_around(hardware: HardwareConfig) -> int:
    """LUTs of both SmartConnects, the interrupt controller and the reset, at most."""
    half = _MEMORY_SMARTCONNECT // 2
    memory = half + half * 8 * hardware.input_lanes // 64
    return _CONTROL_SMARTCONNECT + memory + _INTERRUPT_CONTROLLER + _RESET
