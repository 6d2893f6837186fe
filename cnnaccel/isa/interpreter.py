"""The definition of what a program means: its instructions on a memory image, one at a time.

Each unit takes its instructions in order, each as soon as its tokens are there. Which unit goes
first is up to `order`, and must not matter. That it does not is shown, not tried: an access to a
word must be ordered against every conflicting one by tokens and queues alone.

Time is a vector clock: an event is a step of one of four threads, `load`, `compute` as it reads
operands, `compute` as it drains, `store`, and knows how far it has seen each. A token carries the
clock of its giver; the n-th token taken is the n-th given, so what is known before an instruction
depends on the program, not on the order. An access is ordered after another if its clock has seen
it. Operands are read before the same instruction drains; without `wait_drain` an instruction reads
operands knowing nothing of what those before it drain.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cnnaccel.errors import ProgramError
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.execute import Words, dram_runs, execute, reads, transfer, writes
from cnnaccel.isa.instructions import (
    TOKEN_BITS,
    Base,
    Compute,
    Instruction,
    Load,
    Memory,
    Store,
    Unit,
)
from cnnaccel.isa.program import Program, Section, check
from cnnaccel.isa.scratchpad import Addresses, Scratchpads

Order = Literal["load first", "compute first", "store first", "round robin", "random"]
"""The unit that goes on where several could; behind the first one in the order of the flow."""
ORDERS: tuple[Order, ...] = get_args(Order)
Bytes = npt.NDArray[np.uint8]
Clock = npt.NDArray[np.int64]
_LOAD, _READ, _DRAIN, _STORE = range(4)
_THREAD = {Unit.LOAD: _LOAD, Unit.COMPUTE: _READ, Unit.STORE: _STORE}
_MOST_TOKENS = (1 << TOKEN_BITS) - 1


def run_program(
    hardware: HardwareConfig,
    program: Program,
    images: bytes | Bytes,
    count: int | None = None,
    order: Order = "round robin",
    seed: int = 0,
) -> dict[Base, Bytes]:
    """The DRAM buffers after a run: OUTPUT has `count` times `output_stride` bytes.

    images: the buffer INPUT. count: iterations of body, those of the program if None. seed: of the
    order `random`.

    Raises:
        ProgramError: with the instructions: no instruction of this engine; units that wait for
            one another; a body that leaves more or fewer tokens than it found; a counter that
            overflows; a word that is read but was never written, or accessed by two instructions
            in no certain order; an address outside a buffer; a sum beyond int32.
    """
    check(program, hardware)
    _check_balance(program)
    machine = _Machine(hardware, program, images, program.count if count is None else count)
    choose = random.Random(seed)
    turn = Unit.STORE
    while machine.unfinished():
        ready = [unit for unit in Unit if machine.ready(unit)]
        if not ready:
            raise ProgramError(machine.deadlock())
        match order:
            case "random":
                turn = choose.choice(ready)
            case "round robin":
                turn = min(ready, key=lambda unit: (unit <= turn, unit))
            case _:
                first = Unit[order.split()[0].upper()]
                turn = first if first in ready else ready[0]
        machine.step(turn)
    return machine.dram


def _check_balance(program: Program) -> None:
    """Check that an iteration of body takes the tokens it gives; once may leave some for the
    first."""
    for giver, taker in permutations(Unit, 2):
        given = [place for place in program.sections()
                 if place[2].opcode.unit == giver and taker in place[2].signal_to]  # fmt: skip
        taken = [place for place in program.sections()
                 if place[2].opcode.unit == taker and giver in place[2].wait_for]  # fmt: skip
        begins = any(section == "body" for section, _, _ in taken)
        for section in ("body",) if begins else ("body", "once"):
            gives = [program.name_of(*place[:2]) for place in given if place[0] == section]
            takes = [program.name_of(*place[:2]) for place in taken if place[0] == section]
            if len(gives) != len(takes):
                raise ProgramError(
                    f"{section} gives {len(gives)} tokens of {_name(giver)} for {_name(taker)} "
                    f"and takes {len(takes)}; the last is that of {max(gives, takes, key=len)[-1]}"
                )


@dataclass(frozen=True)
class _Planned:
    """An instruction with the physical words it touches."""

    section: Section
    called: str
    instruction: Instruction
    reads: Words
    writes: Words

    def name(self, iteration: int) -> str:
        return self.called if self.section == "once" else f"{self.called} of iteration {iteration}"


class _Machine:
    """The state of a run."""

    def __init__(
        self, hardware: HardwareConfig, program: Program, images: bytes | Bytes, count: int
    ) -> None:
        self.program, self.count = program, count
        self.pads = Scratchpads.empty(hardware)
        self.sums = np.zeros((hardware.pixel_lanes, hardware.output_lanes), np.int64)
        sizes = {Base.OUTPUT: count * program.output_stride, Base.SCRATCH: program.scratch_bytes}
        self.dram = {base: np.zeros(size, np.uint8) for base, size in sizes.items()}
        self.dram[Base.WEIGHTS] = np.frombuffer(program.weights, np.uint8)
        self.dram[Base.INPUT] = (
            np.frombuffer(images, np.uint8) if isinstance(images, bytes) else images.reshape(-1)
        )
        self.width = hardware.input_lanes
        depths: dict[Memory | Base, int] = {
            Memory.ACT: hardware.act_words,
            Memory.WGT: hardware.wgt_words,
            Memory.PAR: hardware.par_groups,
            **{base: -(-size // self.width) for base, size in sizes.items()},
        }
        self.log: list[list[str]] = [[""] for _ in range(4)]
        """Names of the events of each thread, by time."""
        self.memories = {
            key: _Memory(key.value if isinstance(key, Memory) else key.name, depth, self.log)
            for key, depth in depths.items()
        }
        planned = [self._plan(*place) for place in program.sections()]
        self.queues = {
            unit: [
                [p for p in planned if p.section == section and unit == p.instruction.UNIT]
                for section in ("once", "body")
            ]
            for unit in Unit
        }
        self.done = dict.fromkeys(Unit, 0)
        self.tokens: dict[tuple[Unit, Unit], deque[Clock]] = {
            (giver, taker): deque() for giver in Unit for taker in Unit
        }
        self.clocks = np.zeros((4, 4), np.int64)
        """Row t: what thread t has seen of each thread."""

    def _plan(self, section: Section, index: int, instruction: Instruction) -> _Planned:
        match instruction:
            case Compute():
                inner, outer = instruction.interleave_in, instruction.interleave_out
            case Load() | Store():
                inner = outer = instruction.interleave
        found = self._physical(reads(self.pads, instruction), inner)
        made = self._physical(writes(self.pads, instruction), outer)
        if isinstance(instruction, Compute) and made:
            both = np.intersect1d(found[Memory.ACT], made[Memory.ACT])
            if both.size:
                name = self.program.name_of(section, index)
                raise ProgramError(f"{name} writes {both.size} words of act that it reads itself")
        called = self.program.name_of(section, index)
        return _Planned(section, called, instruction, found, made)

    def _physical(self, words: Words, interleave: int) -> Words:
        """Words with those of act by where they lie: their number if L is 1."""
        if Memory.ACT in words:
            bank, row = self.pads.locate(words[Memory.ACT], interleave)
            words = {**words, Memory.ACT: row * len(self.pads.act) + bank}
        return words

    def next(self, unit: Unit) -> tuple[_Planned, int] | None:
        """The instruction a unit has to do next, and in which iteration."""
        once, body = self.queues[unit]
        place = self.done[unit] - len(once)
        if place < 0:
            return once[place], 0
        if place >= len(body) * self.count:
            return None
        return body[place % len(body)], place // len(body)

    def unfinished(self) -> bool:
        return any(self.next(unit) for unit in Unit)

    def missing(self, unit: Unit) -> list[Unit]:
        """The units whose tokens the next instruction of a unit waits for."""
        due = self.next(unit)
        wanted = due[0].instruction.wait_for if due else Unit(0)
        return [giver for giver in Unit if giver in wanted and not self.tokens[giver, unit]]

    def ready(self, unit: Unit) -> bool:
        return self.next(unit) is not None and not self.missing(unit)

    def deadlock(self) -> str:
        """Who waits for whom."""
        parts = []
        for unit in Unit:
            due = self.next(unit)
            if due is None:
                parts.append(f"{_name(unit)} has ended")
            else:
                givers = " and ".join(_name(giver) for giver in self.missing(unit))
                parts.append(f"{due[0].name(due[1])} waits for {givers}")
        return "deadlock: " + "; ".join(parts)

    def step(self, unit: Unit) -> None:
        """Execute the next instruction of a unit, whose tokens are there."""
        due = self.next(unit)
        assert due is not None
        planned, iteration = due
        instruction = planned.instruction
        try:
            clock = self._start(unit, planned, iteration)
            match instruction:
                case Compute():
                    operands = {n: at for n, at in planned.reads.items() if n != Memory.PAR}
                    parameters = {n: at for n, at in planned.reads.items() if n == Memory.PAR}
                    self._access(_READ, clock, operands, {})
                    clock = self._tick(_DRAIN, clock, planned, iteration)
                    self._access(_DRAIN, clock, parameters, planned.writes)
                    self.sums = execute(self.pads, instruction, self.sums)
                case Load() | Store():
                    self._access(_THREAD[unit], clock, planned.reads, planned.writes)
                    self._transfer(instruction, clock, iteration)
            for taker in Unit:
                if taker in instruction.signal_to:
                    self.tokens[unit, taker].append(clock)
                    if len(self.tokens[unit, taker]) > _MOST_TOKENS:
                        raise ProgramError(f"more than {_MOST_TOKENS} tokens for {_name(taker)}")
        except ProgramError as error:
            raise ProgramError(f"{planned.name(iteration)}: {error}") from None
        self.done[unit] += 1

    def _start(self, unit: Unit, planned: _Planned, iteration: int) -> Clock:
        """Take the tokens; the clock of the instruction's first step."""
        clock = self.clocks[_THREAD[unit]]
        for giver in Unit:
            if giver in planned.instruction.wait_for:
                clock = np.maximum(clock, self.tokens[giver, unit].popleft())
        if isinstance(planned.instruction, Compute) and planned.instruction.wait_drain:
            clock = np.maximum(clock, self.clocks[_DRAIN])
        return self._tick(_THREAD[unit], clock, planned, iteration)

    def _tick(self, thread: int, clock: Clock, planned: _Planned, iteration: int) -> Clock:
        """One more event of a thread, after all that `clock` has seen."""
        clock = np.maximum(clock, self.clocks[thread])
        clock[thread] += 1
        self.clocks[thread] = clock
        self.log[thread].append(planned.name(iteration))
        return clock

    def _access(
        self,
        thread: int,
        clock: Clock,
        read: Mapping[Any, Addresses],
        written: Mapping[Any, Addresses],
    ) -> None:
        """Note what an instruction touches, by `Memory`, or by `Base` of a watched buffer."""
        for name, words in read.items():
            self.memories[name].read(words, thread, clock)
        for name, words in written.items():
            self.memories[name].write(words, thread, clock)

    def _transfer(self, instruction: Load | Store, clock: Clock, iteration: int) -> None:
        """Move the words, then note those of DRAM; those of the other side are noted."""
        strides = {
            Base.INPUT: self.program.input_stride,
            Base.OUTPUT: self.program.output_stride,
        }
        base, start = instruction.base, instruction.dram_offset
        if instruction.advances:
            start += iteration * strides.get(base, 0)
        transfer(self.pads, instruction, self.dram[base], start)
        if base in self.memories:
            runs = dram_runs(self.pads, instruction, start)
            words = {base: np.unique(runs // self.width)}
            if isinstance(instruction, Load):
                self._access(_LOAD, clock, words, {})
            else:
                self._access(_STORE, clock, {}, words)


class _Memory:
    """Who accessed each word of a memory last."""

    def __init__(self, name: str, depth: int, log: list[list[str]]) -> None:
        self.name, self.log = name, log
        self.writer = np.full(depth, -1, np.int8)
        """The thread that wrote last; -1 for none."""
        self.written = np.zeros(depth, np.int64)
        """When, in that thread's time."""
        self.last_read = np.zeros((4, depth), np.int64)
        """When each thread read last; 0 for never."""

    def read(self, words: Addresses, thread: int, clock: Clock) -> None:
        never = self.writer[words] < 0
        if never.any():
            raise ProgramError(f"reads {self._word(words[never])}, which nothing has written")
        self._follow_writes("reads", words, clock)
        self.last_read[thread, words] = clock[thread]

    def write(self, words: Addresses, thread: int, clock: Clock) -> None:
        self._follow_writes("writes", words[self.writer[words] >= 0], clock)
        for reader, times in enumerate(self.last_read[:, words]):
            early = times > clock[reader]
            if early.any():
                self._refuse("writes", words[early], reader, times[early], "reads")
        self.writer[words], self.written[words] = thread, clock[thread]

    def _follow_writes(self, does: str, words: Addresses, clock: Clock) -> None:
        writers, times = self.writer[words], self.written[words]
        late = times > clock[writers]
        if late.any():
            self._refuse(does, words[late], int(writers[late][0]), times[late], "writes")

    def _refuse(self, does: str, words: Addresses, thread: int, times: Addresses, did: str) -> None:
        other = self.log[thread][int(times[0])]
        raise ProgramError(f"{does} {self._word(words)}; nothing orders it after {other} {did} it")

    def _word(self, words: Addresses) -> str:
        return f"word {words[0]} of {self.name}"


def _name(unit: Unit) -> str:
    return str(unit.name).lower()
