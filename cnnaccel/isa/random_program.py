"""Random legal programs: every instruction from the field tables, tokens where they are needed.

Section once fills the scratchpads and SCRATCH; body begins by filling its part of OUTPUT and ends
by storing all of act, so that no result goes unseen. Instructions are drawn without tokens; then
each one gets those that keep it behind the last ones of the other units that touched its words,
and some more at random. A barrier ends both sections.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.execute import dram_runs, reads, writes
from cnnaccel.isa.instructions import Base, Compute, Instruction, Load, Memory, Opcode, Store, Unit
from cnnaccel.isa.program import NOTHING, Program
from cnnaccel.isa.random_instruction import (
    count,
    drawn,
    free,
    garbage,
    par_bytes,
    place,
    separate,
    synchronised,
    touched,
    unfold_fields,
    wgt_bytes,
)
from cnnaccel.isa.scratchpad import Scratchpads

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.int64]
Touched = dict[Memory | Base, Words]
"""Words of each scratchpad, and of each buffer in DRAM."""
_LIKELY = {
    Opcode.MAC: 7, Opcode.MAX: 4, Opcode.STORE: 4, Opcode.LOAD_ACT: 2, Opcode.LOAD_WGT: 2,
    Opcode.LOAD_PAR: 2, Opcode.UNFOLD: 2,
}  # fmt: skip
_MOST_UNCLEARED = 3
"""Instructions in a row that go on with the sums, which stay within int32."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A program, INPUT, and how often body runs."""

    program: Program
    images: Bytes
    count: int


def draw(hw: HardwareConfig, seed: int, length: int, contents: int | None = None) -> Drawn:
    """A program with about so many instructions in body.

    contents: the seed of WEIGHTS, where several programs are to share them.
    """
    rng = np.random.default_rng(seed)
    return _Drawing(hw, rng, contents).program(length)


def last_writers(hw: HardwareConfig, drawn: Drawn) -> dict[Base, npt.NDArray[np.int32]]:
    """The instruction whose result each word of OUTPUT and SCRATCH is after a run of a drawn
    program, counted in the order in which they run, body repeated.

    What body's last STORE puts into SCRATCH counts as of those that wrote it into act.
    """
    program, pads = drawn.program, Scratchpads.empty(hw)
    width = hw.input_lanes
    act = np.zeros(hw.act_words, np.int32)
    found = {
        Base.OUTPUT: np.zeros(drawn.count * program.output_stride // width, np.int32),
        Base.SCRATCH: np.zeros(program.scratch_bytes // width, np.int32),
    }
    written = [cells(pads, one)[1] for one in (*program.once, *program.body)]
    once, body = len(program.once), len(program.body)
    dump = max(at for at, one in enumerate(program.body) if isinstance(one, Store))
    for order in range(once + drawn.count * body):
        iteration, at = divmod(max(0, order - once), body)
        one = program.once[order] if order < once else program.body[at]
        words = written[order if order < once else once + at]
        if Memory.ACT in words:
            act[words[Memory.ACT]] = order
        if isinstance(one, Store):
            advances = one.advances and one.base is Base.OUTPUT
            ahead = iteration * program.output_stride // width if advances else 0
            is_dump = order >= once and at == dump
            whose = act[_physical(pads, np.arange(hw.act_words), one.interleave)]
            found[one.base][words[one.base] + ahead] = whose if is_dump else order
    return found


class _Drawing:
    """Sizes and contents of the buffers of one program, and instructions that stay within."""

    def __init__(self, hw: HardwareConfig, rng: np.random.Generator, contents: int | None) -> None:
        self.hw, self.rng = hw, rng
        of_contents = rng if contents is None else np.random.default_rng(contents)
        self.pads = garbage(hw, of_contents)
        parts = [garbage(hw, of_contents) for _ in range(3)]
        self.par = np.concatenate([par_bytes(part).reshape(-1) for part in parts])
        wgt = wgt_bytes(self.pads).reshape(-1)
        self.act_bytes = self.pads.act.size
        self.weights = np.concatenate([self.par, wgt, self.pads.act.reshape(-1)])
        self.count = int(rng.integers(1, 4))
        word = hw.input_lanes
        self.input_stride = int(rng.integers(40, 200)) * word
        self.output_stride = int(rng.integers(40, 100)) * word
        self.uncleared = 0
        self.written, self.interleave = 0, 1  # where the last one of compute writes
        self.in_body = False

    def program(self, length: int) -> Drawn:
        once = [*self.fill(), *self.some(length // 10)]
        self.in_body = True
        dump = Store(
            base=Base.SCRATCH, run_words=self.hw.act_words, dram_offset=self.act_bytes
        )  # fmt: skip
        first = [
            Store(base=Base.OUTPUT, advances=True,
                  run_words=self.output_stride // self.hw.input_lanes),
            Load(run_words=2, dram_offset=self.par.size),
        ]  # fmt: skip
        body = [*first, *self.some(length), dump]
        images = self.rng.integers(0, 256, self.count * self.input_stride).astype(np.uint8)
        program = Program(
            digest=self.hw.digest,
            once=self.ordered(once, starts=True),
            body=self.ordered(body, starts=False),
            weights=self.weights.tobytes(),
            count=self.count,
            input_stride=self.input_stride,
            output_stride=self.output_stride,
            scratch_bytes=2 * self.act_bytes,
        )
        return Drawn(program, images, self.count)

    def fill(self) -> list[Instruction]:
        """Every word of the scratchpads and of the first half of SCRATCH, and an idle sum."""
        hw, wgt = self.hw, self.par.size
        act = wgt + hw.wgt_words * hw.wgt_word_bytes
        return [
            Load(opcode=Opcode.LOAD_PAR, run_words=hw.par_groups),
            Load(opcode=Opcode.LOAD_WGT, dram_offset=wgt, run_words=hw.wgt_words),
            Load(opcode=Opcode.LOAD_ACT, dram_offset=act, run_words=hw.act_words),
            Store(base=Base.SCRATCH, run_words=hw.act_words),
        ]

    def some(self, length: int) -> list[Instruction]:
        weights = np.array([*_LIKELY.values()])
        opcodes = self.rng.choice(
            np.array([*_LIKELY], dtype=object), length, p=weights / weights.sum()
        )
        self.uncleared = _MOST_UNCLEARED  # what section came before, nobody knows
        return [self.one(opcode) for opcode in opcodes]

    def one(self, opcode: Opcode) -> Instruction:
        if opcode in (Opcode.MAC, Opcode.MAX):
            return self.compute(opcode)
        while True:
            made = self.transfer(opcode)
            if made is not None:
                return made

    def compute(self, opcode: Opcode) -> Compute:
        """An instruction of compute; every second one reads about where the one before writes."""
        made = free(self.hw, self.rng, self.pads, opcode=opcode)
        made = dataclasses.replace(
            made,
            w_init=made.w_init % self.hw.wgt_words,
            par_init=made.par_init % self.hw.par_groups,
            clear=made.clear or self.uncleared >= _MOST_UNCLEARED,
        )
        near = dataclasses.replace(made, a_init=self.written, interleave_in=self.interleave)
        near = dataclasses.replace(near, lane_distance=(made.lane_distance | 1) * self.interleave)
        if self.rng.random() < 0.5 and separate(self.pads, near):
            made = near
        self.uncleared = 0 if made.clear else self.uncleared + 1
        self.written, self.interleave = made.o_init, made.interleave_out
        return made

    def transfer(self, opcode: Opcode) -> Load | Store | None:
        """A transfer at random; None if it does not lie within its scratchpad."""
        rng, hw, width = self.rng, self.hw, self.hw.input_lanes
        kind = Store if opcode is Opcode.STORE else Load
        values: dict[str, Any] = drawn(rng, kind) | {
            "opcode": opcode, "runs": count(rng, 6), "wait_for": Unit(0), "signal_to": Unit(0),
        }  # fmt: skip
        word, depth = {
            Opcode.LOAD_WGT: (hw.wgt_word_bytes, hw.wgt_words),
            Opcode.LOAD_PAR: (hw.par_word_bytes, hw.par_groups),
        }.get(opcode, (width, hw.act_words))
        if opcode is Opcode.UNFOLD:
            values |= unfold_fields(rng, width)
            length, unit = values["row_pixels"] * values["pixel_bytes"], 1
            inner = [(values["columns"], "distance"), (values["column_words"], "plane")]
        else:
            values["run_words"] = count(rng, 7 if word > width else 60)
            length = values["run_words"] * word
            unit = word if opcode is Opcode.LOAD_PAR else width
            inner = [(values["run_words"], "distance")]
        base, first, size = self.buffer(opcode)
        if values["runs"] * length > size:
            return None
        offset, values["dram_stride"] = place(rng, values["runs"], length, unit, size)
        values |= {"base": base, "dram_offset": first + offset}
        ends = []
        for steps, name in [*inner, (values["runs"], "stride")]:
            most = 2 * depth // (3 * steps)
            least = -most if name == "stride" else 0
            values[name] = int(rng.integers(least, most, endpoint=True))
            if rng.random() < 0.5:
                values[name] = count(rng, 64) - 1
            ends.append((steps - 1) * values[name])
        low, high = (sum(pick(0, end) for end in ends) for pick in (min, max))
        if high - low >= depth:
            return None
        values["address"] = int(rng.integers(-low, depth - high))
        return kind(**values)

    def buffer(self, opcode: Opcode) -> tuple[Base, int, int]:
        """A buffer for a transfer: its first byte there, and the bytes it may use."""
        if opcode is Opcode.LOAD_PAR:
            return Base.WEIGHTS, 0, self.par.size
        buffers = [
            (Base.SCRATCH, 0, self.act_bytes),
            (Base.OUTPUT, 0, self.output_stride),
            (Base.INPUT, 0, self.input_stride),
            (Base.WEIGHTS, self.par.size, self.weights.size - self.par.size),
        ]
        if not self.in_body:
            del buffers[1]  # which nothing has written
        written = [buffer for buffer in buffers if buffer[0] in (Base.SCRATCH, Base.OUTPUT)]
        chosen = written if opcode is Opcode.STORE else buffers
        return chosen[self.rng.integers(len(chosen))]

    # -- tokens ------------------------------------------------------------------------------------

    def ordered(self, body: Sequence[Instruction], *, starts: bool) -> tuple[Instruction, ...]:
        """The body with tokens, and a barrier of compute at the end, whose tokens load and store
        begin with. starts: nothing comes before."""
        made = [*body, NOTHING]
        computes = [at for at, one in enumerate(made) if isinstance(one, Compute)]
        drains = synchronised(self.pads, [made[at] for at in computes])  # type: ignore[misc]
        for number, at in enumerate(computes):
            wait = drains[number].wait_drain or number == 0 or self.rng.random() < 0.1
            made[at] = dataclasses.replace(drains[number], wait_drain=wait)
        waits = [Unit(0)] * len(made)
        signals = [Unit(0)] * len(made)
        last = len(made) - 1
        given: dict[tuple[Unit, Unit], int] = {}

        def pass_token(giver: int, taker: int) -> None:
            pair = made[giver].UNIT, made[taker].UNIT
            if giver > given.get(pair, -1) and not waits[taker] & pair[0]:
                given[pair] = giver
                signals[giver] |= pair[1]
                waits[taker] |= pair[0]

        touches = _Touches()
        of_unit: dict[Unit, list[int]] = {unit: [] for unit in Unit}
        for at, one in enumerate(made):
            read, written = cells(self.pads, one)
            needs = touches.needs(read, written)
            touches.note(at, one.UNIT, read, written)
            for giver in Unit:
                if giver is one.UNIT or not of_unit[giver]:
                    continue
                if at == last:
                    pass_token(of_unit[giver][-1], at)
                elif giver in needs:
                    pass_token(needs[giver], at)
                elif self.rng.random() < 0.1:
                    pass_token(int(self.rng.choice(of_unit[giver])), at)
            of_unit[one.UNIT].append(at)
        signals[last] |= Unit.LOAD | Unit.STORE
        if not starts:
            for unit in (Unit.LOAD, Unit.STORE):
                first = of_unit[unit][0]
                assert not waits[first] & Unit.COMPUTE
                waits[first] |= Unit.COMPUTE
        return tuple(
            dataclasses.replace(one, wait_for=wait, signal_to=signal)
            for one, wait, signal in zip(made, waits, signals, strict=True)
        )


def cells(pads: Scratchpads, one: Instruction) -> tuple[Touched, Touched]:
    """The words of each memory that an instruction reads, and writes; those of act by where they
    lie, those of buffers in iteration 0."""
    read, written = (cast("Touched", of(pads, one)) for of in (reads, writes))
    if isinstance(one, Compute):
        in_act, out_act = touched(pads, one)
        read[Memory.ACT], written[Memory.ACT] = np.flatnonzero(in_act), np.flatnonzero(out_act)
        return read, written
    assert isinstance(one, Load | Store)
    for words in (read, written):
        if Memory.ACT in words:
            words[Memory.ACT] = np.unique(_physical(pads, words[Memory.ACT], one.interleave))
    runs = dram_runs(pads, one, one.dram_offset) // pads.act.shape[2]
    (written if isinstance(one, Store) else read)[one.base] = np.unique(runs)
    return read, written


def _physical(pads: Scratchpads, words: Words, interleave: int) -> Words:
    """Numbers of the physical words of act."""
    bank, row = pads.locate(words, interleave)
    return np.asarray(bank * pads.act.shape[1] + row)


class _Touches:
    """The last reader and writer of each word, by unit."""

    def __init__(self) -> None:
        self.last: dict[tuple[Memory | Base, bool, Unit], dict[int, int]] = {}

    def needs(self, read: Touched, written: Touched) -> dict[Unit, int]:
        """The last instruction of each unit that this one must come after."""
        found: dict[Unit, int] = {}
        for (memory, writes_it, unit), cells in self.last.items():
            words = written.get(memory, ())
            if writes_it:
                words = (*words, *read.get(memory, ()))
            ends = [cells[word] for word in words if word in cells]
            if ends:
                found[unit] = max(found.get(unit, -1), *ends)
        return found

    def note(self, at: int, unit: Unit, read: Touched, written: Touched) -> None:
        for writes_it, words in ((False, read), (True, written)):
            for memory, cells in words.items():
                self.last.setdefault((memory, writes_it, unit), {}).update(
                    dict.fromkeys(cells.tolist(), at)
                )
