"""Invariants of each pass's result, which hold whatever the network.

Always on, as it takes a hundredth of the time of compiling. A failure is a bug of the compiler,
never of a network, so it is an AssertionError.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from cnnaccel.compiler.emit.emit import Emitted
from cnnaccel.compiler.lower.network import Network, Task
from cnnaccel.compiler.plan.blocks import pieces
from cnnaccel.compiler.plan.schedule import Schedule, TaskBuffer
from cnnaccel.compiler.plan.tiling import Cut, Tiling, region_unit, round_up
from cnnaccel.isa.instructions import Base, Load, Memory, Opcode


def check_network(network: Network) -> None:
    """Every view lies in its tensor; what is read was written before, all of it; words are written
    once, but for those of images side by side."""
    written = {name: np.zeros(tensor.words, bool) for name, tensor in network.tensors.items()}
    written[network.image][:] = True
    for task in network.tasks:
        for view in (*task.reads, task.target):
            tensor = network.tensors[view.tensor]
            where = f"task '{task.name}', tensor '{view.tensor}'"
            assert view.first >= 0 and view.first + view.words <= tensor.words, where
        for view in task.reads:
            there = written[view.tensor][view.first : view.first + view.words]
            assert there.all(), f"task '{task.name}' reads '{view.tensor}' before it is written"
        view = task.target
        target = written[view.tensor][view.first : view.first + view.words]
        assert not target.any(), f"task '{task.name}' writes '{view.tensor}' again"
        target[:] = True
        if not task.flat:
            tensor = network.tensors[view.tensor]
            assert (task.rows, task.columns) == (tensor.rows, tensor.columns), task.name
    left = [name for name, there in written.items() if not there.all()]
    assert not left, f"words of {left} are never written"


def check_schedule(schedule: Schedule) -> None:
    """Pieces make each output once; what lives at one time lies apart, inside its memory."""
    hardware, network = schedule.hardware, schedule.network
    for task, tiling in zip(network.tasks, schedule.tilings, strict=True):
        _check_cover(task, tiling.cut)
    unit = region_unit(hardware)
    regions = [
        (str(key), range(at, at + round_up(words, unit)), lives)
        for key, at, words, lives in _act_regions(schedule)
    ]
    _check_apart(regions, hardware.act_words)
    scratch = [
        (name, _bytes(schedule, name), _life(network, name))
        for name in schedule.dram
        if network.tensors[name].base is Base.SCRATCH
    ]
    _check_apart(scratch, schedule.scratch_bytes)
    for memory, stream, depth in (
        (Memory.WGT, schedule.wgt_stream, hardware.wgt_words),
        (Memory.PAR, schedule.par_stream, hardware.par_groups),
    ):
        always = range(len(network.tasks))
        resident = [
            (task.name, _stored_words(schedule, task, memory), always)
            for task in network.tasks
            if task.name in schedule.stored
        ]
        _check_apart([*resident, ("what streams", stream, always)], depth)


def check_emitted(schedule: Schedule, emitted: Emitted) -> None:
    """Operations touch memories within their sizes, load weights that are there, and move what was
    planned: `emit` compares that for each task."""
    for op in (*emitted.once, *emitted.body):
        for memory, rows, columns in (*op.reads, *op.writes):
            most_rows, most_columns = emitted.memories[memory]
            assert 0 <= rows.start <= rows.stop <= most_rows, (op.note, memory)
            assert 0 <= columns.start <= columns.stop <= most_columns, (op.note, memory)
    width = {
        Opcode.LOAD_WGT: schedule.hardware.wgt_word_bytes,
        Opcode.LOAD_PAR: schedule.hardware.par_word_bytes,
    }
    for op in (*emitted.once, *emitted.body):
        load = op.instruction
        if isinstance(load, Load) and load.opcode in width:
            end = load.dram_offset + load.run_words * width[load.opcode]
            assert end <= len(emitted.weights), op.note


def _check_cover(task: Task, cut: Cut) -> None:
    """Every output word is drained once, after all of its reduction."""
    whole = task.work.whole
    steps = sum(len(p.rows) * len(p.columns) * len(p.words) for p in cut.parts)
    every = len(whole.rows) * len(whole.columns) * len(whole.words)
    assert steps == every, f"task '{task.name}': parts have {steps} of {every} steps"
    groups = task.work.channels.groups
    times = np.zeros((groups, task.rows, task.columns), np.uint8)
    for piece in pieces(task, cut):
        if piece.last:
            times[
                piece.groups.start : piece.groups.stop,
                piece.rows.start : piece.rows.stop,
                piece.columns.start : piece.columns.stop,
            ] += 1
    assert (times == 1).all(), f"task '{task.name}': pieces do not make each output once"


def _act_regions(schedule: Schedule) -> Iterator[tuple[object, int, int, range]]:
    """Each region of act: its key, first word, words, and the tasks during which it is live."""
    network = schedule.network
    for key, at in schedule.act.items():
        if isinstance(key, TaskBuffer):
            words = _buffer_words(schedule.tilings[key.task], key)
            yield key, at, words, range(key.task, key.task + 1)
        else:
            yield key, at, network.tensors[key].size, schedule.lives[key]


def _buffer_words(tiling: Tiling, key: TaskBuffer) -> int:
    return dict(tiling.buffers)[key.buffer]


def _bytes(schedule: Schedule, name: str) -> range:
    """The bytes of a tensor in its buffer in DRAM."""
    at, tensor = schedule.dram[name], schedule.network.tensors[name]
    return range(at, at + tensor.size * schedule.hardware.input_lanes)


def _life(network: Network, name: str) -> range:
    """The tasks from a tensor's first writer to its last reader."""
    numbers = [
        number
        for number, task in enumerate(network.tasks)
        if name in (task.target.tensor, *(view.tensor for view in task.reads))
    ]
    return range(min(numbers), max(numbers) + 1)


def _stored_words(schedule: Schedule, task: Task, memory: Memory) -> range:
    """The words that the resident weights or parameters of a task take."""
    stored, groups = schedule.stored[task.name], task.work.channels.groups
    if memory is Memory.WGT:
        return range(stored.wgt, stored.wgt + task.wgt_words(groups, task.work.whole))
    return range(stored.par, stored.par + task.par_words(groups))


def _check_apart(regions: list[tuple[str, range, range]], size: int) -> None:
    """Regions, as name, words, life: inside `size` words; those that live at one time are apart."""
    for name, words, life in regions:
        if life:
            assert words.start >= 0 and words.stop <= size, f"{name}: {words} of {size}"
    for (one, words, life), (other, others, lives) in itertools.combinations(regions, 2):
        meet = life.start < lives.stop and lives.start < life.stop
        overlap = words.start < others.stop and others.start < words.stop
        assert not (meet and overlap and words and others), f"{one} and {other} share words"
