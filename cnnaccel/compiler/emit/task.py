"""One task for one image as operations: piece by piece, what is loaded, computed, stored.

Loads are put where they can run ahead: what the next piece needs is loaded while this one computes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnaccel.compiler.emit.tokens import Cells, Op
from cnnaccel.compiler.emit.transfers import act_cells, move, place_cells, unfold
from cnnaccel.compiler.emit.weights import WeightImage
from cnnaccel.compiler.lower.mapping import Part, nest
from cnnaccel.compiler.lower.network import Addition, View
from cnnaccel.compiler.lower.place import Place
from cnnaccel.compiler.plan.blocks import Block, Piece, Reading, pieces, spread, weights_once
from cnnaccel.compiler.plan.schedule import Schedule, TaskBuffer
from cnnaccel.compiler.plan.tiling import Buffer, Role, lanes_for, wanted_interleave
from cnnaccel.isa.instructions import Load, Memory, Store
from cnnaccel.isa.program import Note


@dataclass(frozen=True)
class _Words:
    """The words of a memory that an instruction is to use, and the cells they lie in."""

    at: int
    cells: tuple[Cells, ...]
    """Empty where nothing ever changes them."""


@dataclass(frozen=True)
class _Operand:
    """Words of a tensor in act."""

    place: Place
    cells: Cells

    def part(self, words: range) -> _Operand:
        """Some of the words."""
        return _Operand(self.place.part(words), self.cells)


@dataclass
class _Stream:
    """A stream through one or two buffers: a key for each piece, and how it is loaded."""

    keys: Sequence[Any]
    load: Callable[[Any, int], list[Op]]
    slots: int
    next_slot: int
    slot_of: list[int] = field(default_factory=list)
    """The slot that each piece finds its words in."""

    def loads(self) -> list[list[Op]]:
        """The loads before each piece: its own, if there is one buffer; else those of the next run
        of pieces, spread over this one."""
        found: list[list[Op]] = [[] for _ in self.keys]
        numbers = range(len(self.keys))
        runs = [list(run) for _, run in itertools.groupby(numbers, lambda at: self.keys[at])]
        for number, run in enumerate(runs):
            self.slot_of += [self.next_slot] * len(run)
            ops = self.load(self.keys[run[0]], self.next_slot)
            self.next_slot = (self.next_slot + 1) % self.slots
            where = run[:1] if self.slots == 1 or number == 0 else runs[number - 1]
            for index, op in enumerate(ops):
                found[where[index * len(where) // len(ops)]].append(op)
        return found


class TaskEmitter:
    """The task `number` for one image. halves: the next half of each stream, kept up to date."""

    def __init__(
        self,
        schedule: Schedule,
        weights: WeightImage,
        halves: dict[Memory, int],
        number: int,
        image: int,
    ) -> None:
        self.schedule, self.hardware = schedule, schedule.hardware
        self.network, self.tensors = schedule.network, schedule.network.tensors
        self.weights, self.halves = weights, halves
        self.number, self.image = number, image
        self.task = self.network.tasks[number]
        self.work = self.task.work
        self.tiling, self.cut = schedule.tilings[number], schedule.tilings[number].cut
        self.stored = schedule.stored.get(self.task.name)
        held = schedule.resident.get(self.task.sources[0].tensor, 0)
        self.pool = lanes_for(self.hardware, self.task, held).pool
        self.pieces = pieces(self.task, self.cut)
        self.readings = [
            Reading(self.task, at, self.tensors[view.tensor], self.cut)
            for at, view in enumerate(self.task.reads)
        ]
        self.streams: dict[Memory | int, _Stream] = {}
        """Streams by memory, for weights and parameters; by number in `Task.reads`, for sources."""

    def emit(self) -> list[Op]:
        """All operations, in order."""
        loads = self._loads()
        found: list[Op] = []
        results = 0
        for number, piece in enumerate(self.pieces):
            for before in loads:
                found += before[number]
            result = self._result(piece, results)
            found += self._compute(number, piece, result)
            if piece.last and self.task.target.tensor not in self.schedule.resident:
                found += self._store(piece, result.place)
                results += 1
        return found

    # -- what is loaded ------------------------------------------------------------------------

    def _loads(self) -> list[list[list[Op]]]:
        """The loads before each piece, for each stream; weights first, as they are needed first."""
        found = []
        if self.stored is None:
            keys = [(piece.groups, piece.part, piece.last) for piece in self.pieces]
            if weights_once(self.task):
                keys = keys[:1] * len(keys)
            found.append(self._halves(Memory.WGT, keys, self._load_wgt))
            groups = [piece.groups for piece in self.pieces]
            found.append(self._halves(Memory.PAR, groups, self._load_par))
        slots = self.tiling.slots[0]
        for number, view in enumerate(self.task.reads):
            if view.tensor in self.schedule.resident:
                continue
            blocks = [self.readings[number].block(piece) for piece in self.pieces]
            runs = sum(1 for _ in itertools.groupby(blocks))
            load = self._loader(number, len(blocks) // runs)
            stream = _Stream(blocks, load, slots, self.image * runs % slots)
            self.streams[number] = stream
            found.append(stream.loads())
        return found

    def _halves(
        self, memory: Memory, keys: Sequence[Any], load: Callable[[Any, int], list[Op]]
    ) -> list[list[Op]]:
        slots = self.tiling.slots[1]
        stream = _Stream(keys, load, slots, self.halves[memory] % slots)
        self.streams[memory] = stream
        found = stream.loads()
        self.halves[memory] = stream.next_slot
        return found

    def _load_wgt(self, key: tuple[range, Part, bool], slot: int) -> list[Op]:
        groups, part, last = key
        at = self._half(Memory.WGT, slot).start
        return self.weights.load_wgt(self.task, groups, part, last, at)

    def _load_par(self, groups: range, slot: int) -> list[Op]:
        return self.weights.load_par(self.task, groups, self._half(Memory.PAR, slot).start)

    def _half(self, memory: Memory, slot: int) -> range:
        """The words of one of the buffers that weights or parameters pass through."""
        area = self.schedule.wgt_stream if memory is Memory.WGT else self.schedule.par_stream
        size = len(area) // self.tiling.slots[1]
        return area[slot * size : (slot + 1) * size]

    def _loader(self, number: int, served: int) -> Callable[[Any, int], list[Op]]:
        """served: pieces that a block serves, between which the loads of the next one lie."""
        view, layer = self.task.reads[number], self.task.name
        tensor = self.tensors[view.tensor]

        def load(block: Block, slot: int) -> list[Op]:
            place = self._loaded(number, block, slot)
            if not (block.rows and block.columns):
                return []
            if tensor.unfold is not None:
                return unfold(self.schedule, tensor, block, place, layer, self.image)
            found: list[Op] = []
            for words in spread(len(block.words), served):
                first = view.first + block.words.start
                shifted = range(first + words.start, first + words.stop)
                part = Block(shifted, block.rows, block.columns)
                found += move(
                    self.schedule, Load, tensor, part, place.part(words), layer, self.image
                )
            return found

        return load

    def _loaded(self, number: int, block: Block, slot: int) -> Place:
        """The buffer of a source with a block in it."""
        tensor = self.tensors[self.task.reads[number].tensor]
        return Place(
            self._buffer(Buffer(Role.SOURCE, slot, number)), len(block.words), tensor.rows,
            tensor.columns, tensor.signed, self._interleave(number),
            block.rows.start, len(block.rows), block.columns.start, len(block.columns),
        )  # fmt: skip

    def _buffer(self, buffer: Buffer) -> int:
        return self.schedule.act[TaskBuffer(self.number, buffer)]

    def _interleave(self, number: int) -> int:
        """L of the buffer of a source; operands of an addition have one L."""
        if self.work.window is None:
            return max(self.schedule.resident.get(view.tensor, 1) for view in self.task.sources)
        return (
            1 if self.readings[number].elementwise else wanted_interleave(self.hardware, self.task)
        )

    # -- what is read and written --------------------------------------------------------------

    def _held(self, view: View, words: range) -> _Operand:
        """Some words of a view of a tensor that is on the chip."""
        tensor = self.tensors[view.tensor]
        place = Place(
            self.schedule.act[tensor.name], tensor.words, tensor.rows, tensor.columns,
            tensor.signed, self.schedule.resident[tensor.name],
        )  # fmt: skip
        place = place.part(range(view.first + words.start, view.first + words.stop))
        return _Operand(place, place_cells(self.hardware, place))

    def _source(self, number: int, at: int, piece: Piece) -> _Operand:
        """The words that a piece reads of a source, no more."""
        view = self.task.reads[number]
        wanted = self.work.output_words(piece.groups)
        if not self.readings[number].elementwise:
            wanted = self.work.input_words(piece.groups, piece.part)
        stream = self.streams.get(number)
        if stream is None:
            return self._held(view, wanted)
        block = stream.keys[at]
        place = self._loaded(number, block, stream.slot_of[at])
        first = wanted.start - block.words.start
        words = range(first, first + len(wanted))
        return _Operand(place.part(words), place_cells(self.hardware, place))

    def _result(self, piece: Piece, results: int) -> _Operand:
        """The place of the words that a piece makes. results: how many are stored so far."""
        task, view = self.task, self.task.target
        made = self.work.output_words(piece.groups)
        tensor = self.tensors[view.tensor]
        if task.flat:
            images = self.network.images
            first = self.schedule.act[tensor.name] + view.first * images
            place = Place(
                first + self.image, task.words, task.rows, task.columns, tensor.signed, step=images
            )
            cells = act_cells(self.hardware, first, first + view.words * images)
            return _Operand(place.part(made), cells)
        if tensor.name in self.schedule.resident:
            return self._held(view, made)
        slot = results % self.tiling.slots[2]
        return self._made_in(Buffer(Role.RESULT, slot), piece, tensor.signed, 1)

    def _made_in(self, buffer: Buffer, piece: Piece, signed: bool, interleave: int) -> _Operand:
        """A buffer that holds what a piece makes."""
        place = Place(
            self._buffer(buffer), len(self.work.output_words(piece.groups)), self.task.rows,
            self.task.columns, signed, interleave, piece.rows.start, len(piece.rows),
            piece.columns.start, len(piece.columns),
        )  # fmt: skip
        return _Operand(place, place_cells(self.hardware, place))

    def _store(self, piece: Piece, place: Place) -> list[Op]:
        view, made = self.task.target, self.work.output_words(piece.groups)
        words = range(view.first + made.start, view.first + made.stop)
        block = Block(words, piece.rows, piece.columns)
        tensor = self.tensors[view.tensor]
        return move(self.schedule, Store, tensor, block, place, self.task.name)

    # -- what is computed ----------------------------------------------------------------------

    def _compute(self, at: int, piece: Piece, result: _Operand) -> list[Op]:
        """The instructions of a piece."""
        task, work, addition = self.task, self.work, self.task.addition
        sources = [self._source(number, at, piece) for number in range(len(task.sources))]
        wgt, par = self._wgt(at, piece), self._par(at, piece)
        target = result
        if addition is not None:
            interleave = self.schedule.resident.get(addition.other.tensor, 1)
            target = self._made_in(Buffer(Role.MIDDLE), piece, work.limits[0] < 0, interleave)
        made = range(target.place.words)
        found = []
        for words in _alike(sources, made) if work.window is None else [made]:
            own = [source.part(words) if work.window is None else source for source in sources]
            step = 0 if work.one_parameter else words.start
            instruction = nest(
                self.hardware, work, [source.place for source in own], target.place.part(words),
                groups=piece.groups, part=piece.part, pool=self.pool, rows=piece.rows,
                columns=piece.columns, w_init=wgt.at, par_init=par.at + step,
                clear=piece.first, drain=piece.last,
            )  # fmt: skip
            reads = (*(source.cells for source in own), *wgt.cells, *par.cells)
            writes = (target.cells,) if piece.last else ()
            found.append(Op(instruction, Note(task.name, self._text(piece)), reads, writes))
        if addition is not None and piece.last:
            found += self._add(at, piece, addition, target, result)
        return found

    def _add(
        self, at: int, piece: Piece, addition: Addition, middle: _Operand, result: _Operand
    ) -> list[Op]:
        """The instructions that add another tensor to what a piece has made."""
        work, added = self.work, addition.work
        wgt, par = self._wgt(at, piece), self._par(at, piece)
        if self.stored is not None:
            w_init = self.stored.wgt + work.weight_count(work.channels.groups, work.whole)
            p_init = self.stored.par + (1 if work.one_parameter else work.channels.groups)
            if not added.one_parameter:
                p_init += work.output_words(piece.groups).start
        else:
            w_init = wgt.at + work.weight_count(len(piece.groups), piece.part)
            p_init = par.at + (1 if work.one_parameter else len(piece.groups))
        other = self._source(len(self.task.sources), at, piece)
        operands = [middle, other] if addition.results_first else [other, middle]
        found = []
        for words in _alike(operands, range(result.place.words)):
            instruction = nest(
                self.hardware, added, [operand.place.part(words) for operand in operands],
                result.place.part(words), rows=piece.rows, columns=piece.columns, w_init=w_init,
                par_init=p_init + (0 if added.one_parameter else words.start),
            )  # fmt: skip
            reads = (middle.cells, other.cells, *wgt.cells, *par.cells)
            note = Note(addition.name, self._text(piece))
            found.append(Op(instruction, note, reads, (result.cells,)))
        return found

    def _wgt(self, at: int, piece: Piece) -> _Words:
        """The first wgt word of a piece."""
        if self.stored is None:
            return self._streamed(Memory.WGT, at)
        first = self.stored.wgt
        if self.work.window is not None and not self.work.one_weight:
            parts = self.cut.parts
            first += self.work.weight_count(piece.groups.start, self.work.whole)
            before = parts[: parts.index(piece.part)]
            first += sum(self.work.weight_count(1, part) for part in before)
        return _Words(first, ())

    def _par(self, at: int, piece: Piece) -> _Words:
        """The first par word of a piece."""
        if self.stored is None:
            return self._streamed(Memory.PAR, at)
        first = 0 if self.work.one_parameter else piece.groups.start
        return _Words(self.stored.par + first, ())

    def _streamed(self, memory: Memory, at: int) -> _Words:
        half = self._half(memory, self.streams[memory].slot_of[at])
        return _Words(half.start, (Cells(memory, slice(0, 1), slice(half.start, half.stop)),))

    def _text(self, piece: Piece) -> str:
        """A description for people of what a piece makes."""
        made = Block(self.work.output_words(piece.groups), piece.rows, piece.columns)
        text = made.of(self.tensors[self.task.target.tensor])
        if self.network.times(self.number) > 1:
            text = f"image {self.image}, {text}"
        if len(self.cut.parts) > 1:
            text += f", part {self.cut.parts.index(piece.part) + 1} of {len(self.cut.parts)}"
        return text


def _alike(operands: Sequence[_Operand], words: range) -> list[range]:
    """The words that one instruction can add: all, or each where blocks differ in shape."""
    first, second = (operand.place for operand in operands)
    if len(words) == 1 or first.plane == second.plane:
        return [words]
    return [words[at : at + 1] for at in words]
