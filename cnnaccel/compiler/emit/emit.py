"""A schedule as operations, task by task, image by image, with the buffer WEIGHTS.

Knows nothing of tokens; `tokens.synchronise` inserts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnaccel.compiler.emit.task import TaskEmitter
from cnnaccel.compiler.emit.tokens import InDram, Op, Watched
from cnnaccel.compiler.emit.transfers import transfer_bytes
from cnnaccel.compiler.emit.weights import WeightImage
from cnnaccel.compiler.plan.schedule import Schedule
from cnnaccel.compiler.plan.tiling import Moved, region_unit
from cnnaccel.hardware import HardwareConfig
from cnnaccel.isa.instructions import Base, Load, Memory, Store
from cnnaccel.isa.program import NOTHING, Note


@dataclass(frozen=True)
class Emitted:
    """The two sections without tokens, the buffer WEIGHTS, and the memories that are watched."""

    once: tuple[Op, ...]
    body: tuple[Op, ...]
    weights: bytes
    memories: dict[Watched, tuple[int, int]]


def emit(schedule: Schedule) -> Emitted:
    """Everything an iteration does, in order; once loads the weights that stay."""
    hardware, network = schedule.hardware, schedule.network
    weights = WeightImage(hardware)
    once: list[Op] = []
    for task, tiling in zip(network.tasks, schedule.tilings, strict=True):
        stored = schedule.stored.get(task.name)
        if stored is not None:
            once += weights.load_all(task, tiling.cut.parts, stored.wgt, stored.par)
    body: list[Op] = []
    halves: dict[Memory, int] = {Memory.WGT: 0, Memory.PAR: 0}  # of the streams: which is next
    first_together = len(network.each)
    for image in range(network.images):
        for number in range(first_together):
            body += _as_planned(schedule, weights, halves, number, image)
    for number in range(first_together, len(network.tasks)):
        body += _as_planned(schedule, weights, halves, number, 0)
    body.append(Op(NOTHING, Note("end", "all results are stored"), fence=True))
    memories: dict[Watched, tuple[int, int]] = {
        Memory.ACT: (1, -(-hardware.act_words // region_unit(hardware))),
        Memory.WGT: (1, hardware.wgt_words),
        Memory.PAR: (1, hardware.par_groups),
    }
    memories |= {
        InDram(name): (tensor.words, tensor.rows)
        for name, tensor in network.tensors.items()
        if name not in schedule.resident and tensor.base is not Base.INPUT
    }
    return Emitted(tuple(once), tuple(body), bytes(weights.data), memories)


def moved(hardware: HardwareConfig, ops: Sequence[Op]) -> Moved:
    """Bytes that some operations move, and how many instructions they are."""
    bytes_of = {Load: 0, Store: 0}
    transfers = 0
    for op in ops:
        if isinstance(op.instruction, Load | Store):
            bytes_of[type(op.instruction)] += transfer_bytes(hardware, op.instruction)
            transfers += 1
    return Moved(bytes_of[Load], bytes_of[Store], len(ops) - transfers, transfers)


def _as_planned(
    schedule: Schedule, weights: WeightImage, halves: dict[Memory, int], number: int, image: int
) -> list[Op]:
    """The operations of a task for one image; they move what the schedule planned, to the byte."""
    ops = TaskEmitter(schedule, weights, halves, number, image).emit()
    planned, emitted = schedule.tilings[number].moved, moved(schedule.hardware, ops)
    name = schedule.network.tasks[number].name
    assert emitted == planned, f"task '{name}': planned {planned}, emitted {emitted}"
    return ops
