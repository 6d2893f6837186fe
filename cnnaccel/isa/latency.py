"""Cycles that the engine takes from here to there, whatever a program does.

The one home of what the cost model, the benches and the RTL count with. `params.svh` has those that
are sums: the module that each is of holds it against its parts when it is elaborated. The benches
hold all of them against the simulation. docs/pipeline.md says what lies between.
"""

from __future__ import annotations

from collections.abc import Iterator

from cnnaccel.hardware import HardwareConfig

FIRST_STEP_CYCLES = 2
"""From the cycle in which `compute` takes an instruction to its first step."""
ISSUE_CYCLES = FIRST_STEP_CYCLES - 1
"""Between the last step of an instruction and the first of the next, which is taken beside it."""
_LANE_CYCLES = 13
"""From a step to the sums of a tile, but for what adds up its products."""
SUM_TO_WRITE_CYCLES = 15
"""From the sums of a tile to its first word at the write port of act."""
WRITE_TO_DONE_CYCLES = 1
"""From the last word at the write port to the end of its instruction."""
READ_AHEAD_CYCLES = 7
"""With wait_drain an instruction is taken so many cycles before the end of the one before: its
first read comes later."""
LOAD_CYCLES = 10
"""From the cycle in which `load` takes an instruction to its first write of act, beside those of
memory, from an address to its word. A write of wgt or par comes one earlier, with its last word."""
LOAD_TO_DONE_CYCLES = 1
"""From the last write of act to the end of its instruction; of wgt and par one more."""
STUCK_CYCLES = 64
"""Without anything under way before `tokens` says that the units wait for one another: more than
from the last busy cycle of a unit to its token."""


def step_to_sum_cycles(input_lanes: int) -> int:
    """From a step to its sums: log2 C registers add up the products of C input lanes."""
    return _LANE_CYCLES + input_lanes.bit_length() - 1


def step_to_done_cycles(input_lanes: int) -> int:
    """From the last step of a tile of one word to the end of its instruction."""
    return step_to_sum_cycles(input_lanes) + SUM_TO_WRITE_CYCLES + WRITE_TO_DONE_CYCLES


PIPELINE_CYCLES = step_to_done_cycles(16)
"""From the last step of an instruction to its end, as the cost model has it: in the widest engine.
Narrower ones take one or two cycles less."""


def latencies(hardware: HardwareConfig) -> Iterator[tuple[str, int, str]]:
    """Names, cycles and meanings of what the RTL holds against the sums of its parts."""
    yield "first_step_cycles", FIRST_STEP_CYCLES, "taken to first step"
    yield "step_to_sum_cycles", step_to_sum_cycles(hardware.input_lanes), "step to its sums"
    yield "sum_to_write_cycles", SUM_TO_WRITE_CYCLES, "sums to the first word at act"
    yield "read_ahead_cycles", READ_AHEAD_CYCLES, "taken before the done of the one before"
    yield "load_cycles", LOAD_CYCLES, "taken to the first word at act, but for memory's"
    yield "stuck_cycles", STUCK_CYCLES, "until units wait for one another"
