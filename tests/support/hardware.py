"""Engines that several test files compile for."""

from __future__ import annotations

from cnnaccel.hardware import HardwareConfig, load_hardware

TINY = load_hardware("tiny")
SMALL = HardwareConfig(
    pixel_lanes=2, input_lanes=4, output_lanes=8, act_kib=8, wgt_kib=4, par_groups=16
)
SMALLEST = HardwareConfig(act_kib=4, wgt_kib=4, par_groups=16)
"""With the scratchpads of `tiny` and the lanes of a PYNQ-Z1."""
OTHER = HardwareConfig(pixel_lanes=2, input_lanes=16, output_lanes=32, act_kib=64, wgt_kib=32)
PYNQ = HardwareConfig()
