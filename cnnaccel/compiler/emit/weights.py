"""The buffer WEIGHTS: weights and parameters in the order they are loaded, and the loads.

Every piece is packed once, however often it is loaded. Behind the words of a task lie those of the
addition that follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from cnnaccel.compiler.emit.tokens import Cells, Op
from cnnaccel.compiler.lower.mapping import Part
from cnnaccel.compiler.lower.network import Task
from cnnaccel.compiler.plan.blocks import span
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Load, Memory, Opcode
from cnnaccel.isa.program import Note


@dataclass
class WeightImage:
    """The buffer WEIGHTS while it is made; it grows with every piece that is asked for."""

    hardware: HardwareConfig
    data: bytearray = field(default_factory=bytearray)
    pieces: dict[Hashable, range] = field(default_factory=dict)

    def load_all(self, task: Task, parts: tuple[Part, ...], wgt: int, par: int) -> list[Op]:
        """All weights of a task, group by group and in each part by part; all parameters."""
        work = task.work
        groups = range(work.channels.groups)

        def packed() -> bytes:
            if len(parts) == 1 or work.one_weight:
                words = work.weight_words(groups, work.whole).tobytes()
            else:
                words = b"".join(
                    work.weight_words(groups[group : group + 1], part).tobytes()
                    for group in groups
                    for part in parts
                )
            return words + _added_weights(task)

        key = (task.name, "all")
        ops = self._load(key, packed, Opcode.LOAD_WGT, wgt, Note(task.name, "all weights"))
        return ops + self.load_par(task, groups, par)

    def load_wgt(self, task: Task, groups: range, part: Part, last: bool, at: int) -> list[Op]:
        """The weights of a part for some groups. last: the part that the addition follows."""

        def packed() -> bytes:
            words = task.work.weight_words(groups, part).tobytes()
            return words + _added_weights(task) if last else words

        key = (task.name, Memory.WGT, groups, part)
        note = Note(task.name, f"weights of groups {span(groups)}")
        return self._load(key, packed, Opcode.LOAD_WGT, at, note)

    def load_par(self, task: Task, groups: range, at: int) -> list[Op]:
        """The parameters of some groups."""

        def packed() -> bytes:
            words = task.work.parameter_words(groups)
            if task.addition is not None:
                words += task.addition.work.parameter_words(task.work.output_words(groups))
            return words

        note = Note(task.name, f"parameters of groups {span(groups)}")
        return self._load((task.name, Memory.PAR, groups), packed, Opcode.LOAD_PAR, at, note)

    def _load(
        self, key: Hashable, packed: Callable[[], bytes], opcode: Opcode, at: int, note: Note
    ) -> list[Op]:
        memory, word = Memory.WGT, self.hardware.wgt_word_bytes
        if opcode is Opcode.LOAD_PAR:
            memory, word = Memory.PAR, self.hardware.par_word_bytes
        if key not in self.pieces:
            start = len(self.data)
            self.data += packed()
            self.pieces[key] = range(start, len(self.data))
        piece = self.pieces[key]
        words = len(piece) // word
        if words == 0:  # a maximum has no weights
            return []
        load = Load(opcode=opcode, dram_offset=piece.start, run_words=words, address=at)
        return [Op(load, note, writes=(Cells(memory, slice(0, 1), slice(at, at + words)),))]


def _added_weights(task: Task) -> bytes:
    if task.addition is None:
        return b""
    work = task.addition.work
    return work.weight_words(range(1), work.whole).tobytes()
