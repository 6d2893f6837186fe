"""Sources of the modules that are tested alone, each by the test file of its name."""

from __future__ import annotations

from cnnaccel.resources import resource

_HW = resource("hw")
FETCH = tuple(
    _HW / "rtl" / f"{name}.sv"
    for name in (
        "cnnaccel_pkg",
        "fifo",
        "registered_fifo",
        "program_walker",
        "word_assembler",
        "instruction_counter",
        "instruction_queues",
        "fetch",
    )
)
TOKENS = (_HW / "rtl" / "cnnaccel_pkg.sv", _HW / "rtl" / "tokens.sv")
REGISTERS = (_HW / "rtl" / "cnnaccel_pkg.sv", _HW / "rtl" / "axi_lite_regs.sv")
EVENT_COUNTERS = (_HW / "rtl" / "event_counters.sv", _HW / "tb" / "event_counters_tb.sv")
