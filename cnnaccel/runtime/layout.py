"""Where a host finds registers, and the fields of a program's header.

Rendered from cnnaccel/isa/instructions.py by templates/layout.py.j2: do not edit; refresh with
`pytest tests/unit/test_render.py --update-golden`. docs/isa.md says what they mean.
"""

MAGIC = 0x414E4E43
FORMAT_VERSION = 2
HEADER_BYTES = 128

HEADER = {
    "magic": (0, 4),
    "version": (4, 4),
    "digest": (8, 8),
    "once_bytes": (16, 4),
    "body_bytes": (20, 4),
    "again_bytes": (24, 4),
    "once_instructions": (28, 4),
    "body_instructions": (32, 4),
    "again_instructions": (36, 4),
    "count": (40, 4),
    "images_per_iteration": (44, 4),
    "input_stride": (48, 4),
    "output_stride": (52, 4),
    "weights_bytes": (56, 4),
    "scratch_bytes": (60, 4),
    "sections_crc": (64, 4),
    "weights_crc": (68, 4),
    "header_crc": (72, 4),
}
"""First byte, bytes."""

REGISTERS = {
    "id": (0x00, 1),
    "version": (0x04, 1),
    "digest": (0x08, 2),
    "control": (0x10, 1),
    "status": (0x14, 1),
    "error": (0x18, 1),
    "failing_instruction": (0x1C, 1),
    "interrupt_enable": (0x20, 1),
    "interrupt_status": (0x24, 1),
    "program_address": (0x28, 2),
    "once_bytes": (0x30, 1),
    "body_bytes": (0x34, 1),
    "count": (0x38, 1),
    "iteration": (0x3C, 1),
    "weights_address": (0x40, 2),
    "input_address": (0x48, 2),
    "output_address": (0x50, 2),
    "scratch_address": (0x58, 2),
    "weights_bytes": (0x60, 1),
    "input_bytes": (0x64, 1),
    "output_bytes": (0x68, 1),
    "scratch_bytes": (0x6C, 1),
    "input_stride": (0x70, 1),
    "output_stride": (0x74, 1),
    "cycles": (0x78, 2),
    "steps": (0x80, 2),
    "compute_waits_load": (0x88, 2),
    "compute_waits_store": (0x90, 2),
    "load_busy": (0x98, 2),
    "store_busy": (0xA0, 2),
    "read_bytes": (0xA8, 2),
    "written_bytes": (0xB0, 2),
    "waiting": (0xB8, 1),
}
"""Offset, 32-bit words; the low word first."""

COUNTERS = (
    "cycles",
    "steps",
    "compute_waits_load",
    "compute_waits_store",
    "load_busy",
    "store_busy",
    "read_bytes",
    "written_bytes",
)
"""Registers that a start clears and that count while the engine is busy."""

CONTROL_START = 0x1
CONTROL_RESET = 0x2
STATUS_BUSY = 0x1
STATUS_DONE = 0x2
STATUS_FAILED = 0x4
INTERRUPT_ENABLE_DONE = 0x1
INTERRUPT_ENABLE_FAILED = 0x2

WAITING = {
    0x0001: "fetch waits for instructions from DRAM",
    0x0002: "fetch waits for room in the queue of a unit",
    0x0004: "load has instructions under way",
    0x0008: "load waits for data from DRAM",
    0x0010: "the next load waits for a token of compute",
    0x0020: "the next load waits for a token of store",
    0x0040: "compute has instructions under way",
    0x0080: "the next MAC or MAX waits for a token of load",
    0x0100: "the next MAC or MAX waits for a token of store",
    0x0200: "store has instructions under way",
    0x0400: "store waits for DRAM to take or acknowledge data",
    0x0800: "the next store waits for a token of load",
    0x1000: "the next store waits for a token of compute",
    0x2000: "reset, or a failure, waits for DRAM to end what it was asked for",
}
"""What a bit of the register `waiting` says."""

ERRORS = {
    0: "it did not fail",
    1: "unknown opcode",
    2: "DRAM address outside its buffer",
    3: "AXI error response to a read",
    4: "AXI error response to a write",
    5: "every unit waits for a token, or a token counter overflowed",
}
"""What the register `error` says."""
