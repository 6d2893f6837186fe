"""Instructions with what they touch, and the tokens that keep them in order.

The order of a list of operations is what they mean: each reads what the last one before it wrote.
`synchronise` gives tokens so that the units, which run side by side, keep to it. What a unit knows
is a clock: how many operations of load, compute (as it reads), compute (as it drains) and store it
has seen end. A token carries the clock of its giver, and is given only where the clock of the taker
does not show already what it must.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnaccel.isa.instructions import Instruction, Memory, Unit
from cnnaccel.isa.program import NOTHING, Note

_LOAD, _READ, _DRAIN, _STORE = range(4)
_UNITS = (Unit.LOAD, Unit.COMPUTE, Unit.STORE)
_ENDS = {Unit.LOAD: _LOAD, Unit.COMPUTE: _DRAIN, Unit.STORE: _STORE}
"""Index in a clock of the ended operations of each unit."""
_COPIES = 6
"""Most passes over body until its tokens repeat."""


@dataclass(frozen=True)
class InDram:
    """A tensor in DRAM, as a memory that is watched."""

    tensor: str


Watched = Memory | InDram


class Cells(NamedTuple):
    """A rectangle of a memory that is watched: rows and columns of an array, or columns of one."""

    memory: Watched
    rows: slice
    columns: slice


@dataclass(frozen=True)
class Op:
    """An instruction without tokens."""

    instruction: Instruction
    note: Note
    reads: tuple[Cells, ...] = ()
    writes: tuple[Cells, ...] = ()
    fence: bool = False
    """Waits for all before it in body, and stands for them in the next iteration."""


class _Token(NamedTuple):
    giver: Unit
    given_by: int
    """Number of the giving operation among those of its unit in body; negative: of the iteration
    before."""
    taker: Unit
    taken_by: int


@dataclass(frozen=True)
class _Found:
    """The result of one pass over a section."""

    tokens: tuple[_Token, ...]
    drains: frozenset[int]
    """Operations of compute that wait for the drain of the one before."""


def synchronise(
    once: Sequence[Op], body: Sequence[Op], memories: Mapping[Watched, tuple[int, int]]
) -> tuple[tuple[Instruction, ...], tuple[Instruction, ...], tuple[Note, ...]]:
    """Instructions of both sections, with tokens, and what they are for.

    Once has loads only; body ends in a fence. memories: shapes of the arrays of `Cells`.
    """
    once = [*once, Op(NOTHING, Note("start", "all weights are there"), fence=True)]
    machine = _Machine(memories)
    start, found = machine.section(once), machine.section(body)
    for _ in range(_COPIES):
        before, found = found, machine.section(body)
        if found == before:
            break
    else:
        raise AssertionError("the tokens of body do not repeat")
    # what iteration 0 takes from the one before it, once gives
    early = [token for token in found.tokens if token.given_by < 0]
    assert all(t.giver is Unit.COMPUTE and t.taker is Unit.LOAD for t in early), early
    first = [Op(NOTHING, Note("start", "a first token for load")) for _ in early]
    given = [_Token(Unit.COMPUTE, 1 + n, Unit.LOAD, -1) for n in range(len(early))]
    started = _Found((*start.tokens, *given), frozenset())
    sections = _with_tokens([*once, *first], started), _with_tokens(body, found)
    return *sections, tuple(op.note for op in (*once, *first, *body))


def _with_tokens(ops: Sequence[Op], found: _Found) -> tuple[Instruction, ...]:
    """A token given before the section is that of the same operation in its last pass."""
    count = Counter(op.instruction.opcode.unit for op in ops)
    gives: dict[tuple[Unit, int], Unit] = {}
    takes: dict[tuple[Unit, int], Unit] = {}
    for token in found.tokens:
        giver = token.giver, token.given_by % count[token.giver]
        taker = token.taker, token.taken_by
        assert not gives.get(giver, Unit(0)) & token.taker, "two tokens at once"
        gives[giver] = gives.get(giver, Unit(0)) | token.taker
        takes[taker] = takes.get(taker, Unit(0)) | token.giver
    made: list[Instruction] = []
    place: Counter[Unit] = Counter()
    for op in ops:
        unit = op.instruction.opcode.unit
        at = (unit, place[unit])
        place[unit] += 1
        changes: dict[str, Any] = {
            "wait_for": takes.get(at, Unit(0)),
            "signal_to": gives.get(at, Unit(0)),
        }
        if unit is Unit.COMPUTE:
            changes["wait_drain"] = at[1] in found.drains
        made.append(dataclasses.replace(op.instruction, **changes))
    return tuple(made)


@dataclass
class _Machine:
    """The state after some sections: what each unit knows, and who touched each cell last."""

    memories: Mapping[Watched, tuple[int, int]]
    clocks: dict[Unit, npt.NDArray[np.int64]] = field(default_factory=dict)
    ends: dict[Unit, list[npt.NDArray[np.int64]]] = field(default_factory=dict)
    """The clock at the end of every operation of a unit."""
    fence: int = 0
    """Operations of compute up to the last fence."""
    fenced: int = 0
    """Stores that this fence waited for."""

    def __post_init__(self) -> None:
        self.clocks = {unit: np.zeros(4, np.int64) for unit in _UNITS}
        self.ends = {unit: [] for unit in _UNITS}
        self.written = {
            name: {unit: np.zeros(shape, np.int32) for unit in _UNITS}
            for name, shape in self.memories.items()
        }
        self.read = {
            name: {unit: np.zeros(shape, np.int32) for unit in _UNITS}
            for name, shape in self.memories.items()
        }

    def section(self, ops: Sequence[Op]) -> _Found:
        """Pass once over the operations of a section; what it found."""
        begin = {unit: len(self.ends[unit]) for unit in _UNITS}
        tokens: list[_Token] = []
        drains: set[int] = set()
        for op in ops:
            unit = op.instruction.opcode.unit
            number = len(self.ends[unit]) - begin[unit]
            clock = self.clocks[unit]
            needs = self._needs(op)
            for giver, ends in self._tokens(unit, clock, needs):
                tokens.append(_Token(giver, ends - 1 - begin[giver], unit, number))
                np.maximum(clock, self.ends[giver][ends - 1], out=clock)
            if unit is Unit.COMPUTE and needs[Unit.COMPUTE] > clock[_DRAIN]:
                drains.add(number)
                clock[_DRAIN] = clock[_READ]
            self._end(op, unit, clock)
        return _Found(tuple(tokens), frozenset(drains))

    def _needs(self, op: Op) -> dict[Unit, int]:
        """Number of operations of each unit that must have ended before this one starts."""
        unit = op.instruction.opcode.unit
        needs = dict.fromkeys(_UNITS, 0)
        for giver in _UNITS:
            for memory, rows, columns in op.reads:
                cells = self.written[memory][giver][rows, columns]
                needs[giver] = max(needs[giver], int(cells.max(initial=0)))
            if giver is unit:
                continue  # a unit writes in the order of its operations
            for memory, rows, columns in op.writes:
                for touched in (self.written, self.read):
                    cells = touched[memory][giver][rows, columns]
                    needs[giver] = max(needs[giver], int(cells.max(initial=0)))
        if op.fence:
            needs[Unit.LOAD] = len(self.ends[Unit.LOAD])
            needs[Unit.STORE] = len(self.ends[Unit.STORE])
        elif 0 < needs[Unit.STORE] <= self.fenced:
            needs[Unit.STORE] = 0
            if unit is not Unit.COMPUTE:
                needs[Unit.COMPUTE] = max(needs[Unit.COMPUTE], self.fence)
        return needs

    def _tokens(
        self, unit: Unit, clock: npt.NDArray[np.int64], needs: Mapping[Unit, int]
    ) -> list[tuple[Unit, int]]:
        """The givers from whom tokens are needed, and of which operation, without those that say no
        more than another."""
        wanted = [
            (giver, needs[giver])
            for giver in _UNITS
            if giver is not unit and needs[giver] > clock[_ENDS[giver]]
        ]
        return [
            (giver, ends)
            for giver, ends in wanted
            if not any(
                other is not giver and self.ends[other][at - 1][_ENDS[giver]] >= ends
                for other, at in wanted
            )
        ]

    def _end(self, op: Op, unit: Unit, clock: npt.NDArray[np.int64]) -> None:
        """Note what an operation touched, and the clock at its end."""
        number = len(self.ends[unit]) + 1
        after = clock.copy()
        if unit is Unit.COMPUTE:
            clock[_READ] = after[_READ] = number
            after[_DRAIN] = number
        else:
            clock[_ENDS[unit]] = after[_ENDS[unit]] = number
        self.ends[unit].append(after)
        for touched, cells in ((self.read, op.reads), (self.written, op.writes)):
            for memory, rows, columns in cells:
                touched[memory][unit][rows, columns] = number
        if op.fence:
            self.fence, self.fenced = number, len(self.ends[Unit.STORE])
